//! The `gpt1-pipeline` program.

use clap::{Args, Parser, Subcommand};
use gpt1_artifacts::{parse_or_exit, run_main};
use gpt1_pipeline::plan::{self, Plan};
use gpt1_pipeline::run::{self, Options, RunError};
use gpt1_pipeline::scope::Settings;
use gpt1_pipeline::{command, definition, report};
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs the stages of a pipeline, skipping what is unchanged by content.
///
/// Stage programs are looked for beside this one, or in the folder that GPT1_BIN_DIR names.
#[derive(Parser)]
#[command(name = "gpt1-pipeline", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Bring a stage and all that it needs up to date
    Run {
        #[command(flatten)]
        pipeline: Pipeline,
        /// The stage to make; the definition's own target if none is named
        target: Option<String>,
        /// Run this stage even if it is unchanged (may be given several times)
        #[arg(long, value_name = "STAGE")]
        force: Vec<String>,
        /// Run this stage alone, from the results that are there
        #[arg(long, value_name = "STAGE", conflicts_with_all = ["target", "force"])]
        only: Option<String>,
        /// Say what would be run and why, with the commands, and run nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Say what is up to date, and what would run and why
    Status {
        #[command(flatten)]
        pipeline: Pipeline,
        /// The stage to look at, with all that it needs
        target: Option<String>,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what enters a stage's key, and what differs from its last result
    Explain {
        #[command(flatten)]
        pipeline: Pipeline,
        /// The stage
        stage: String,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Draw the stages in Mermaid's notation
    Graph {
        #[command(flatten)]
        pipeline: Pipeline,
        /// The stage to draw, with all that it needs
        target: Option<String>,
    },
}

#[derive(Args)]
struct Pipeline {
    /// The definition, such as pipelines/pretrain.yaml
    pipeline: PathBuf,
    /// Set a variable of the definition (NAME=VALUE; nothing after = for no value), or override a parameter of the preset
    /// (SECTION.KEY=VALUE)
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
}

impl Pipeline {
    fn plan(&self, target: Option<&str>) -> anyhow::Result<Plan> {
        let settings = Settings::parse(&self.set)?;
        Ok(plan::build(&definition::load(&self.pipeline)?, &settings, target)?)
    }
}

fn main() -> ExitCode {
    let cli: Cli = parse_or_exit();
    // A stage's exit code becomes ours.
    let mut stage_code = None;
    let code = run_main("pipeline", || {
        let outcome = run_command(&cli.command);
        stage_code = outcome.as_ref().err().and_then(|e| e.downcast_ref::<RunError>()).map(RunError::code);
        outcome
    });
    stage_code.map_or(code, ExitCode::from)
}

fn run_command(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Run { pipeline, target, force, only, dry_run } => {
            let plan = pipeline.plan(only.as_deref().or(target.as_deref()))?;
            for stage in force {
                plan.step(stage, &format!("--force {stage}"))?;
            }
            command::handle_signals()?;
            let options = Options { force: force.clone(), only: only.clone(), dry_run: *dry_run };
            run::run(&plan, &options)?;
        }
        Command::Status { pipeline, target, json } => {
            gpt1_artifacts::print(&report::status(&pipeline.plan(target.as_deref())?, *json)?)?;
        }
        Command::Explain { pipeline, stage, json } => {
            let plan = pipeline.plan(Some(stage))?;
            gpt1_artifacts::print(&report::explain(&plan, plan.step(stage, stage)?, *json)?)?;
        }
        Command::Graph { pipeline, target } => {
            gpt1_artifacts::print(&report::graph(&pipeline.plan(target.as_deref())?))?;
        }
    }
    Ok(())
}
