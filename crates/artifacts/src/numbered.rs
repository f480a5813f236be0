//! Folders of one kind that are numbered, such as `checkpoint-12`: each appears in one step when all of it is on the disk.

use crate::output::{if_there, sync_dir};
use std::io;
use std::path::{Path, PathBuf};

/// Makes `folder/name`, as `fill` writes it into the folder that it is given; replaces one of that name. What a killed run has left of
/// an earlier one is removed.
///
/// # Errors
/// Those of `fill` and of the file system; what stood under the name is then untouched, or gone if it could not be replaced.
pub fn write<E: From<io::Error>>(
    folder: &Path,
    name: &str,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<PathBuf, E> {
    if !folder.exists() {
        // Not what it stands in: an output that somebody has removed is not to come back.
        fs_err::create_dir(folder)?;
    }
    let partial = folder.join(".partial");
    if partial.exists() {
        fs_err::remove_dir_all(&partial)?;
    }
    fs_err::create_dir(&partial)?;
    fill(&partial)?;
    sync_dir(&partial)?;
    let path = folder.join(name);
    if path.exists() {
        fs_err::remove_dir_all(&path)?;
    }
    fs_err::rename(&partial, &path)?;
    sync_dir(folder)?;
    Ok(path)
}

/// The folders `<kind>-<number>` in a folder, by number, ascending; none if it is not there.
pub fn list(folder: &Path, kind: &str) -> io::Result<Vec<(u64, PathBuf)>> {
    let Some(entries) = if_there(fs_err::read_dir(folder))? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(kind)?.strip_prefix('-')?.parse().ok());
        found.extend(number.map(|number| (number, entry.path())));
    }
    found.sort();
    Ok(found)
}
