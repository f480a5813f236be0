//! Figure 2, right: what the language model knows of the tasks without being taught, over pre-training.

use super::{Section, escaped, figure, table};
use crate::plot::{Curve, Plot};
use crate::zero_shot::{Heuristic, ZeroShot};
use anyhow::{Context, anyhow};
use serde_json::json;
use std::path::{Path, PathBuf};

/// The curves of all models, and their numbers.
pub(super) fn section(dirs: &[PathBuf]) -> anyhow::Result<Option<Section>> {
    let mut runs = dirs.iter().map(|dir| read(dir)).collect::<anyhow::Result<Vec<(&str, ZeroShot)>>>()?;
    runs.sort_by_key(|(model, _)| std::cmp::Reverse(*model));
    let (mut curves, mut body, mut data) = (Vec::new(), String::new(), Vec::new());
    for (model, run) in &runs {
        for (i, task) in Heuristic::ALL.into_iter().enumerate() {
            let of_task = run.scores.iter().filter(|score| score.task == task);
            let above_chance = of_task.filter_map(|score| {
                let share = 100.0 * (score.raw - score.random) / (1.0 - score.random);
                Some((score.update? as f64, share))
            });
            let points: Vec<(f64, f64)> = above_chance.collect();
            if !points.is_empty() {
                let name = format!("{}, {model}", task.title());
                curves.push(Curve { name, points, colour: i, is_dashed: *model == "LSTM" });
            }
        }
        body += &numbers(model, run);
        data.push(json!({"model": model, "words": run.words, "scores": run.scores}));
    }
    let plot = Plot { x: "updates of pre-training", y: "of the way from chance to all right (%)", curves };
    let svg = plot.svg().map_err(|error| anyhow!("the plot of zero-shot behaviour: {error}"))?;
    if svg.is_empty() {
        return Ok(None);
    }
    let caption = "What the language model makes of tasks that it was never fine-tuned on, by the paper's heuristics, over the updates \
                   of pre-training; 0 is a random guess, 100 all answers right. The paper's figure, which gives no numbers, puts the \
                   best single model of its time at 1 instead: the tables below have that scale in small print. There, too, the \
                   Transformer's curves rise steadily and above the LSTM's.";
    let body = figure(&svg, caption) + &body;
    Ok(Some(super::section("zero_shot", "Zero-shot behaviour (figure 2, right)", body, &data)))
}

/// A row for each update, a column for each task.
fn numbers(model: &str, run: &ZeroShot) -> String {
    let tasks: Vec<Heuristic> =
        Heuristic::ALL.into_iter().filter(|task| run.scores.iter().any(|score| score.task == *task)).collect();
    let mut updates: Vec<Option<u64>> = run.scores.iter().map(|score| score.update).collect();
    updates.dedup();
    let titles = tasks.iter().map(|task| format!("{} ({})", task.title(), task.metric().name()));
    let head: Vec<String> = [format!("{}: updates", escaped(model))].into_iter().chain(titles).collect();
    let cell = |update: Option<u64>, task: Heuristic| {
        let score = run.scores.iter().find(|score| score.update == update && score.task == task);
        score.map_or_else(String::new, |score| {
            let relative = score.relative.map_or_else(String::new, |r| format!("<br><small>{r:.2}</small>"));
            format!("{:.1}{relative}", 100.0 * score.raw)
        })
    };
    let row = |update: Option<u64>| {
        let name = update.map_or_else(|| "–".to_owned(), |update| update.to_string());
        [name].into_iter().chain(tasks.iter().map(|task| cell(update, *task))).collect::<Vec<_>>()
    };
    table(&head, &updates.into_iter().map(row).collect::<Vec<_>>())
}

fn read(dir: &Path) -> anyhow::Result<(&'static str, ZeroShot)> {
    let path = dir.join("zero_shot.json");
    let text = fs_err::read(&path).context("--zero-shot wants folders written by gpt1-evaluate zero-shot")?;
    let run: ZeroShot = serde_json::from_slice(&text)
        .with_context(|| format!("{}: not written by this gpt1-evaluate", path.display()))?;
    Ok((super::architecture(&run.architecture), run))
}
