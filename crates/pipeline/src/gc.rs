//! `gc`: what no pipeline refers to any more, and removing it.
//!
//! A pipeline refers to what stands under a readable name that one of its stages can have. All other results are what earlier settings
//! have left; going back to these settings would find them.

use crate::names::{self, Item, Kind, Pattern, bytes};
use crate::run::duration;
use crate::store::{lock_path, record_path};
use gpt1_artifacts::eprintln;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};

/// What can be removed from a folder of results.
#[derive(Debug)]
pub struct Garbage {
    /// Each with the reason.
    pub items: Vec<(Item, String)>,
    /// Readable names that no stage can have, with their paths.
    pub names: Vec<PathBuf>,
    /// Results that stay.
    pub n_kept: usize,
    /// What interrupted runs have left and can go on with; stays unless it was asked for.
    pub n_interrupted: usize,
    /// The bytes of those.
    pub interrupted_bytes: u64,
}

/// Finds what no name refers to that one of the stages can have. `with_interrupted`: also what interrupted runs have left.
pub fn find(artifacts: &Path, patterns: &[Pattern], with_interrupted: bool) -> io::Result<Garbage> {
    let mut garbage =
        Garbage { items: Vec::new(), names: Vec::new(), n_kept: 0, n_interrupted: 0, interrupted_bytes: 0 };
    if !artifacts.is_dir() {
        return Ok(garbage);
    }
    let (known, unknown): (Vec<_>, Vec<_>) =
        names::all(artifacts)?.into_iter().partition(|name| patterns.iter().any(|pattern| pattern.fits(&name.name)));
    let kept: BTreeSet<&str> = known.iter().map(|name| name.id.as_str()).collect();
    for item in names::items(artifacts)? {
        let why = match &item.kind {
            Kind::Result(id, _) if kept.contains(id.as_str()) => {
                garbage.n_kept += 1;
                continue;
            }
            Kind::Result(id, record) => {
                let took = record.as_ref().map_or(0.0, |record| record.wall_seconds);
                let took = if took > 0.0 { format!(", which took {}", duration(took)) } else { String::new() };
                match unknown.iter().find(|name| name.id == *id) {
                    Some(name) => format!("no stage has the name {}{took}", name.name.display()),
                    None => format!("no name points to it{took}"),
                }
            }
            Kind::Interrupted if !with_interrupted => {
                garbage.n_interrupted += 1;
                garbage.interrupted_bytes += item.n_bytes;
                continue;
            }
            Kind::Interrupted => "of an interrupted run".to_owned(),
            Kind::Leftover => "set aside".to_owned(),
        };
        garbage.items.push((item, why));
    }
    garbage.names = unknown.into_iter().map(|name| artifacts.join(name.name)).collect();
    Ok(garbage)
}

impl Garbage {
    /// What it takes on the disk.
    pub fn n_bytes(&self) -> u64 {
        self.items.iter().map(|(item, _)| item.n_bytes).sum()
    }

    /// Whether there is nothing to remove.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.names.is_empty()
    }

    /// What would be removed, a line each, then how much that frees.
    pub fn list(&self) -> String {
        let mut text = String::new();
        for (item, why) in &self.items {
            let _ = writeln!(text, "{:>10}  {} ({why})", bytes(item.n_bytes), item.path.display());
        }
        for name in &self.names {
            let _ = writeln!(text, "{:>10}  {} (no stage has this name)", "", name.display());
        }
        let n_results = self.items.iter().filter(|(item, _)| matches!(item.kind, Kind::Result(..))).count();
        let all = n_results + self.n_kept;
        let _ = writeln!(
            text,
            "{n_results} of {all} results and {} others: frees {}",
            self.items.len() - n_results + self.names.len(),
            bytes(self.n_bytes())
        );
        if self.n_interrupted > 0 {
            let _ = writeln!(
                text,
                "{} of {} interrupted runs, which can go on, stay (--interrupted removes them too)",
                bytes(self.interrupted_bytes),
                self.n_interrupted
            );
        }
        text
    }

    /// Removes it; returns the bytes that are freed. What a run is making or using now is left, and named on stderr.
    pub fn remove(self) -> io::Result<u64> {
        for name in &self.names {
            fs_err::remove_file(name)?;
        }
        let mut freed = 0;
        for (item, _) in self.items {
            if is_locked(&item.path)? {
                eprintln!("{}: a run is using it now; it stays", item.path.display());
                continue;
            }
            // In one step: half a result must not pass for a whole one.
            let name = item.path.file_name().unwrap_or_default().to_string_lossy();
            let gone = item.path.with_file_name(format!(".{}.removed", name.trim_start_matches('.')));
            if gone != item.path {
                if gone.exists() {
                    fs_err::remove_dir_all(&gone)?;
                }
                fs_err::rename(&item.path, &gone)?;
            }
            let record = record_path(&item.path);
            if matches!(item.kind, Kind::Result(..)) && record.exists() {
                fs_err::remove_file(record)?;
            }
            if gone.is_dir() {
                fs_err::remove_dir_all(&gone)?;
            } else {
                fs_err::remove_file(&gone)?;
            }
            freed += item.n_bytes;
        }
        Ok(freed)
    }
}

/// Whether a run holds one of the two locks of a result: the runner's, and the program's own.
fn is_locked(path: &Path) -> io::Result<bool> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let key = name.trim_start_matches('.').split('.').next().unwrap_or_default();
    let result = path.with_file_name(key);
    for lock in [lock_path(&result), path.with_file_name(format!(".{key}.lock"))] {
        if lock.exists() && fs_err::File::open(&lock)?.file().try_lock().is_err() {
            return Ok(true);
        }
    }
    Ok(false)
}
