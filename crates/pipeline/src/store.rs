//! Where results are kept, and what is recorded of them.
//!
//! ```text
//! artifacts/
//!   store/shard/3f2a...                 a result; its name is the first 16 digits of its key, and it is never changed
//!   store/shard/3f2a....json            its record: what entered the key, and the digest of every file
//!   store/shard/.3f2a....run.lock       held while the result is being made
//!   tiny/shards -> ../store/shard/3f2a...   the readable name of the newest
//!   .cache/digests.json                 see `digests`
//! ```

use crate::digests::Digests;
use crate::key::{Change, Entered, Kind};
use crate::step::Step;
use gpt1_artifacts::digest;
use gpt1_artifacts::manifest::Manifest;
use gpt1_artifacts::output;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// What is recorded of a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The whole key.
    pub key: String,
    /// What entered it.
    pub entered: Entered,
    /// The digest of the result.
    pub output: String,
    /// The digest of each of its files.
    pub files: BTreeMap<String, String>,
    /// How long the run took, in seconds; 0 if the program did not say.
    pub wall_seconds: f64,
}

/// Whether a result can be used.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// It is what was recorded.
    Whole,
    /// It is complete, but the runner ended before it could write the record.
    Unrecorded,
    /// There is no such result.
    Nothing,
    /// It is not what was recorded: what differs.
    Damaged(Vec<Change>),
}

/// The folder of all results.
#[derive(Debug, Clone)]
pub struct Store {
    /// Its path.
    pub artifacts: PathBuf,
}

impl Store {
    /// The folder of the result with a key.
    pub fn result(&self, step: &Step, key: &str) -> PathBuf {
        self.artifacts.join("store").join(step.program.name()).join(short(key))
    }

    /// The result in a folder of the store, as `PROGRAM/KEY`.
    pub fn id(&self, result: &Path) -> Option<String> {
        Some(result.strip_prefix(self.artifacts.join("store")).ok()?.display().to_string())
    }

    /// The readable name of a step's result.
    pub fn link(&self, step: &Step) -> PathBuf {
        self.artifacts.join(&step.out)
    }

    /// The record of the result with a key; `None` if there is none, or it cannot be read.
    pub fn record(&self, step: &Step, key: &str) -> Option<Record> {
        read_record(&self.result(step, key)).filter(|record| record.key == key)
    }

    /// The record of the result that the readable name points to now.
    pub fn last(&self, step: &Step) -> Option<Record> {
        let link = self.link(step);
        let target = fs_err::read_link(&link).ok()?;
        read_record(&link.parent()?.join(target))
    }

    /// The records of all results of a program (the first word of a stage's `run`), in no order.
    pub fn records(&self, program: &str) -> Vec<Record> {
        let Ok(entries) = fs_err::read_dir(self.artifacts.join("store").join(program)) else { return Vec::new() };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        paths
            .filter(|path| path.extension().is_some_and(|e| e == "json"))
            .filter_map(|path| read_record(&path))
            .collect()
    }

    /// Whether the readable name points to the result with this key.
    pub fn is_linked(&self, step: &Step, key: &str) -> bool {
        fs_err::read_link(self.link(step)).is_ok_and(|target| target == link_target(step, key))
    }

    /// Compares a result with its record.
    pub fn find(&self, step: &Step, key: &str, entered: &Entered, digests: &mut Digests) -> io::Result<Found> {
        let dir = self.result(step, key);
        let Some(record) = self.record(step, key) else {
            return Ok(if is_made_from(&dir, entered) { Found::Unrecorded } else { Found::Nothing });
        };
        if !dir.is_dir() {
            return Ok(Found::Damaged(vec![Change::of(Kind::Result, "its result was deleted")]));
        }
        let changes = damage(&dir, &record, digests)?;
        Ok(if changes.is_empty() { Found::Whole } else { Found::Damaged(changes) })
    }

    /// Records the result with a key as it is now.
    pub fn write_record(&self, step: &Step, key: &str, entered: &Entered, digests: &mut Digests) -> io::Result<Record> {
        let dir = self.result(step, key);
        let parts = digests.parts(&dir)?;
        let record = Record {
            key: key.to_owned(),
            entered: entered.clone(),
            output: digest::of_parts(&parts),
            files: by_name(parts),
            wall_seconds: Manifest::read(&dir).map_or(0.0, |m| m.wall_seconds),
        };
        output::write_json(&record_path(&dir), &record)?;
        digests.save()?;
        Ok(record)
    }

