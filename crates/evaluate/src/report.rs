//! `scores.json`.

use gpt1_finetune::{Scored, TaskFile, Training};
use gpt1_tasks::{Dataset, Metric, scores};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The content of `scores.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The task.
    pub task: String,
    /// The split.
    pub split: String,
    /// Examples.
    pub n: usize,
    /// Each metric's value; null without labels.
    pub metrics: Option<Map<String, Value>>,
    /// The same for the best constant answer by the training split.
    pub majority: Option<Map<String, Value>>,
    /// That answer.
    pub majority_answer: Value,
    /// Mean cross-entropy; null without labels.
    pub loss: Option<f64>,
    /// Why there are no scores; absent if there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Digest of the model's directory.
    pub model: String,
    /// How the model was trained.
    pub training: Training,
}

impl Report {
    /// Puts a report together.
    pub fn new(dataset: &Dataset, scored: &Scored, file: &TaskFile, model_digest: String) -> Report {
        let n = dataset.examples.len();
        let constant = vec![file.majority(); n];
        let majority = scores(dataset.task, &constant, &dataset.examples);
        let reason =
            scored.scores.is_none().then(|| format!("the {} split has no labels in these files", dataset.split));
        Report {
            task: dataset.task.name().to_owned(),
            split: dataset.split.name().to_owned(),
            n,
            metrics: scored.scores.as_deref().map(by_name),
            majority: majority.as_deref().map(by_name),
            majority_answer: file.majority.clone(),
            loss: scored.loss,
            reason,
            model: model_digest,
            training: file.training.clone(),
        }
    }
}

fn by_name(scores: &[(Metric, f64)]) -> Map<String, Value> {
    scores.iter().map(|(metric, value)| (metric.name().to_owned(), Value::from(*value))).collect()
}
