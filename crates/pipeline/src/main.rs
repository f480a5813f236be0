//! The `gpt1-pipeline` program.

use anyhow::{Context, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};
use gpt1_artifacts::{eprint, eprintln, parse_or_exit, preset, run_main};
use gpt1_pipeline::error::RunError;
use gpt1_pipeline::graph::{self, Format};
use gpt1_pipeline::names::{self, Pattern};
use gpt1_pipeline::plan::{self, Plan};
use gpt1_pipeline::run::{self, Options};
use gpt1_pipeline::scope::Settings;
use gpt1_pipeline::{command, definition, diff, gc, report, verify};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

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
        /// Run up to so many stages at once; the cores are divided among them
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
        jobs: u16,
        /// Run pre-training as so many processes, under mpirun (or what GPT1_MPIRUN says); its result differs by rounding only
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
        ranks: u16,
        /// Say what would be run and why, with the commands and what earlier runs took, and run nothing
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
    /// Draw the stages and what flows between them
    Graph {
        #[command(flatten)]
        pipeline: Pipeline,
        /// The stage to draw, with all that it needs
        target: Option<String>,
        /// The notation
        #[arg(long, value_enum, default_value = "mermaid")]
        format: Format,
    },
    /// Say in what two results differ, the first cause first
    Diff {
        /// A result: its readable name or its folder
        a: PathBuf,
        /// The other
        b: PathBuf,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove the results that no pipeline refers to: those without a readable name that a stage can have
    Gc {
        #[command(flatten)]
        pipelines: Pipelines,
        /// Also what interrupted runs have left, with which they could go on
        #[arg(long)]
        interrupted: bool,
        /// Say what would be removed, and remove nothing
        #[arg(long, conflicts_with = "yes")]
        dry_run: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Read every file of every result again and compare it with what was recorded
    Verify {
        #[command(flatten)]
        pipelines: Pipelines,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema with which editors complete and check pipelines/*.yaml, or presets
    Schema {
        /// Of what
        #[arg(value_enum, default_value = "pipeline")]
        of: Of,
    },
}

/// Definitions, all of which count.
#[derive(Args)]
struct Pipelines {
    /// Definitions; all of the folder pipelines if none is named
    pipelines: Vec<PathBuf>,
    /// Set a variable of the definitions, such as out=FOLDER
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
}

impl Pipelines {
    /// The folders of results with the names that stages can have there.
    fn patterns(&self) -> anyhow::Result<BTreeMap<PathBuf, Vec<Pattern>>> {
        let mut paths = self.pipelines.clone();
        if paths.is_empty() {
            let entries = fs_err::read_dir("pipelines").context("no definition is named")?;
            paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
            paths.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
            paths.sort();
        }
        let settings = Settings::parse(&self.set)?;
        let mut folders: BTreeMap<PathBuf, Vec<Pattern>> = BTreeMap::new();
        for path in paths {
            let (artifacts, patterns) = names::patterns(&definition::load(&path)?, &settings)?;
            folders.entry(artifacts).or_default().extend(patterns);
        }
        Ok(folders)
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Of {
    Pipeline,
    Preset,
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
        Command::Run { pipeline, target, force, only, jobs, ranks, dry_run } => {
            let plan = pipeline.plan(only.as_deref().or(target.as_deref()))?;
            for stage in force {
                plan.step(stage, &format!("--force {stage}"))?;
            }
            command::handle_signals()?;
            let options = Options {
                force: force.clone(),
                only: only.clone(),
                dry_run: *dry_run,
                n_jobs: (*jobs).into(),
                n_ranks: *ranks,
            };
            run::run(&plan, &options)?;
        }
        Command::Status { pipeline, target, json } => {
            gpt1_artifacts::print(&report::status(&pipeline.plan(target.as_deref())?, *json)?)?;
        }
        Command::Explain { pipeline, stage, json } => {
            let plan = pipeline.plan(Some(stage))?;
            gpt1_artifacts::print(&report::explain(&plan, plan.step(stage, stage)?, *json)?)?;
        }
        Command::Graph { pipeline, target, format } => {
            gpt1_artifacts::print(&graph::draw(&pipeline.plan(target.as_deref())?, *format))?;
        }
        Command::Diff { a, b, json } => {
            let differences = diff::diff(a, b)?;
            gpt1_artifacts::print(&if *json { pretty(&differences)? } else { differences.text() })?;
        }
        Command::Gc { pipelines, interrupted, dry_run, yes } => {
            for (artifacts, patterns) in pipelines.patterns()? {
                collect_garbage(&artifacts, &patterns, *interrupted, *dry_run, *yes)?;
            }
        }
        Command::Verify { pipelines, json } => {
            let folders = pipelines.patterns()?;
            let mut whole = true;
            for artifacts in folders.keys() {
                let started = Instant::now();
                let findings = verify::verify(artifacts)?;
                let (seconds, n_bytes) = (started.elapsed().as_secs_f64(), findings.n_bytes);
                gpt1_artifacts::print(&if *json { pretty(&findings)? } else { findings.list() })?;
                eprintln!(
                    "{}: {} results, {} files, {} read in {seconds:.1} s ({}/s)",
                    artifacts.display(),
                    findings.n_results,
                    findings.n_files,
                    names::bytes(n_bytes),
                    names::bytes((n_bytes as f64 / seconds) as u64)
                );
                whole &= findings.is_whole();
            }
            ensure!(
                whole,
                "some results are not what was recorded\n  hint: run the pipelines again; what is damaged is made again"
            );
            eprintln!("all is as it was recorded");
        }
        Command::Schema { of } => {
            let schema = match of {
                Of::Pipeline => definition::json_schema(),
                Of::Preset => preset::json_schema(),
            };
            gpt1_artifacts::print(&pretty(schema)?)?;
        }
    }
    Ok(())
}

/// Says what can be removed, asks where there is somebody to ask, and removes it.
fn collect_garbage(
    artifacts: &Path,
    patterns: &[Pattern],
    interrupted: bool,
    dry_run: bool,
    yes: bool,
) -> anyhow::Result<()> {
    let garbage = gc::find(artifacts, patterns, interrupted)?;
    gpt1_artifacts::print(&garbage.list())?;
    if dry_run || garbage.is_empty() {
        return Ok(());
    }
    let on_terminal = std::io::stdin().is_terminal();
    let wanted = yes
        || on_terminal && {
            eprint!("remove them? [y/N] ");
            let mut answer = String::new();
            std::io::stdin().read_line(&mut answer)?;
            matches!(answer.trim(), "y" | "Y" | "yes")
        };
    if wanted {
        eprintln!("freed {}", names::bytes(garbage.remove()?));
    } else {
        eprintln!("nothing was removed{}", if on_terminal { "" } else { "; --yes removes it" });
    }
    Ok(())
}

fn pretty(value: &impl serde::Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}
