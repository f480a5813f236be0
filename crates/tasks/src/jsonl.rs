//! Sentence pairs as JSON lines, the format of SNLI's and MultiNLI's distributions and of SciTail's `snli_format`.

use std::path::PathBuf;

use serde::Deserialize;

use crate::files::{Place, for_each_line};
use crate::{Dataset, Example, Target, TaskError};

/// The fields that are used; the parse trees and the single annotators' labels are passed over.
#[derive(Deserialize)]
struct Pair {
    gold_label: Option<String>,
    sentence1: String,
    sentence2: String,
    #[serde(rename = "pairID")]
    id: Option<String>,
}

/// Reads a file as a split. Pairs labelled `-`, on which the annotators found no majority, are dropped and counted.
/// `rename` maps labels of this file to the task's.
pub(crate) fn read(place: &Place, path: PathBuf, rename: &[(&str, &str)]) -> Result<Dataset, TaskError> {
    let mut dataset = Dataset::new(place, vec![path.clone()]);
    let mut n_dashes = 0;
    for_each_line(&path, |line, text| {
        let pair: Pair = serde_json::from_str(text).map_err(|error| json_error(path.clone(), line, &error))?;
        let target = match pair.gold_label.as_deref().map(str::trim) {
            Some("-") => {
                n_dashes += 1;
                return Ok(());
            }
            None if place.split.is_test() => Target::None,
            label => {
                let label = label.unwrap_or("");
                let renamed = rename.iter().find(|(from, _)| *from == label).map_or(label, |(_, to)| to);
                place.target(&path, line, renamed)?
            }
        };
        let texts = vec![pair.sentence1.trim().to_owned(), pair.sentence2.trim().to_owned()];
        dataset.examples.push(Example { id: pair.id.unwrap_or_else(|| (line - 1).to_string()), texts, target });
        Ok(())
    })?;
    dataset.drop_unlabelled(n_dashes);
    Ok(dataset)
}

/// serde_json's error at its place in the file; `line` is where the JSON begins.
pub(crate) fn json_error(path: PathBuf, line: usize, error: &serde_json::Error) -> TaskError {
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
    TaskError::Json { path, line: line + error.line().saturating_sub(1), column: error.column(), message }
}
