//! What each step needs: nothing, its earlier result back, a run, or first to know its inputs.

use crate::digests::Digests;
use crate::key::{Change, Entered, Input, Kind, reason};
use crate::plan::Plan;
use crate::step::{Source, Step};
use crate::store::{Found, Record, Store};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

/// What is to be done about a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum State {
    /// Its result stands under its readable name.
    Skip,
    /// Its result is in the store, made by an earlier run with the same key.
    Restore {
        /// What differs from the result that has the readable name now.
        changes: Vec<Change>,
    },
    /// It must run.
    Run {
        /// Why.
        changes: Vec<Change>,
    },
    /// Whether it must run is not known before these stages have run.
    Wait {
        /// The stages.
        stages: Vec<String>,
        /// What differs already.
        changes: Vec<Change>,
    },
}

impl State {
    /// `skip`, `restore`, `run` or `wait`.
    pub fn word(&self) -> &'static str {
        match self {
            State::Skip => "skip",
            State::Restore { .. } => "restore",
            State::Run { .. } => "run",
            State::Wait { .. } => "wait",
        }
    }

    /// Why, in one line.
    pub fn reason(&self) -> String {
        match self {
            State::Skip => "unchanged".to_owned(),
            State::Restore { changes } if changes.is_empty() => "its result is kept".to_owned(),
            State::Restore { changes } => format!("{}; its result is kept", reason(changes)),
            State::Run { changes } => reason(changes),
            State::Wait { stages, changes } if changes.is_empty() => format!("for {}", stages.join(", ")),
            State::Wait { stages, changes } => format!("for {}; {}", stages.join(", "), reason(changes)),
        }
    }
}

/// A step with what is known of it.
#[derive(Debug)]
pub struct Assessment {
    /// What enters its key.
    pub entered: Entered,
    /// Its key; `None` while an input is not known.
    pub key: Option<String>,
    /// What is to be done.
    pub state: State,
    /// The record of the result that has its readable name now.
    pub last: Option<Record>,
}

/// The results of the steps so far, by stage; `None` for one that must run first.
pub type Results = BTreeMap<String, Option<PathBuf>>;

/// Finds out what a step needs, given the results of the steps before it.
pub fn assess(step: &Step, store: &Store, results: &Results, digests: &mut Digests) -> io::Result<Assessment> {
    let mut entered = Entered::new(step);
    let mut waits = Vec::new();
    for (flag, source) in &step.deps {
        let what = match source {
            Source::Path(path) => path.display().to_string(),
            Source::Result { stage, inside } if inside.as_os_str().is_empty() => format!("result of {stage}"),
            Source::Result { stage, inside } => format!("{} in the result of {stage}", inside.display()),
        };
        let digest = match path_of(source, results) {
            Some(path) => Some(digests.path(&path)?),
            None => None,
        };
        if let (None, Source::Result { stage, .. }) = (&digest, source)
            && !waits.contains(stage)
        {
            waits.push(stage.clone());
        }
        let result = match source {
            Source::Result { stage, .. } => results.get(stage).and_then(|path| store.id(path.as_ref()?)),
            Source::Path(_) => None,
        };
        entered.deps.insert(flag.clone(), Input { what, digest, result });
    }
    let last = store.last(step);
    let changes = last.as_ref().map_or_else(Vec::new, |last| entered.changes_since(&last.entered));
    let key = entered.key();
    let state = match &key {
        None => State::Wait { stages: waits, changes },
        Some(key) => match store.find(step, key, &entered, digests)? {
            Found::Whole if store.is_linked(step, key) => State::Skip,
            Found::Whole | Found::Unrecorded => State::Restore { changes },
            Found::Damaged(damage) => State::Run { changes: damage },
            Found::Nothing if changes.is_empty() => State::Run { changes: vec![Change::of(Kind::First, "")] },
            Found::Nothing => State::Run { changes },
        },
    };
    Ok(Assessment { entered, key, state, last })
}

/// Assesses all steps of a plan, as far as that is possible without running any.
pub fn assess_all<'a>(
    plan: &'a Plan,
    store: &Store,
    digests: &mut Digests,
) -> io::Result<(Vec<(&'a Step, Assessment)>, Results)> {
    let mut results = Results::new();
    let mut all = Vec::new();
    for step in &plan.steps {
        let assessment = assess(step, store, &results, digests)?;
        let usable = matches!(assessment.state, State::Skip | State::Restore { .. });
        let result = assessment.key.as_ref().filter(|_| usable).map(|key| store.result(step, key));
        results.insert(step.name.clone(), result);
        all.push((step, assessment));
    }
    Ok((all, results))
}

/// The path of an input; `None` if the stage that makes it must run first.
pub fn path_of(source: &Source, results: &Results) -> Option<PathBuf> {
    match source {
        Source::Path(path) => Some(path.clone()),
        Source::Result { stage, inside } => {
            let result = results.get(stage)?.as_ref()?;
            Some(if inside.as_os_str().is_empty() { result.clone() } else { result.join(inside) })
        }
    }
}
