//! The `gpt1-pretrain` program.

use clap::{Parser, Subcommand};
use gpt1_kernels::memory::HugePages;
use gpt1_pretrain::bench::{self, BenchArgs};
use gpt1_pretrain::sample::{self, SampleArgs};
use gpt1_pretrain::train::{self, TrainArgs};
use gpt1_training::Outcome;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: HugePages = HugePages;

/// Learn a language model from token shards (GPT-1's generative pre-training).
///
/// An interrupted run (Ctrl-C, kill) continues when the same command is given again, and ends with the same model.
#[derive(Parser, Debug)]
#[command(name = "gpt1-pretrain", version, args_conflicts_with_subcommands = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    train: Option<TrainArgs>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Draw continuations of a text from a model.
    Sample(SampleArgs),
    /// Measure how fast this machine trains, evaluates and samples.
    Bench(BenchArgs),
}

fn main() -> ExitCode {
    let cli: Cli = gpt1_artifacts::parse_or_exit();
    if let Some(code) = gpt1_ranks::guard() {
        return code;
    }
    gpt1_training::run_main("pretrain", || match (cli.command, cli.train) {
        (Some(Command::Sample(args)), _) => sample::run(&args).map(|()| Outcome::Finished),
        (Some(Command::Bench(args)), _) => bench::run(&args).map(|()| Outcome::Finished),
        (None, Some(args)) => train::run(&args),
        (None, None) => {
            anyhow::bail!("expected --config, --shards, --tokenizer and --out, or a subcommand (sample, bench)")
        }
    })
}
