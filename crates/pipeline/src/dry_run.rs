//! `run --dry-run`: what would be done with each step, by which command, and what it would cost going by earlier runs.

use crate::command::{self, Launch};
use crate::digests::Digests;
use crate::key::{Change, Entered, Kind};
use crate::plan::Plan;
use crate::run::{duration, say};
use crate::state::{State, assess_all};
use crate::step::Step;
use crate::store::{Record, Store};
use gpt1_artifacts::eprintln;
use gpt1_artifacts::manifest::Manifest;
use std::collections::BTreeMap;
use std::io;

/// What a run is expected to take.
struct Cost {
    /// From start to end.
    wall_seconds: f64,
    /// Largest resident set.
    peak_memory_bytes: u64,
    /// In what the earlier run differs; empty: in nothing.
    differs: Vec<Change>,
}

/// Says on stderr what would be done with each step of a plan.
pub fn say_all(plan: &Plan, store: &Store, digests: &mut Digests, force: &[String], launch: &Launch) -> io::Result<()> {
    let (all, results) = assess_all(plan, store, digests)?;
    let (mut seconds, mut n_run, mut n_unknown) = (0.0, 0, 0);
    let mut records = BTreeMap::new();
    for (step, assessment) in &all {
        let forced = force.contains(&step.name);
        let changes = if forced { vec![Change::of(Kind::Forced, "")] } else { Vec::new() };
        let state = if forced && assessment.key.is_some() { &State::Run { changes } } else { &assessment.state };
        let runs = matches!(state, State::Run { .. } | State::Wait { .. });
        let cost = if runs {
            let program = step.program.name();
            let records = records.entry(program).or_insert_with(|| store.records(program));
            cost(step, &assessment.entered, store, records)
        } else {
            None
        };
        if runs {
            n_run += 1;
            n_unknown += usize::from(cost.is_none());
            seconds += cost.as_ref().map_or(0.0, |cost| cost.wall_seconds);
        }
        say(state.word(), &step.name, &(state.reason() + &cost.map_or_else(String::new, |cost| in_words(&cost))));
        if let (State::Run { .. }, Some(key)) = (state, &assessment.key) {
            let (program, arguments) = launch.command(step, &results, &store.result(step, key));
            eprintln!("          {}", command::shell_line(&program, &arguments));
        }
    }
    let unknown = match n_unknown {
        0 => String::new(),
        n if n == n_run => ": nothing is known of earlier runs".to_owned(),
        n => format!("; of {n} nothing is known"),
    };
    let about = if n_unknown < n_run { format!(": about {}", duration(seconds)) } else { String::new() };
    eprintln!("to run: at most {n_run} of {} stages{about}{unknown}", all.len());
    Ok(())
}

/// The earlier run of the same program that differs in the fewest parameters, the readable name's own first.
fn cost(step: &Step, entered: &Entered, store: &Store, records: &[Record]) -> Option<Cost> {
    let last = store.last(step);
    let mut nearest: Option<(Vec<Change>, &Record)> = None;
    for record in last.iter().chain(records) {
        if record.entered.program != entered.program || record.wall_seconds <= 0.0 {
            continue;
        }
        let mut differs = entered.changes_since(&record.entered);
        // Of inputs only the content is known to differ, not the size.
        differs.retain(|change| matches!(change.kind, Kind::Parameter | Kind::Argument));
        if nearest.as_ref().is_none_or(|(fewest, _)| differs.len() < fewest.len()) {
            nearest = Some((differs, record));
        }
    }
    let (differs, record) = nearest?;
    let manifest = Manifest::read(&store.result(step, &record.key));
    let peak_memory_bytes = manifest.map_or(0, |manifest| manifest.peak_memory_bytes);
    Some(Cost { wall_seconds: record.wall_seconds, peak_memory_bytes, differs })
}

fn in_words(cost: &Cost) -> String {
    let memory = match cost.peak_memory_bytes {
        0 => String::new(),
        bytes => format!(", {:.1} GiB", bytes as f64 / f64::from(1 << 30)),
    };
    let like = match cost.differs.as_slice() {
        [] => "as the last time".to_owned(),
        [change] => format!("as with {} {}", change.name, change.old.as_deref().unwrap_or("none")),
        several => format!("as a run with {} other settings", several.len()),
    };
    format!("; about {}{memory}, {like}", duration(cost.wall_seconds))
}
