//! `gpt1-evaluate table`: all scores beside the paper's.

use clap::Args;
use std::path::PathBuf;

/// The command line of `gpt1-evaluate table`.
#[derive(Args, Debug)]
pub struct TableArgs {
    /// Folders to search for scores.json, with all folders below
    #[arg(value_name = "DIR", default_value = "artifacts")]
    pub folders: Vec<PathBuf>,
    /// A file to write the table to, instead of standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// As JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// Prints the table.
///
/// # Errors
/// A folder that is not there, a file that is none of `gpt1-evaluate`.
pub fn run(args: &TableArgs) -> anyhow::Result<()> {
    anyhow::bail!("{args:?}: not yet")
}
