//! .txt: a file is a document.

use crate::error::CorpusError;
use crate::pieces::{PIECE_BYTES, cut};
use crate::{CorpusFile, Reading};
use std::io::Read;

/// Streams one file in pieces.
pub(crate) fn read<E: From<CorpusError>>(file: &CorpusFile, reading: &mut Reading<'_, E>) -> Result<(), E> {
    let mut input = fs_err::File::open(&file.path).map_err(CorpusError::Io)?;
    let mut document = reading.document(file.name.clone());
    let mut buffer = Vec::new();
    let (mut offset, mut line) = (0, 1);
    loop {
        let room = PIECE_BYTES - buffer.len();
        input.by_ref().take(room as u64).read_to_end(&mut buffer).map_err(CorpusError::Io)?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = if buffer.len() < PIECE_BYTES { buffer.len() } else { cut(&buffer) };
        let text = std::str::from_utf8(&buffer[..end]).map_err(|error| {
            let good = &buffer[..error.valid_up_to()];
            CorpusError::InvalidUtf8 {
                path: file.path.clone(),
                line: line + line_feeds(good),
                offset: offset + good.len() as u64,
                byte: buffer[good.len()],
            }
        })?;
        let text = if offset == 0 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
        if let Some(piece) = document.piece(text) {
            (reading.sink)(piece)?;
        }
        offset += end as u64;
        line += line_feeds(&buffer[..end]);
        buffer.drain(..end);
        reading.report(file, offset);
    }
}

fn line_feeds(bytes: &[u8]) -> u64 {
    bytes.iter().map(|&b| u64::from(b == b'\n')).sum()
}
