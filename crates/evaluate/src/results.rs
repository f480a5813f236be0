//! The results of evaluations: every `scores.json` below some folders, each counted once.

use crate::Report;
use crate::paper::{Method, method};
use gpt1_tasks::{Split, Task, TaskError};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// No `scores.json` comes near this.
const MAX_FILE: u64 = 1 << 20;

/// An evaluation with labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The task.
    pub task: Task,
    /// The split.
    pub split: Split,
    /// All examples, and then each group of them by name.
    pub parts: BTreeMap<Option<String>, Part>,
    /// `pretrained` or `scratch`.
    pub init: String,
    /// The seed of fine-tuning.
    pub seed: u64,
    /// What else the file tells of the training and the model's size: runs that differ in it are not repetitions.
    pub settings: BTreeMap<String, String>,
    /// Digest of the model's directory.
    pub model: String,
    /// The file.
    pub path: PathBuf,
    /// Whether its folder was found as a symbolic link: the runner keeps results of all settings, and its links name the newest.
    pub named: bool,
}

/// Scores of a set of examples.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Part {
    /// Examples.
    pub n: usize,
    /// Each metric's value.
    pub metrics: Map<String, Value>,
    /// The same for the majority answer.
    pub majority: Option<Map<String, Value>>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// In the order of the paths.
    pub runs: Vec<Run>,
    /// Why files were left out, a line each.
    pub notes: Vec<String>,
    /// How many files there were.
    pub n_files: usize,
}

/// Searches folders, and all that symbolic links in them lead to, for `scores.json`. Hidden folders, such as those of stages that
/// have not finished, are passed over.
///
/// # Errors
/// A folder that is not there or cannot be read. A file that is none of `gpt1-evaluate`'s is noted.
pub fn find(folders: &[PathBuf]) -> io::Result<Found> {
    let mut files = BTreeMap::new();
    let mut visited = HashSet::new();
    for folder in folders {
        visit(folder, false, &mut visited, &mut files)?;
    }
    let mut by_path: Vec<(PathBuf, bool)> = files.into_values().collect();
    by_path.sort();
    Ok(collect(by_path.into_iter().map(|(path, named)| (read(&path), path, named))))
}

/// Takes results together: each with its file, and whether its folder was found as a link; or why it could not be read.
pub fn collect(results: impl IntoIterator<Item = (Result<Report, String>, PathBuf, bool)>) -> Found {
    let mut found = Found::default();
    let (mut n_unlabelled, mut n_ablations) = (0, 0);
    for (result, path, named) in results {
        found.n_files += 1;
        match result {
            Err(message) => found.notes.push(format!("{}: left out: {message}", path.display())),
            Ok(report) if report.metrics.is_none() => n_unlabelled += 1,
            // That without pre-training has a column of its own.
            Ok(report) if !matches!(method(&report.training), Some(Method::Full | Method::WithoutPretraining)) => {
                n_ablations += 1;
            }
            Ok(report) => match run(report, path.clone(), named) {
                Ok(run) => found.runs.push(run),
                Err(message) => found.notes.push(format!("{}: left out: {message}", path.display())),
            },
        }
    }
    let left_out = [
        (n_unlabelled, "without labels"),
        (n_ablations, "of ablations"),
        (keep_newest(&mut found.runs), "replaced since"),
    ];
    let left_out: Vec<String> =
        left_out.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    if !left_out.is_empty() {
        found.notes.push(format!("left out: results {}", left_out.join(", ")));
    }
    found
}

/// Adds the files of a folder, which is `named` if it was found as a link, by their real path.
fn visit(
    folder: &Path,
    named: bool,
    visited: &mut HashSet<(PathBuf, bool)>,
    files: &mut BTreeMap<PathBuf, (PathBuf, bool)>,
) -> io::Result<()> {
    if !visited.insert((fs_err::canonicalize(folder)?, named)) {
        return Ok(());
    }
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name();
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        // A link that leads nowhere.
        let Ok(metadata) = fs_err::metadata(&path) else { continue };
        if metadata.is_dir() {
            visit(&path, entry.file_type()?.is_symlink(), visited, files)?;
        } else if name == "scores.json" && metadata.is_file() {
            let found = files.entry(fs_err::canonicalize(&path)?).or_insert((path.clone(), named));
            if (named, &found.0) > (found.1, &path) {
                *found = (path, named);
            }
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Report, String> {
    let bytes = bytes(path).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| format!("not written by gpt1-evaluate: {error}"))
}

/// The content of a `scores.json`, which is not long.
pub(crate) fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs_err::File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::other(format!("more than {MAX_FILE} bytes")));
    }
    Ok(bytes)
}

fn run(report: Report, path: PathBuf, named: bool) -> Result<Run, String> {
    let Report { task, split, n, metrics, majority, groups, model, shape, training, .. } = report;
    let groups: BTreeMap<String, Part> =
        serde_json::from_value(groups.into()).map_err(|error| format!("not written by gpt1-evaluate: {error}"))?;
    let split = split.parse().map_err(|error: TaskError| error.to_string())?;
    let metrics = metrics.unwrap_or_default();
    if let Some(missing) =
        task.metrics().iter().find(|metric| !metrics.get(metric.name()).is_some_and(Value::is_number))
    {
        return Err(format!("no number for the metric {missing} of {task}"));
    }
    let mut parts: BTreeMap<_, _> = groups.into_iter().map(|(name, part)| (Some(name), part)).collect();
    parts.insert(None, Part { n, metrics, majority });
    let (init, seed) = (training.init.clone(), training.seed);
    let object = |value: Result<Value, serde_json::Error>| match value {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    };
    let training = object(serde_json::to_value(training));
    let settings = object(Ok(shape)).into_iter().chain(training).filter(|(key, _)| key != "seed" && key != "init");
    let plain = |value: Value| match value {
        Value::String(text) => text,
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    };
    let settings = settings.map(|(key, value)| (key, plain(value))).collect();
    Ok(Run { task, split, parts, init, seed, settings, model, path, named })
}

/// Leaves each model's result once, and of several with one seed and the same settings those that a link names, if any is
/// named. Returns how many of the latter were left out.
fn keep_newest(runs: &mut Vec<Run>) -> usize {
    runs.sort_by_key(|run| !run.named);
    let mut seen = HashSet::new();
    runs.retain(|run| seen.insert((run.task.name(), run.split.name(), run.model.clone(), run.parts[&None].n)));
    let key = |run: &Run| {
        (run.task.name(), run.split.name(), run.parts[&None].n, run.init.clone(), run.settings.clone(), run.seed)
    };
    let named: HashSet<_> = runs.iter().filter(|run| run.named).map(key).collect();
    let n = runs.len();
    runs.retain(|run| run.named || !named.contains(&key(run)));
    runs.sort_by(|a, b| a.path.cmp(&b.path));
    n - runs.len()
}
