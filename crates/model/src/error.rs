//! What can be wrong with a model directory.

use std::path::PathBuf;

/// Why a model cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Reading or writing failed; the message names the file.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A JSON file does not hold what is expected.
    #[error("{path}:{line}:{column}: {message}")]
    Json {
        /// The file.
        path: PathBuf,
        /// 1-based line; 0 where the value as a whole is meant.
        line: usize,
        /// 1-based column.
        column: usize,
        /// What was expected.
        message: String,
    },
    /// A setting that this model cannot have.
    #[error("{path}: {key} = {found}: expected {expected}")]
    Setting {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// Its value.
        found: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// The safetensors file is damaged or no safetensors file.
    #[error(
        "{path}: not a readable safetensors file: {message}\n  hint: the file may be truncated or damaged; make or copy it again"
    )]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        message: String,
    },
    /// The directory holds no weights that can be read from it.
    #[error("{path}: no model.safetensors here\n  hint: {hint}")]
    NoWeights {
        /// The directory, or a file of another kind.
        path: PathBuf,
        /// What can be done with what it holds.
        hint: String,
    },
    /// The file is no `.npy` file, is damaged, or holds what we do not read.
    #[error("{path}: not a .npy file of little-endian f32: {message}")]
    Npy {
        /// The file.
        path: PathBuf,
        /// What was found and expected.
        message: String,
    },
    /// Tensors are missing, extra, of another shape or type, or hold values that no model has; every one is listed.
    #[error("{path}: the tensors do not fit the model:\n  {}", problems.join("\n  "))]
    Tensors {
        /// The file.
        path: PathBuf,
        /// One line for each tensor that does not fit.
        problems: Vec<String>,
    },
}
