//! The tasks, a file each. A new one is a file here and its name in the two lists below.

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

use crate::Task;
use crate::files::Place;

/// All tasks, in the order of the paper's tables 2 to 4; WNLI, which the paper leaves out, last.
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
];

/// `train.tsv`, `dev.tsv` or `test.tsv`.
fn glue_file(place: &Place) -> String {
    format!("{}.tsv", place.split)
}