    /// Lets the readable name point to the result with a key, in one step.
    pub fn link_to(&self, step: &Step, key: &str) -> io::Result<()> {
        let link = self.link(step);
        let dir = link.parent().unwrap_or(Path::new("."));
        fs_err::create_dir_all(dir)?;
        let name = link.file_name().unwrap_or_default().to_string_lossy();
        let beside = dir.join(format!(".{name}.{}.tmp", std::process::id()));
        if fs_err::symlink_metadata(&beside).is_ok() {
            fs_err::remove_file(&beside)?;
        }
        symlink(&link_target(step, key), &beside)?;
        fs_err::rename(&beside, &link)
    }

    /// Takes the lock under which the result with a key is made; calls `waits` before waiting for another holder, and gives up,
    /// with `None`, when `stops` says so.
    ///
    /// The lock ends when the returned file and all that were made from it are closed: with its owners, however they end.
    pub fn lock(
        &self,
        step: &Step,
        key: &str,
        waits: impl FnOnce(),
        stops: impl Fn() -> bool,
    ) -> io::Result<Option<std::fs::File>> {
        let result = self.result(step, key);
        fs_err::create_dir_all(result.parent().unwrap_or(Path::new(".")))?;
        Ok(output::lock(&lock_path(&result), waits, stops)?.map(|file| file.into_parts().0))
    }

    /// Renames a result that cannot be used to a free name beside it, which is returned.
    pub fn set_aside(&self, step: &Step, key: &str) -> io::Result<PathBuf> {
        let dir = self.result(step, key);
        let mut aside = dir.with_extension("unused");
        let mut n = 1;
        while aside.exists() {
            n += 1;
            aside = dir.with_extension(format!("unused-{n}"));
        }
        fs_err::rename(&dir, &aside)?;
        Ok(aside)
    }
}

/// In what a result's files differ from its record.
pub fn damage(dir: &Path, record: &Record, digests: &mut Digests) -> io::Result<Vec<Change>> {
    let mut changes = Vec::new();
    let files = by_name(digests.parts(dir)?);
    let names: BTreeSet<&String> = record.files.keys().chain(files.keys()).collect();
    for name in names {
        let what = match (record.files.get(name), files.get(name)) {
            (Some(old), Some(new)) if old == new => continue,
            (Some(_), Some(_)) => "changed",
            (Some(_), None) => "deleted",
            (None, _) => "added",
        };
        changes.push(Change::of(Kind::Result, &format!("{name} of its result was {what}")));
    }
    if !dir.join("manifest.json").is_file() {
        changes.push(Change::of(Kind::Result, "manifest.json of its result was deleted"));
    }
    Ok(changes)
}

/// The part of a key that names its result.
pub fn short(key: &str) -> &str {
    &key[..16.min(key.len())]
}

/// The link's text: from the folder of the readable name to the result.
fn link_target(step: &Step, key: &str) -> PathBuf {
    let up: PathBuf = step.out.components().skip(1).map(|_| "..").collect();
    up.join("store").join(step.program.name()).join(short(key))
}

/// The lock under which a runner makes a result.
pub fn lock_path(result: &Path) -> PathBuf {
    result.with_file_name(format!(".{}.run.lock", result.file_name().unwrap_or_default().to_string_lossy()))
}

/// The file with the record of a result.
pub fn record_path(result: &Path) -> PathBuf {
    result.with_extension("json")
}

/// The record of the result in a folder; `None` if there is none, or it cannot be read.
pub fn read_record(result: &Path) -> Option<Record> {
    serde_json::from_slice(&fs_err::read(record_path(result)).ok()?).ok()
}

fn by_name(parts: Vec<(PathBuf, String)>) -> BTreeMap<String, String> {
    parts.into_iter().map(|(name, digest)| (name.to_string_lossy().replace('\\', "/"), digest)).collect()
}

/// Whether a result's own manifest says that it was made from these inputs by this version of the program.
fn is_made_from(dir: &Path, entered: &Entered) -> bool {
    let Ok(manifest) = Manifest::read(dir) else { return false };
    let seen: BTreeSet<&str> = manifest.inputs.values().map(|input| input.digest.as_str()).collect();
    let mut digests = entered.deps.values().filter_map(|input| input.digest.as_deref());
    manifest.stage_version == entered.version && digests.all(|digest| seen.contains(digest))
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    fs_err::os::unix::fs::symlink(target, link)
}

#[cfg(not(unix))]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    Err(io::Error::other(format!(
        "cannot link {} to {}: this system has no symbolic links",
        link.display(),
        target.display()
    )))
}
