//! Content digests that are computed once: a file whose size, times and inode are as before is not read again.
//!
//! The file system's word is a hint that can only cost a needless read: ctime cannot be set back, and a file is never
//! hashed within [`TICK`] of its last change, so that no later change can leave all of these as they were.

use gpt1_artifacts::{digest, output};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Longer than the steps of a kernel's file clock (1 to 10 ms).
const TICK: Duration = Duration::from_millis(25);

/// The digests of files by path, kept between runs in `.cache/digests.json` of the artifacts folder.
#[derive(Debug)]
pub struct Digests {
    cache: PathBuf,
    artifacts: PathBuf,
    entries: HashMap<String, Entry>,
    changed: bool,
    /// Files whose content was read.
    pub n_read: usize,
    /// Files whose digest was asked for.
    pub n_checked: usize,
    /// Bytes that were read.
    pub n_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    stamp: Stamp,
    digest: String,
}

/// What the file system says of a file; changes whenever its content does. Times in nanoseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Stamp(u64, i128, i128, u64);

impl Digests {
    /// The digests kept in an artifacts folder; none if there is no such folder, or the file is damaged.
    pub fn open(artifacts: &Path) -> Digests {
        let cache = artifacts.join(".cache/digests.json");
        let entries =
            fs_err::read(&cache).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        // Absolute, so that a result keeps its entry from whichever folder the runner is started.
        let artifacts = std::path::absolute(artifacts).unwrap_or_else(|_| artifacts.to_owned());
        Digests { cache, artifacts, entries, changed: false, n_read: 0, n_checked: 0, n_bytes: 0 }
    }

    /// The digest of a file or directory, equal to [`digest::path`].
    pub fn path(&mut self, path: &Path) -> io::Result<String> {
        if fs_err::metadata(path)?.is_file() {
            return Ok(self.files(&[path.to_owned()])?.remove(0));
        }
        Ok(digest::of_parts(&self.parts(path)?))
    }

    /// The files of a directory that its digest covers, with their digests.
    pub fn parts(&mut self, dir: &Path) -> io::Result<Vec<(PathBuf, String)>> {
        let names = digest::content_files(dir)?;
        let digests = self.files(&names.iter().map(|name| dir.join(name)).collect::<Vec<_>>())?;
        Ok(names.into_iter().zip(digests).collect())
    }

    /// Forgets what is known of the files of a directory, so that they are read again.
    pub fn forget(&mut self, dir: &Path) {
        let name = self.name(dir) + "/";
        self.entries.retain(|file, _| !file.starts_with(&name));
        self.changed = true;
    }

    /// Writes the digests back if there are new ones.
    pub fn save(&mut self) -> io::Result<()> {
        if !self.changed || !self.artifacts.is_dir() {
            return Ok(());
        }
        let artifacts = self.artifacts.clone();
        self.entries.retain(|name, _| artifacts.join(name).exists());
        fs_err::create_dir_all(self.cache.parent().unwrap_or(Path::new(".")))?;
        output::write_atomic(&self.cache, |w| Ok(serde_json::to_writer(w, &self.entries)?))?;
        self.changed = false;
        Ok(())
    }

    fn files(&mut self, paths: &[PathBuf]) -> io::Result<Vec<String>> {
        self.n_checked += paths.len();
        let (mut unread, mut stamps) = (Vec::new(), Vec::new());
        for path in paths {
            let stamp = stamp(path)?;
            if self.entries.get(&self.name(path)).is_none_or(|entry| entry.stamp != stamp) {
                stamps.push(settle(path, stamp)?);
                unread.push(path.clone());
            }
        }
        self.n_read += unread.len();
        self.n_bytes += stamps.iter().map(|stamp| stamp.0).sum::<u64>();
        self.changed |= !unread.is_empty();
        let digests = digest::files(&unread)?;
        for ((path, stamp), digest) in unread.iter().zip(stamps).zip(digests) {
            self.entries.insert(self.name(path), Entry { stamp, digest });
        }
        Ok(paths.iter().map(|path| self.entries[&self.name(path)].digest.clone()).collect())
    }

    /// Relative to the artifacts folder for what lies in it, so that a moved folder keeps its entries.
    fn name(&self, path: &Path) -> String {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        absolute.strip_prefix(&self.artifacts).unwrap_or(&absolute).to_string_lossy().into_owned()
    }
}

/// Waits until a file's last change lies [`TICK`] back.
fn settle(path: &Path, mut found: Stamp) -> io::Result<Stamp> {
    loop {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as i128);
        let last = found.1.max(found.2);
        // A time in the future (a clock that was set back) cannot be waited for.
        if now - last >= TICK.as_nanos() as i128 || last > now + TICK.as_nanos() as i128 {
            return Ok(found);
        }
        std::thread::sleep(TICK);
        found = stamp(path)?;
    }
}

#[cfg(unix)]
fn stamp(path: &Path) -> io::Result<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let m = fs_err::metadata(path)?;
    let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    Ok(Stamp(m.len(), nanoseconds(m.mtime(), m.mtime_nsec()), nanoseconds(m.ctime(), m.ctime_nsec()), m.ino()))
}

#[cfg(not(unix))]
fn stamp(path: &Path) -> io::Result<Stamp> {
    let m = fs_err::metadata(path)?;
    let mtime = m.modified()?.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as i128);
    Ok(Stamp(m.len(), mtime, mtime, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unchanged_files_are_not_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let (artifacts, input) = (dir.path().join("artifacts"), dir.path().join("in"));
        fs_err::create_dir_all(input.join("sub")).unwrap();
        fs_err::create_dir(&artifacts).unwrap();
        fs_err::write(input.join("a"), "1").unwrap();
        fs_err::write(input.join("sub/b"), "2").unwrap();
        let mut digests = Digests::open(&artifacts);
        let first = digests.path(&input).unwrap();
        assert_eq!(first, digest::path(&input).unwrap());
        assert_eq!((digests.n_checked, digests.n_read), (2, 2));
        digests.save().unwrap();

        let mut again = Digests::open(&artifacts);
        assert_eq!(again.path(&input).unwrap(), first);
        assert_eq!((again.n_checked, again.n_read), (2, 0));
        // Same size, changed at once after it was hashed, and its mtime set back.
        let modified = fs_err::metadata(input.join("a")).unwrap().modified().unwrap();
        fs_err::write(input.join("a"), "3").unwrap();
        fs_err::OpenOptions::new().write(true).open(input.join("a")).unwrap().file().set_modified(modified).unwrap();
        assert_ne!(again.path(&input).unwrap(), first);
        assert_eq!(again.n_read, 1);
    }

    #[test]
    fn a_damaged_cache_is_only_slow() {
        let dir = tempfile::tempdir().unwrap();
        fs_err::create_dir(dir.path().join(".cache")).unwrap();
        fs_err::write(dir.path().join(".cache/digests.json"), "{\"a\": 3").unwrap();
        fs_err::write(dir.path().join("a"), "1").unwrap();
        let mut digests = Digests::open(dir.path());
        assert_eq!(digests.path(&dir.path().join("a")).unwrap(), digest::bytes(b"1"));
        digests.save().unwrap();
        assert!(fs_err::read_to_string(dir.path().join(".cache/digests.json")).unwrap().starts_with("{\"a\":{"));
    }
}
