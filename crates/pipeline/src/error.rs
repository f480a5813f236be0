//! Why a run did not reach its end.

use std::io;
use std::path::PathBuf;

/// Why a run did not reach its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The runner's own files, or an input, cannot be read or written; the path is in the message.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A stage ended with an error, which it has printed.
    #[error(
        "the stage {stage} failed ({how}); what it said stands above\n  its command: {command}\n  hint: earlier results are untouched; run the same command again to continue from here"
    )]
    Stage {
        /// The stage.
        stage: String,
        /// Its exit code or signal.
        how: String,
        /// The command line.
        command: String,
        /// The exit code to end with.
        code: u8,
    },
    /// A signal asked to stop.
    #[error("stopped by a signal while {stage} was running\n  hint: run the same command again to continue")]
    Stopped {
        /// The stage.
        stage: String,
        /// 128 + the signal's number.
        code: u8,
    },
    /// A program said that it is done, but there is no result.
    #[error("{program} ended without an error, but there is no {path} with a manifest.json")]
    NoResult {
        /// The program.
        program: String,
        /// Where the result should be.
        path: PathBuf,
    },
    /// An input was changed while the stage was reading it.
    #[error(
        "the input {flag} of {stage} ({what}) was changed while {stage} was running; the result is not used, it lies in {aside}\n  hint: run the same command again"
    )]
    InputChanged {
        /// The stage.
        stage: String,
        /// The input's flag.
        flag: String,
        /// The input.
        what: String,
        /// Where the result is.
        aside: PathBuf,
    },
    /// The readable name is taken by something that is not ours.
    #[error("{0} is in the way: it is not one of the links that the runner makes\n  hint: move it elsewhere")]
    InTheWay(PathBuf),
    /// A program is missing.
    #[error(
        "there is no {program} in {dir}\n  hint: cargo build --release --workspace --bins, or name another folder in GPT1_BIN_DIR"
    )]
    NoProgram {
        /// The program's file name.
        program: String,
        /// Where it was looked for.
        dir: PathBuf,
    },
    /// `--only` a stage whose inputs are not there.
    #[error(
        "{stage} cannot run alone: there is no result of {needed} for these settings ({why})\n  hint: run without --only, which makes what is missing"
    )]
    InputMissing {
        /// The stage asked for.
        stage: String,
        /// The stage whose result is missing.
        needed: String,
        /// Why it must run.
        why: String,
    },
}

impl RunError {
    /// The exit code to end with.
    pub fn code(&self) -> u8 {
        match self {
            RunError::Stage { code, .. } | RunError::Stopped { code, .. } => *code,
            _ => 1,
        }
    }
}
