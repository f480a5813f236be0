//! What all stages share: outputs that appear all at once, the manifest, content digests, progress, configuration with
//! positions in its errors, and exit codes.

pub mod config;
pub mod digest;
mod exit;
pub mod manifest;
pub mod numbered;
pub mod output;
pub mod preset;
pub mod progress;
mod say;
pub mod shell;
pub mod version;

pub use exit::{parse_or_exit, run_main};
pub use say::{print, to_stderr};
