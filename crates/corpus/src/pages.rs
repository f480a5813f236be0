//! The pages of a Parquet file, checked before they are believed: the decoder makes room for whatever they announce.
//!
//! The footer says how many values a column has in a row group and how large they are; no page can have more. [`PageFile`] looks
//! at a page's size before it is unpacked, [`Pages`] at what it holds before it is decoded.

use crate::{delta, thrift};
use bytes::Bytes;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use std::fs::File;
use std::io::BufReader;
use std::ops::Range;
use std::sync::Arc;

/// A file of which no page is unpacked that is said to be larger than its column.
#[derive(Debug)]
struct PageFile {
    file: File,
    /// Where each column of each row group is, and its size when unpacked.
    columns: Vec<(Range<u64>, i64)>,
}

impl Length for PageFile {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl ChunkReader for PageFile {
    type T = BufReader<File>;

    /// Readers are asked for where a page's header begins.
    fn get_read(&self, start: u64) -> Result<BufReader<File>> {
        let mut reader = self.file.get_read(start)?;
        let sizes = self.columns.iter().filter(|(place, _)| place.contains(&start)).map(|(_, size)| *size);
        if let Some(limit) = sizes.max() {
            let (size, n_read) = thrift::page_size(&mut reader)?;
            if !(0..=limit).contains(&size) {
                return Err(wrong(format!(
                    "the page at byte {start} is to have {size} bytes, all of its column {limit}"
                )));
            }
            reader.seek_relative(-(n_read as i64))?;
        }
        Ok(reader)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.file.get_bytes(start, length)
    }
}

/// The row groups of a file, for the decoder.
#[derive(Debug)]
pub(crate) struct Groups {
    file: Arc<PageFile>,
    footer: Arc<ParquetMetaData>,
}

impl Groups {
    /// Of the file with that footer, whose columns lie in the file.
    pub fn new(file: File, footer: &Arc<ParquetMetaData>) -> Groups {
        let columns = footer.row_groups().iter().flat_map(RowGroupMetaData::columns).map(|column| {
            let (start, len) = column.byte_range();
            (start..start + len, column.uncompressed_size())
        });
        let file = Arc::new(PageFile { columns: columns.collect(), file });
        Groups { file, footer: Arc::clone(footer) }
    }
}

impl RowGroups for Groups {
    fn num_rows(&self) -> usize {
        self.footer.file_metadata().num_rows() as usize
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        Ok(Box::new(Chunks {
            file: Arc::clone(&self.file),
            footer: Arc::clone(&self.footer),
            column,
            groups: 0..self.footer.num_row_groups(),
        }))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.footer.row_groups().iter())
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.footer
    }
}

/// A column, row group after row group.
struct Chunks {
    file: Arc<PageFile>,
    footer: Arc<ParquetMetaData>,
    column: usize,
    groups: Range<usize>,
}

impl Iterator for Chunks {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let group = self.footer.row_group(self.groups.next()?);
        let column = group.column(self.column);
        let pages = SerializedPageReader::new(Arc::clone(&self.file), column, group.num_rows() as usize, None);
        let (n_values, levels) = (column.num_values(), levels_of(column));
        Some(pages.map(|inner| Box::new(Pages { inner, ahead: None, n_values, levels }) as Box<dyn PageReader>))
    }
}

impl PageIterator for Chunks {}

/// How many kinds of levels stand before the values of a page: those of repetition, those of definition.
fn levels_of(column: &ColumnChunkMetaData) -> usize {
    let descriptor = column.column_descr();
    usize::from(descriptor.max_rep_level() > 0) + usize::from(descriptor.max_def_level() > 0)
}

/// The pages of a column in a row group.
struct Pages {
    inner: SerializedPageReader<PageFile>,
    /// A page that was looked at before its time. Looking at its header alone would have the reader come back for its content
    /// ([`PageFile`] expects a header wherever a reader begins).
    ahead: Option<Page>,
    n_values: i64,
    levels: usize,
}

impl Pages {
    fn check(&self, page: &Page) -> Result<()> {
        let (n_values, limit) = match page {
            // A dictionary's values have at least 4 bytes, strings their length.
            Page::DictionaryPage { num_values, buf, .. } => (*num_values, (buf.len() / 4) as i64),
            Page::DataPage { num_values, .. } | Page::DataPageV2 { num_values, .. } => (*num_values, self.n_values),
        };
        if i64::from(n_values) > limit {
            return Err(wrong(format!("a page is to have {n_values} values, but there is room for {limit}")));
        }
        let values = match page {
            Page::DataPage { buf, encoding, .. } if is_delta(*encoding) => {
                // Levels are in runs, after their length. An older way to write them is older than these encodings.
                let mut values = &buf[..];
                for _ in 0..self.levels {
                    let (length, rest) = values.split_first_chunk().ok_or_else(too_short)?;
                    values = rest.get(u32::from_le_bytes(*length) as usize..).ok_or_else(too_short)?;
                }
                values
            }
            Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, .. } => {
                let n_levels = *def_levels_byte_len as usize + *rep_levels_byte_len as usize;
                buf.get(n_levels..).ok_or_else(too_short)?
            }
            _ => &[],
        };
        let is_sound = match page.encoding() {
            Encoding::DELTA_LENGTH_BYTE_ARRAY => delta::strings_fit(values, n_values),
            Encoding::DELTA_BYTE_ARRAY => delta::prefixes_fit(values, n_values),
            _ => true,
        };
        if is_sound { Ok(()) } else { Err(wrong("the lengths of a page's strings do not fit the page".to_owned())) }
    }
}

fn is_delta(encoding: Encoding) -> bool {
    matches!(encoding, Encoding::DELTA_LENGTH_BYTE_ARRAY | Encoding::DELTA_BYTE_ARRAY)
}

fn wrong(message: String) -> ParquetError {
    ParquetError::General(message)
}

fn too_short() -> ParquetError {
    wrong("a page ends within its levels".to_owned())
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        if let Some(page) = self.ahead.take() {
            return Ok(Some(page));
        }
        let page = self.inner.get_next_page()?;
        page.iter().try_for_each(|page| self.check(page))?;
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.ahead = self.get_next_page()?;
        Ok(self.ahead.as_ref().map(|page| match page {
            Page::DictionaryPage { .. } => PageMetadata { num_rows: None, num_levels: None, is_dict: true },
            Page::DataPage { num_values, .. } => {
                PageMetadata { num_rows: None, num_levels: Some(*num_values as usize), is_dict: false }
            }
            Page::DataPageV2 { num_values, num_rows, .. } => PageMetadata {
                num_rows: Some(*num_rows as usize),
                num_levels: Some(*num_values as usize),
                is_dict: false,
            },
        }))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.get_next_page().map(drop)
    }

    /// A page of the second version begins with a record, of the first one it is not known.
    fn at_record_boundary(&mut self) -> Result<bool> {
        Ok(self.peek_next_page()?.is_none_or(|page| page.num_rows.is_some()))
    }
}
