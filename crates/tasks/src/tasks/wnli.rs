//! WNLI, Winograd schemas as entailment (Levesque et al. 2011, GLUE): is sentence2 sentence1 with its pronoun resolved
//! rightly? Columns: index, sentence1, sentence2, label.

use crate::files::Place;
use crate::task::Definition;
use crate::tsv;
use crate::{Answer, Dataset, Kind, Metric, TaskError};

pub(super) static TASK: Definition = Definition {
    name: "wnli",
    title: "WNLI",
    folders: &["wnli"],
    kind: Kind::Entailment,
    answer: Answer::Label(&["0", "1"]),
    metrics: &[Metric::Accuracy],
    submission: "WNLI.tsv",
    submission_mismatched: None,
    trained_on: None,
    groups: &[],
    paper: &[],
    source: "unpack https://dl.fbaipublicfiles.com/glue/data/WNLI.zip there",
    read,
};

fn read(place: &Place) -> Result<Dataset, TaskError> {
    let path = place.find(&[&super::glue_file(place)])?;
    tsv::read(place, path, &tsv::GLUE)
}
