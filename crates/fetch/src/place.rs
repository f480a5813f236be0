//! Where a data set is, and whether it is complete.

use crate::catalogue::Dataset;
use crate::error::FetchError;
use crate::names::plain;
use crate::record::Record;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What there is of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Missing,
    /// A folder of ours, complete.
    Fetched(PathBuf),
    /// A folder that somebody else has put there; its content is that person's business.
    ByHand(PathBuf),
    /// A folder of ours from which files have gone.
    Incomplete {
        /// The folder.
        folder: PathBuf,
        /// Its record.
        record: Record,
        /// What has gone.
        missing: Vec<String>,
    },
    /// Given on request only, and these files are not there.
    OnRequest {
        /// The folder in which they are looked for.
        folder: PathBuf,
        /// Their names.
        missing: Vec<String>,
    },
}

/// What there is of `set` in the data folder.
pub fn state(set: &Dataset, data: &Path) -> Result<State, FetchError> {
    let found = folders(set, data)?;
    if let Some(request) = &set.on_request {
        let missing_in = |folder: &Path| -> Vec<String> {
            let files = request.files.iter().map(|file| file.to_string());
            files.filter(|file| !folder.join(file).exists()).collect()
        };
        if let Some(folder) = found.iter().find(|folder| missing_in(folder).is_empty()) {
            return Ok(State::ByHand(folder.clone()));
        }
        let folder = found.into_iter().next().unwrap_or_else(|| data.join(&*set.folder));
        return Ok(State::OnRequest { missing: missing_in(&folder), folder });
    }
    let Some(folder) = found.into_iter().next() else { return Ok(State::Missing) };
    let Some(record) = Record::read(&folder)? else { return Ok(State::ByHand(folder)) };
    let mut missing = Vec::new();
    for file in &record.files {
        let path = folder.join(&file.path);
        match fs_err::metadata(&path) {
            Ok(metadata) if metadata.len() == file.bytes => {}
            Ok(metadata) => {
                return Err(FetchError::Changed { path, found: metadata.len(), expected: file.bytes });
            }
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                missing.push(file.path.clone());
            }
            Err(error) => return Err(error.into()),
        }
    }
    if missing.is_empty() {
        return Ok(State::Fetched(folder));
    }
    Ok(State::Incomplete { folder, record, missing })
}

/// The folders that the tasks' readers take for this data set's, and that hold something: below the data folder or its folder
/// `glue`, whatever their case and punctuation.
fn folders(set: &Dataset, data: &Path) -> Result<Vec<PathBuf>, FetchError> {
    let own = data.join(&*set.folder);
    if fs_err::symlink_metadata(&own).is_ok() && !own.is_dir() {
        return Err(FetchError::NotAFolder(own));
    }
    let names: Vec<String> = [&set.folder].into_iter().chain(&set.aliases).map(|name| plain(name)).collect();
    let mut found = Vec::new();
    for parent in std::iter::once(data.to_owned()).chain(named(data, &["glue".to_owned(), "gluedata".to_owned()])?) {
        for folder in named(&parent, &names)? {
            if fs_err::read_dir(&folder)?.next().is_some() {
                found.push(folder);
            }
        }
    }
    // What stands where we would put it comes first.
    found.sort_by_key(|folder| *folder != own);
    Ok(found)
}

/// The folders in `parent` whose plain name is one of `names`, sorted.
fn named(parent: &Path, names: &[String]) -> Result<Vec<PathBuf>, FetchError> {
    let entries = match fs_err::read_dir(parent) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with('.') && names.contains(&plain(&name)) && entry.path().is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
