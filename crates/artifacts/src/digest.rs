//! Content digests (BLAKE3, as hexadecimal text).
//!
//! | digest of | covers |
//! |---|---|
//! | a file | its bytes |
//! | a directory | every file's path relative to it (with `/`) and bytes, sorted by path |
//!
//! [`NOT_CONTENT`] lists the names that a directory's digest leaves out: they say how a run went, not what it made.
//! Hidden entries (a leading dot) are left out too: partial outputs and editors' files.

use crate::progress::Progress;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Files that say how a run went (times, host), not what it made.
pub const NOT_CONTENT: [&str; 3] = ["manifest.json", "timing.jsonl", "events.out.tfevents.0.gpt1"];

/// The digest of some bytes.
pub fn bytes(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// The digest of a file's content.
pub fn file(path: &Path) -> io::Result<String> {
    Ok(files(&[path])?.remove(0))
}

/// The digests of files. What takes long (gigabytes) shows its progress; the cores share the work on a large file.
pub fn files(paths: &[impl AsRef<Path>]) -> io::Result<Vec<String>> {
    let mut n_bytes = 0;
    for path in paths {
        n_bytes += fs_err::metadata(path.as_ref())?.len();
    }
    let progress = (n_bytes >= LONG).then(|| Progress::new("hashing", n_bytes, "bytes"));
    let mut buffer = vec![0; READ.min(n_bytes as usize + 1)];
    let digests = paths.iter().map(|path| {
        let mut hasher = blake3::Hasher::new();
        let mut file = fs_err::File::open(path.as_ref())?;
        loop {
            let n = file.read(&mut buffer)?;
            if n == 0 {
                return Ok(hasher.finalize().to_hex().to_string());
            }
            hasher.update_rayon(&buffer[..n]);
            if let Some(progress) = &progress {
                progress.inc(n as u64);
            }
        }
    });
    let digests = digests.collect();
    if let Some(progress) = progress {
        progress.finish();
    }
    digests
}

/// Bytes whose hashing takes about a second.
const LONG: u64 = 1 << 30;
/// Bytes read at once: enough for the cores to share.
const READ: usize = 1 << 20;

/// The digest of a file, or of a directory's whole content.
pub fn path(path: &Path) -> io::Result<String> {
    if fs_err::metadata(path)?.is_file() {
        return file(path);
    }
    let names = content_files(path)?;
    let digests = files(&names.iter().map(|name| path.join(name)).collect::<Vec<_>>())?;
    Ok(of_parts(&names.into_iter().zip(digests).collect::<Vec<_>>()))
}

/// A directory's digest from its files' relative paths and digests, in the order of [`content_files`].
pub fn of_parts(parts: &[(PathBuf, String)]) -> String {
    let mut hasher = blake3::Hasher::new();
    for (relative, digest) in parts {
        let name = relative.to_string_lossy().replace('\\', "/");
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        hasher.update(digest.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// The files that a directory's digest covers: relative paths, sorted. Links are followed, except to a folder that holds the
/// link itself.
pub fn content_files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    collect(dir, Path::new(""), &mut Vec::new(), &mut files)?;
    files.sort();
    Ok(files)
}

/// `above`: the real paths of the folders that hold this one, by whatever links.
fn collect(root: &Path, relative: &Path, above: &mut Vec<PathBuf>, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let real = fs_err::canonicalize(root.join(relative))?;
    if above.contains(&real) {
        return Ok(());
    }
    above.push(real);
    for entry in fs_err::read_dir(root.join(relative))? {
        let entry = entry?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.starts_with('.') || NOT_CONTENT.contains(&text.as_ref()) {
            continue;
        }
        let at = relative.join(&name);
        if fs_err::metadata(root.join(&at))?.is_dir() {
            collect(root, &at, above, files)?;
        } else {
            files.push(at);
        }
    }
    above.pop();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_files_are_hashed_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("large");
        let content: Vec<u8> = (0..3 * READ + 17).map(|i| (i * i / 7) as u8).collect();
        for n in [0, 1, 1 << 17, READ - 1, READ, READ + 1, content.len()] {
            fs_err::write(&path, &content[..n]).unwrap();
            assert_eq!(file(&path).unwrap(), bytes(&content[..n]), "{n} bytes");
        }
    }

    #[test]
    fn directories_by_content() {
        let dir = tempfile::tempdir().unwrap();
        fs_err::create_dir(dir.path().join("a")).unwrap();
        fs_err::write(dir.path().join("a/x"), "1").unwrap();
        fs_err::write(dir.path().join("manifest.json"), "1").unwrap();
        let first = path(dir.path()).unwrap();
        fs_err::write(dir.path().join("manifest.json"), "2").unwrap();
        assert_eq!(first, path(dir.path()).unwrap());
        fs_err::write(dir.path().join("a/x"), "2").unwrap();
        assert_ne!(first, path(dir.path()).unwrap());
        fs_err::rename(dir.path().join("a/x"), dir.path().join("a/y")).unwrap();
        fs_err::write(dir.path().join("a/y"), "1").unwrap();
        assert_ne!(first, path(dir.path()).unwrap());
    }
}
