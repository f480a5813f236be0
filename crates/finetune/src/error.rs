//! What can be wrong with fine-tuning and with the models it makes.

use gpt1_artifacts::output::OutputError;
use gpt1_model::ModelError;
use gpt1_tasks::{Split, Task, TaskError};
use gpt1_tokenize::VocabularyError;
use gpt1_training::checkpoint::CheckpointError;
use gpt1_training::{PlanError, TrainError};
use std::io;
use std::path::PathBuf;

/// Why a model cannot be fine-tuned, or a fine-tuned one not be used.
#[derive(Debug, thiserror::Error)]
pub enum FinetuneError {
    /// The task's data cannot be read.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The model cannot be read or written.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The vocabulary cannot be read.
    #[error(transparent)]
    Vocabulary(#[from] VocabularyError),
    /// The output cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The machine's memory is too small.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Training stopped.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The best model's checkpoint cannot be used.
    #[error(transparent)]
    Best(#[from] CheckpointError),
    /// Reading or writing failed; the message names the file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Random weights need a vocabulary.
    #[error(
        "--init scratch needs a vocabulary\n  hint: add --tokenizer DIR, the directory of vocab.json and merges.txt (a pre-trained model's will do)"
    )]
    NoTokenizer,
    /// Fine-tuning begins from a model that knows no task yet.
    #[error(
        "--init {dir}: this model is fine-tuned on {task} already\n  hint: name the pre-trained model it was made from"
    )]
    AlreadyFineTuned {
        /// The directory.
        dir: PathBuf,
        /// The task that it knows.
        task: Task,
    },
    /// Model and vocabulary do not belong together.
    #[error(
        "{model}: the model has {vocab_size} tokens, expected {expected}: the {n_vocab} of the vocabulary in {tokenizer}{}\n  hint: use the vocabulary that the model was trained with",
        if .expected == .n_vocab { "" } else { " and 3 that fine-tuning added" }
    )]
    VocabularySize {
        /// The model's directory.
        model: PathBuf,
        /// Tokens of the model.
        vocab_size: usize,
        /// Tokens that it should have.
        expected: usize,
        /// The vocabulary's directory.
        tokenizer: PathBuf,
        /// Entries of the vocabulary.
        n_vocab: usize,
    },
    /// More blocks are to be kept than there are.
    #[error("finetune.n_layer_transferred = {asked}: expected null or 0 to {n_layer}, the blocks of {model}")]
    TooManyLayers {
        /// The setting.
        asked: usize,
        /// The model's blocks.
        n_layer: usize,
        /// The model's directory.
        model: PathBuf,
    },
    /// Blocks are to be kept of a model that has none.
    #[error("finetune.n_layer_transferred = {asked}: expected null, as the LSTM in {model} has no blocks")]
    NoBlocks {
        /// The setting.
        asked: usize,
        /// The model's directory.
        model: PathBuf,
    },
    /// Learning needs labels.
    #[error("{task}: example {id} of the {split} split has no label")]
    Unlabelled {
        /// The task.
        task: Task,
        /// The split.
        split: Split,
        /// The first such example.
        id: String,
    },
    /// A model directory without `task.json`.
    #[error(
        "{dir}: no task.json here: this is no fine-tuned model\n  hint: fine-tune it first: gpt1-finetune --task {task} --init {dir} ..."
    )]
    NotFineTuned {
        /// The directory.
        dir: PathBuf,
        /// The task asked for.
        task: Task,
    },
    /// A model of another task.
    #[error(
        "{dir}: this model was fine-tuned on {found}, not on {asked}\n  hint: give --task {found}, or a model of {asked}"
    )]
    OtherTask {
        /// The directory.
        dir: PathBuf,
        /// The task that it knows.
        found: Task,
        /// The task asked for.
        asked: Task,
    },
    /// `task.json` cannot be read.
    #[error("{path}:{line}:{column}: {message}\n  hint: the file is written by gpt1-finetune; fine-tune again")]
    TaskFile {
        /// The file.
        path: PathBuf,
        /// 1-based line; 0 where the value as a whole is meant.
        line: usize,
        /// 1-based column.
        column: usize,
        /// What was expected.
        message: String,
    },
    /// `task.json` and the model beside it contradict each other.
    #[error("{dir}: {what}: found {found}, expected {expected} for {task}\n  hint: fine-tune again")]
    DoesNotFit {
        /// The directory.
        dir: PathBuf,
        /// The task.
        task: Task,
        /// What differs.
        what: &'static str,
        /// The value found.
        found: String,
        /// The value expected.
        expected: String,
    },
}
