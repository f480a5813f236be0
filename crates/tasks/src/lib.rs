//! The fine-tuning tasks of the paper (table 1, section 4.2), WNLI and AX: readers of the official files, input
//! transformations (section 3.3), metrics, submission files.
//!
//! The way through this crate: [`read`] a split of a [`Task`] into [`Example`]s; encode their texts; [`inputs`] turns
//! the encoded texts of an example into the token sequences that the model reads; [`Task::targets`] gives the
//! distribution that the classifier learns; [`Task::predict`] turns logits into a prediction; [`scores`] and
//! [`majority_scores`] judge predictions; [`write_submission`] writes them in the benchmark's format.
//!
//! [`winograd`] reads the schemas that the paper asks of the language model alone (section 5).
//!
//! A task is one file in `src/tasks/`. This crate knows nothing of the model.

mod csv;
mod error;
mod files;
mod inputs;
mod jsonl;
pub mod metrics;
mod numpy;
mod output;
mod paper;
mod scores;
mod submission;
mod task;
mod tasks;
mod tsv;
pub mod winograd;

pub use error::TaskError;
pub use inputs::{Form, Inputs, Special, inputs};
pub use metrics::Metric;
pub use paper::Paper;
pub use scores::{GroupScores, group_scores, majority, majority_scores, scores};
pub use submission::{submission_name, write_submission};
pub use task::{Answer, Dataset, Example, Kind, Split, Target, Task, read};
