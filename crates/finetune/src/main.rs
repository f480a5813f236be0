//! The `gpt1-finetune` program.

use anyhow::Result;
use clap::Parser;
use gpt1_artifacts::eprintln;
use gpt1_artifacts::preset::Preset;
use gpt1_finetune::{Ended, Init, Options, run, table};
use gpt1_kernels::Precision;
use gpt1_kernels::memory::HugePages;
use gpt1_tasks::Task;
use gpt1_training::Outcome;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: HugePages = HugePages;

/// Teaches a pre-trained model a labelled task: adds three tokens and a classifier, and trains all weights on
/// L3 = L2 + lm_coef L1.
///
/// Writes config.json, model.safetensors, vocab.json, merges.txt, tokenizer.json, task.json, metrics.jsonl, timing.jsonl and
/// an event file for TensorBoard. An interrupted run continues when the same command is given again, and ends with the same
/// bytes.
#[derive(Parser)]
#[command(name = "gpt1-finetune", version)]
struct Cli {
    /// A preset's name (tiny, small, gpt1) or file; its section "finetune" is used, and of "model" the dropout rates
    /// (from scratch the shape too)
    #[arg(long)]
    config: String,
    /// Set one key of the configuration, e.g. finetune.seed=2
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    #[arg(long, help = format!("The task: {}", Task::names()))]
    task: Task,
    /// A pre-trained model's directory, or "scratch" for random weights
    #[arg(long, value_name = "DIR|scratch")]
    init: Init,
    /// The directory of vocab.json and merges.txt [default: that of --init]
    #[arg(long, value_name = "DIR")]
    tokenizer: Option<PathBuf>,
    /// The folder that holds the tasks' official folders (RTE, SST-2 ...)
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The directory to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Threads [default: one for each core]; the result is the same for any number
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// What dense products are rounded to: f32, bf16, or auto (what this CPU computes faster)
    #[arg(long, value_name = "PRECISION", default_value = "auto")]
    precision: String,
}

fn main() -> ExitCode {
    let cli: Cli = gpt1_artifacts::parse_or_exit();
    gpt1_training::run_main("finetune", || finetune(cli))
}

fn finetune(cli: Cli) -> Result<Outcome> {
    let preset = Preset::load(&cli.config, &cli.sets)?;
    let n_threads = gpt1_kernels::start(cli.threads.map(NonZeroUsize::get))?;
    Precision::choose(&cli.precision)?;
    let Cli { task, init, tokenizer, data, out, .. } = cli;
    let from = if init == Init::Scratch { "scratch" } else { "the pre-trained model" };
    let options = Options { preset, task, init, tokenizer, data, out, n_threads };
    match run(&options)? {
        Ended::Interrupted { signal } => Ok(Outcome::Interrupted { signal }),
        Ended::Finished(done) => {
            gpt1_artifacts::print(&table(&done.dev, &done.majority))?;
            eprintln!(
                "{}: {} fine-tuned from {from}; scores on the development set above",
                done.out.display(),
                task.title()
            );
            eprintln!(
                "next: gpt1-evaluate --task {task} --model {} --data {} --split dev --out DIR",
                done.out.display(),
                options.data.display()
            );
            Ok(Outcome::Finished)
        }
    }
}
