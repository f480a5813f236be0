//! Outputs that appear all at once.
//!
//! A stage writes into a hidden sibling of `--out`, `.<name>.partial`, which is locked while in use. [`OutputDir::commit`]
//! syncs everything and swaps it into place in one step; an earlier result stays readable until then. A run that was
//! interrupted leaves its partial folder behind; the next run with the same key continues in it. What is hidden in the folder (a
//! leading dot: the run's key, checkpoints) is of the run, not of its result, and is removed when the result is in place.

use crate::manifest::Manifest;
use serde_json::Value;
use std::fs::TryLockError;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file in a partial folder that says which run it belongs to.
const RUN_KEY: &str = ".run-key.json";
/// What the name of an unfinished output ends with.
pub const UNFINISHED_OUTPUT: &str = ".partial";
/// What the names of unfinished files end with; they begin with a dot.
const UNFINISHED: &str = ".tmp";
/// How long a lock that somebody else holds is left alone before it is asked for again.
const LOCK_INTERVAL: Duration = Duration::from_millis(20);

/// Why an output cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// `--out` has no last component, or exists and is no directory.
    #[error("--out {0}: expected the path of a directory (new, or an earlier output to replace)")]
    NotADirectory(PathBuf),
    /// The directory holds files that no stage of ours has written.
    #[error(
        "--out {0}: the directory exists and is no output of gpt1 (it has no manifest.json)\n  hint: name another directory, or remove this one yourself"
    )]
    Foreign(PathBuf),
    /// Another process is writing the same output.
    #[error("--out {0}: another run is writing this output now\n  hint: wait for it, or name another directory")]
    Busy(PathBuf),
    /// Somebody has removed what the run was writing.
    #[error(
        "{0}: the folder that this run was writing has been removed\n  hint: run the same command again; it begins anew"
    )]
    Removed(PathBuf),
    /// The new result is in place, but what it took to make it could not be removed, or it may not be on the disk yet.
    #[error(
        "{out} is complete and in place, but the run could not tidy up after itself: {source}\n  hint: use the result, or run the same command again"
    )]
    Untidy {
        /// The result.
        out: PathBuf,
        /// What went wrong; the path is in the message.
        source: io::Error,
    },
    /// A write failed; the path is in the message.
    #[error(
        "cannot write the output: {0}\n  hint: an earlier result is untouched; free space or choose another --out, then run the same command again"
    )]
    Io(#[from] io::Error),
}

/// An output being written.
#[derive(Debug)]
pub struct OutputDir {
    out: PathBuf,
    partial: PathBuf,
    resumed: bool,
    _lock: fs_err::File,
}

impl OutputDir {
    /// Begins an output at `out`. `run_key` is everything that decides the result (configuration, input digests): a
    /// partial output of an interrupted run with the same key is kept, so that the run can continue; another is emptied.
    pub fn begin(out: &Path, run_key: &Value) -> Result<OutputDir, OutputError> {
        let name = out.file_name().ok_or_else(|| OutputError::NotADirectory(out.to_owned()))?;
        let parent = match out.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        if out.exists() {
            if !out.is_dir() {
                return Err(OutputError::NotADirectory(out.to_owned()));
            }
            if fs_err::read_dir(out)?.next().is_some() && !out.join("manifest.json").exists() {
                return Err(OutputError::Foreign(out.to_owned()));
            }
        }
        fs_err::create_dir_all(&parent)?;
        let hidden = |suffix: &str| parent.join(format!(".{}{suffix}", name.to_string_lossy()));
        let lock = fs_err::OpenOptions::new().create(true).truncate(false).write(true).open(hidden(".lock"))?;
        match lock.file().try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OutputError::Busy(out.to_owned())),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let partial = hidden(UNFINISHED_OUTPUT);
        let key = serde_json::to_vec_pretty(run_key).map_err(io::Error::other)?;
        let run_key = partial.join(RUN_KEY);
        // A key that cannot be read now is no other key: hours of work may lie beside it.
        let resumed = if_there(fs_err::read(&run_key))?.is_some_and(|found| found == key);
        if resumed {
            remove_unfinished(&partial)?;
        } else {
            // The key goes first: without it nobody continues in a folder that is only half emptied.
            if_there(fs_err::remove_file(&run_key))?;
            if_there(fs_err::remove_dir_all(&partial))?;
            fs_err::create_dir(&partial)?;
            write_atomic(&run_key, |w| w.write_all(&key))?;
        }
        log::info!("writing {} ({})", partial.display(), if resumed { "continued" } else { "new" });
        Ok(OutputDir { out: out.to_owned(), partial, resumed, _lock: lock })
    }

    /// The folder to write into.
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Whether an interrupted run with the same key left files here.
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// A path in the folder to write into.
    pub fn join(&self, name: &str) -> PathBuf {
        self.partial.join(name)
    }

    /// Writes `manifest.json`, syncs all files, and swaps the output into place; returns its path.
    pub fn commit(self, manifest: Manifest) -> Result<PathBuf, OutputError> {
        if !self.partial.join(RUN_KEY).exists() {
            return Err(OutputError::Removed(self.partial));
        }
        let manifest = manifest.finish();
        write_json(&self.partial.join("manifest.json"), &manifest)?;
        sync_tree(&self.partial)?;
        let replaces = self.out.exists();
        if replaces {
            exchange(&self.partial, &self.out)?;
        } else {
            fs_err::rename(&self.partial, &self.out)?;
        }
        let tidied = (|| {
            sync_dir(&parent_of(&self.out))?;
            if replaces {
                fs_err::remove_dir_all(&self.partial)?;
            }
            tidy(&self.out)
        })();
        match tidied {
            Ok(()) => Ok(self.out),
            Err(source) => Err(OutputError::Untidy { out: self.out, source }),
        }
    }
}

