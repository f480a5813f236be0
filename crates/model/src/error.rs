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
    /// Tensors are missing, extra, of another shape or of another type; every one is listed.
    #[error("{path}: the tensors do not fit the configuration:\n  {}", problems.join("\n  "))]
    Tensors {
        /// The file.
        path: PathBuf,
        /// One line for each tensor that does not fit.
        problems: Vec<String>,
    },
}
