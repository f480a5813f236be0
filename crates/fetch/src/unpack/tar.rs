//! Tar archives, read member by member as they come out of the decompressor.
//!
//! The `tar` crate gives the raw headers; names longer than a header (GNU, PAX) are put together here, because the crate
//! reads them into memory however long they claim to be.

use super::{Filter, TooLarge};
use crate::error::FetchError;
use std::io::{self, Read};
use tar::{Archive, EntryType, PaxExtensions};

/// No name is longer; Linux's paths end at 4096 bytes.
const MAX_NAME: u64 = 1 << 16;

/// A reader that fails after so many bytes.
struct Limited<R> {
    inner: R,
    limit: u64,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(n as u64).ok_or_else(|| io::Error::other(TooLarge(self.limit)))?;
        Ok(n)
    }
}

/// What the headers before a member say of it.
#[derive(Default)]
struct Ahead {
    name: Option<Vec<u8>>,
    size: Option<u64>,
}

/// Unpacks a tar stream of at most `limit` bytes.
pub fn unpack(stream: impl Read, limit: u64, filter: &mut Filter) -> Result<(), FetchError> {
    let mut archive = Archive::new(Limited { inner: stream, limit, left: limit });
    let mut ahead = Ahead::default();
    for entry in archive.entries().map_err(|error| filter.unreadable(None, &error))?.raw(true) {
        let mut entry = entry.map_err(|error| filter.unreadable(None, &error))?;
        let kind = entry.header().entry_type();
        match kind {
            EntryType::GNULongName | EntryType::XHeader => {
                let text = small(&mut entry, filter)?;
                if kind == EntryType::XHeader {
                    extended(&text, &mut ahead, filter)?;
                } else {
                    ahead.name = Some(text.strip_suffix(b"\0").unwrap_or(&text).to_vec());
                }
                continue;
            }
            // Of links, which are refused when they come; and of nothing that matters here.
            EntryType::GNULongLink | EntryType::XGlobalHeader => continue,
            _ => {}
        }
        let Ahead { name, size } = std::mem::take(&mut ahead);
        let name = name.unwrap_or_else(|| entry.header().path_bytes().into_owned());
        if size.is_some_and(|size| size != entry.size()) {
            return Err(filter.bad(&name, "has two sizes"));
        }
        let Some(to) = filter.place(&name, wrong(kind).as_deref())? else { continue };
        // `place` has let nothing through that is not UTF-8.
        let shown = String::from_utf8_lossy(&name).into_owned();
        // In the oldest archives a folder is a file whose name ends with a slash.
        if kind == EntryType::Directory || name.ends_with(b"/") {
            filter.folder(&to, &shown)?;
        } else {
            filter.write(&to, &shown, &mut entry)?;
        }
    }
    // The checksum of the compressed stream stands at its end.
    let mut rest = archive.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(|error| filter.unreadable(None, &error))?;
    Ok(())
}

fn small(entry: &mut (impl Read + ?Sized), filter: &Filter) -> Result<Vec<u8>, FetchError> {
    let mut text = Vec::new();
    entry.take(MAX_NAME + 1).read_to_end(&mut text).map_err(|error| filter.unreadable(None, &error))?;
    if text.len() as u64 > MAX_NAME {
        let shown = &text[..text.len().min(60)];
        return Err(filter.bad(shown, &format!("a name of more than {MAX_NAME} bytes")));
    }
    Ok(text)
}

/// A PAX header: lines `length key=value`.
fn extended(text: &[u8], ahead: &mut Ahead, filter: &Filter) -> Result<(), FetchError> {
    for extension in PaxExtensions::new(text) {
        let extension = extension.map_err(|error| filter.unreadable(None, &error))?;
        match extension.key_bytes() {
            b"path" => ahead.name = Some(extension.value_bytes().to_vec()),
            b"size" => {
                let size = extension.value().ok().and_then(|size| size.parse().ok());
                ahead.size = Some(size.ok_or_else(|| filter.bad(extension.value_bytes(), "is no size"))?);
            }
            _ => {}
        }
    }
    Ok(())
}

fn wrong(kind: EntryType) -> Option<String> {
    let kind = match kind {
        EntryType::Regular | EntryType::Continuous | EntryType::Directory => return None,
        EntryType::Link => "a hard link",
        EntryType::Symlink => "a symbolic link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a pipe",
        EntryType::GNUSparse => "a sparse file",
        _ => "neither a file nor a folder",
    };
    Some(format!("is {kind}, expected files and folders only"))
}
