//! `gpt1-evaluate zero-shot`: what a language model that has learned no task makes of tasks, by the heuristics of the paper's
//! section 5, and over its pre-training where snapshots were kept (figure 2, right).
//!
//! `heuristics` turns a task's examples into questions to a language model and its answers into a score, `likelihood` asks.

mod heuristics;
mod likelihood;

pub use heuristics::Heuristic;
pub use likelihood::{Likelihood, Question, likelihoods};

use anyhow::{Context, ensure};
use clap::Args;
use gpt1_artifacts::eprintln;
use gpt1_artifacts::manifest::Manifest;
use gpt1_artifacts::output::{OutputDir, write_json};
use gpt1_artifacts::version;
use gpt1_kernels::Precision;
use gpt1_model::{Config, Model};
use gpt1_tasks::Split;
use gpt1_tokenize::Encoder;
use heuristics::{Asked, Words};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// The command line of `gpt1-evaluate zero-shot`.
#[derive(Args, Debug, Clone)]
pub struct ZeroShotArgs {
    /// The language model's directory, such as that of gpt1-pretrain
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// The folder that holds the tasks' official folders (CoLA, SST-2, RACE, Winograd)
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The directory to write: zero_shot.json
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The tasks: cola, sst2, race, dprd, and wsc, which the paper does not have
    #[arg(long, value_delimiter = ',', default_value = "cola,sst2,race,dprd")]
    pub tasks: Vec<Heuristic>,
    /// train or dev, or a test split with labels; of Winograd schemas there is no dev, so that dprd is scored on test unless
    /// this is train
    #[arg(long, default_value = "dev")]
    pub split: Split,
    /// Score the model's snapshots (pretrain.n_snapshots) instead of the model alone
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_value_t = false, default_missing_value = "true",
        action = clap::ArgAction::Set)]
    pub snapshots: bool,
    /// For sst2: the words that stand for a good and for a bad review
    #[arg(long, value_name = "GOOD,BAD", default_value = "positive,negative")]
    pub words: Words,
    /// Use only the first so many examples of each split [default: all]
    #[arg(long, value_name = "N")]
    pub max_examples: Option<NonZeroUsize>,
    /// Threads [default: one for each core]; the result is the same for any number
    #[arg(long)]
    pub threads: Option<NonZeroUsize>,
    /// What dense products are rounded to: f32, bf16, or auto (what this CPU computes faster)
    #[arg(long, value_name = "PRECISION", default_value = "auto")]
    pub precision: String,
}

/// The content of `zero_shot.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ZeroShot {
    /// Digest of the model's directory.
    pub model: String,
    /// `transformer` or `lstm`.
    pub architecture: String,
    /// The split asked for.
    pub split: String,
    /// The words of SST-2.
    pub words: Words,
    /// Update after update, in each the tasks in the order asked for.
    pub scores: Vec<Score>,
}

/// A task's score after some pre-training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Updates of pre-training; null where the model's directory does not say.
    pub update: Option<u64>,
    /// The task.
    pub task: Heuristic,
    /// `accuracy`, or `matthews` for CoLA.
    pub metric: String,
    /// Its value: from 0 to 1, Matthews' coefficient from -1.
    pub raw: f64,
    /// What random guesses reach.
    pub random: f64,
    /// The best single model before the paper; null where there is none to compare with.
    pub sota: Option<f64>,
    /// (raw - random) / (sota - random), the ordinate of figure 2.
    pub relative: Option<f64>,
    /// Examples scored.
    pub n: usize,
    /// CoLA: the mean ln p above which a sentence is said to be one, the best on the training set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

/// Runs the subcommand.
///
/// # Errors
/// Anything wrong with model, data or output; an earlier output is then untouched.
pub fn run(args: &ZeroShotArgs) -> anyhow::Result<()> {
    let n_threads = gpt1_kernels::start(args.threads.map(NonZeroUsize::get))?;
    let precision = Precision::choose(&args.precision)?.name();
    let models = models(&args.model, args.snapshots)?;
    let encoder = Encoder::from_dir(&args.model)?;
    let max_examples = args.max_examples.map_or(usize::MAX, NonZeroUsize::get);
    let mut asked = Vec::new();
    for task in &args.tasks {
        let read = task.read(&args.data, args.split, &encoder, &args.words, max_examples)?;
        eprintln!("{}: {} examples", task.title(), read.n_examples());
        read.notes.iter().for_each(|note| eprintln!("  {note}"));
        asked.push((*task, read));
    }

    let resolved = json!({
        "tasks": args.tasks, "split": args.split.name(), "snapshots": args.snapshots, "words": args.words,
        "max_examples": args.max_examples, "precision": precision,
    });
    let mut manifest = Manifest::start("evaluate zero-shot", version::ZERO_SHOT, &resolved);
    let model_digest = manifest.input("model", &args.model)?;
    for (task, Asked { files, .. }) in &asked {
        manifest.inputs(task.name(), files)?;
    }
    manifest.n_threads = n_threads;
    let out = OutputDir::begin(&args.out, &manifest.run_key())?;

    let mut scores = Vec::new();
    for (update, dir) in models {
        let model = Model::load(&dir)?;
        check_vocabulary(&model, &encoder, &dir, &args.model)?;
        for (task, asked) in &asked {
            let what = update.map_or_else(|| task.title().to_owned(), |n| format!("update {n}: {}", task.title()));
            let judged = asked.judge(&model, &what).with_context(|| dir.display().to_string())?;
            scores.push(score(update, *task, asked.n_examples(), judged));
        }
    }
    let result = ZeroShot {
        model: model_digest,
        architecture: Config::read(&args.model)?.architecture().to_owned(),
        split: args.split.name().to_owned(),
        words: args.words.clone(),
        scores,
    };
    write_json(&out.join("zero_shot.json"), &result)?;
    let out = out.commit(manifest)?;
    gpt1_artifacts::print(&markdown(&result.scores))?;
    eprintln!("{}: zero_shot.json", out.display());
    Ok(())
}

