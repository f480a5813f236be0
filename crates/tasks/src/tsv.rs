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
    /// May be absent from test sets; `None` in files that have no labels at all.
    pub label: Option<&'a str>,
    /// Whether rows with a wrong number of columns are skipped and counted, for official data that has such rows;
    /// otherwise they are an error.
    pub skip_broken: bool,
    /// Whether the label `-` says that the annotators did not agree: such rows are dropped and counted.
    pub drop_dash: bool,
}

/// The table that most tasks of GLUE have.
pub(crate) const GLUE: Table = Table {
    columns: None,
    id: "index",
    texts: &["sentence1", "sentence2"],
    label: Some("label"),
    skip_broken: false,
    drop_dash: false,
};

/// Reads a table as a split.
pub(crate) fn read(place: &Place, path: PathBuf, table: &Table) -> Result<Dataset, TaskError> {
    let mut dataset = Dataset::new(place, vec![path.clone()]);
    let (mut n_dashes, mut n_broken, mut first_broken) = (0, 0, None);
    for_each_row(&path, place.split.is_test(), table, |line, row| {
        match row {
            Ok(Row { label: Some("-"), .. }) if table.drop_dash => n_dashes += 1,
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
                n_broken += 1;
                first_broken.get_or_insert(line);
            }
        }
        Ok(())
    })?;
    dataset.drop_unlabelled(n_dashes);
    if let Some(line) = first_broken {
        dataset.dropped += n_broken;
        dataset.notes.push(format!(
            "{}: skipped {n_broken} rows with a wrong number of columns, the first on line {line}; the official file has some",
            path.display(),
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

/// Calls `each` with the line and the content of every row, or with the error that says how the row is broken. A row may
/// end early if it has all columns that are read, as SNLI's rows of a single annotator do, and may have empty cells
/// too many.
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
        let surplus = cells.get(header.columns.len()..).unwrap_or_default();
        if cells.len() < header.n_needed || surplus.iter().any(|cell| !cell.is_empty()) {
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
    /// How many cells a row must have so that none of these is missing.
    n_needed: usize,
}

impl Header {
    fn find(path: &Path, columns: &[&str], table: &Table, label_optional: bool) -> Result<Header, TaskError> {
        let at = |name: &str| columns.iter().position(|column| column.trim() == name);
        let wanted = table.label.filter(|_| !label_optional);
        let need = |name: &str| {
            at(name).ok_or_else(|| TaskError::Column {
                path: path.to_path_buf(),
                missing: name.to_owned(),
                expected: table.texts.iter().copied().chain(wanted).collect::<Vec<_>>().join(", "),
                found: columns.join(", ").chars().take(200).collect(),
            })
        };
        let texts = table.texts.iter().map(|text| need(text)).collect::<Result<Vec<_>, _>>()?;
        let label = wanted.map(need).transpose()?.or_else(|| at(table.label?));
        let id = at(table.id);
        let n_needed = texts.iter().copied().chain(label).chain(id).max().map_or(0, |last| last + 1);
        Ok(Header { columns: columns.iter().map(|&column| column.to_owned()).collect(), id, texts, label, n_needed })
    }
}
