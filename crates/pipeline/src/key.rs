//! What enters a stage's key, and how two of them differ.
//!
//! | enters the key | so that |
//! |---|---|
//! | the program and its version ([`crate::stages`]) | a change of meaning in the code reruns the stage, a rebuild does not |
//! | the values of the parameters it lists, parsed, by dotted key | comments, key order, spelling (1e-5, 0.00001) and unused sections do not count |
//! | its arguments by flag | |
//! | the content digest of each input by flag ([`gpt1_artifacts::digest`]) | touching, moving and copying do not count; a stage that came out identical stops the wave |
//!
//! Left out on purpose: the stage's name and its `out` (names for people), paths, the preset's file, the programs' bytes,
//! the host and the number of threads (results do not depend on them), nor that of ranks (on which they depend by rounding: who has
//! trained for a week on eight machines need not do it again on one).

use crate::step::Step;
use gpt1_artifacts::digest;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;

/// Raised when the way a key is made changes.
const KEY_FORMAT: u32 = 1;

/// Everything that decides a stage's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entered {
    /// Program and subcommand.
    pub program: String,
    /// The program's version.
    pub version: u32,
    /// Used parameters by dotted key.
    pub params: BTreeMap<String, Value>,
    /// Arguments by flag.
    pub args: BTreeMap<String, String>,
    /// Inputs by flag.
    pub deps: BTreeMap<String, Input>,
}

/// An input of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// For people: the path, or `result of STAGE`; does not enter the key.
    pub what: String,
    /// The digest of its content; `None` while the stage that makes it has not run.
    pub digest: Option<String>,
    /// The result that it is, or lies in, as `PROGRAM/KEY`; for people, does not enter the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
}

impl Entered {
    /// All but the inputs.
    pub fn new(step: &Step) -> Entered {
        Entered {
            program: step.program.run.to_owned(),
            version: step.program.version,
            params: step.params.clone(),
            args: step.args.clone(),
            deps: BTreeMap::new(),
        }
    }

    /// The key, if all inputs are known: BLAKE3 of the canonical JSON, as hexadecimal text.
    pub fn key(&self) -> Option<String> {
        let deps: Option<BTreeMap<&str, &str>> =
            self.deps.iter().map(|(flag, input)| Some((flag.as_str(), input.digest.as_deref()?))).collect();
        let whole = json!({
            "format": KEY_FORMAT,
            "program": self.program,
            "version": self.version,
            "params": self.params,
            "args": self.args,
            "deps": deps?,
        });
        Some(digest::bytes(canonical(&whole).to_string().as_bytes()))
    }

    /// What differs from an earlier run, the most telling first.
    pub fn changes_since(&self, old: &Entered) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut compare = |kind: Kind, name: &str, old: Option<String>, new: Option<String>| {
            if old != new {
                changes.push(Change { kind, name: name.to_owned(), old, new });
            }
        };
        compare(Kind::Program, "", Some(old.program.clone()), Some(self.program.clone()));
        compare(Kind::Version, "", Some(old.version.to_string()), Some(self.version.to_string()));
        for name in names(&old.params, &self.params) {
            let value = |map: &BTreeMap<String, Value>| map.get(name).map(plain);
            compare(Kind::Parameter, name, value(&old.params), value(&self.params));
        }
        for name in names(&old.args, &self.args) {
            compare(Kind::Argument, name, old.args.get(name).cloned(), self.args.get(name).cloned());
        }
        for name in names(&old.deps, &self.deps) {
            let digest = |map: &BTreeMap<String, Input>| map.get(name).map(|input| input.digest.clone());
            match (digest(&old.deps), digest(&self.deps)) {
                (_, Some(None)) => {}
                (old, new) => compare(Kind::Input, name, old.flatten(), new.flatten()),
            }
        }
        changes
    }
}

