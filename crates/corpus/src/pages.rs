//! The headers of a Parquet file's pages, checked before they are believed: the decoder makes room for what they announce.
//!
//! The footer says how many values a column has and how large they are; no page can have more. A header is a struct in Thrift's
//! compact protocol, of which [`announced`] reads the sizes.

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, Length};
use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::Range;

/// A file whose pages are read only if their headers agree with its footer.
#[derive(Debug)]
pub struct PageFile {
    file: File,
    columns: Vec<Column>,
}

/// What the footer says of a column in a row group.
#[derive(Debug)]
struct Column {
    bytes: Range<u64>,
    n_uncompressed: i64,
    n_values: i64,
}

impl PageFile {
    /// The file with that footer.
    pub(crate) fn new(file: File, footer: &ParquetMetaData) -> PageFile {
        let columns = footer.row_groups().iter().flat_map(|group| group.columns()).map(|column| {
            let (start, len) = column.byte_range();
            let (n_uncompressed, n_values) = (column.uncompressed_size(), column.num_values());
            Column { bytes: start..start + len, n_uncompressed, n_values }
        });
        PageFile { columns: columns.collect(), file }
    }
}

impl Length for PageFile {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl ChunkReader for PageFile {
    type T = BufReader<File>;

    /// Readers are asked for where a page begins.
    fn get_read(&self, start: u64) -> Result<BufReader<File>> {
        let mut reader = self.file.get_read(start)?;
        let here: Vec<&Column> = self.columns.iter().filter(|column| column.bytes.contains(&start)).collect();
        if here.is_empty() {
            return Ok(reader);
        }
        let (page, n_read) = announced(&mut reader)?;
        // A dictionary's values are strings with 4 bytes of length before each, or have at least 4 bytes themselves.
        let n_in_dictionary = page.n_uncompressed / 4;
        let fits = |column: &&Column| {
            (0..=column.n_uncompressed).contains(&page.n_uncompressed)
                && (0..=column.n_values).contains(&page.n_values)
                && (0..=n_in_dictionary).contains(&page.n_in_dictionary)
        };
        if !here.iter().any(fits) {
            let message = format!("the page at byte {start} is said to hold more than its column: {page:?}");
            return Err(ParquetError::General(message));
        }
        reader.seek_relative(-(n_read as i64))?;
        Ok(reader)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.file.get_bytes(start, length)
    }
}

/// What a page is said to hold.
#[derive(Debug, Default, PartialEq)]
struct Announced {
    n_uncompressed: i64,
    n_values: i64,
    n_in_dictionary: i64,
}

/// The sizes in the page header at which `reader` stands, and how many bytes that is long.
fn announced(reader: impl Read) -> Result<(Announced, usize)> {
    let mut thrift = Thrift { reader, n_read: 0 };
    let mut page = Announced::default();
    thrift.structure(&mut |path, number| {
        let size = match path {
            [2] => &mut page.n_uncompressed,
            // The number of values in the headers of data pages of both versions; rows and nulls are values too.
            [5, 1] | [8, 1..=3] => &mut page.n_values,
            [7, 1] => &mut page.n_in_dictionary,
            _ => return,
        };
        // Should a field stand there twice, the worse counts.
        *size = if *size < 0 {
            *size
        } else if number < 0 {
            number
        } else {
            number.max(*size)
        };
    })?;
    Ok((page, thrift.n_read))
}

/// A reader of Thrift's compact protocol.
struct Thrift<R> {
    reader: R,
    n_read: usize,
}

/// Structs within structs; a page's statistics are in its header's third.
const MAX_DEPTH: usize = 8;

impl<R: Read> Thrift<R> {
    /// Reads a struct; `each` hears of every integer in it and in structs within, with the ids of the fields that lead there.
    fn structure(&mut self, each: &mut dyn FnMut(&[i64], i64)) -> Result<()> {
        self.fields(&mut Vec::new(), each)
    }

    fn fields(&mut self, path: &mut Vec<i64>, each: &mut dyn FnMut(&[i64], i64)) -> Result<()> {
        if path.len() > MAX_DEPTH {
            return Err(malformed());
        }
        path.push(0);
        loop {
            let byte = self.byte()?;
            if byte == 0 {
                break;
            }
            let id = path.last_mut().ok_or_else(malformed)?;
            let step = i64::from(byte >> 4);
            *id = if step == 0 { self.number()? } else { id.checked_add(step).ok_or_else(malformed)? };
            self.value(byte & 15, path, each)?;
        }
        path.pop();
        Ok(())
    }

    fn value(&mut self, kind: u8, path: &mut Vec<i64>, each: &mut dyn FnMut(&[i64], i64)) -> Result<()> {
        match kind {
            // true and false, which are in the kind
            1 | 2 => {}
            3 => _ = self.byte()?,
            4..=6 => each(path, self.number()?),
            7 => self.skip(8)?,
            8 => {
                let n = self.unsigned()?;
                self.skip(n)?;
            }
            12 => self.fields(path, each)?,
            // No page header has lists, sets or maps.
            _ => return Err(malformed()),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<i64> {
        let zigzag = self.unsigned()?;
        Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    fn unsigned(&mut self) -> Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Ok(number);
            }
        }
        Err(malformed())
    }

    fn byte(&mut self) -> Result<u8> {
        let mut byte = [0];
        self.reader.read_exact(&mut byte)?;
        self.n_read += 1;
        Ok(byte[0])
    }

    fn skip(&mut self, n: u64) -> Result<()> {
        let n_skipped = std::io::copy(&mut self.reader.by_ref().take(n), &mut std::io::sink())?;
        self.n_read += n_skipped as usize;
        if n_skipped == n { Ok(()) } else { Err(malformed()) }
    }
}

fn malformed() -> ParquetError {
    ParquetError::General("a page header cannot be read".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_a_header() {
        // Type 0, 300 bytes, 20 compressed, a data page header of 100 values with a statistic (a string) in it; then one byte more.
        let header = [
            0x15, 0, 0x15, 0xd8, 4, 0x15, 40, 0x2c, 0x15, 200, 1, 0x15, 0, 0x15, 6, 0x15, 6, 0x1c, 0x18, 2, 1, 2, 0, 0,
            0,
        ];
        let expected = Announced { n_uncompressed: 300, n_values: 100, n_in_dictionary: 0 };
        assert_eq!(announced(&[&header[..], &[9]].concat()[..]).unwrap(), (expected, header.len()));
        for cut in 0..header.len() {
            assert!(announced(&header[..cut]).is_err(), "{cut}");
        }
        assert!(announced(&[0x1c; 100][..]).is_err(), "too deep");
        // Twice: below nothing and 5.
        let twice = [0x25, 9, 0x05, 4, 10, 0];
        assert_eq!(announced(&twice[..]).unwrap().0, Announced { n_uncompressed: -5, ..Announced::default() });
    }
}
