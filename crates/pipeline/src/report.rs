//! `status` and `explain`: what would be done and why, without doing it.

use crate::command;
use crate::digests::Digests;
use crate::key::{Input, Kind};
use crate::plan::Plan;
use crate::state::{Assessment, Results, assess_all};
use crate::step::Step;
use crate::store::{Store, short};
use serde_json::{Value, json};
use std::fmt::Write;
use std::io;

/// What each step needs, a line each or as JSON.
pub fn status(plan: &Plan, as_json: bool) -> io::Result<String> {
    let store = Store { artifacts: plan.artifacts.clone() };
    let mut digests = Digests::open(&plan.artifacts);
    let (all, _) = assess_all(plan, &store, &mut digests)?;
    digests.save()?;
    if as_json {
        let stages: Vec<Value> = all.iter().map(|(step, a)| stage_json(step, a, &store)).collect();
        return pretty(&json!({ "target": plan.target, "stages": stages }));
    }
    let names: Vec<String> = all.iter().map(|(step, _)| store.link(step).display().to_string()).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let stages = all.iter().map(|(step, _)| step.name.len()).max().unwrap_or(0).max(14);
    let mut text = String::new();
    for ((step, assessment), name) in all.iter().zip(&names) {
        let (word, reason) = (assessment.state.word(), assessment.state.reason());
        let _ = writeln!(text, "{word:<9} {:<stages$} {name:<width$} ({reason})", step.name);
    }
    Ok(text)
}

/// What enters a step's key and what differs from its last result, as text or as JSON.
pub fn explain(plan: &Plan, stage: &Step, as_json: bool) -> io::Result<String> {
    let store = Store { artifacts: plan.artifacts.clone() };
    let mut digests = Digests::open(&plan.artifacts);
    let (all, results) = assess_all(plan, &store, &mut digests)?;
    digests.save()?;
    let (step, assessment) = all.iter().find(|(step, _)| step.name == stage.name).expect("a step of the plan");
    if as_json {
        let mut value = stage_json(step, assessment, &store);
        value["entered"] = serde_json::to_value(&assessment.entered)?;
        value["recorded"] = serde_json::to_value(assessment.last.as_ref().map(|last| &last.entered))?;
        return pretty(&value);
    }
    Ok(explain_text(step, assessment, &store, &results))
}

fn explain_text(step: &Step, assessment: &Assessment, store: &Store, results: &Results) -> String {
    let Assessment { entered, key, state, last } = assessment;
    let mut text = String::new();
    let mut line = |label: &str, value: String| {
        let _ = writeln!(text, "{label:<12}{value}");
    };
    line(&step.name, format!("{} ({})", state.word(), state.reason()));
    line("name", store.link(step).display().to_string());
    if let Some(key) = key {
        line("result", store.result(step, key).display().to_string());
        let arguments = command::arguments(step, results, &store.result(step, key));
        line("command", command::shell_line(step.program.file_name().as_ref(), &arguments));
    }
    if let Some(last) = last.as_ref().filter(|last| Some(&last.key) != key.as_ref()) {
        line("differs", format!("from the result that has the name now ({})", short(&last.key)));
        for change in entered.changes_since(&last.entered) {
            match (&change.kind, &change.old, &change.new) {
                (Kind::Input, Some(old), Some(new)) => {
                    line("", format!("{change}: digest {} -> {}", shorten(old), shorten(new)));
                }
                _ => line("", change.to_string()),
            }
        }
    }
    line("key", key.as_deref().map_or("not known before its inputs are".to_owned(), str::to_owned));
    line("program", format!("gpt1-{}, version {}", entered.program, entered.version));
    for (name, value) in &entered.params {
        line("parameter", format!("{name} = {value}"));
    }
    for (name, value) in &entered.args {
        line("argument", format!("{name} = {value}"));
    }
    for (flag, Input { what, digest, .. }) in &entered.deps {
        let digest = digest.as_deref().map_or("not made yet".to_owned(), |d| format!("digest {}", shorten(d)));
        line("input", format!("{flag} = {what}, {digest}"));
    }
    text
}

fn stage_json(step: &Step, assessment: &Assessment, store: &Store) -> Value {
    let mut value = json!({
        "stage": step.name,
        "name": store.link(step),
        "result": assessment.key.as_ref().map(|key| store.result(step, key)),
        "key": assessment.key,
        "reason": assessment.state.reason(),
    });
    let state = serde_json::to_value(&assessment.state).unwrap_or(Value::Null);
    if let (Value::Object(value), Value::Object(state)) = (&mut value, state) {
        value.extend(state);
    }
    value
}

fn pretty(value: &Value) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// The first digits of a digest; any other text as it is.
fn shorten(text: &str) -> String {
    let is_digest = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if is_digest { short(text).to_owned() } else { text.to_owned() }
}
