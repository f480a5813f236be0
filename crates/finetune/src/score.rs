//! What a model makes of a split: outputs, predictions, scores.

use crate::encode::{Encoded, Run};
use crate::runs;
use gpt1_artifacts::progress::Progress;
use gpt1_model::{Examples, Model, Workspace, classifier_loss, forward};
use gpt1_tasks::{Dataset, Metric, Target, scores};
use std::fmt::Write;

/// A model's answers to a split, in the order of its examples.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// (E, K) outputs.
    pub logits: Vec<f32>,
    /// (E) predictions.
    pub predictions: Vec<Target>,
    /// Mean cross-entropy against the target distributions; `None` without labels.
    pub loss: Option<f64>,
    /// The task's metrics; `None` without labels.
    pub scores: Option<Vec<(Metric, f64)>>,
}

/// Runs the model, without dropout, on all examples of a split; `encoded` is [`crate::encode`] of `dataset`. Examples of like
/// length are computed together; no padding is.
///
/// # Panics
/// If the model has no classifier for this task.
pub fn score(model: &Model, dataset: &Dataset, encoded: &Encoded) -> Scored {
    let n_outputs = encoded.n_outputs;
    let mut by_length: Vec<u32> = (0..encoded.n_examples() as u32).collect();
    by_length.sort_by_key(|example| encoded.n_tokens_of(*example));
    let mut logits = vec![0.0; by_length.len() * n_outputs];
    let mut loss = 0.0;
    let mut workspace = Workspace::new(&model.config);
    let mut ws = workspace.hold(model);
    let mut run = Run::default();
    let what = format!("{} {}", dataset.task.title(), dataset.split);
    let progress = Progress::brief(&what, by_length.len() as u64, "examples");
    for part in runs(&by_length, |example| encoded.n_tokens_of(example)) {
        run.fill(encoded, part, 0);
        forward(model, &run.batch, None, &mut ws);
        let examples = Examples {
            form: encoded.form,
            rows: &run.rows,
            example_ids: &run.example_ids,
            targets: &run.targets,
            weight: 1.0 / by_length.len() as f32,
            pdrop: 0.0,
        };
        let found = classifier_loss(model, &examples, None, &mut ws, None);
        loss += found.loss;
        progress.inc(part.len() as u64);
        for (example, found) in part.iter().zip(found.logits.chunks_exact(n_outputs)) {
            logits[*example as usize * n_outputs..][..n_outputs].copy_from_slice(found);
        }
    }
    let predictions: Vec<Target> = logits.chunks_exact(n_outputs).map(|x| dataset.task.predict(x)).collect();
    let scores = scores(dataset.task, &predictions, &dataset.examples);
    Scored { logits, predictions, loss: (!encoded.targets.is_empty()).then_some(loss), scores }
}

/// A small table for people: a line for each metric, the model's value and that of the majority answer.
pub fn table(model: &[(Metric, f64)], majority: &[(Metric, f64)]) -> String {
    let mut text = format!("{:<10} {:>8} {:>9}\n", "metric", "model", "majority");
    for ((metric, value), (_, constant)) in model.iter().zip(majority) {
        let _ = writeln!(text, "{:<10} {value:>8.4} {constant:>9.4}", metric.name());
    }
    text
}
