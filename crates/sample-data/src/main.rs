//! The `gpt1-sample-data` program.

use clap::Parser;
use gpt1_artifacts::eprintln;
use gpt1_artifacts::{parse_or_exit, run_main};
use std::path::PathBuf;
use std::process::ExitCode;

/// Writes the sample corpus (DIR/corpus/*.txt) and the sample tasks (DIR/tasks/<official folders and files>).
///
/// Both tell of one small story world and need no download. The same seed gives the same bytes.
#[derive(Debug, Parser)]
#[command(name = "gpt1-sample-data", version)]
struct Arguments {
    /// Which world to make.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The folder to write; an earlier output there is replaced at once when the new one is complete.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let arguments: Arguments = parse_or_exit();
    run_main("sample-data", || {
        let out = gpt1_sample_data::write(arguments.seed, &arguments.out)?;
        eprintln!("sample data of seed {} in {}", arguments.seed, out.display());
        Ok(())
    })
}
