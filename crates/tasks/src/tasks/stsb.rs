//! STS-B, the Semantic Textual Similarity Benchmark (Cer et al. 2017): how alike are two sentences, 0 to 5? Columns: index,
//! genre, filename, year, old_index, source1, source2, sentence1, sentence2, score.

use crate::files::Place;
use crate::task::Definition;
use crate::tsv::{self, Table};
use crate::{Answer, Dataset, Kind, Metric, Paper, TaskError};

pub(super) static TASK: Definition = Definition {
    name: "stsb",
    title: "STS-B",
    folders: &["stsb"],
    kind: Kind::Similarity,
    answer: Answer::Score,
    metrics: &[Metric::Pearson, Metric::Spearman],
    submission: "STS-B.tsv",
    submission_mismatched: None,
    trained_on: None,
    groups: &[],
    paper: &[Paper::new("STS-B", 82.0, 4)],
    source: "unpack https://dl.fbaipublicfiles.com/glue/data/STS-B.zip there",
    read,
};

fn read(place: &Place) -> Result<Dataset, TaskError> {
    let path = place.find(&[&super::glue_file(place)])?;
    tsv::read(place, path, &Table { label: Some("score"), ..tsv::GLUE })
}
