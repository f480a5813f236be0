//! `scores.json`.

use gpt1_finetune::{Scored, TaskFile, Training};
use gpt1_model::Config;
use gpt1_tasks::{Dataset, Metric, Target, Task, group_scores, scores};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// The content of `scores.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The task.
    pub task: Task,
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
    /// Of each part that is scored by itself too (RACE's middle and high school): n, metrics, majority; absent if the task
    /// has none.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub groups: Map<String, Value>,
    /// Mean cross-entropy; null without labels.
    pub loss: Option<f64>,
    /// Why there are no scores; absent if there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Digest of the model's directory.
    pub model: String,
    /// How the model was trained.
    pub training: Training,
    /// The model's size: n_layer, n_head, n_embd, n_ctx.
    pub shape: Value,
}

impl Report {
    /// Puts a report together.
    pub fn new(dataset: &Dataset, scored: &Scored, file: &TaskFile, config: &Config, model_digest: String) -> Report {
        let n = dataset.examples.len();
        let constant = vec![file.majority(); n];
        let majority = scores(dataset.task, &constant, &dataset.examples);
        let reason =
            scored.scores.is_none().then(|| format!("the {} split has no labels in these files", dataset.split));
        Report {
            task: dataset.task,
            split: dataset.split.name().to_owned(),
            n,
            metrics: scored.scores.as_deref().map(by_name),
            majority: majority.as_deref().map(by_name),
            majority_answer: file.majority.clone(),
            groups: groups(dataset, &scored.predictions, &constant),
            loss: scored.loss,
            reason,
            model: model_digest,
            training: file.training.clone(),
            shape: json!({
                "n_layer": config.n_layer, "n_head": config.n_head, "n_embd": config.n_embd, "n_ctx": config.n_positions,
            }),
        }
    }

    /// Adds a line for each group to the table of [`gpt1_finetune::table`]: its first metric.
    pub fn write_groups(&self, table: &mut String) {
        for (group, scores) in &self.groups {
            let first = |of: &str| scores[of].as_object()?.values().next()?.as_f64();
            if let (Some(model), Some(majority)) = (first("metrics"), first("majority")) {
                let _ = writeln!(table, "{:<10} {model:>8.4} {majority:>9.4}", format!("  {group}"));
            }
        }
    }
}

fn groups(dataset: &Dataset, predictions: &[Target], constant: &[Target]) -> Map<String, Value> {
    let of = |predictions| group_scores(dataset.task, predictions, &dataset.examples);
    let both = of(predictions).into_iter().zip(of(constant));
    both.map(|(model, majority)| {
        let value = json!({"n": model.n, "metrics": by_name(&model.scores), "majority": by_name(&majority.scores)});
        (model.name.to_owned(), value)
    })
    .collect()
}

fn by_name(scores: &[(Metric, f64)]) -> Map<String, Value> {
    scores.iter().map(|(metric, value)| (metric.name().to_owned(), Value::from(*value))).collect()
}