/// Removes from a result in place what is of the run that made it, which was killed before it could.
pub fn tidy(out: &Path) -> io::Result<()> {
    for entry in fs_err::read_dir(out)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs_err::remove_dir_all(entry.path())?;
        } else {
            fs_err::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Removes the files that [`write_atomic`] had not finished when its process was killed.
fn remove_unfinished(dir: &Path) -> io::Result<()> {
    for entry in fs_err::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            remove_unfinished(&entry.path())?;
        } else if name.starts_with('.') && name.ends_with(UNFINISHED) {
            fs_err::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// `None` if what was asked for is not there; any other error is one.
pub fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Swaps two directories in one step where the system can (Linux), else by two renames.
fn exchange(new: &Path, old: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {}
            Err(errno) => {
                return Err(io::Error::new(
                    io::Error::from(errno).kind(),
                    format!("cannot put {} in place of {}: {errno}", new.display(), old.display()),
                ));
            }
        }
    }
    let aside = old.with_extension("replaced");
    fs_err::rename(old, &aside)?;
    fs_err::rename(new, old)?;
    fs_err::rename(&aside, new)
}

/// Writes a file beside its place, syncs it, and renames it: readers see the old content or the new one, never a part.
pub fn write_atomic(path: &Path, write: impl FnOnce(&mut BufWriter<fs_err::File>) -> io::Result<()>) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::other(format!("{} names no file", path.display())))?;
    let beside = path.with_file_name(format!(".{}.{}{UNFINISHED}", name.to_string_lossy(), std::process::id()));
    let written = (|| {
        let mut writer = BufWriter::new(fs_err::File::create(&beside)?);
        write(&mut writer)?;
        let file = writer.into_inner().map_err(|error| {
            io::Error::new(error.error().kind(), format!("failed to write {}: {}", beside.display(), error.error()))
        })?;
        file.sync_all()?;
        fs_err::rename(&beside, path)
    })();
    if written.is_err() {
        // The error that matters is the one being returned.
        let _ = fs_err::remove_file(&beside);
    }
    written
}

/// Writes a value as indented JSON with a final line break, atomically.
pub fn write_json(path: &Path, value: &impl serde::Serialize) -> io::Result<()> {
    write_atomic(path, |w| {
        serde_json::to_writer_pretty(&mut *w, value)?;
        w.write_all(b"\n")
    })
}

fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Takes a lock that ends when the returned file and all that were made from it are closed: with its owners, however they end.
/// Calls `waits` before waiting for another holder; gives up, with `None`, when `stops` says so.
pub fn lock(path: &Path, waits: impl FnOnce(), stops: impl Fn() -> bool) -> io::Result<Option<fs_err::File>> {
    let file = fs_err::OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
    let mut waits = Some(waits);
    while !stops() {
        match file.file().try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => {
                if let Some(waits) = waits.take() {
                    waits();
                }
                std::thread::sleep(LOCK_INTERVAL);
            }
            Err(TryLockError::Error(error)) => {
                return Err(io::Error::new(error.kind(), format!("cannot lock {}: {error}", path.display())));
            }
        }
    }
    Ok(None)
}

