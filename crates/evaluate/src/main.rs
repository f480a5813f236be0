//! The `gpt1-evaluate` program.

use anyhow::Result;
use clap::Parser;
use gpt1_evaluate::{Options, run};
use gpt1_finetune::table;
use gpt1_kernels::Precision;
use gpt1_kernels::memory::HugePages;
use gpt1_tasks::{Split, Task};
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: HugePages = HugePages;

/// Scores a fine-tuned model on a split of its task.
///
/// Writes scores.json (with the score of the majority answer beside each) and the predictions in the benchmark's submission
/// format; prints the scores. Without labels there are predictions only.
#[derive(Parser)]
#[command(name = "gpt1-evaluate", version)]
struct Cli {
    /// The task: cola sst2 mrpc stsb qqp mnli qnli rte wnli snli scitail race storycloze
    #[arg(long)]
    task: Task,
    /// The fine-tuned model's directory
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// The folder that holds the tasks' official folders (RTE, SST-2 ...)
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// train, dev or test; for mnli also dev_mismatched and test_mismatched
    #[arg(long, default_value = "dev")]
    split: Split,
    /// The directory to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Threads [default: one for each core]; the result is the same for any number
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// What dense products are rounded to: f32, bf16, or auto (bf16 where the CPU computes it)
    #[arg(long, value_name = "PRECISION", default_value = "auto")]
    precision: String,
}

fn main() -> ExitCode {
    let cli: Cli = gpt1_artifacts::parse_or_exit();
    gpt1_artifacts::run_main("evaluate", || evaluate(cli))
}

fn evaluate(cli: Cli) -> Result<()> {
    let n_threads = gpt1_kernels::start(cli.threads.map(NonZeroUsize::get))?;
    Precision::choose(&cli.precision)?;
    let Cli { task, model, data, split, out, .. } = cli;
    let options = Options { task, model, data, split, out, n_threads };
    let done = run(&options)?;
    match &done.scores {
        Some([model, majority]) => std::io::stdout().write_all(table(model, majority).as_bytes())?,
        None => eprintln!("no scores: {}", done.report.reason.as_deref().unwrap_or_default()),
    }
    eprintln!("{}: scores.json and predictions.tsv of {} examples", done.out.display(), done.report.n);
    Ok(())
}
