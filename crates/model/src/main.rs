//! `gpt1-model`: weights from elsewhere, what a model directory holds, and its logits for others to compare.

mod import;
mod info;
mod logits_file;

use anyhow::Result;
use clap::{Parser, Subcommand};
use gpt1_artifacts::{parse_or_exit, run_main};
use import::ImportArgs;
use info::InfoArgs;
use logits_file::LogitsArgs;
use std::num::NonZeroUsize;
use std::process::ExitCode;

/// Models that come from elsewhere, and what a model directory holds.
#[derive(Parser)]
#[command(name = "gpt1-model", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Threads [default: one for each core]; the result is the same for any number
    #[arg(long, global = true)]
    threads: Option<NonZeroUsize>,
}

#[derive(Subcommand)]
enum Command {
    /// Make a model directory of Hugging Face's or of OpenAI's released weights
    Import(ImportArgs),
    /// Print a model's shape, parameters, vocabulary, and what made it
    Info(InfoArgs),
    /// Compute the logits of every token of each line of standard input, in f32
    Logits(LogitsArgs),
}

fn main() -> ExitCode {
    let cli: Cli = parse_or_exit();
    run_main("model", || run(&cli))
}

fn run(cli: &Cli) -> Result<()> {
    gpt1_kernels::start(cli.threads.map(NonZeroUsize::get))?;
    match &cli.command {
        Command::Import(args) => import::run(args),
        Command::Info(args) => info::run(args),
        Command::Logits(args) => logits_file::run(args),
    }
}