/// Syncs a directory's list of names: what was renamed into it stays there.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    fs_err::File::open(dir)?.sync_all()
}

/// Syncs all files and folders of a directory.
pub fn sync_tree(dir: &Path) -> io::Result<()> {
    for entry in fs_err::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_tree(&path)?;
        } else {
            fs_err::File::open(&path)?.sync_all()?;
        }
    }
    sync_dir(dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn manifest() -> Manifest {
        Manifest::start("test", 1, &json!({}))
    }

    #[test]
    fn earlier_result_stays_until_commit() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("result");
        let first = OutputDir::begin(&out, &json!(1)).unwrap();
        fs_err::write(first.join("x"), "1").unwrap();
        assert!(!out.exists());
        first.commit(manifest()).unwrap();
        let second = OutputDir::begin(&out, &json!(2)).unwrap();
        fs_err::write(second.join("y"), "2").unwrap();
        assert_eq!(fs_err::read_to_string(out.join("x")).unwrap(), "1");
        second.commit(manifest()).unwrap();
        assert!(!out.join("x").exists());
        assert_eq!(fs_err::read_to_string(out.join("y")).unwrap(), "2");
        assert!(!dir.path().join(".result.partial").exists());
    }

    #[test]
    fn interrupted_run_continues_only_with_the_same_key() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("result");
        let first = OutputDir::begin(&out, &json!(1)).unwrap();
        fs_err::write(first.join("half"), "1").unwrap();
        assert!(matches!(OutputDir::begin(&out, &json!(1)), Err(OutputError::Busy(_))));
        drop(first);
        let same = OutputDir::begin(&out, &json!(1)).unwrap();
        assert!(same.resumed() && same.join("half").exists());
        drop(same);
        let other = OutputDir::begin(&out, &json!(2)).unwrap();
        assert!(!other.resumed() && !other.join("half").exists());
    }

    #[test]
    fn what_a_killed_run_left_half_written_is_in_no_result() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("result");
        let killed = OutputDir::begin(&out, &json!(1)).unwrap();
        fs_err::create_dir(killed.join("sub")).unwrap();
        for name in [".config.json.17.tmp", "sub/.weights.17.tmp", "sub/whole", ".hidden"] {
            fs_err::write(killed.join(name), "1").unwrap();
        }
        drop(killed);
        let next = OutputDir::begin(&out, &json!(1)).unwrap();
        assert!(next.resumed() && next.join(".hidden").exists());
        next.commit(manifest()).unwrap();
        let mut names: Vec<_> = fs_err::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["manifest.json", "sub"]);
        assert_eq!(fs_err::read_dir(out.join("sub")).unwrap().count(), 1);
    }

    #[test]
    fn a_key_that_cannot_be_read_is_an_error_and_nothing_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("result");
        let first = OutputDir::begin(&out, &json!(1)).unwrap();
        fs_err::write(first.join("hours"), "1").unwrap();
        // A folder can be read by nobody as a file, whoever runs the test.
        fs_err::remove_file(first.join(RUN_KEY)).unwrap();
        fs_err::create_dir(first.join(RUN_KEY)).unwrap();
        let hours = first.join("hours");
        drop(first);
        assert!(matches!(OutputDir::begin(&out, &json!(1)), Err(OutputError::Io(_))));
        assert!(hours.exists());
    }

    #[test]
    fn a_folder_that_was_removed_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let output = OutputDir::begin(&dir.path().join("result"), &json!(1)).unwrap();
        fs_err::remove_dir_all(output.path()).unwrap();
        assert!(matches!(output.commit(manifest()), Err(OutputError::Removed(_))));
    }

    #[test]
    fn foreign_directory_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs_err::write(dir.path().join("mine.txt"), "1").unwrap();
        assert!(matches!(OutputDir::begin(dir.path(), &json!(1)), Err(OutputError::Foreign(_))));
    }

    #[test]
    fn failed_write_leaves_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs_err::write(&path, "old").unwrap();
        let failed = write_atomic(&path, |w| {
            w.write_all(b"new")?;
            Err(io::Error::other("no space"))
        });
        assert!(failed.is_err());
        assert_eq!(fs_err::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 1);
    }
}
