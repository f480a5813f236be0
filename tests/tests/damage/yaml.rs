//! Presets and pipelines.

use crate::harness::{Damaged, damage, folder, isolated, same};
use gpt1_artifacts::preset::Preset;
use gpt1_artifacts::problem::Problems;
use gpt1_pipeline::definition::{self, Definition};
use gpt1_pipeline::plan::{self, Plan};
use gpt1_pipeline::scope::Settings;
use serde_json::Value;
use std::path::Path;

const PRESET: &str = include_str!("../../../pipelines/presets/tiny.yaml");

/// The values of a preset by dotted key, if it is written as simply as ours are.
fn simple(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut values = Vec::new();
    let mut section = "";
    for line in text.lines() {
        let line = if line.starts_with('#') { "" } else { line.split(" #").next()? };
        let (key, value) = match line.trim_end().split_once(':') {
            None if line.trim().is_empty() => continue,
            other => other?,
        };
        let is_word =
            |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
        match key.strip_prefix("  ") {
            None if is_word(key) && value.is_empty() => section = key,
            Some(key) if is_word(key) && is_word(value.strip_prefix(' ')?) => {
                values.push((format!("{section}.{key}"), value[1..].to_owned()));
            }
            _ => return None,
        }
    }
    Some(values)
}

#[test]
fn preset() {
    isolated("yaml::preset", || {
        let dir = folder();
        let path = dir.path().join("mine.yaml");
        fs_err::write(&path, PRESET).unwrap();
        let check = |bytes: &[u8], preset: Preset| {
            let Some(values) = simple(bytes) else {
                return same("ours is as simple as that", &(bytes == PRESET.as_bytes()), &false);
            };
            // By way of text, so that an f32 of 0.1 is 0.1.
            let tree: Value = serde_json::from_str(&serde_json::to_string(&preset).unwrap()).unwrap();
            for (key, value) in values {
                let (section, key) = key.split_once('.').unwrap();
                let found = &tree[section][key];
                let fits = match found {
                    // What changes no result is not recorded.
                    Value::Null => {
                        value == "null" || key == "n_checkpoints" || (key == "keep_best" && value == "false")
                    }
                    Value::Bool(found) => found.to_string() == value,
                    Value::Number(number) => {
                        // As large numbers are read, to the precision that they have.
                        let (found, expected) = (number.as_f64().unwrap(), value.parse::<f64>().unwrap_or(f64::NAN));
                        found == expected || found as f32 == expected as f32
                    }
                    other => *other == value,
                };
                same(&format!("{section}.{key}"), &(found, fits), &(found, true))
                    .map_err(|m| format!("{m}: {value}"))?;
            }
            Ok(())
        };
        damage(&Damaged::text(&path), || Preset::load(path.to_str().unwrap(), &[]), check);
    });
}

/// What the other two do not have: steps for each combination of values, and inputs of all of them.
const EACH: &str = "extends: pretrain.yaml
vars:
  data: ${sample-data.out}/tasks
target: report
stages:
  finetune:
    each: {task: [rte, cola], layers: \"0..2\"}
    run: finetune
    params: [finetune, model.embd_pdrop, model.resid_pdrop, model.attn_pdrop]
    set: {finetune.n_layer_transferred: \"${layers}\"}
    args: {task: \"${task}\"}
    deps: {data: \"${data}\", init: \"${pretrain.out}\"}
    out: ${preset}/${task}-${layers}/finetune
  evaluate:
    each: {task: [rte, cola], layers: \"0..2\"}
    run: evaluate
    args: {task: \"${task}\", split: dev}
    deps: {model: \"${finetune.out}\", data: \"${data}\"}
    out: ${preset}/${task}-${layers}/evaluate
  report:
    run: evaluate report
    deps: {scores: \"${evaluate.out}\", pretrain: \"${pretrain.out}\"}
    out: ${preset}/report
";

fn read(path: &Path) -> Result<(Definition, Plan), Problems> {
    let definition = definition::load(path)?;
    let plan = plan::build(&definition, &Settings::default(), None)?;
    Ok((definition, plan))
}

/// What stands in the file's own variables and stages by another way through YAML.
fn check(bytes: &[u8], (definition, plan): (Definition, Plan)) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let yaml: Value = serde_yaml::from_str(text).map_err(|error| format!("the other reader: {error}"))?;
    let plain = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        // As the definition has it.
        Value::Number(number) if !number.is_u64() && !number.is_i64() => number.as_f64().map(|x| x.to_string()),
        other => Some(other.to_string()),
    };
    for (name, value) in yaml["vars"].as_object().into_iter().flatten() {
        let found = definition.vars.iter().find(|variable| variable.name.text == *name);
        let value = if value.is_object() { &value["default"] } else { value };
        let found = found.map(|variable| variable.default.as_ref().map(|text| text.text.clone()));
        same(&format!("the variable {name}"), &found, &Some(plain(value)))?;
    }
    for (name, stage) in yaml["stages"].as_object().into_iter().flatten() {
        let found = definition.stages.iter().find(|stage| stage.name.text == *name);
        let found = found.map(|stage| (stage.run.text.clone(), stage.always.args.len(), stage.always.deps.len()));
        let n =
            |key: &str| stage[key].as_object().map_or(0, |map| map.values().filter(|value| !value.is_null()).count());
        let expected = (plain(&stage["run"]).unwrap_or_default(), n("args"), n("deps"));
        same(&format!("the stage {name}"), &found, &Some(expected))?;
    }
    same("a plan without steps", &plan.steps.is_empty(), &false)
}

#[test]
fn pipelines() {
    isolated("yaml::pipelines", || {
        let dir = folder();
        let files = [
            ("pretrain.yaml", include_str!("../../../pipelines/pretrain.yaml")),
            ("finetune.yaml", include_str!("../../../pipelines/finetune.yaml")),
            ("each.yaml", EACH),
        ];
        for (name, text) in files {
            fs_err::write(dir.path().join(name), text).unwrap();
        }
        for (name, _) in files {
            let path = dir.path().join(name);
            // What one does not say another may, at another place.
            let file = Damaged { named: dir.path().to_owned(), has_lines: true, ..Damaged::text(&path) };
            damage(&file, || read(&path), check);
        }
    });
}
