//! SST-2, the Stanford Sentiment Treebank in two classes (Socher et al. 2013): is this a good review? Columns of train and
//! dev: sentence (with a space at its end), label; of test: index, sentence.

use crate::files::Place;
use crate::task::Definition;
use crate::tsv::{self, Table};
use crate::{Answer, Dataset, Kind, Metric, Paper, TaskError};

pub(super) static TASK: Definition = Definition {
    name: "sst2",
    title: "SST-2",
    folders: &["sst2"],
    kind: Kind::Classification,
    answer: Answer::Label(&["0", "1"]),
    metrics: &[Metric::Accuracy],
    submission: "SST-2.tsv",
    submission_mismatched: None,
    trained_on: None,
    groups: &[],
    paper: &[Paper::new("SST-2", 91.3, 4)],
    source: "unpack https://dl.fbaipublicfiles.com/glue/data/SST-2.zip there",
    read,
};

fn read(place: &Place) -> Result<Dataset, TaskError> {
    let path = place.find(&[&super::glue_file(place)])?;
    tsv::read(place, path, &Table { texts: &["sentence"], ..tsv::GLUE })
}
