//! AX, GLUE's diagnostic set (Wang et al. 2018): 1,104 pairs for models of MNLI, by linguistic phenomenon. There is nothing to
//! train on. Distributed are the pairs without labels, as AX.tsv and diagnostic.tsv (columns index, sentence1, sentence2), and
//! with labels as diagnostic-full.tsv (four columns of phenomena, Domain, Premise, Hypothesis, Label), in the same order. The split
//! `dev` is the labelled file and `test` the other, or whichever is there.

use crate::files::Place;
use crate::task::Definition;
use crate::tsv::{self, Table};
use crate::{Dataset, Kind, Metric, Split, TaskError};

pub(super) static TASK: Definition = Definition {
    name: "ax",
    title: "AX",
    folders: &["ax", "diagnostic", "diagnostics"],
    kind: Kind::Entailment,
    answer: super::mnli::TASK.answer,
    metrics: &[Metric::Matthews],
    submission: "AX.tsv",
    submission_mismatched: None,
    trained_on: Some(&super::mnli::TASK),
    groups: &[],
    paper: &[],
    source: "put https://dl.fbaipublicfiles.com/glue/data/AX.tsv there, or diagnostic-full.tsv from https://gluebenchmark.com/diagnostics",
    read,
};

const LABELLED: &str = "diagnostic-full.tsv";
const UNLABELLED: [&str; 2] = ["AX.tsv", "diagnostic.tsv"];

fn read(place: &Place) -> Result<Dataset, TaskError> {
    let [first, second] = UNLABELLED;
    let names = if place.split == Split::Dev { [LABELLED, first, second] } else { [first, second, LABELLED] };
    let path = place.find(&names)?;
    if path.ends_with(LABELLED) {
        let table = Table { texts: &["Premise", "Hypothesis"], label: Some("Label"), ..tsv::GLUE };
        return tsv::read(place, path, &table);
    }
    tsv::read(place, path, &Table { label: None, ..tsv::GLUE })
}
