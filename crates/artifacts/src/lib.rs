//! What all stages share: outputs that appear all at once, the manifest, content digests, progress, logging, configuration
//! with positions in its errors, and exit codes.

pub mod config;
pub mod digest;
mod exit;
mod log;
pub mod manifest;
pub mod numbered;
pub mod output;
pub mod preset;
pub mod problem;
pub mod progress;
mod say;
pub mod schema;
pub mod shell;
pub mod version;
pub mod yaml;

pub use exit::{parse_or_exit, run_main};
pub use say::{print, to_stderr};
