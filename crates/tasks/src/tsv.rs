//! GLUE's tab-separated tables. They are not CSV: a quotation mark is a character as any other, and a line is a row.

use std::path::{Path, PathBuf};

use crate::files::{Place, for_each_line};
use crate::{Dataset, Example, Target, TaskError};

/// How a table of a task is read.
pub(crate) struct Table<'a> {
    /// The columns of a file that has no header line.
    pub columns: Option<&'a [&'a str]>,
    /// The column of the id; a file without it gets the number of the row.
    pub id: &'a str,
    pub texts: &'a [&'a str],
    /// May be absent from test sets.
    pub label: &'a str,
    /// Whether rows with a wrong number of columns are skipped and counted, for official data that has such rows;
    /// otherwise they are an error.
    pub skip_broken: bool,
}

/// Reads a table as a split.
pub(crate) fn read(place: &Place, path: PathBuf, table: &Table) -> Result<Dataset, TaskError> {
    let mut dataset = Dataset::new(place, vec![path.clone()]);
    let mut first_broken = None;
    for_each_row(&path, place.split.is_test(), table, |line, row| {
        match row {
            Ok(row) => {
                let target = match row.label {
                    Some(label) => place.target(&path, line, label)?,
                    None => Target::None,
                };
                let texts = row.texts.into_iter().map(|text| text.trim().to_owned()).collect();
                dataset.examples.push(Example { id: row.id, texts, target });
            }
            Err(error) if !table.skip_broken => return Err(error),
            Err(_) => {
                dataset.dropped += 1;
                first_broken.get_or_insert(line);
            }
        }
        Ok(())
    })?;
    if let Some(line) = first_broken {
        dataset.notes.push(format!(
            "{}: skipped {} rows with a wrong number of columns, the first on line {line}; the official file has some",
            path.display(),
            dataset.dropped
        ));
    }
    Ok(dataset)
}

/// A row of a table.
pub(crate) struct Row<'a> {
    pub id: String,
    pub texts: Vec<&'a str>,
    pub label: Option<&'a str>,
}

/// Calls `each` with the line and the content of every row, or with the error that says how the row is broken.
pub(crate) fn for_each_row(
    path: &Path,
    label_optional: bool,
    table: &Table,
    mut each: impl FnMut(usize, Result<Row, TaskError>) -> Result<(), TaskError>,
) -> Result<(), TaskError> {
    let mut header = match table.columns {
        Some(columns) => Some(Header::find(path, columns, table, label_optional)?),
        None => None,
    };
    let mut n_rows = 0;
    for_each_line(path, |line, text| {
        let cells: Vec<&str> = text.split('\t').collect();
        let Some(header) = &header else {
            header = Some(Header::find(path, &cells, table, label_optional)?);
            return Ok(());
        };
        n_rows += 1;
        if cells.len() != header.columns.len() {
            let (found, expected) = (cells.len(), header.columns.len());
            let columns = header.columns.join(", ");
            return each(line, Err(TaskError::Row { path: path.to_path_buf(), line, found, expected, columns }));
        }
        let id = header.id.map_or_else(|| (n_rows - 1).to_string(), |id| cells[id].trim().to_owned());
        let texts = header.texts.iter().map(|&column| cells[column]).collect();
        let label = header.label.map(|label| cells[label].trim());
        each(line, Ok(Row { id, texts, label }))
    })
}

/// Where the columns stand.
struct Header {
    columns: Vec<String>,
    id: Option<usize>,
    texts: Vec<usize>,
    label: Option<usize>,
}

impl Header {
    fn find(path: &Path, columns: &[&str], table: &Table, label_optional: bool) -> Result<Header, TaskError> {
        let at = |name: &str| columns.iter().position(|column| column.trim() == name);
        let need = |name: &str| {
            at(name).ok_or_else(|| TaskError::Column {
                path: path.to_path_buf(),
                missing: name.to_owned(),
                expected: [table.texts, &[table.label][..usize::from(!label_optional)]].concat().join(", "),
                found: columns.join(", ").chars().take(200).collect(),
            })
        };
        let texts = table.texts.iter().map(|text| need(text)).collect::<Result<_, _>>()?;
        let label = if label_optional { at(table.label) } else { Some(need(table.label)?) };
        Ok(Header {
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            id: at(table.id),
            texts,
            label,
        })
    }
}
