//! Table 5: what pre-training, the auxiliary objective and the Transformer are worth.

use super::{Section, beside, escaped, median_of, shown, table};
use crate::Report;
use crate::paper::{ABLATION_TASKS, ABLATIONS, Method, method};
use gpt1_tasks::Task;
use serde_json::json;

/// The table, if there is a run of any row but the first.
pub(super) fn section(results: &[Report]) -> Option<Section> {
    if !results.iter().any(|r| method(&r.training).is_some_and(|method| method != Method::Full)) {
        return None;
    }
    let tasks = ABLATION_TASKS.map(|name| name.parse::<Task>().expect("a task of the paper"));
    let head: Vec<String> = ["method", "mean"]
        .into_iter()
        .map(str::to_owned)
        .chain(tasks.iter().map(|task| escaped(task.title())))
        .collect();
    let (mut rows, mut data) = (Vec::new(), Vec::new());
    for (i, paper) in ABLATIONS.iter().enumerate() {
        let is_of_row = |r: &Report| method(&r.training).is_some_and(|method| method as usize == i);
        let ours = |task: Task| median_of(results, |r| r.task == task && is_of_row(r));
        let scores: Vec<Option<f64>> = tasks.iter().map(|task| ours(*task)).collect();
        let known: Vec<f64> = scores.iter().flatten().copied().collect();
        let mean = (known.len() == scores.len()).then(|| known.iter().sum::<f64>() / known.len() as f64);
        let mut cells = vec![escaped(paper.name), beside(mean, paper.average)];
        cells.extend(scores.iter().zip(&paper.scores).map(|(ours, paper)| beside(*ours, *paper)));
        rows.push(cells);
        let by_task: serde_json::Map<String, serde_json::Value> =
            ABLATION_TASKS.iter().zip(&scores).map(|(task, score)| ((*task).to_owned(), json!(score))).collect();
        data.push(json!({"method": paper.name, "mean": mean, "scores": by_task}));
    }
    let majority = |task: Task| {
        let result = results.iter().find(|r| r.task == task)?;
        super::of_paper_metric(task, result.majority.as_ref())
    };
    let constant: Vec<Option<f64>> = tasks.iter().map(|task| majority(*task)).collect();
    let mut cells = vec!["majority answer".to_owned(), String::new()];
    cells.extend(constant.into_iter().map(shown));
    rows.push(cells);
    let body = format!(
        "<p>Development sets here, each task by the metric of the paper's tables (CoLA: Matthews correlation, MRPC and QQP: F1, \
         STS-B: Pearson correlation, the others: accuracy), times 100. In small print table 5 of the paper.</p>\n\
         <div class=\"wide\">{}</div>",
        table(&head, &rows)
    );
    Some(super::section("ablations", "Ablations (table 5)", body, &data))
}
