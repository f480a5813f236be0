//! The `gpt1-evaluate` program.

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use gpt1_artifacts::eprintln;
use gpt1_evaluate::page::{self, ReportArgs};
use gpt1_evaluate::table::{self, TableArgs};
use gpt1_evaluate::zero_shot::{self, ZeroShotArgs};
use gpt1_evaluate::{Options, run};
use gpt1_kernels::Precision;
use gpt1_kernels::memory::HugePages;
use gpt1_tasks::{Split, Task};
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
#[command(name = "gpt1-evaluate", version, args_conflicts_with_subcommands = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    evaluate: Option<EvaluateArgs>,
}

#[derive(Subcommand)]
enum Command {
    /// Collect the scores of all evaluations into one table, beside the paper's.
    Table(TableArgs),
    /// Score a language model that was never fine-tuned on tasks, by the paper's heuristics.
    ZeroShot(ZeroShotArgs),
    /// Draw the paper's figures and tables from results, as one HTML page.
    Report(ReportArgs),
}

#[derive(Args)]
struct EvaluateArgs {
    #[arg(long, help = format!("The task: {}", Task::names()))]
    task: Task,
    /// The fine-tuned model's directory; for ax that of a model of mnli
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
    /// What dense products are rounded to: f32, bf16, or auto (what this CPU computes faster)
    #[arg(long, value_name = "PRECISION", default_value = "auto")]
    precision: String,
}

fn main() -> ExitCode {
    let cli: Cli = gpt1_artifacts::parse_or_exit();
    gpt1_artifacts::run_main("evaluate", || match (cli.command, cli.evaluate) {
        (Some(Command::Table(args)), _) => table::run(&args),
        (Some(Command::ZeroShot(args)), _) => zero_shot::run(&args),
        (Some(Command::Report(args)), _) => page::run(&args),
        (None, Some(args)) => evaluate(args),
        (None, None) => {
            anyhow::bail!("expected --task, --model, --data and --out, or a subcommand (table, zero-shot, report)")
        }
    })
}

fn evaluate(args: EvaluateArgs) -> Result<()> {
    let n_threads = gpt1_kernels::start(args.threads.map(NonZeroUsize::get))?;
    Precision::choose(&args.precision)?;
    let EvaluateArgs { task, model, data, split, out, .. } = args;
    let options = Options { task, model, data, split, out, n_threads };
    let done = run(&options)?;
    match &done.scores {
        Some([model, majority]) => {
            let mut table = gpt1_finetune::table(model, majority);
            done.report.write_groups(&mut table);
            gpt1_artifacts::print(&table)?;
        }
        None => eprintln!("no scores: {}", done.report.reason.as_deref().unwrap_or_default()),
    }
    eprintln!("{}: scores.json and predictions.tsv of {} examples", done.out.display(), done.report.n);
    Ok(())
}
