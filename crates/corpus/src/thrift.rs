//! What the decoder believes of a Parquet file's footer and page headers, which are structs in Thrift's compact protocol
//! (<https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>): looked at before it is asked to read them.

use parquet::errors::{ParquetError, Result};
use std::io::Read;

/// The types of integers of 32 bits, of 64, of byte strings, lists and structs.
const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// Fields by the ids that lead to them, and their types (parquet.thrift). The decoder reads a field as what it should be,
/// whatever type the file has for it.
type Types = [(&'static [i64], u8)];

/// `PageHeader`.
const HEADER: &Types = &[
    (&[1], I32),
    (&[2], I32),
    (&[3], I32),
    (&[4], I32),
    (&[5], STRUCT),
    (&[6], STRUCT),
    (&[7], STRUCT),
    (&[8], STRUCT),
];
/// The size of a page when unpacked.
const SIZE: &[i64] = &[2];

/// `FileMetaData`, and `SchemaElement` in its list of these.
const FOOTER: &Types = &[
    (&[1], I32),
    (SCHEMA, LIST),
    (&[3], I64),
    (&[4], LIST),
    (&[5], LIST),
    (&[6], BINARY),
    (&[7], LIST),
    (&[2, 1], I32),
    (&[2, 2], I32),
    (&[2, 3], I32),
    (&[2, 4], BINARY),
    (CHILDREN, I32),
    (&[2, 6], I32),
    (&[2, 7], I32),
    (&[2, 8], I32),
    (&[2, 9], I32),
    (&[2, 10], STRUCT),
];
const SCHEMA: &[i64] = &[2];
/// The number of columns in a column.
const CHILDREN: &[i64] = &[2, 5];

/// Structs, lists and maps in each other.
const MAX_DEPTH: usize = 32;
/// Columns in columns.
const MAX_COLUMN_DEPTH: usize = 64;

/// The unpacked size in the page header at which `reader` stands, and how many bytes the header has.
pub(crate) fn page_size(reader: impl Read) -> Result<(i64, usize)> {
    let mut size: i64 = 0;
    let n_read = walk(reader, HEADER, &mut |path, number| {
        if let (SIZE, Some(number)) = (path, number) {
            // Should it stand there twice, the worse counts.
            size = if number < 0 || size < 0 { number.min(size) } else { number.max(size) };
        }
    })?;
    Ok((size, n_read))
}

/// Refuses a footer for which the decoder would make room that no file needs, or which it would never have read.
pub(crate) fn check_footer(reader: impl Read) -> Result<()> {
    let mut columns = Vec::new();
    walk(reader, FOOTER, &mut |path, number| match (path, number) {
        (SCHEMA, None) => columns.push(0),
        (CHILDREN, Some(n)) => columns.iter_mut().last().into_iter().for_each(|children| *children = n.max(*children)),
        _ => {}
    })?;
    // How many columns are to come in each of those that the present one is in.
    let mut above: Vec<i64> = Vec::new();
    for n in &columns {
        while above.pop_if(|to_come| *to_come == 0).is_some() {}
        above.iter_mut().last().into_iter().for_each(|to_come| *to_come -= 1);
        above.extend((*n > 0).then_some(*n));
        if *n > columns.len() as i64 || above.len() > MAX_COLUMN_DEPTH {
            return Err(malformed("its columns have more columns in them than there are"));
        }
    }
    Ok(())
}

/// Reads a struct and says how many bytes it has. `each` hears of every integer in it, and of every struct in a list, with the ids
/// of the fields that lead there.
fn walk(reader: impl Read, types: &'static Types, each: &mut dyn FnMut(&[i64], Option<i64>)) -> Result<usize> {
    let mut thrift = Thrift { reader, n_read: 0, types, path: Vec::new(), each };
    thrift.structure(0)?;
    Ok(thrift.n_read)
}

struct Thrift<'a, R> {
    reader: R,
    n_read: usize,
    types: &'static Types,
    path: Vec<i64>,
    each: &'a mut dyn FnMut(&[i64], Option<i64>),
}

impl<R: Read> Thrift<'_, R> {
    fn structure(&mut self, depth: usize) -> Result<()> {
        let mut id: i64 = 0;
        loop {
            let byte = self.byte()?;
            let (step, kind) = (i64::from(byte >> 4), byte & 15);
            if kind == 0 {
                return Ok(());
            }
            id = if step == 0 { self.number()? } else { id.checked_add(step).ok_or_else(unreadable)? };
            self.path.push(id);
            if self.types.iter().any(|(path, expected)| *path == self.path && kind != *expected) {
                return Err(malformed("a field has another type than it should have"));
            }
            // True and false are in the type.
            if !matches!(kind, 1 | 2) {
                self.value(kind, depth + 1)?;
            }
            self.path.pop();
        }
    }

    fn value(&mut self, kind: u8, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(unreadable());
        }
        match kind {
            3 => _ = self.byte()?,
            4 | I32 | I64 => {
                let number = self.number()?;
                (self.each)(&self.path, Some(number));
            }
            7 => self.skip(8)?,
            BINARY => {
                let n = self.unsigned()?;
                self.skip(n)?;
            }
            // Lists and sets.
            LIST | 10 => {
                let byte = self.byte()?;
                let n = if byte >> 4 == 15 { self.unsigned()? } else { u64::from(byte >> 4) };
                for _ in 0..n {
                    if byte & 15 == STRUCT {
                        (self.each)(&self.path, None);
                    }
                    self.value(byte & 15, depth + 1)?;
                }
            }
            // Maps.
            11 => {
                let n = self.unsigned()?;
                let kinds = if n > 0 { self.byte()? } else { 0 };
                for _ in 0..n {
                    self.value(kinds >> 4, depth + 1)?;
                    self.value(kinds & 15, depth + 1)?;
                }
            }
            STRUCT => self.structure(depth)?,
            13 => self.skip(16)?,
            // Of true and false neither has lists, and the decoder would go through any number of them.
            _ => return Err(unreadable()),
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
        Err(unreadable())
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
        if n_skipped == n { Ok(()) } else { Err(unreadable()) }
    }
}

