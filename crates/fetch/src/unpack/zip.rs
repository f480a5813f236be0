//! Zip archives. All members are checked before anything is written: zip's directory of members allows it.

use super::{Filter, Watched, too_large};
use crate::error::FetchError;
use gpt1_artifacts::progress::Progress;
use std::io::{BufReader, Read, Seek};
use zip::ZipArchive;
use zip::result::ZipError;

/// The first bytes of a member's record in the directory, and of the directory's end.
const MEMBER: [u8; 4] = *b"PK\x01\x02";
const END: [u8; 4] = *b"PK\x05\x06";
/// An honest archive has one end; a zip stored in a zip has its own.
const MAX_ENDS: u64 = 100;

/// A member to be written.
struct Chosen {
    index: usize,
    name: String,
    to: String,
    is_folder: bool,
}

/// Unpacks a zip archive.
pub fn unpack(file: fs_err::File, filter: &mut Filter) -> Result<(), FetchError> {
    let mut file = BufReader::with_capacity(1 << 16, file);
    bound(&mut file, filter)?;
    let mut archive = ZipArchive::new(file).map_err(|error| unreadable(filter, None, error))?;
    let (chosen, n_bytes) = choose(&mut archive, filter)?;
    let progress = Progress::new(&format!("unpacking {}", filter.archive), n_bytes, "bytes");
    for Chosen { index, name, to, is_folder } in chosen {
        if is_folder {
            filter.folder(&to, &name)?;
            continue;
        }
        let member = archive.by_index(index).map_err(|error| unreadable(filter, Some(&name), error))?;
        filter.write(&to, &name, &mut Watched { inner: member, progress: &progress })?;
    }
    progress.finish();
    Ok(())
}

/// Refuses a file with more records of members than an archive may have. The `zip` crate reads the whole directory into
/// memory, once for each end that it tries.
fn bound(file: &mut BufReader<fs_err::File>, filter: &Filter) -> Result<(), FetchError> {
    let (mut members, mut ends) = (0, 0);
    let mut last = [0; 4];
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        for &byte in &buffer[..n] {
            last = [last[1], last[2], last[3], byte];
            members += u64::from(last == MEMBER);
            ends += u64::from(last == END);
        }
    }
    if members > filter.sink.max_entries {
        return Err(filter.too_many());
    }
    if ends > MAX_ENDS {
        let message = format!("has {ends} ends of a zip archive, expected one");
        return Err(FetchError::Archive { archive: filter.archive.to_owned(), message });
    }
    file.rewind()?;
    Ok(())
}

/// Checks all members; returns those that are wanted, and how many bytes they say they have.
fn choose(
    archive: &mut ZipArchive<BufReader<fs_err::File>>,
    filter: &mut Filter,
) -> Result<(Vec<Chosen>, u64), FetchError> {
    let mut chosen = Vec::new();
    let mut n_bytes: u64 = 0;
    for index in 0..archive.len() {
        let name = archive.name_for_index(index).unwrap_or_default().to_owned();
        let member = archive.by_index_raw(index).map_err(|error| unreadable(filter, Some(&name), error))?;
        // Many programs write UTF-8 without saying so; what is none is in the old code page 437, which `name` has decoded.
        let name = std::str::from_utf8(member.name_raw()).map_or(name, str::to_owned);
        // The kind of file is in the upper bits of Unix's mode; 0: not said.
        let kind = member.unix_mode().unwrap_or(0) & 0o170_000;
        let wrong = match kind {
            _ if member.encrypted() => Some("is encrypted"),
            0 | 0o100_000 | 0o040_000 => None,
            0o120_000 => Some("is a symbolic link, expected files and folders only"),
            _ => Some("is a device, a pipe or a socket, expected files and folders only"),
        };
        let Some(to) = filter.place(name.as_bytes(), wrong)? else { continue };
        let is_folder = kind == 0o040_000 || member.is_dir();
        if !is_folder {
            n_bytes = n_bytes.saturating_add(member.size());
            if filter.sink.n_bytes.saturating_add(n_bytes) > filter.sink.max_bytes {
                return Err(filter.bad(name.as_bytes(), &too_large(filter.sink.max_bytes)));
            }
        }
        chosen.push(Chosen { index, name, to, is_folder });
    }
    Ok((chosen, n_bytes))
}

fn unreadable(filter: &Filter, name: Option<&str>, error: ZipError) -> FetchError {
    filter.unreadable(name.map(str::as_bytes), &error.into())
}
