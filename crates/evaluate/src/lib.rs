//! Evaluation of a fine-tuned model on a split of its task: predictions in the benchmark's format, scores beside those of the
//! majority answer; and the table of all results.

mod error;
mod markdown;
pub mod page;
pub mod paper;
mod plot;
mod report;
pub mod results;
mod stage;
pub mod table;
pub mod zero_shot;

pub use error::EvaluateError;
pub use markdown::markdown;
pub use report::Report;
pub use stage::{Evaluated, Options, run};
