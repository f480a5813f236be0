//! SNLI, Stanford Natural Language Inference (Bowman et al. 2015): does sentence2 follow from sentence1, contradict it, or
//! neither? JSON lines, or a table with the same names: gold_label, sentence1, sentence2, pairID, and more that is not used.
//! Pairs whose gold_label is `-`, because the annotators did not agree, are dropped, as by everybody.

use crate::files::Place;
use crate::task::Definition;
use crate::tsv;
use crate::{Answer, Dataset, Kind, Metric, Paper, TaskError};

pub(super) static TASK: Definition = Definition {
    name: "snli",
    title: "SNLI",
    folders: &["snli", "snli10"],
    kind: Kind::Entailment,
    answer: Answer::Label(&["entailment", "neutral", "contradiction"]),
    metrics: &[Metric::Accuracy],
    submission: "SNLI.tsv",
    submission_mismatched: None,
    trained_on: None,
    groups: &[],
    paper: &[Paper::new("SNLI", 89.9, 2)],
    source: "unpack https://nlp.stanford.edu/projects/snli/snli_1.0.zip there",
    read,
};

fn read(place: &Place) -> Result<Dataset, TaskError> {
    let file = format!("snli_1.0_{}", place.split);
    super::read_nli(place, &[format!("{file}.jsonl"), format!("{file}.txt")], &tsv::GLUE)
}
