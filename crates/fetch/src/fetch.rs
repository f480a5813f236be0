//! From a data set's name to its folder.

use crate::catalogue::{Dataset, OnRequest};
use crate::download::{self, Arrived};
use crate::error::FetchError;
use crate::http;
use crate::place::{State, state};
use crate::record::{self, Record};
use crate::unpack::{self, Sink};
use gpt1_artifacts::eprintln;
use gpt1_artifacts::output::{lock, sync_dir, sync_tree};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How to fetch.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of the data sets' folders.
    pub data: PathBuf,
    /// Take all files from below this address.
    pub mirror: Option<String>,
    /// Use files of which no digest is known.
    pub accept_unknown_digest: bool,
    /// How long to wait for a connection and for the next byte.
    pub timeout: Duration,
    /// How long to wait before the first new try.
    pub pause: Duration,
}

/// Fetches the data sets one after the other; `say` gets a line for each that is there in the end.
///
/// # Errors
/// The error of a single data set; of several, each is reported on stderr, and the last error names them all. What is given
/// on request only is explained on stderr, and is an error if nothing else was asked for.
pub fn run(
    sets: &[&Dataset],
    options: &Options,
    mut say: impl FnMut(&str) -> io::Result<()>,
) -> Result<(), FetchError> {
    let (mut failed, mut requests) = (Vec::new(), Vec::new());
    for set in sets {
        match fetch(set, options) {
            Ok(Outcome::Here { folder, how }) => say(&format!("{}: {how}{}", &*set.name, folder.display()))?,
            Ok(Outcome::OnRequest(how)) => requests.push(how),
            Err(error) if sets.len() == 1 => return Err(error),
            Err(error) => {
                eprintln!("error: {}: {error}", &*set.name);
                failed.push(&*set.name);
            }
        }
    }
    if requests.len() == sets.len() && !requests.is_empty() {
        return Err(FetchError::OnRequest(requests.join("\n")));
    }
    for how in requests {
        eprintln!("{how}");
    }
    if failed.is_empty() { Ok(()) } else { Err(FetchError::Some(failed.join(", "))) }
}

enum Outcome {
    /// The data set is there.
    Here { folder: PathBuf, how: &'static str },
    /// How to get it.
    OnRequest(String),
}

/// Where the data set is, if nothing needs to be done.
fn here(state: &State) -> Option<Outcome> {
    match state {
        State::Fetched(folder) => Some(Outcome::Here { folder: folder.clone(), how: "already there: " }),
        State::ByHand(folder) => {
            Some(Outcome::Here { folder: folder.clone(), how: "already there, put there by hand and left alone: " })
        }
        _ => None,
    }
}

fn fetch(set: &Dataset, options: &Options) -> Result<Outcome, FetchError> {
    let before = state(set, &options.data)?;
    if let Some(outcome) = here(&before) {
        return Ok(outcome);
    }
    if let (State::OnRequest { folder, missing }, Some(request)) = (&before, &set.on_request) {
        return Ok(Outcome::OnRequest(how_to_request(set, request, folder, missing)));
    }
    let downloads = options.data.join(".downloads");
    fs_err::create_dir_all(&downloads)?;
    let waits = || eprintln!("{}: another gpt1-fetch is fetching it; waiting", &*set.name);
    let _lock = lock(&downloads.join(format!("{}.lock", &*set.name)), waits, || false)?;
    // Whoever held the lock may have done it.
    let before = state(set, &options.data)?;
    if let Some(outcome) = here(&before) {
        return Ok(outcome);
    }

    eprintln!("{}: {}\n  licence: {}", &*set.name, set.title, set.licence);
    let agent = http::agent(options.timeout)?;
    let mut arrived = Vec::new();
    for source in &set.files {
        arrived.push(download::obtain(&agent, source, &downloads, options)?);
    }
    let partial = options.data.join(format!(".{}.partial", &*set.folder));
    if partial.exists() {
        fs_err::remove_dir_all(&partial)?;
    }
    fs_err::create_dir(&partial)?;
    let folder = fill(set, &arrived, &partial).and_then(|record| put_in_place(set, options, &partial, &record, before));
    let folder = folder.inspect_err(|error| {
        // The error that matters is the one being returned.
        _ = fs_err::remove_dir_all(&partial);
        if matches!(error, FetchError::Entry { .. } | FetchError::Archive { .. }) {
            for file in &arrived {
                _ = download::remove(&file.path);
            }
        }
    })?;
    for file in &arrived {
        download::remove(&file.path)?;
    }
    Ok(Outcome::Here { folder, how: "" })
}

/// Unpacks the files into the partial folder; returns its record.
fn fill(set: &Dataset, arrived: &[Arrived], partial: &Path) -> Result<Record, FetchError> {
    let mut sink = Sink::new(partial, set.max_unpacked_bytes, set.max_entries);
    for (source, file) in set.files.iter().zip(arrived) {
        unpack::unpack(source, &file.path, &mut sink)?;
    }
    let sources = set.files.iter().zip(arrived).map(|(source, file)| record::From {
        url: file.url.clone(),
        file: source.file_name().to_owned(),
        bytes: file.bytes,
        digests: file.digests.clone(),
    });
    let record = Record { name: set.name.to_string(), sources: sources.collect(), files: sink.into_files() };
    record.write(partial)?;
    sync(partial, record.files.len())?;
    Ok(record)
}

/// Brings a folder of `n_files` to the disk. Many files are left to their file system, which syncs all at once: one by one,
/// RACE's 28,000 take most of a minute.
fn sync(folder: &Path, n_files: usize) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if n_files > 1000 {
        return Ok(rustix::fs::syncfs(fs_err::File::open(folder)?)?);
    }
    _ = n_files;
    sync_tree(folder)
}

/// Renames the partial folder to its place; or, where files had gone, puts back these alone.
fn put_in_place(
    set: &Dataset,
    options: &Options,
    partial: &Path,
    record: &Record,
    before: State,
) -> Result<PathBuf, FetchError> {
    let folder = if let State::Incomplete { folder, record: old, missing } = before {
        let digests = |record: &Record| -> Vec<_> { record.sources.iter().map(|from| from.digests.clone()).collect() };
        if digests(record) != digests(&old) || record.files != old.files {
            return Err(FetchError::OtherVersion { folder, file: missing[0].clone() });
        }
        for file in &missing {
            let to = folder.join(file);
            if let Some(parent) = to.parent() {
                fs_err::create_dir_all(parent)?;
            }
            fs_err::rename(partial.join(file), to)?;
        }
        fs_err::remove_dir_all(partial)?;
        sync(&folder, record.files.len())?;
        folder
    } else {
        let folder = options.data.join(&*set.folder);
        // An empty folder may stand there; one with content makes the rename fail.
        fs_err::rename(partial, &folder)?;
        folder
    };
    sync_dir(&options.data)?;
    Ok(folder)
}

fn how_to_request(set: &Dataset, request: &OnRequest, folder: &Path, missing: &[String]) -> String {
    let files: Vec<String> = missing.iter().map(|file| format!("  {}", folder.join(file).display())).collect();
    format!(
        "{} ({}): given on request only; fill in the form at\n  {}\nand put what you are sent at\n{}",
        &*set.name,
        set.title,
        &*request.form,
        files.join("\n")
    )
}
