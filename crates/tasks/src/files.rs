//! Finding a task's files and reading them: as lines, or as one bounded text.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::{Split, Target, Task, TaskError};

/// No line of an official file comes near this; a longer one ends the reading before it fills the memory.
const MAX_LINE: u64 = 16 << 20;

/// What a task's reader is asked for.
pub(crate) struct Place<'a> {
    pub task: Task,
    pub data_dir: &'a Path,
    pub split: Split,
}

impl Place<'_> {
    /// The first of `names` (paths inside the task's folder) that exists. Folders are tried in this order: those in
    /// `data_dir` that bear the task's name, those in `data_dir/glue`, `data_dir` itself.
    pub fn find(&self, names: &[&str]) -> Result<PathBuf, TaskError> {
        self.try_find(names)?.ok_or_else(|| self.missing(names))
    }

    /// As `find`; `None` if there is no such file.
    pub fn try_find(&self, names: &[&str]) -> Result<Option<PathBuf>, TaskError> {
        let folders = self.folders()?;
        let paths = folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
        Ok(paths.into_iter().find(|path| path.exists()))
    }

    /// The error for files that are not there.
    pub fn missing(&self, names: &[&str]) -> TaskError {
        let title = self.task.title();
        let folders = [self.data_dir.join(title), self.data_dir.join("glue").join(title), self.data_dir.to_path_buf()];
        let paths = folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
        let looked_for = paths.map(|path| path.display().to_string()).collect::<Vec<_>>().join("\n  ");
        TaskError::Missing { task: title, split: self.split, looked_for, hint: self.task.0.source }
    }

    /// The target that a label of the file stands for.
    pub fn target(&self, path: &Path, line: usize, label: &str) -> Result<Target, TaskError> {
        self.task.parse_label(label).ok_or_else(|| TaskError::Label {
            path: path.to_path_buf(),
            line,
            label: label.chars().take(80).collect(),
            allowed: self.task.allowed_labels(),
        })
    }

    fn folders(&self) -> Result<Vec<PathBuf>, TaskError> {
        let mut folders = named(self.data_dir, self.task.0.folders)?;
        for glue in named(self.data_dir, &["glue", "gluedata"])? {
            folders.extend(named(&glue, self.task.0.folders)?);
        }
        folders.push(self.data_dir.to_path_buf());
        Ok(folders)
    }
}

/// Calls `each` with the number, from 1, and the text of every line: ended by LF or CR LF, without a byte-order mark
/// at the beginning of the file, without the empty lines at its end.
pub(crate) fn for_each_line(
    path: &Path,
    mut each: impl FnMut(usize, &str) -> Result<(), TaskError>,
) -> Result<(), TaskError> {
    let mut reader = BufReader::new(fs_err::File::open(path)?);
    let mut buffer = Vec::new();
    let mut n_empty = 0;
    for line in 1.. {
        buffer.clear();
        if reader.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut buffer)? == 0 {
            break;
        }
        if buffer.len() as u64 > MAX_LINE {
            return Err(TaskError::TooLong { path: path.to_path_buf(), line, limit: MAX_LINE });
        }
        let text = utf8(path, line, &buffer)?;
        let text = if line == 1 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            n_empty += 1;
            continue;
        }
        for empty in line - n_empty..line {
            each(empty, "")?;
        }
        n_empty = 0;
        each(line, text)?;
    }
    Ok(())
}

/// A whole file as text, without a byte-order mark.
pub(crate) fn read_text(path: &Path, limit: u64) -> Result<String, TaskError> {
    let text = match String::from_utf8(read_bytes(path, limit)?) {
        Ok(text) => text,
        Err(error) => {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = valid.split(|&byte| byte == b'\n').count();
            let byte = valid.len() - valid.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1) + 1;
            return Err(TaskError::Utf8 { path: path.to_path_buf(), line, byte });
        }
    };
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// A whole file of at most `limit` bytes.
pub(crate) fn read_bytes(path: &Path, limit: u64) -> Result<Vec<u8>, TaskError> {
    let mut bytes = Vec::new();
    fs_err::File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let line = bytes.split(|&byte| byte == b'\n').count();
        return Err(TaskError::TooLong { path: path.to_path_buf(), line, limit });
    }
    Ok(bytes)
}

fn utf8<'a>(path: &Path, line: usize, bytes: &'a [u8]) -> Result<&'a str, TaskError> {
    std::str::from_utf8(bytes).map_err(|error| TaskError::Utf8 {
        path: path.to_path_buf(),
        line,
        byte: error.valid_up_to() + 1,
    })
}

/// The folders inside `parent` that bear one of `names`, whatever their case and punctuation; in order.
pub(crate) fn named(parent: &Path, names: &[&str]) -> Result<Vec<PathBuf>, TaskError> {
    let entries = match fs_err::read_dir(parent) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let plain: String = entry.file_name().to_string_lossy().chars().filter(char::is_ascii_alphanumeric).collect();
        if names.contains(&plain.to_ascii_lowercase().as_str()) && entry.path().is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(content: &[u8]) -> Result<Vec<(usize, String)>, TaskError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.tsv");
        fs_err::write(&path, content).unwrap();
        let mut found = Vec::new();
        for_each_line(&path, |line, text| {
            found.push((line, text.to_owned()));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn lines_keep_their_numbers() {
        let found = lines("\u{feff}a\r\n\nb\u{85}\u{2028}c \n\n\r\n".as_bytes()).unwrap();
        assert_eq!(found, [(1, "a".into()), (2, String::new()), (3, "b\u{85}\u{2028}c ".into())]);
        assert_eq!(lines(b"").unwrap(), []);
        assert_eq!(lines(b"x").unwrap(), [(1, "x".into())]);
    }

    #[test]
    fn invalid_utf8_is_placed() {
        assert!(matches!(lines(b"ab\nxy\xffz\n"), Err(TaskError::Utf8 { line: 2, byte: 3, .. })));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        fs_err::write(&path, b"ab\nxy\xffz\n").unwrap();
        assert!(matches!(read_text(&path, 100), Err(TaskError::Utf8 { line: 2, byte: 3, .. })));
        assert!(matches!(read_text(&path, 4), Err(TaskError::TooLong { line: 2, .. })));
    }

    #[test]
    fn an_endless_line_is_refused() {
        let long = vec![b'a'; MAX_LINE as usize + 2];
        assert!(matches!(lines(&long), Err(TaskError::TooLong { line: 1, .. })));
    }
}
