//! Evaluation of a fine-tuned model on a split of its task: predictions in the benchmark's format, scores beside those of the
//! majority answer.

mod error;
mod report;
mod stage;
pub mod table;
pub mod zero_shot;

pub use error::EvaluateError;
pub use report::Report;
pub use stage::{Evaluated, Options, run};