fn score(update: Option<u64>, task: Heuristic, n: usize, (raw, threshold): (f64, Option<f64>)) -> Score {
    let (random, sota) = (task.random(), task.sota());
    let relative = sota.map(|sota| (raw - random) / (sota - random));
    Score { update, task, metric: task.metric().name().to_owned(), raw, random, sota, relative, n, threshold }
}

/// The models to score, with their updates: the snapshots, or the one in the directory.
fn models(dir: &Path, of_snapshots: bool) -> anyhow::Result<Vec<(Option<u64>, PathBuf)>> {
    if !of_snapshots {
        // What gpt1-pretrain notes; another program's directory does not say.
        let update = Manifest::read(dir).ok().and_then(|manifest| manifest.extra.get("n_updates")?.as_u64());
        return Ok(vec![(update, dir.to_owned())]);
    }
    let found = gpt1_model::snapshots(dir)?;
    ensure!(
        !found.is_empty(),
        "{}: no snapshots here (snapshots/update-...)\n  hint: pre-train with --set pretrain.n_snapshots=8, or leave out --snapshots",
        dir.display()
    );
    Ok(found.into_iter().map(|(update, path)| (Some(update), path)).collect())
}

/// The model must know every token of the vocabulary; a fine-tuned one knows three more.
fn check_vocabulary(model: &Model, encoder: &Encoder, dir: &Path, tokenizer: &Path) -> anyhow::Result<()> {
    ensure!(
        model.config.vocab_size >= encoder.n_vocab(),
        "{}: the model has {} tokens, but the vocabulary in {} has {}\n  hint: copy the vocabulary that the model was trained with",
        dir.display(),
        model.config.vocab_size,
        tokenizer.display(),
        encoder.n_vocab()
    );
    Ok(())
}

/// A row for each update, for each task its score in percent and, in brackets, where that lies between chance and the best.
fn markdown(scores: &[Score]) -> String {
    let mut text = String::from("| updates |");
    let n_tasks = scores.iter().take_while(|score| score.update == scores[0].update).count().max(1);
    for score in &scores[..n_tasks.min(scores.len())] {
        let _ = write!(text, " {} ({}) |", score.task.title(), score.metric);
    }
    let _ = writeln!(text, "\n|{}", " ---: |".repeat(n_tasks + 1));
    for row in scores.chunks(n_tasks) {
        let update = row[0].update.map_or("-".to_owned(), |update| update.to_string());
        let _ = write!(text, "| {update} |");
        for score in row {
            let relative = score.relative.map_or("-".to_owned(), |relative| format!("{relative:.3}"));
            let _ = write!(text, " {:.1} ({relative}) |", 100.0 * score.raw);
        }
        text.push('\n');
    }
    text.push_str("\nIn percent; in brackets 0 for random guesses, 1 for the best single model before the paper.\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_lie_between_chance_and_the_best() {
        let found = score(Some(3), Heuristic::Dprd, 10, (0.632, None));
        assert!((found.relative.unwrap() - 0.5).abs() < 1e-12);
        assert_eq!((found.metric.as_str(), found.random, found.n), ("accuracy", 0.5, 10));
        let scores =
            [found, score(Some(3), Heuristic::Wsc, 4, (0.5, None)), score(Some(40), Heuristic::Dprd, 10, (0.5, None))];
        let table = markdown(&scores[..2]);
        assert!(
            table.starts_with("| updates | DPRD (accuracy) | WSC (accuracy) |\n| ---: | ---: | ---: |\n"),
            "{table}"
        );
        assert!(table.contains("\n| 3 | 63.2 (0.500) | 50.0 (-) |\n"), "{table}");
        assert_eq!(markdown(&scores).lines().filter(|line| line.starts_with('|')).count(), 4);
    }
}
