//! Figure 2, left: what each transferred layer is worth.

use super::{Section, escaped, figure, median_of, shown, table};
use crate::Report;
use crate::paper::{Method, method};
use crate::plot::{Curve, Plot};
use anyhow::anyhow;
use gpt1_tasks::Task;
use serde_json::json;

/// Tasks of which some layers were transferred: the score over their number, beside that of random weights.
pub(super) fn section(results: &[Report]) -> anyhow::Result<Option<Section>> {
    let mut tasks: Vec<Task> = Vec::new();
    for result in results.iter().filter(|r| r.training.n_layer_transferred.is_some()) {
        if !tasks.contains(&result.task) {
            tasks.push(result.task);
        }
    }
    let largest = results.iter().filter_map(|r| r.training.n_layer_transferred).max().unwrap_or(0);
    let (mut curves, mut rows, mut data) = (Vec::new(), Vec::new(), Vec::new());
    for (i, task) in tasks.into_iter().enumerate() {
        let at = |n: usize| median_of(results, |r| r.task == task && r.training.n_layer_transferred == Some(n));
        let points: Vec<(f64, f64)> = (0..=largest).filter_map(|n| Some((n as f64, at(n)?))).collect();
        let name = task.title();
        let is_scratch = |r: &Report| method(&r.training) == Some(Method::WithoutPretraining);
        let scratch = median_of(results, |r| r.task == task && is_scratch(r));
        if let Some(y) = scratch {
            let points = vec![(0.0, y), (largest as f64, y)];
            curves.push(Curve { name: format!("{name}, scratch"), points, colour: i, is_dashed: true });
        }
        let mut of_task = results.iter().filter(|r| r.task == task);
        let majority = of_task.find_map(|r| super::of_paper_metric(task, r.majority.as_ref()));
        let cells = [scratch, majority].into_iter().map(shown);
        let values = points.iter().map(|p| shown(Some(p.1)));
        rows.push([escaped(name)].into_iter().chain(values).chain(cells).collect::<Vec<_>>());
        data.push(json!({"task": task, "layers": points, "scratch": scratch, "majority": majority}));
        curves.push(Curve { name: name.to_owned(), points, colour: i, is_dashed: false });
    }
    let plot = Plot { x: "layers transferred", y: "score", curves };
    let svg = plot.svg().map_err(|error| anyhow!("the plot of layers transferred: {error}"))?;
    if svg.is_empty() {
        return Ok(None);
    }
    let caption = "The score on the development set over the number of blocks taken from the pre-trained model, the embeddings \
                   always among them; the blocks above begin with random weights. Broken lines: nothing taken. The paper, for \
                   12 layers: each helps, all together by up to 9 points on MultiNLI over the embeddings alone.";
    let head: Vec<String> = ["layers".to_owned()]
        .into_iter()
        .chain((0..=largest).map(|n| n.to_string()))
        .chain(["scratch".to_owned(), "majority".to_owned()])
        .collect();
    let body = figure(&svg, caption) + &format!("<div class=\"wide\">{}</div>", table(&head, &rows));
    Ok(Some(super::section("layers_transferred", "Layers transferred (figure 2, left)", body, &data)))
}
