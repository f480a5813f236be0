//! Unpacking what others have packed: nothing is written outside the folder, and no more than was announced.
//!
//! An archive with a single bad member is refused as a whole: it is not what it should be, or it is meant to do harm.

#[cfg(test)]
mod damage;
mod gzip;
mod tar;
mod zip;

use crate::catalogue::{Kind, Source};
use crate::error::FetchError;
use crate::names::{inside, is_junk};
use crate::record::Held;
use bzip2::read::MultiBzDecoder;
use gpt1_artifacts::progress::Progress;
use gzip::Gunzip;
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::path::Path;

/// A folder that is being filled from one archive or several.
pub struct Sink<'a> {
    root: &'a Path,
    max_bytes: u64,
    max_entries: u64,
    n_bytes: u64,
    n_entries: u64,
    files: Vec<Held>,
}

impl<'a> Sink<'a> {
    /// An empty folder, and how many bytes, files and folders may come into it.
    pub fn new(root: &'a Path, max_bytes: u64, max_entries: u64) -> Sink<'a> {
        Sink { root, max_bytes, max_entries, n_bytes: 0, n_entries: 0, files: Vec::new() }
    }

    /// What was written.
    pub fn into_files(self) -> Vec<Held> {
        self.files
    }
}

/// Puts what is wanted of a downloaded file into the folder.
pub fn unpack(source: &Source, path: &Path, sink: &mut Sink) -> Result<(), FetchError> {
    let archive = source.file_name();
    let mut filter = Filter { archive, source, found: vec![false; source.want.len()], n_written: 0, sink };
    let file = fs_err::File::open(path)?;
    if source.kind == Kind::Zip {
        zip::unpack(file, &mut filter)?;
        return filter.finish();
    }
    let progress = Progress::new(&format!("unpacking {archive}"), file.metadata()?.len(), "bytes");
    let (limit, target) = (filter.sink.max_bytes, source.target());
    let mut file = BufReader::new(Watched { inner: file, progress: &progress });
    match source.kind {
        Kind::TarGz => tar::unpack(Gunzip::new(file), limit, &mut filter)?,
        Kind::TarBz2 => tar::unpack(MultiBzDecoder::new(file), limit, &mut filter)?,
        Kind::Gz => filter.write(target, target, &mut Gunzip::new(file))?,
        Kind::File | Kind::Zip => filter.write(target, target, &mut file)?,
    }
    progress.finish();
    filter.finish()
}

/// One archive on its way into the folder: which members come in, and where to.
struct Filter<'f, 's> {
    archive: &'f str,
    source: &'f Source,
    /// Of `source.want`: what was there.
    found: Vec<bool>,
    n_written: usize,
    sink: &'f mut Sink<'s>,
}

impl Filter<'_, '_> {
    /// Where a member goes, relative to the folder; `None` if it is not wanted. Every member must be asked about, with what is
    /// wrong with it besides its name: a bad member is refused, wanted or not.
    fn place(&mut self, name: &[u8], wrong: Option<&str>) -> Result<Option<String>, FetchError> {
        self.sink.n_entries += 1;
        if self.sink.n_entries > self.sink.max_entries {
            return Err(self.too_many());
        }
        let path = inside(name).map_err(|message| self.bad(name, message))?;
        if is_junk(&path) {
            return Ok(None);
        }
        if let Some(message) = wrong {
            return Err(self.bad(name, message));
        }
        let path = match self.source.strip.as_deref().map(|folder| folder.trim_end_matches('/')) {
            None => path,
            Some(folder) => match path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')) {
                Some(rest) => rest.to_owned(),
                None => return Ok(None),
            },
        };
        let mut wanted = self.source.want.is_empty();
        for (member, found) in self.source.want.iter().zip(&mut self.found) {
            if path == **member || (member.ends_with('/') && path.starts_with(&**member)) {
                *found = true;
                wanted = true;
            }
        }
        Ok((wanted && !path.is_empty()).then_some(path))
    }

    /// Makes a folder of the archive.
    fn folder(&mut self, to: &str, name: &str) -> Result<(), FetchError> {
        match fs_err::create_dir_all(self.sink.root.join(to)) {
            Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotADirectory) => {
                Err(self.bad(name.as_bytes(), "is a folder in the place of a file"))
            }
            made => Ok(made?),
        }
    }

    /// Writes a file of the archive. Whatever mode and time it has there, here it is an ordinary new file.
    fn write(&mut self, to: &str, name: &str, reader: &mut dyn Read) -> Result<(), FetchError> {
        let path = self.sink.root.join(to);
        if let Some((parent, _)) = to.rsplit_once('/') {
            self.folder(parent, name)?;
        }
        let opened = fs_err::OpenOptions::new().create_new(true).write(true).open(&path);
        let mut file = match opened {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(self.bad(name.as_bytes(), "is there twice"));
            }
            opened => opened?,
        };
        let mut bytes = 0;
        let mut buffer = vec![0; 1 << 16];
        loop {
            let n = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.unreadable(Some(name.as_bytes()), &error)),
            };
            bytes += n as u64;
            self.sink.n_bytes += n as u64;
            if self.sink.n_bytes > self.sink.max_bytes {
                return Err(self.bad(name.as_bytes(), &too_large(self.sink.max_bytes)));
            }
            file.write_all(&buffer[..n])?;
        }
        self.sink.files.push(Held { path: to.to_owned(), bytes });
        self.n_written += 1;
        Ok(())
    }

    /// After the last member: was everything there?
    fn finish(self) -> Result<(), FetchError> {
        let missing = self.source.want.iter().zip(&self.found).find(|(_, found)| !**found);
        let folder = self.source.strip.as_deref().map_or_else(String::new, |folder| format!(" in its folder {folder}"));
        let message = match missing {
            Some((member, _)) => format!("there is no {}{folder}", &**member),
            None if self.n_written == 0 => format!("there is no file{folder}"),
            None => return Ok(()),
        };
        Err(FetchError::Archive { archive: self.archive.to_owned(), message })
    }

    fn bad(&self, name: &[u8], message: &str) -> FetchError {
        FetchError::Entry { archive: self.archive.to_owned(), entry: printable(name), message: message.to_owned() }
    }

    fn too_many(&self) -> FetchError {
        let message = format!("more than {} files and folders (max_entries)", self.sink.max_entries);
        FetchError::Archive { archive: self.archive.to_owned(), message }
    }

    /// The archive's bytes make no sense, or there are too many of them, or the disk fails.
    fn unreadable(&self, name: Option<&[u8]>, error: &io::Error) -> FetchError {
        let message = match error.get_ref() {
            Some(inner) if inner.is::<TooLarge>() => inner.to_string(),
            _ => format!("cannot be unpacked: {error}"),
        };
        match name {
            Some(name) => self.bad(name, &message),
            None => FetchError::Archive { archive: self.archive.to_owned(), message },
        }
    }
}

/// A name in one short line, whatever bytes it has.
fn printable(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let short: String = name.chars().take(200).collect();
    format!("`{}`{}", short.escape_debug(), if short.len() < name.len() { " ..." } else { "" })
}

fn too_large(limit: u64) -> String {
    format!("unpacks to more than {limit} bytes in all (max_unpacked_bytes)")
}

/// The error of a stream that goes on for too long.
#[derive(Debug, thiserror::Error)]
#[error("{}", too_large(*.0))]
struct TooLarge(u64);

/// A reader that moves a progress bar.
struct Watched<'a, R> {
    inner: R,
    progress: &'a Progress,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.progress.inc(n as u64);
        Ok(n)
    }
}