fn malformed(message: &str) -> ParquetError {
    ParquetError::General(message.to_owned())
}

fn unreadable() -> ParquetError {
    malformed("the footer or a page header cannot be read")
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
        assert!(page_size(&[0x5c, 0x1c, 0x1c].repeat(50)[..]).is_err(), "too deep");
        // With a checksum, which may be below nothing.
        assert_eq!(page_size(&[0x25, 10, 0x25, 9, 0][..]).unwrap().0, 5);
        // Twice: below nothing and 5.
        assert_eq!(page_size(&[0x25, 9, 0x05, 4, 10, 0][..]).unwrap().0, -5);
        assert_eq!(page_size(&[0x25, 10, 0x05, 4, 9, 0][..]).unwrap().0, -5);
        // As a string.
        assert!(page_size(&[0x28, 1, 5, 0][..]).is_err());
    }

    /// A footer whose schema has these numbers of columns in its columns.
    fn footer(children: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x29, 0xfc, children.len() as u8];
        for n in children {
            bytes.extend([0x55, 2 * n, 0]);
        }
        bytes.push(0);
        bytes
    }

    #[test]
    fn columns_in_columns() {
        for right in [&[][..], &[0], &[2, 0, 0], &[2, 1, 1, 0, 0], &[3, 0, 1, 0, 0]] {
            check_footer(&footer(right)[..]).unwrap();
        }
        check_footer(&footer(&[1; 60])[..]).unwrap();
        for wrong in [&[2][..], &[4, 0, 0], &[1; 100]] {
            assert!(check_footer(&footer(wrong)[..]).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn lists_without_end() {
        // A list of so many lists, of so many trues, in a field that nobody knows; and a map of them.
        let many = [0xff, 0xff, 0xff, 0xff, 7];
        let list = [&[0x09, 100, 0xf9][..], &many, &[0xf1], &many, &[0; 100]].concat();
        let map = [&[0x0b, 100][..], &many, &[0x11], &[0; 100]].concat();
        for footer in [list, map] {
            assert!(check_footer(&footer[..]).is_err());
        }
        check_footer(&[0x09, 100, 0x25, 1, 1, 0][..]).unwrap();
    }
}
