//! The size of a page, from its header: a struct in Thrift's compact protocol
//! (<https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>).

use parquet::errors::{ParquetError, Result};
use std::io::Read;

/// The field of a page's size when unpacked.
const SIZE: i64 = 2;
/// Structs within structs: a page's statistics are in the second.
const MAX_DEPTH: usize = 8;

/// The unpacked size in the page header at which `reader` stands, and how many bytes the header has.
pub(crate) fn page_size(reader: impl Read) -> Result<(i64, usize)> {
    let mut thrift = Thrift { reader, n_read: 0, size: 0 };
    thrift.structure(0)?;
    Ok((thrift.size, thrift.n_read))
}

struct Thrift<R> {
    reader: R,
    n_read: usize,
    size: i64,
}

impl<R: Read> Thrift<R> {
    fn structure(&mut self, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(malformed());
        }
        let mut id: i64 = 0;
        loop {
            let byte = self.byte()?;
            if byte == 0 {
                return Ok(());
            }
            let step = i64::from(byte >> 4);
            id = if step == 0 { self.number()? } else { id.checked_add(step).ok_or_else(malformed)? };
            match byte & 15 {
                // True and false are in the type.
                1 | 2 => {}
                3 => _ = self.byte()?,
                4..=6 => {
                    let number = self.number()?;
                    if (depth, id) == (0, SIZE) {
                        // Should it stand there twice, the worse counts.
                        self.size =
                            if number < 0 || self.size < 0 { number.min(self.size) } else { number.max(self.size) };
                    }
                }
                7 => self.skip(8)?,
                8 => {
                    let n = self.unsigned()?;
                    self.skip(n)?;
                }
                12 => self.structure(depth + 1)?,
                // No page header has lists, sets or maps.
                _ => return Err(malformed()),
            }
        }
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
    fn the_size_in_a_header() {
        // Type 0, 300 bytes, 20 packed, a data page header of 100 values with a statistic (a string) in it; then one byte more.
        let header = [
            0x15, 0, 0x15, 0xd8, 4, 0x15, 40, 0x2c, 0x15, 200, 1, 0x15, 0, 0x15, 6, 0x15, 6, 0x1c, 0x18, 2, 1, 2, 0, 0,
            0,
        ];
        assert_eq!(page_size(&[&header[..], &[9]].concat()[..]).unwrap(), (300, header.len()));
        for cut in 0..header.len() {
            assert!(page_size(&header[..cut]).is_err(), "{cut}");
        }
        assert!(page_size(&[0x1c; 100][..]).is_err(), "too deep");
        // With a checksum, which may be below nothing.
        assert_eq!(page_size(&[0x25, 10, 0x25, 9, 0][..]).unwrap().0, 5);
        // Twice: below nothing and 5.
        assert_eq!(page_size(&[0x25, 9, 0x05, 4, 10, 0][..]).unwrap().0, -5);
        assert_eq!(page_size(&[0x25, 10, 0x05, 4, 9, 0][..]).unwrap().0, -5);
    }
}
