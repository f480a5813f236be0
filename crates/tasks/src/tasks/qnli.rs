//! QNLI, SQuAD as entailment (Rajpurkar et al. 2016, GLUE): does the sentence hold the answer to the question? Columns:
//! index, question, sentence, label.

use crate::files::Place;
use crate::task::Definition;
use crate::tsv::{self, Table};
use crate::{Answer, Dataset, Kind, Metric, Paper, TaskError};

pub(super) static TASK: Definition = Definition {
    name: "qnli",
    title: "QNLI",
    folders: &["qnli"],
    kind: Kind::Entailment,
    answer: Answer::Label(&["entailment", "not_entailment"]),
    metrics: &[Metric::Accuracy],
    submission: "QNLI.tsv",
    submission_mismatched: None,
    trained_on: None,
    groups: &[],
    paper: &[Paper::new("QNLI", 88.1, 2)],
    source: "unpack https://dl.fbaipublicfiles.com/glue/data/QNLIv2.zip there",
    read,
};

fn read(place: &Place) -> Result<Dataset, TaskError> {
    let path = place.find(&[&super::glue_file(place)])?;
    tsv::read(place, path, &Table { texts: &["question", "sentence"], ..tsv::GLUE })
}
