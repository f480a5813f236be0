//! MNLI, Multi-Genre Natural Language Inference (Williams et al. 2018): does sentence2 follow from sentence1, contradict it, or
//! neither? Columns of GLUE's files: index, promptID, pairID, genre, four parses, sentence1, sentence2, the annotators'
//! labels, gold_label. The matched development and test sets are of the genres of the training set. The original
//! distribution, multinli_1.0, is read too: its development sets hold pairs without a gold label, which are dropped, and
//! are GLUE's then.

use crate::files::Place;
use crate::task::Definition;
use crate::tsv::{self, Table};
use crate::{Answer, Dataset, Kind, Metric, Paper, Split, TaskError};

pub(super) static TASK: Definition = Definition {
    name: "mnli",
    title: "MNLI",
    folders: &["mnli", "multinli10"],
    kind: Kind::Entailment,
    answer: Answer::Label(&["entailment", "neutral", "contradiction"]),
    metrics: &[Metric::Accuracy],
    submission: "MNLI-m.tsv",
    submission_mismatched: Some("MNLI-mm.tsv"),
    trained_on: None,
    groups: &[],
    paper: &[Paper::new("MNLI-m", 82.1, 2), Paper { split: Split::DevMismatched, ..Paper::new("MNLI-mm", 81.4, 2) }],
    source: "unpack https://dl.fbaipublicfiles.com/glue/data/MNLI.zip there",
    read,
};

fn read(place: &Place) -> Result<Dataset, TaskError> {
    let split = match place.split {
        Split::Train => "train",
        Split::Dev => "dev_matched",
        Split::DevMismatched => "dev_mismatched",
        Split::Test => "test_matched",
        Split::TestMismatched => "test_mismatched",
    };
    let glue = Table { label: Some("gold_label"), skip_broken: true, ..tsv::GLUE };
    super::read_nli(
        place,
        &[format!("{split}.tsv"), format!("multinli_1.0_{split}.jsonl"), format!("multinli_1.0_{split}.txt")],
        &glue,
    )
}
