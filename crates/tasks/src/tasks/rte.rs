//! RTE, Recognizing Textual Entailment 1, 2, 3 and 5 (Dagan et al. 2006 to Bentivogli et al. 2009): does sentence1 entail
//! sentence2? Columns: index, sentence1, sentence2, label.

use crate::files::Place;
use crate::task::Definition;
use crate::tsv;
use crate::{Answer, Dataset, Kind, Metric, Paper, TaskError};

pub(super) static TASK: Definition = Definition {
    name: "rte",
    title: "RTE",
    folders: &["rte"],
    kind: Kind::Entailment,
    answer: Answer::Label(&["entailment", "not_entailment"]),
    metrics: &[Metric::Accuracy],
    submission: "RTE.tsv",
    submission_mismatched: None,
    trained_on: None,
    groups: &[],
    paper: &[Paper::new("RTE", 56.0, 2)],
    source: "unpack https://dl.fbaipublicfiles.com/glue/data/RTE.zip there",
    read,
};

fn read(place: &Place) -> Result<Dataset, TaskError> {
    let path = place.find(&[&super::glue_file(place)])?;
    tsv::read(place, path, &tsv::GLUE)
}
