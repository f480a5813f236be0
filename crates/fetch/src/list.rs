//! What `--list` says.

use crate::catalogue::{Dataset, Source};
use crate::error::FetchError;
use crate::names::human;
use crate::place::{State, state};
use serde::Serialize;
use std::path::Path;

/// One data set for programs.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    title: &'a str,
    licence: &'a str,
    /// Of the downloads; null where a file's size is not known or nothing can be downloaded.
    bytes: Option<u64>,
    /// `fetched`, `by_hand`, `incomplete`, `damaged`, `missing` or `on_request`.
    state: &'static str,
    /// Where it is; null if it is not there.
    path: Option<String>,
    /// What is missing or wrong, and how to get it; null if it is there.
    hint: Option<String>,
    /// The addresses of its files, or of the form.
    urls: Vec<&'a str>,
}

fn row<'a>(set: &'a Dataset, data: &Path) -> Result<Row<'a>, FetchError> {
    let path = |folder: &Path| Some(folder.display().to_string());
    let (state, path, hint) = match state(set, data) {
        Ok(State::Fetched(folder)) => ("fetched", path(&folder), None),
        Ok(State::ByHand(folder)) => ("by_hand", path(&folder), None),
        Ok(State::Missing) => ("missing", None, Some(format!("gpt1-fetch {}{}", &*set.name, begun(set, data)))),
        Ok(State::Incomplete { folder, missing, .. }) => {
            let hint = format!("{} is missing: gpt1-fetch {}", missing[0], &*set.name);
            ("incomplete", path(&folder), Some(hint))
        }
        Ok(State::OnRequest { .. }) => {
            ("on_request", None, Some(format!("on request: gpt1-fetch {} says how", &*set.name)))
        }
        Err(error @ (FetchError::Changed { .. } | FetchError::NotAFolder(_))) => (
            "damaged",
            path(&data.join(&*set.folder)),
            Some(error.to_string().lines().next().unwrap_or_default().to_owned()),
        ),
        Err(error) => return Err(error),
    };
    let sizes = set.files.iter().map(|source| source.bytes);
    let bytes = if set.files.is_empty() { None } else { sizes.sum() };
    let form = set.on_request.iter().map(|request| &*request.form);
    let urls = set.files.iter().map(|source| &*source.url).chain(form).collect();
    Ok(Row { name: &set.name, title: &set.title, licence: &set.licence, bytes, state, path, hint, urls })
}

/// What of it was downloaded by a run that did not end.
fn begun(set: &Dataset, data: &Path) -> String {
    let size = |name: String| fs_err::metadata(data.join(".downloads").join(name)).map_or(0, |file| file.len());
    let names = set.files.iter().map(Source::file_name);
    let have: u64 = names.map(|name| size(format!("{name}.partial")) + size(name.to_owned())).sum();
    if have > 0 { format!(" ({} downloaded already)", human(have)) } else { String::new() }
}

/// A table: name, what it is, size of the download, where it is or how to get it.
pub fn list_table(sets: &[&Dataset], data: &Path) -> Result<String, FetchError> {
    let mut cells = vec![["NAME", "TITLE", "DOWNLOAD", "WHERE"].map(str::to_owned)];
    for set in sets {
        let Row { name, title, bytes, path, hint, state, .. } = row(set, data)?;
        let place = match (state, path, hint) {
            ("by_hand", Some(path), _) => format!("{path} (put there by hand)"),
            (_, Some(path), None) => path,
            ("damaged", _, Some(hint)) => hint,
            (_, Some(path), Some(hint)) => format!("{path}: {hint}"),
            (_, None, hint) => format!("not there; {}", hint.unwrap_or_default()),
        };
        let size = match (bytes, set.files.is_empty()) {
            (Some(bytes), _) => human(bytes),
            (None, true) => "-".to_owned(),
            (None, false) => "?".to_owned(),
        };
        cells.push([name.to_owned(), title.to_owned(), size, place]);
    }
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [name_width, title_width, size_width] = [0, 1, 2].map(width);
    let line = |[name, title, size, place]: &[String; 4]| {
        format!("{name:name_width$}  {title:title_width$}  {size:>size_width$}  {place}\n")
    };
    Ok(cells.iter().map(line).collect())
}

/// The same for programs: a list of objects.
pub fn list_json(sets: &[&Dataset], data: &Path) -> Result<String, FetchError> {
    let rows = sets.iter().map(|set| row(set, data)).collect::<Result<Vec<_>, _>>()?;
    let text = serde_json::to_string_pretty(&rows).map_err(std::io::Error::other)?;
    Ok(text + "\n")
}
