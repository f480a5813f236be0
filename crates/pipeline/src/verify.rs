//! `verify`: every file of every result read again and compared with its record.

use crate::digests::Digests;
use crate::names::{self, Kind};
use crate::store::damage;
use serde::Serialize;
use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};

/// What was found.
#[derive(Debug, Serialize)]
pub struct Findings {
    /// Results with a record.
    pub n_results: usize,
    /// Files that were read.
    pub n_files: usize,
    /// Bytes that were read.
    pub n_bytes: u64,
    /// Results that are not what was recorded.
    pub damaged: Vec<Damaged>,
    /// Readable names that point to nothing.
    pub dangling: Vec<PathBuf>,
    /// Results without a record: a runner ended before it could write one, or somebody has put them there.
    pub unrecorded: Vec<PathBuf>,
}

/// A result that is not what was recorded.
#[derive(Debug, Serialize)]
pub struct Damaged {
    /// Its folder.
    pub path: PathBuf,
    /// Its readable names.
    pub names: Vec<PathBuf>,
    /// What differs.
    pub changes: Vec<String>,
}

/// Reads all results of a folder again. What the digests knew of them is replaced, so that the next run sees the damage too.
pub fn verify(artifacts: &Path) -> io::Result<Findings> {
    let mut findings = Findings {
        n_results: 0,
        n_files: 0,
        n_bytes: 0,
        damaged: Vec::new(),
        dangling: Vec::new(),
        unrecorded: Vec::new(),
    };
    if !artifacts.is_dir() {
        return Ok(findings);
    }
    let names = names::all(artifacts)?;
    let mut digests = Digests::open(artifacts);
    for item in names::items(artifacts)? {
        let Kind::Result(id, record) = item.kind else { continue };
        let Some(record) = record else {
            findings.unrecorded.push(item.path);
            continue;
        };
        digests.forget(&item.path);
        let changes = damage(&item.path, &record, &mut digests)?;
        findings.n_results += 1;
        if !changes.is_empty() {
            let names = names.iter().filter(|name| name.id == id).map(|name| artifacts.join(&name.name)).collect();
            let changes = changes.iter().map(ToString::to_string).collect();
            findings.damaged.push(Damaged { path: item.path, names, changes });
        }
    }
    let dangling = names.iter().map(|name| artifacts.join(&name.name)).filter(|path| !path.exists());
    findings.dangling = dangling.collect();
    (findings.n_files, findings.n_bytes) = (digests.n_read, digests.n_bytes);
    digests.save()?;
    Ok(findings)
}

impl Findings {
    /// Whether everything is what was recorded.
    pub fn is_whole(&self) -> bool {
        self.damaged.is_empty() && self.dangling.is_empty()
    }

    /// A line for each thing that is wrong.
    pub fn list(&self) -> String {
        let mut text = String::new();
        for Damaged { path, names, changes } in &self.damaged {
            let names: Vec<String> = names.iter().map(|name| name.display().to_string()).collect();
            let names = if names.is_empty() { "without a name".to_owned() } else { names.join(", ") };
            let _ = writeln!(text, "damaged     {} ({names}): {}", path.display(), changes.join(", "));
        }
        for path in &self.dangling {
            let _ = writeln!(text, "dangling    {} points to a result that is gone", path.display());
        }
        for path in &self.unrecorded {
            let _ = writeln!(text, "unrecorded  {} has no record to compare with", path.display());
        }
        text
    }
}
