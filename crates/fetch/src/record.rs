//! `.fetched.json` in a data set's folder: what it was made from, and which files it had when it was complete.

use crate::catalogue::Digests;
use gpt1_artifacts::output::write_json;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// The record's name; hidden, so that it is no content of the data set.
const FILE: &str = ".fetched.json";

/// What a folder was made from and holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The data set's name.
    pub name: String,
    /// The files that were downloaded.
    pub sources: Vec<From>,
    /// The files of the folder, with `/`.
    pub files: Vec<Held>,
}

/// A file that was downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct From {
    /// The address that it came from.
    pub url: String,
    /// Its name.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// The digests found.
    #[serde(flatten)]
    pub digests: Digests,
}

/// A file of the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Its path in the folder.
    pub path: String,
    /// Its size.
    pub bytes: u64,
}

impl Record {
    /// The record of a folder; `None` if it has none, as a folder put there by hand.
    pub fn read(folder: &Path) -> io::Result<Option<Record>> {
        let path = folder.join(FILE);
        match fs_err::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| {
                io::Error::other(format!(
                    "{}: {error}; remove it if you know that the folder is complete",
                    path.display()
                ))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the record into a folder.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        write_json(&folder.join(FILE), self)
    }
}
