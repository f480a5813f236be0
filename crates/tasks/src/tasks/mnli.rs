//! MNLI, Multi-Genre Natural Language Inference (Williams et al. 2018): does sentence2 follow from sentence1, contradict it, or
//! neither? Columns of GLUE's files: index, promptID, pairID, genre, four parses, sentence1, sentence2, the annotators'
//! labels, gold_label. The matched development and test sets are of the genres of the training set.

use crate::files::Place;
use crate::task::Definition;
use crate::tsv::{self, Table};
use crate::{Answer, Dataset, Kind, Metric, Split, TaskError};

pub(super) static TASK: Definition = Definition {
    name: "mnli",
    title: "MNLI",
    folders: &["mnli"],
    kind: Kind::Entailment,
    answer: Answer::Label(&["entailment", "neutral", "contradiction"]),
    metrics: &[Metric::Accuracy],
    submission: "MNLI-m.tsv",
    submission_mismatched: Some("MNLI-mm.tsv"),
    source: "unpack https://dl.fbaipublicfiles.com/glue/data/MNLI.zip there",
    read,
};

fn read(place: &Place) -> Result<Dataset, TaskError> {
    let path = place.find(&[match place.split {
        Split::Train => "train.tsv",
        Split::Dev => "dev_matched.tsv",
        Split::DevMismatched => "dev_mismatched.tsv",
        Split::Test => "test_matched.tsv",
        Split::TestMismatched => "test_mismatched.tsv",
    }])?;
    let texts = &["sentence1", "sentence2"];
    tsv::read(place, path, &Table { columns: None, id: "index", texts, label: "gold_label", skip_broken: true })
}
