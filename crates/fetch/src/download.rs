//! Downloading a file: continued where it stopped, tried again when the connection breaks, checked before it is used.

use crate::catalogue::{Digests, Source};
use crate::digest;
use crate::error::FetchError;
use crate::fetch::Options;
use crate::http::{self, Answer, Failure, Version};
use gpt1_artifacts::eprintln;
use gpt1_artifacts::output::write_json;
use gpt1_artifacts::progress::Progress;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::Agent;

/// A file of which the list does not say the size may have this many bytes.
const MAX_UNLISTED: u64 = 1_000_000_000;
/// New tries in a row that bring nothing.
const RETRIES: u32 = 5;
/// A connection that brought so many bytes was good for something: the count begins again.
const GOOD_FOR_SOMETHING: u64 = 1 << 20;
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A file that has arrived and may be used.
pub struct Arrived {
    /// Where it is.
    pub path: PathBuf,
    /// From where it came.
    pub url: String,
    /// Its size.
    pub bytes: u64,
    /// Its digests.
    pub digests: Digests,
}

/// The file of `source`, downloaded into the folder `downloads` unless it is there, its digest checked.
pub fn obtain(agent: &Agent, source: &Source, downloads: &Path, options: &Options) -> Result<Arrived, FetchError> {
    let name = source.file_name();
    let url = match &options.mirror {
        Some(mirror) => format!("{}/{name}", mirror.trim_end_matches('/')),
        None => source.url.to_string(),
    };
    let path = downloads.join(name);
    if !path.is_file() {
        let mut partial = Partial::open(&path, &url, source)?;
        partial.complete(agent, options.pause)?;
        let Partial { at, notes, .. } = partial;
        match check(&at, url.clone(), source, options) {
            Ok(arrived) => {
                fs_err::File::open(&at)?.sync_all()?;
                fs_err::rename(&at, &path)?;
                remove(&notes)?;
                return Ok(Arrived { path, ..arrived });
            }
            Err(error) => {
                if matches!(error, FetchError::Digest { .. }) {
                    remove(&at)?;
                    remove(&notes)?;
                }
                return Err(error);
            }
        }
    }
    // Left by a run that could not unpack it.
    check(&path, url, source, options).inspect_err(|_| _ = fs_err::remove_file(&path))
}

/// Compares a file with the digests that are known.
fn check(path: &Path, url: String, source: &Source, options: &Options) -> Result<Arrived, FetchError> {
    let (found, bytes) = digest::of_file(path)?;
    let known = source.digests();
    for (kind, found, expected) in
        [("sha256", &found.sha256, &known.sha256), ("git_blob", &found.git_blob, &known.git_blob)]
    {
        if let (Some(found), Some(expected)) = (found, expected)
            && found != expected
        {
            return Err(FetchError::Digest { url, kind, found: found.clone(), expected: expected.clone() });
        }
    }
    if known == Digests::default() {
        let (sha256, git_blob) = (found.sha256.clone().unwrap_or_default(), found.git_blob.clone().unwrap_or_default());
        if !options.accept_unknown_digest {
            return Err(FetchError::UnknownDigest { url, bytes, sha256, git_blob });
        }
        eprintln!("warning: {url}: no digest is known of this file; accepted with sha256 {sha256}");
    }
    Ok(Arrived { path: path.to_owned(), url, bytes, digests: found })
}

/// A file of which the beginning has arrived.
struct Partial<'a> {
    name: &'a str,
    url: &'a str,
    source: &'a Source,
    /// The file.
    at: PathBuf,
    /// The file beside it that holds the version.
    notes: PathBuf,
    file: fs_err::File,
    have: u64,
    version: Option<Version>,
    progress: Option<Progress>,
}

