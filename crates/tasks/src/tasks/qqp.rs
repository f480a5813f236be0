//! QQP, Quora Question Pairs (Chen et al. 2018): do two questions ask the same? Columns: id, qid1, qid2, question1,
//! question2, is_duplicate; of test: id, question1, question2. A few questions of the official files have line ends in
//! them, which break their rows in two.

use crate::files::Place;
use crate::task::Definition;
use crate::tsv::{self, Table};
use crate::{Answer, Dataset, Kind, Metric, Paper, TaskError};

pub(super) static TASK: Definition = Definition {
    name: "qqp",
    title: "QQP",
    folders: &["qqp"],
    kind: Kind::Similarity,
    answer: Answer::Label(&["0", "1"]),
    metrics: &[Metric::F1, Metric::Accuracy],
    submission: "QQP.tsv",
    submission_mismatched: None,
    trained_on: None,
    groups: &[],
    paper: &[Paper::new("QQP", 70.3, 4)],
    source: "unpack https://dl.fbaipublicfiles.com/glue/data/QQP-clean.zip there",
    read,
};

fn read(place: &Place) -> Result<Dataset, TaskError> {
    let path = place.find(&[&super::glue_file(place)])?;
    let texts = &["question1", "question2"];
    let label = Some("is_duplicate");
    tsv::read(place, path, &Table { id: "id", texts, label, skip_broken: true, ..tsv::GLUE })
}
