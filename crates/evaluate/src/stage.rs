//! The stage: a model, a split, an output directory.

use crate::{EvaluateError, Report};
use gpt1_artifacts::eprintln;
use gpt1_artifacts::manifest::Manifest;
use gpt1_artifacts::output::{OutputDir, write_atomic, write_json};
use gpt1_artifacts::version;
use gpt1_finetune::{Scored, TaskModel, encode, score};
use gpt1_tasks::{Metric, Split, Task, read, scores, submission_name, write_submission};
use serde_json::json;
use std::path::PathBuf;

/// The name of the predictions whatever the task; the benchmark's own name is given too.
const PREDICTIONS: &str = "predictions.tsv";

/// What to evaluate on what.
#[derive(Debug, Clone)]
pub struct Options {
    /// The task.
    pub task: Task,
    /// The fine-tuned model's directory; for AX that of a model of MNLI.
    pub model: PathBuf,
    /// The folder that holds the tasks' official folders.
    pub data: PathBuf,
    /// The split.
    pub split: Split,
    /// The directory to write.
    pub out: PathBuf,
    /// Threads at work, for the record; they are rayon's.
    pub n_threads: usize,
}

/// A finished evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    /// Its directory.
    pub out: PathBuf,
    /// What stands in `scores.json`.
    pub report: Report,
    /// The model's scores and those of the majority answer; `None` without labels.
    pub scores: Option<[Vec<(Metric, f64)>; 2]>,
}

/// Runs a fine-tuned model on a split and writes `scores.json` and the predictions, as `predictions.tsv` and under the
/// benchmark's name.
///
/// # Errors
/// Anything wrong with model, data or output; an earlier output is then untouched.
pub fn run(options: &Options) -> Result<Evaluated, EvaluateError> {
    let Options { task, split, .. } = *options;
    let TaskModel { file, model, encoder } = TaskModel::load(&options.model, task.trained_on())?;
    let dataset = read(task, &options.data, split)?;

    let precision = gpt1_kernels::Precision::chosen().name();
    let resolved = json!({"task": task, "split": split.name(), "precision": precision});
    let mut manifest = Manifest::start("evaluate", version::EVALUATE, &resolved);
    let model_digest = manifest.input("model", &options.model)?;
    manifest.inputs("data", &dataset.files)?;
    manifest.n_threads = options.n_threads;
    let out = OutputDir::begin(&options.out, &manifest.run_key())?;

    let encoded = encode(&dataset, &encoder, &file.special(), model.config.n_positions)?;
    eprintln!(
        "{} {split}: {} examples, {} tokens, {} examples cut to fit {} tokens",
        task.title(),
        encoded.n_examples(),
        encoded.n_tokens(),
        encoded.n_truncated,
        model.config.n_positions
    );
    for note in &dataset.notes {
        eprintln!("  {note}");
    }
    let scored = score(&model, &dataset, &encoded);
    check_finite(options, &dataset.examples, &scored, encoded.n_outputs)?;

    let benchmark = submission_name(task, split);
    for name in [PREDICTIONS, benchmark] {
        write_atomic(&out.join(name), |w| write_submission(task, &dataset.examples, &scored.predictions, w))?;
    }
    let report = Report::new(&dataset, &scored, &file, &model.config, model_digest);
    write_json(&out.join("scores.json"), &report)?;
    let out = out.commit(manifest)?;
    let majority = scores(task, &vec![file.majority(); dataset.examples.len()], &dataset.examples);
    Ok(Evaluated { out, report, scores: scored.scores.map(|model| [model, majority.unwrap_or_default()]) })
}

fn check_finite(
    options: &Options,
    examples: &[gpt1_tasks::Example],
    scored: &Scored,
    n_outputs: usize,
) -> Result<(), EvaluateError> {
    for (example, logits) in examples.iter().zip(scored.logits.chunks_exact(n_outputs)) {
        if !logits.iter().all(|x| x.is_finite()) {
            return Err(EvaluateError::NotFinite {
                model: options.model.clone(),
                id: example.id.clone(),
                logits: logits.to_vec(),
            });
        }
    }
    Ok(())
}