impl<'a> Partial<'a> {
    fn open(path: &Path, url: &'a str, source: &'a Source) -> Result<Partial<'a>, FetchError> {
        let beside = |suffix: &str| path.with_file_name(format!("{}{suffix}", source.file_name()));
        let (at, notes) = (beside(".partial"), beside(".partial.json"));
        let file = fs_err::OpenOptions::new().create(true).truncate(false).append(true).open(&at)?;
        let have = file.metadata()?.len();
        let notes_of_it: Option<Version> =
            fs_err::read(&notes).ok().and_then(|text| serde_json::from_slice(&text).ok());
        // Another server's name for a version says nothing to this one.
        let version = notes_of_it.filter(|version| version.url == url);
        let name = source.file_name();
        let mut partial = Partial { name, url, source, at, notes, file, have, version, progress: None };
        // Without a version, only a digest can tell that two halves belong together.
        let unsure = partial.version.is_none() && source.digests() == Digests::default();
        if have > 0 && (unsure || source.bytes.is_some_and(|bytes| have > bytes)) {
            partial.empty()?;
        }
        Ok(partial)
    }

    /// Forgets what has arrived.
    fn empty(&mut self) -> Result<(), FetchError> {
        self.file.set_len(0)?;
        self.have = 0;
        self.version = None;
        Ok(())
    }

    /// Downloads what is missing.
    fn complete(&mut self, agent: &Agent, pause: Duration) -> Result<(), FetchError> {
        let mut tries = 0;
        let mut wait = pause;
        // A file of unknown size is complete when the server says so.
        while self.source.bytes.is_none_or(|bytes| self.have < bytes) {
            let had = self.have;
            match self.request(agent) {
                Ok(true) => break,
                Ok(false) => {}
                Err(Failure::Final(error)) => return Err(self.give_back(error)),
                Err(Failure::Again(reason)) => {
                    if self.have >= had.saturating_add(GOOD_FOR_SOMETHING) {
                        (tries, wait) = (0, pause);
                    }
                    tries += 1;
                    if tries > RETRIES {
                        let (url, partial) = (self.url.to_owned(), self.at.clone());
                        return Err(self.give_back(FetchError::GaveUp {
                            url,
                            reason,
                            tries,
                            kept: self.have,
                            partial,
                        }));
                    }
                    let seconds = wait.as_secs_f64();
                    self.say(&format!(
                        "{}: {reason}, after {} bytes; again in {seconds} s (try {} of {})",
                        self.name,
                        self.have,
                        tries + 1,
                        RETRIES + 1
                    ));
                    std::thread::sleep(wait);
                    wait = (wait * 2).min(LONGEST_PAUSE);
                }
            }
        }
        if let Some(progress) = self.progress.take() {
            progress.finish();
        }
        Ok(())
    }

    /// One request; true if the file is complete. False: what there was is forgotten, ask again.
    fn request(&mut self, agent: &Agent) -> Result<bool, Failure> {
        let (start, total, version, mut body) = match http::ask(agent, self.url, self.have, self.version.as_ref())? {
            Answer::Body { start, total, version, body } => (start, total, version, body),
            Answer::Complete => return self.sized(self.have).map(|()| true),
            Answer::Restart => {
                self.say(&format!("{}: the server has another version; from the beginning", self.name));
                // Without bytes there is no range to ask for, so this happens once.
                self.empty()?;
                return Ok(false);
            }
        };
        if let Some(total) = total {
            self.sized(total)?;
        }
        if start == 0 {
            if self.have > 0 {
                self.say(&format!("{}: the server cannot continue; from the beginning", self.name));
            }
            self.empty()?;
            write_json(&self.notes, &version).map_err(FetchError::from)?;
            self.version = Some(version);
        }
        let progress = self.progress.get_or_insert_with(|| {
            let total = self.source.bytes.or(total).unwrap_or(0);
            Progress::new(self.name, total, "bytes")
        });
        progress.start_at(self.have);
        let limit = self.source.bytes.unwrap_or(MAX_UNLISTED);
        let mut buffer = vec![0; 1 << 17];
        loop {
            let n = body.read(&mut buffer).map_err(|error| Failure::Again(http::read_reason(&error)))?;
            if n == 0 {
                break;
            }
            if self.have + n as u64 > limit {
                self.empty()?;
                return Err(self.wrong_size(format!("more than {limit}"), limit));
            }
            self.file.write_all(&buffer[..n]).map_err(FetchError::from)?;
            self.have += n as u64;
            if let Some(progress) = &self.progress {
                progress.set(self.have);
            }
        }
        match self.source.bytes.or(total) {
            Some(total) if self.have < total => {
                Err(Failure::Again(format!("the connection ended before the {total} bytes of the file")))
            }
            _ => Ok(true),
        }
    }

    /// Refuses a file whose size is not the listed one, before its bytes are read.
    fn sized(&self, total: u64) -> Result<(), Failure> {
        match self.source.bytes {
            Some(bytes) if bytes != total => Err(self.wrong_size(total.to_string(), bytes)),
            None if total > MAX_UNLISTED => Err(self.wrong_size(total.to_string(), MAX_UNLISTED)),
            _ => Ok(()),
        }
    }

    fn wrong_size(&self, found: String, limit: u64) -> Failure {
        let url = self.url.to_owned();
        if let Some(expected) = self.source.bytes {
            return FetchError::Size { url, found, expected }.into();
        }
        let message = format!("the file has {found} bytes, expected at most {limit}");
        let hint = "\n  hint: if it really is that large, give its size in a list of your own (--datasets)";
        FetchError::Refused { url, message, hint }.into()
    }

    /// Before an error that ends it: leaves no empty file.
    fn give_back(&mut self, error: FetchError) -> FetchError {
        self.progress = None;
        if self.have == 0 {
            // The error that matters is the one being returned.
            _ = remove(&self.at);
            _ = remove(&self.notes);
        }
        error
    }

    fn say(&self, text: &str) {
        match &self.progress {
            Some(progress) => progress.println(text),
            None => eprintln!("{text}"),
        }
    }
}

/// Removes a file that may not be there.
pub fn remove(path: &Path) -> std::io::Result<()> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
