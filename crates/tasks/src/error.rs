//! What can be wrong with a task's name, folder or files.

use std::path::PathBuf;

use crate::{Split, Task};

/// Everything that keeps a task from being read or transformed. Lines, columns and bytes count from 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// No task has this name.
    #[error("there is no task `{name}`; the tasks are {known}")]
    UnknownTask {
        /// What was asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// No split has this name.
    #[error(
        "there is no split `{name}`; the splits are train, dev, test, and for mnli dev_mismatched, test_mismatched"
    )]
    UnknownSplit {
        /// What was asked for.
        name: String,
    },
    /// Only MNLI has mismatched sets.
    #[error("{task} has no split {split}; its splits are train, dev, test")]
    NoSuchSplit {
        /// The task's title.
        task: &'static str,
        /// What was asked for.
        split: Split,
    },
    /// A set that only models of another task are scored on.
    #[error(
        "{} has no training set; models of {trained_on} are scored on it\n  hint: gpt1-finetune --task {trained_on}, then gpt1-evaluate --task {task} with that model",
        .task.title()
    )]
    NoTrainingSet {
        /// The task.
        task: Task,
        /// The task to train on.
        trained_on: Task,
    },
    /// The Winograd schemas of DPR come in two sets.
    #[error("{task} has no split {split}; its splits are train, test")]
    NoDevelopmentSet {
        /// The set of schemas.
        task: &'static str,
        /// What was asked for.
        split: Split,
    },
    /// No file of the split was found.
    #[error(
        "{task}: no file of the {split} split; looked for\n  {looked_for}\n  hint: {hint}, or generate sample data in the same format with gpt1-sample-data"
    )]
    Missing {
        /// The task's title.
        task: &'static str,
        /// The split that was to be read.
        split: Split,
        /// The paths, each on a line of its own.
        looked_for: String,
        /// How to get the data.
        hint: &'static str,
    },
    /// The operating system refused; the message names the path.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A line or a file that cannot be real data.
    #[error("{path}:{line}: more than {limit} bytes; this is not a file of this task")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The line on which the limit was passed.
        line: usize,
        /// The limit in bytes.
        limit: u64,
    },
    /// Bytes that are not text.
    #[error("{path}:{line}: byte {byte} of the line is not valid UTF-8\n  hint: convert the file to UTF-8")]
    Utf8 {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The first invalid byte of the line.
        byte: usize,
    },
    /// The header lacks a column.
    #[error("{path}:1: no column `{missing}`; expected columns {expected}; found {found}")]
    Column {
        /// The file.
        path: PathBuf,
        /// The first column that is missing.
        missing: String,
        /// The columns that are read.
        expected: String,
        /// The columns there are.
        found: String,
    },
    /// A row of another length than its header.
    #[error("{path}:{line}: {found} columns, expected {expected} ({columns})")]
    Row {
        /// The file.
        path: PathBuf,
        /// The row's line.
        line: usize,
        /// How many columns the row has.
        found: usize,
        /// How many the header has.
        expected: usize,
        /// The header.
        columns: String,
    },
    /// A label that the task does not have.
    #[error("{path}:{line}: label `{label}` is not one of {allowed}")]
    Label {
        /// The file.
        path: PathBuf,
        /// The row's line.
        line: usize,
        /// What stands there.
        label: String,
        /// What may stand there.
        allowed: String,
    },
    /// Quoting that breaks RFC 4180.
    #[error("{path}:{line}: {message}")]
    Csv {
        /// The file.
        path: PathBuf,
        /// Where the field begins.
        line: usize,
        /// What is wrong.
        message: &'static str,
    },
    /// A record of Winograd schemas that lacks a part.
    #[error("{path}:{line}: {message}")]
    Winograd {
        /// The file.
        path: PathBuf,
        /// Where the record begins.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// JSON that cannot be read, or lacks a field.
    #[error("{path}:{line}:{column}: {message}")]
    Json {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// What is wrong, by serde_json.
        message: String,
    },
    /// JSON of the right form whose content contradicts itself.
    #[error("{path}: question {question}: {message}")]
    Question {
        /// The file.
        path: PathBuf,
        /// Which question of the file, from 1.
        question: usize,
        /// What is wrong.
        message: String,
    },
    /// Files without a single example.
    #[error("{path}: no example of the {split} split in it")]
    Empty {
        /// The file (the first, if there are several).
        path: PathBuf,
        /// The split that was to be read.
        split: Split,
    },
    /// An example whose special tokens do not even leave room for one token of each text.
    #[error("a context of {n_ctx} tokens is too short for {task}, which needs at least {needed}")]
    ContextTooShort {
        /// The task's title.
        task: &'static str,
        /// The context that was given.
        n_ctx: usize,
        /// The shortest that works.
        needed: usize,
    },
    /// An example with another number of texts than its task has.
    #[error("{task} has {expected} texts an example, this one has {found}")]
    Texts {
        /// The task's title.
        task: &'static str,
        /// How many a task of this kind has.
        expected: String,
        /// How many were given.
        found: usize,
    },
}
