//! What can be wrong with an evaluation.

use gpt1_artifacts::output::OutputError;
use gpt1_finetune::FinetuneError;
use gpt1_tasks::TaskError;
use std::io;
use std::path::PathBuf;

/// Why a model cannot be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// The model cannot be read, or is none of this task.
    #[error(transparent)]
    Model(#[from] FinetuneError),
    /// The task's data cannot be read.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The output cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// Reading or writing failed; the message names the file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The model computes nonsense.
    #[error(
        "{model}: the outputs for example {id} are {logits:?}, no finite numbers\n  hint: the model's weights are damaged; fine-tune again"
    )]
    NotFinite {
        /// The model's directory.
        model: PathBuf,
        /// The example.
        id: String,
        /// The outputs.
        logits: Vec<f32>,
    },
}
