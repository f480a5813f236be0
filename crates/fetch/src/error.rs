//! Why a data set cannot be had.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Everything that keeps a data set from being fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// No data set has this name.
    #[error("unknown data set {name}{near}; known: {known}")]
    UnknownName {
        /// What was asked for.
        name: String,
        /// ` (did you mean rte?)`, or nothing.
        near: String,
        /// All names.
        known: String,
    },
    /// A file or folder cannot be read or written; the error names it.
    #[error("{0}{hint}", hint = io_hint(.0))]
    Io(#[from] io::Error),
    /// What stands in the place of the data set's folder is no folder.
    #[error("{0}: expected a folder, or nothing\n  hint: move it away, then run the same command again")]
    NotAFolder(PathBuf),
    /// A file that was fetched is another now.
    #[error(
        "{path}: {found} bytes, but it had {expected} when it was fetched\n  hint: remove it, then run the same command again to get the original back"
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// Bytes now.
        found: u64,
        /// Bytes when it was fetched.
        expected: u64,
    },
    /// Files are missing from a folder that was made from other files than those of the list.
    #[error(
        "{folder}: {file} is missing, and the folder was made from another version of the data set\n  hint: move the folder away, then run the same command again"
    )]
    OtherVersion {
        /// The folder.
        folder: PathBuf,
        /// The first missing file.
        file: String,
    },
    /// The program's settings for the network are wrong.
    #[error("{name}={value}: {message}")]
    Setting {
        /// The option or environment variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        message: String,
    },
    /// The server refuses, or what it says makes no sense.
    #[error("{url}: {message}{hint}")]
    Refused {
        /// The address.
        url: String,
        /// What the server said.
        message: String,
        /// What to do, from the line break on.
        hint: &'static str,
    },
    /// The connection broke too often.
    #[error(
        "{url}: {reason} (tried {tries} times)\n  hint: {hint}", hint = gave_up_hint(*.kept, .partial)
    )]
    GaveUp {
        /// The address.
        url: String,
        /// What happened the last time.
        reason: String,
        /// How often it was tried.
        tries: u32,
        /// The bytes that have arrived.
        kept: u64,
        /// Where they are.
        partial: PathBuf,
    },
    /// The file has another size than the list says.
    #[error(
        "{url}: the server has a file of {found} bytes, the list of data sets says {expected}\n  hint: nothing of it was kept; this is not the file that the digest was made of"
    )]
    Size {
        /// The address.
        url: String,
        /// What the server has: `more than 10` if it does not say how many.
        found: String,
        /// What the list says.
        expected: u64,
    },
    /// The file has another digest than the list says.
    #[error(
        "{url}: the {kind} of what has arrived is\n  {found}, expected\n  {expected}\n  hint: the file was deleted; run the same command again, and if it comes out the same, the file at that address is not the one that was published"
    )]
    Digest {
        /// The address.
        url: String,
        /// `sha256` or `git_blob`.
        kind: &'static str,
        /// What was found.
        found: String,
        /// What the list says.
        expected: String,
    },
    /// Nobody knows the digest of the file.
    #[error(
        "{url}: no digest is known of this file; what has arrived has {bytes} bytes,\n  sha256 {sha256}\n  git_blob {git_blob}\n  hint: if you trust it, run the same command with --accept-unknown-digest, or add a digest to a list of your own (--datasets)"
    )]
    UnknownDigest {
        /// The address.
        url: String,
        /// Its size.
        bytes: u64,
        /// Its SHA-256.
        sha256: String,
        /// Its id as git's blob.
        git_blob: String,
    },
    /// An archive holds what must not be unpacked.
    #[error("{archive}: {entry}: {message}\n  hint: nothing was unpacked, and the archive was deleted")]
    Entry {
        /// The archive's name.
        archive: String,
        /// The member's name, made printable.
        entry: String,
        /// What is wrong with it.
        message: String,
    },
    /// An archive cannot be read, or does not hold what is wanted.
    #[error("{archive}: {message}\n  hint: nothing was unpacked, and the archive was deleted")]
    Archive {
        /// The archive's name.
        archive: String,
        /// What is wrong with it.
        message: String,
    },
    /// Data sets that are given on request are not there, and nothing else was asked for.
    #[error("{0}")]
    OnRequest(String),
    /// Some of several data sets could not be fetched; each was reported.
    #[error("not fetched: {0}")]
    Some(String),
}

fn gave_up_hint(kept: u64, partial: &Path) -> String {
    match kept {
        0 => "is there a connection to the network? Run the same command again later; --mirror names another server"
            .to_owned(),
        kept => format!(
            "the {kept} bytes that have arrived stay in {}; run the same command again to continue",
            partial.display()
        ),
    }
}

fn io_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "\n  hint: make room, or name another folder with --data, then run the same command again; what was downloaded is kept"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "\n  hint: name a folder that you may write into with --data"
        }
        _ => "",
    }
}