fn names<'a, T>(old: &'a BTreeMap<String, T>, new: &'a BTreeMap<String, T>) -> Vec<&'a str> {
    let mut names: Vec<&str> = old.keys().chain(new.keys()).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// A value as a definition would write it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The same value with the keys of all objects sorted.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, &Value> = map.iter().collect();
            Value::Object(sorted.into_iter().map(|(k, v)| (k.clone(), canonical(v))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        other => other.clone(),
    }
}

/// One thing in which a stage differs from its last run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What kind of thing.
    pub kind: Kind,
    /// Its name: a dotted key, a flag, a file; may be empty.
    pub name: String,
    /// The recorded value; `None` if there was none.
    pub old: Option<String>,
    /// The new value; `None` if there is none.
    pub new: Option<String>,
}

/// The kinds of [`Change`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// There is no earlier result.
    First,
    /// Another program.
    Program,
    /// Another version of the program.
    Version,
    /// A parameter's value.
    Parameter,
    /// An argument's value.
    Argument,
    /// An input's content.
    Input,
    /// The result is not what was recorded: a file of it was changed, added or deleted.
    Result,
    /// It was asked for.
    Forced,
}

impl Change {
    /// A change without values.
    pub fn of(kind: Kind, name: &str) -> Change {
        Change { kind, name: name.to_owned(), old: None, new: None }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change { kind, name, old, new } = self;
        let (before, after) = (old.as_deref().unwrap_or("none"), new.as_deref().unwrap_or("none"));
        match kind {
            Kind::First => f.write_str("no result yet"),
            Kind::Forced => f.write_str("asked for"),
            Kind::Result => f.write_str(name),
            Kind::Program => write!(f, "program {before} -> {after}"),
            Kind::Version => write!(f, "the program's version {before} -> {after}"),
            Kind::Parameter => write!(f, "parameter {name} {before} -> {after}"),
            Kind::Argument => write!(f, "argument {name} {before} -> {after}"),
            Kind::Input => match (old, new) {
                (None, _) => write!(f, "input {name} is new"),
                (_, None) => write!(f, "input {name} is gone"),
                _ => write!(f, "input {name} changed"),
            },
        }
    }
}

/// The changes in one line; after three, how many more.
pub fn reason(changes: &[Change]) -> String {
    let mut shown: Vec<String> = changes.iter().take(3).map(ToString::to_string).collect();
    if changes.len() > 3 {
        shown.push(format!("{} more", changes.len() - 3));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entered() -> Entered {
        let input = Input { what: "books".into(), digest: Some("d".into()), result: None };
        Entered {
            program: "shard".into(),
            version: 1,
            params: BTreeMap::from([("shards.seed".to_owned(), json!(1))]),
            args: BTreeMap::new(),
            deps: BTreeMap::from([("corpus".to_owned(), input)]),
        }
    }

    #[test]
    fn meaning_enters_and_names_do_not() {
        let first = entered();
        let key = first.key().unwrap();
        let mut moved = entered();
        moved.deps.get_mut("corpus").unwrap().what = "elsewhere".into();
        assert_eq!(moved.key().unwrap(), key);
        for change in [
            |e: &mut Entered| e.version = 2,
            |e: &mut Entered| e.params.insert("shards.seed".into(), json!(2)).map_or((), drop),
            |e: &mut Entered| e.params.clear(),
            |e: &mut Entered| e.args.insert("task".into(), "rte".into()).map_or((), drop),
            |e: &mut Entered| e.deps.get_mut("corpus").unwrap().digest = Some("e".into()),
        ] {
            let mut other = entered();
            change(&mut other);
            assert_ne!(other.key().unwrap(), key);
            assert_eq!(other.changes_since(&first).len(), 1);
        }
        let mut unknown = entered();
        unknown.deps.get_mut("corpus").unwrap().digest = None;
        assert_eq!(unknown.key(), None);
        assert!(unknown.changes_since(&first).is_empty());
    }

    #[test]
    fn reasons_read_well() {
        let mut other = entered();
        other.params.insert("shards.seed".into(), json!(2));
        assert_eq!(reason(&other.changes_since(&entered())), "parameter shards.seed 1 -> 2");
    }

    #[test]
    fn key_order_does_not_count() {
        let value: Value = serde_json::from_str(r#"{"b":{"d":1,"c":2},"a":[{"f":1,"e":2}]}"#).unwrap();
        assert_eq!(canonical(&value).to_string(), r#"{"a":[{"e":2,"f":1}],"b":{"c":2,"d":1}}"#);
    }
}
