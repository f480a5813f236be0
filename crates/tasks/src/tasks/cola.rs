//! CoLA, the Corpus of Linguistic Acceptability (Warstadt et al. 2018): is this a sentence of English? Columns of train
//! and dev, which have no header: source, label, the author's mark, sentence; of test: index, sentence.

use crate::files::Place;
use crate::task::Definition;
use crate::tsv::{self, Table};
use crate::{Answer, Dataset, Kind, Metric, Paper, TaskError};

pub(super) static TASK: Definition = Definition {
    name: "cola",
    title: "CoLA",
    folders: &["cola"],
    kind: Kind::Classification,
    answer: Answer::Label(&["0", "1"]),
    metrics: &[Metric::Matthews],
    submission: "CoLA.tsv",
    submission_mismatched: None,
    trained_on: None,
    groups: &[],
    paper: &[Paper::new("CoLA", 45.4, 4)],
    source: "unpack https://dl.fbaipublicfiles.com/glue/data/CoLA.zip there",
    read,
};

fn read(place: &Place) -> Result<Dataset, TaskError> {
    let path = place.find(&[&super::glue_file(place)])?;
    let columns: &[&str] = &["source", "label", "mark", "sentence"];
    let columns = (!place.split.is_test()).then_some(columns);
    tsv::read(place, path, &Table { columns, texts: &["sentence"], ..tsv::GLUE })
}
