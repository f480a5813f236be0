//! Table 5: what pre-training, the auxiliary objective and the Transformer are worth.

use super::{Section, beside, escaped, median_of, shown, table, title};
use crate::Report;
use crate::paper::{ABLATION_TASKS, ABLATIONS};
use gpt1_finetune::Training;
use serde_json::json;

/// Which row of the paper's table a run belongs to.
fn row_of(training: &Training) -> Option<usize> {
    if training.n_layer_transferred.is_some() {
        return None;
    }
    match (training.architecture.as_str(), training.init.as_str(), training.lm_coef > 0.0) {
        ("transformer", "pretrained", true) => Some(0),
        ("transformer", "scratch", true) => Some(1),
        ("transformer", "pretrained", false) => Some(2),
        ("lstm", "pretrained", true) => Some(3),
        _ => None,
    }
}

/// The table, if there is a run of any row but the first.
pub(super) fn section(results: &[Report]) -> Option<Section> {
    if !results.iter().any(|r| row_of(&r.training).is_some_and(|row| row > 0)) {
        return None;
    }
    let head: Vec<String> = ["method", "mean"]
        .into_iter()
        .map(str::to_owned)
        .chain(ABLATION_TASKS.iter().map(|task| escaped(&title(task))))
        .collect();
    let (mut rows, mut data) = (Vec::new(), Vec::new());
    for (i, paper) in ABLATIONS.iter().enumerate() {
        let ours =
            |task: &str| median_of(results, |r| r.task == task && r.split == "dev" && row_of(&r.training) == Some(i));
        let scores: Vec<Option<f64>> = ABLATION_TASKS.iter().map(|task| ours(task)).collect();
        let known: Vec<f64> = scores.iter().flatten().copied().collect();
        let mean = (known.len() == scores.len()).then(|| known.iter().sum::<f64>() / known.len() as f64);
        let mut cells = vec![escaped(paper.name), beside(mean, Some(paper.average))];
        cells.extend(scores.iter().zip(&paper.scores).map(|(ours, paper)| beside(*ours, Some(*paper))));
        rows.push(cells);
        let by_task: serde_json::Map<String, serde_json::Value> =
            ABLATION_TASKS.iter().zip(&scores).map(|(task, score)| ((*task).to_owned(), json!(score))).collect();
        data.push(json!({"method": paper.name, "mean": mean, "scores": by_task}));
    }
    let majority = |task: &str| {
        let result = results.iter().find(|r| r.task == task && r.split == "dev")?;
        super::of_paper_metric(task, result.majority.as_ref())
    };
    let constant: Vec<Option<f64>> = ABLATION_TASKS.iter().map(|task| majority(task)).collect();
    let mut cells = vec!["majority answer".to_owned(), String::new()];
    cells.extend(constant.into_iter().map(shown));
    rows.push(cells);
    let body = format!(
        "<p>Development sets here, each task by the metric of the paper's tables (CoLA: Matthews correlation, MRPC and QQP: F1, \
         STS-B: Pearson correlation, the others: accuracy), times 100. In small print table 5 of the paper.</p>\n\
         <div class=\"wide\">{}</div>",
        table(&head, &rows)
    );
    super::section("ablations", "Ablations (table 5)", body, &data)
}
