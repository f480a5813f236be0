//! `diff`: in what two results differ, the cause before its consequences.
//!
//! What was recorded of both is compared; where an input differs that a stage has made, first the results of that stage, and so on up to
//! the parameter, argument, program or file of the user's with which it began.

use crate::key::{Change, Entered, Input, Kind};
use crate::store::{Record, read_record};
use gpt1_artifacts::digest;
use gpt1_artifacts::manifest::Manifest;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// The differences of two results.
#[derive(Debug, Serialize)]
pub struct Differences {
    /// What went into them, the first cause first.
    pub causes: Vec<Cause>,
    /// The files in which they differ, by name.
    pub files: Vec<FileDifference>,
}

/// A difference in what went into a stage.
#[derive(Debug, Serialize)]
pub struct Cause {
    /// Program and subcommand.
    pub program: String,
    /// The difference.
    pub change: Change,
    /// What it is, in words.
    pub text: String,
}

/// A file in which two results differ.
#[derive(Debug, Serialize)]
pub struct FileDifference {
    /// Its name in the results.
    pub file: String,
    /// Where it differs first, in words.
    pub place: String,
}

/// A result with what is known of it.
struct Side {
    dir: PathBuf,
    record: Record,
}

/// Compares two results: readable names, folders of the store, or outputs of stage programs made without the runner.
///
/// # Errors
/// One of them is no result, or a file cannot be read.
pub fn diff(a: &Path, b: &Path) -> io::Result<Differences> {
    let (a, b) = (open(a)?, open(b)?);
    let mut causes = Vec::new();
    collect(&a, &b, &mut causes, &mut BTreeSet::new());
    Ok(Differences { causes, files: files(&a, &b)? })
}

fn open(path: &Path) -> io::Result<Side> {
    let dir = fs_err::canonicalize(path)?;
    if let Some(record) = read_record(&dir) {
        return Ok(Side { dir, record });
    }
    let manifest = Manifest::read(&dir).map_err(|error| {
        io::Error::new(error.kind(), format!("{} is no result of a stage: {error}", path.display()))
    })?;
    Ok(Side { record: of_manifest(&manifest, &dir)?, dir })
}

/// What a record would say of an output that the runner has not made.
fn of_manifest(manifest: &Manifest, dir: &Path) -> io::Result<Record> {
    let mut params = BTreeMap::new();
    flatten("", &manifest.config, &mut params);
    let input = |(name, input): (&String, &gpt1_artifacts::manifest::Input)| {
        let (what, digest) = (input.path.display().to_string(), Some(input.digest.clone()));
        (name.clone(), Input { what, digest, result: None })
    };
    let entered = Entered {
        program: manifest.stage.clone(),
        version: manifest.stage_version,
        params,
        args: BTreeMap::new(),
        deps: manifest.inputs.iter().map(input).collect(),
    };
    let names = digest::content_files(dir)?;
    let files = names.into_iter().map(|name| Ok((name.display().to_string(), digest::file(&dir.join(&name))?)));
    let files = files.collect::<io::Result<_>>()?;
    Ok(Record { key: String::new(), entered, output: String::new(), files, wall_seconds: manifest.wall_seconds })
}

fn flatten(name: &str, value: &Value, params: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let dotted = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                flatten(&dotted, value, params);
            }
        }
        Value::Null if name.is_empty() => {}
        value => drop(params.insert(name.to_owned(), value.clone())),
    }
}

/// Adds what differs in what went into two results, that of their inputs first. `seen`: pairs that were compared.
fn collect(a: &Side, b: &Side, causes: &mut Vec<Cause>, seen: &mut BTreeSet<(PathBuf, PathBuf)>) {
    if !seen.insert((a.dir.clone(), b.dir.clone())) {
        return;
    }
    let changes = b.record.entered.changes_since(&a.record.entered);
    for change in changes.iter().filter(|change| change.kind == Kind::Input) {
        let input = |side: &Side| {
            let id = side.record.entered.deps.get(&change.name)?.result.clone()?;
            // The folder of results: store/PROGRAM/KEY below it.
            let dir = side.dir.ancestors().nth(2)?.join(id);
            Some(Side { record: read_record(&dir)?, dir })
        };
        if let (Some(a), Some(b)) = (input(a), input(b)) {
            collect(&a, &b, causes, seen);
        }
    }
    for change in changes {
        let text = match (change.kind, &change.old, &change.new) {
            (Kind::Input, Some(_), Some(_)) => {
                let what = |side: &Side| side.record.entered.deps[&change.name].what.clone();
                let (old, new) = (what(a), what(b));
                let path = if old == new { old } else { format!("{old} -> {new}") };
                format!("input {} differs ({path})", change.name)
            }
            _ => change.to_string(),
        };
        causes.push(Cause { program: b.record.entered.program.clone(), change, text });
    }
}

fn files(a: &Side, b: &Side) -> io::Result<Vec<FileDifference>> {
    let names: BTreeSet<&String> = a.record.files.keys().chain(b.record.files.keys()).collect();
    let mut found = Vec::new();
    for file in names {
        let place = match (a.record.files.get(file), b.record.files.get(file)) {
            (Some(old), Some(new)) if old == new => continue,
            (Some(_), Some(_)) => place(&a.dir.join(file), &b.dir.join(file))?,
            (Some(_), None) => "only in the first".to_owned(),
            (None, _) => "only in the second".to_owned(),
        };
        found.push(FileDifference { file: file.clone(), place });
    }
    Ok(found)
}

/// Where two files differ first: the line of texts, the byte of others.
fn place(a: &Path, b: &Path) -> io::Result<String> {
    let is_text = ["txt", "json", "jsonl", "tsv", "html", "svg"].iter().any(|e| a.extension().is_some_and(|x| x == *e));
    let (mut a, mut b) = (BufReader::new(fs_err::File::open(a)?), BufReader::new(fs_err::File::open(b)?));
    if !is_text {
        let equal = a.by_ref().bytes().zip(b.by_ref().bytes());
        let mut n = 0_u64;
        for (x, y) in equal {
            if x? != y? {
                return Ok(format!("byte {n}"));
            }
            n += 1;
        }
        return Ok(format!("byte {n}, where one of them ends"));
    }
    for n in 1.. {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        let (read_x, read_y) = (a.read_until(b'\n', &mut x)?, b.read_until(b'\n', &mut y)?);
        if read_x == 0 && read_y == 0 {
            return Ok("nowhere: it has been changed since".to_owned());
        }
        if x != y {
            return Ok(format!("line {n}: {} -> {}", shown(&x), shown(&y)));
        }
    }
    Ok(String::new())
}

/// The beginning of a line.
fn shown(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line).trim().to_owned();
    match line.char_indices().nth(80) {
        _ if line.is_empty() => "nothing".to_owned(),
        Some((end, _)) => line[..end].to_owned() + "...",
        None => line,
    }
}

impl Differences {
    /// The differences as text: the first in the first line.
    pub fn text(&self) -> String {
        if self.causes.is_empty() && self.files.is_empty() {
            return "no difference\n".to_owned();
        }
        let mut text = String::new();
        for Cause { program, text: what, .. } in &self.causes {
            let _ = writeln!(text, "{program:<16} {what}");
        }
        if self.causes.is_empty() {
            text += "the same program, parameters and inputs gave different results\n";
        }
        for FileDifference { file, place } in &self.files {
            let _ = writeln!(text, "{:<16} {file}: {place}", "result");
        }
        text
    }
}
