//! The tasks, a file each. A new one is a file here and its name in the two lists below.

mod ax;
mod cola;
mod mnli;
mod mrpc;
mod qnli;
mod qqp;
mod race;
mod rte;
mod scitail;
mod snli;
mod sst2;
mod storycloze;
mod stsb;
mod wnli;

use crate::files::Place;
use crate::tsv::{self, Table};
use crate::{Dataset, Task, TaskError, jsonl};

/// All tasks, in the order of the paper's tables 2 to 4; WNLI and AX, which the paper leaves out, last.
pub(crate) const ALL: &[Task] = &[
    Task(&mnli::TASK),
    Task(&snli::TASK),
    Task(&scitail::TASK),
    Task(&qnli::TASK),
    Task(&rte::TASK),
    Task(&storycloze::TASK),
    Task(&race::TASK),
    Task(&cola::TASK),
    Task(&sst2::TASK),
    Task(&mrpc::TASK),
    Task(&stsb::TASK),
    Task(&qqp::TASK),
    Task(&wnli::TASK),
    Task(&ax::TASK),
];

/// `train.tsv`, `dev.tsv` or `test.tsv`.
fn glue_file(place: &Place) -> String {
    format!("{}.tsv", place.split)
}

/// Reads the first of `names` that is there, in one of the formats of SNLI and MultiNLI: JSON lines, a table of the same names
/// (`.txt`), or GLUE's `glue`. Pairs without a gold label are dropped.
fn read_nli(place: &Place, names: &[String], glue: &Table) -> Result<Dataset, TaskError> {
    let path = place.find(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("jsonl") => jsonl::read(place, path, &[]),
        Some("txt") => {
            tsv::read(place, path, &Table { id: "pairID", label: Some("gold_label"), drop_dash: true, ..tsv::GLUE })
        }
        _ => tsv::read(place, path, &Table { drop_dash: true, ..*glue }),
    }
}
