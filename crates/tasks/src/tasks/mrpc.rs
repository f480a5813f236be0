//! MRPC, the Microsoft Research Paraphrase Corpus (Dolan and Brockett 2005): do two sentences say the same? Columns: Quality,
//! #1 ID, #2 ID, #1 String, #2 String; GLUE's test has index in place of Quality. The files begin with a byte-order mark.
//! GLUE does not distribute its train.tsv and dev.tsv: they are made from the original msr_paraphrase_train.txt, of which
//! dev_ids.tsv names the pairs of the development set. Both are read.

use std::collections::HashSet;
use std::path::PathBuf;

use crate::files::{Place, for_each_line};
use crate::task::Definition;
use crate::tsv::{self, Table};
use crate::{Answer, Dataset, Kind, Metric, Paper, Split, TaskError};

pub(super) static TASK: Definition = Definition {
    name: "mrpc",
    title: "MRPC",
    folders: &["mrpc"],
    kind: Kind::Similarity,
    answer: Answer::Label(&["0", "1"]),
    metrics: &[Metric::F1, Metric::Accuracy],
    submission: "MRPC.tsv",
    submission_mismatched: None,
    trained_on: None,
    groups: &[],
    paper: &[Paper::new("MRPC", 82.3, 4)],
    source: "put https://dl.fbaipublicfiles.com/senteval/senteval_data/msr_paraphrase_train.txt, msr_paraphrase_test.txt beside it \
             and https://dl.fbaipublicfiles.com/glue/data/mrpc_dev_ids.tsv (as dev_ids.tsv) there",
    read,
};

const TABLE: Table = Table { texts: &["#1 String", "#2 String"], label: Some("Quality"), ..tsv::GLUE };

fn read(place: &Place) -> Result<Dataset, TaskError> {
    if let Some(path) = place.try_find(&[&super::glue_file(place)])? {
        return tsv::read(place, path, &TABLE);
    }
    let original = if place.split.is_test() { "msr_paraphrase_test.txt" } else { "msr_paraphrase_train.txt" };
    let path = place.find(&[&super::glue_file(place), original])?;
    if place.split.is_test() {
        return tsv::read(place, path, &TABLE);
    }
    let ids = place.find(&["dev_ids.tsv", "mrpc_dev_ids.tsv"])?;
    original_split(place, path, ids)
}

/// The rows of the original file that are, or are not, in the development set.
fn original_split(place: &Place, path: PathBuf, ids: PathBuf) -> Result<Dataset, TaskError> {
    let mut dev = HashSet::new();
    for_each_line(&ids, |line, text| match text.split('\t').collect::<Vec<_>>()[..] {
        [first, second] => {
            dev.insert((first.trim().to_owned(), second.trim().to_owned()));
            Ok(())
        }
        ref cells => Err(TaskError::Row {
            path: ids.clone(),
            line,
            found: cells.len(),
            expected: 2,
            columns: "#1 ID, #2 ID".to_owned(),
        }),
    })?;
    let mut pairs = Vec::new();
    let table = Table { texts: &["#1 ID", "#2 ID"], ..TABLE };
    tsv::for_each_row(&path, false, &table, |_, row| {
        let texts = row?.texts;
        pairs.push((texts[0].trim().to_owned(), texts[1].trim().to_owned()));
        Ok(())
    })?;
    let mut dataset = tsv::read(place, path, &TABLE)?;
    let mut pairs = pairs.into_iter();
    dataset.examples.retain(|_| pairs.next().is_some_and(|pair| dev.contains(&pair) == (place.split == Split::Dev)));
    for (row, example) in dataset.examples.iter_mut().enumerate() {
        example.id = row.to_string();
    }
    dataset.files.push(ids);
    Ok(dataset)
}
