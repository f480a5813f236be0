//! Generative pre-training: the loss of held-out text over the updates; learning rate and gradient norm.

use super::{Section, escaped, figure, table};
use crate::plot::{Curve, Plot};
use anyhow::{Context, anyhow};
use gpt1_artifacts::manifest::Manifest;
use gpt1_model::Config;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What a pre-training has recorded.
struct Run {
    name: String,
    n_params: u64,
    /// (update, loss of the batch).
    training: Vec<(f64, f64)>,
    /// (update, loss of the validation windows).
    validation: Vec<(f64, f64)>,
    /// (update, learning rate).
    learning_rate: Vec<(f64, f64)>,
    /// (update, norm of the gradient before clipping).
    grad_norm: Vec<(f64, f64)>,
    perplexity: Option<f64>,
    unigram_perplexity: Option<f64>,
}

/// The curves and the last numbers of some pre-trainings.
pub(super) fn section(dirs: &[PathBuf]) -> anyhow::Result<Option<Section>> {
    let mut runs = dirs.iter().map(|dir| read(dir)).collect::<anyhow::Result<Vec<Run>>>()?;
    // The Transformer before the LSTM, whatever their folders are called.
    runs.sort_by(|a, b| b.name.cmp(&a.name));
    let (mut curves, mut rows, mut data) = (Vec::new(), Vec::new(), Vec::new());
    for (i, run) in runs.iter().enumerate() {
        let curve = |what: &str, points: &[(f64, f64)], is_dashed| Curve {
            name: format!("{}, {what}", run.name),
            points: points.to_vec(),
            colour: i,
            is_dashed,
        };
        curves.push(curve("validation", &run.validation, false));
        curves.push(curve("training", &smoothed(&run.training), true));
        let two = |x: Option<f64>| x.map_or_else(|| "–".to_owned(), |x| format!("{x:.2}"));
        rows.push(vec![
            escaped(&run.name),
            format!("{:.2} M", run.n_params as f64 / 1e6),
            run.validation.last().map_or_else(String::new, |p| format!("{}", p.0)),
            two(run.perplexity),
            two(run.unigram_perplexity),
        ]);
        data.push(json!({
            "model": run.name, "n_params": run.n_params, "perplexity": run.perplexity,
            "unigram_perplexity": run.unigram_perplexity, "validation": run.validation,
        }));
    }
    let plot = Plot { x: "updates", y: "loss (nats a token)", curves };
    let svg = plot.svg().map_err(|error| anyhow!("the plot of pre-training: {error}"))?;
    if svg.is_empty() {
        return Ok(None);
    }
    let caption =
        "Mean loss of the next token: of held-out text, and of the training batches (means of their neighbours).";
    let mut others = String::new();
    for (y, caption, of) in [
        ("learning rate", "The learning rate.", (|run| run.learning_rate.clone()) as fn(&Run) -> Vec<(f64, f64)>),
        ("gradient norm", "The norm of the gradient before it is clipped (means of neighbours).", |run| {
            smoothed(&run.grad_norm)
        }),
    ] {
        let curve =
            |(i, run): (usize, &Run)| Curve { name: run.name.clone(), points: of(run), colour: i, is_dashed: false };
        let plot = Plot { x: "updates", y, curves: runs.iter().enumerate().map(curve).collect() };
        let svg = plot.svg().map_err(|error| anyhow!("the plot of the {y}: {error}"))?;
        if !svg.is_empty() {
            others += &figure(&svg, caption);
        }
    }
    let head = ["model", "parameters", "updates", "perplexity", "of a unigram model"].map(str::to_owned);
    let body = figure(&svg, caption)
        + &format!("<div class=\"wide\">{}</div>", table(&head, &rows))
        + "<p>The paper: perplexity 18.4 on BooksCorpus (4.1), with another vocabulary and text.</p>\n"
        + &others;
    Ok(Some(super::section("pretraining", "Generative pre-training", body, &data)))
}

fn read(dir: &Path) -> anyhow::Result<Run> {
    let config = Config::read(dir)?;
    let manifest = Manifest::read(dir)?;
    let path = dir.join("metrics.jsonl");
    let text = fs_err::read_to_string(&path).context("--pretrain wants folders written by gpt1-pretrain")?;
    let (mut training, mut validation) = (Vec::new(), Vec::new());
    let (mut learning_rate, mut grad_norm) = (Vec::new(), Vec::new());
    for (i, line) in text.lines().enumerate() {
        let at: Value =
            serde_json::from_str(line).with_context(|| format!("{}:{}: not JSON", path.display(), i + 1))?;
        let Some(update) = at["update"].as_f64() else { continue };
        let curves = [
            ("loss", &mut training),
            ("validation_loss", &mut validation),
            ("learning_rate", &mut learning_rate),
            ("grad_norm", &mut grad_norm),
        ];
        for (name, points) in curves {
            points.extend(at[name].as_f64().map(|value| (update, value)));
        }
    }
    Ok(Run {
        name: super::architecture(config.architecture()).to_owned(),
        n_params: manifest.extra.get("n_params").and_then(Value::as_u64).unwrap_or(0),
        training,
        validation,
        learning_rate,
        grad_norm,
        perplexity: manifest.extra.get("validation").and_then(|v| v["perplexity"].as_f64()),
        unigram_perplexity: manifest.extra.get("unigram_perplexity").and_then(Value::as_f64),
    })
}

/// About a hundred points, each the mean of its neighbours.
fn smoothed(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let n = points.len().div_ceil(100).max(1);
    let mean =
        |chunk: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| chunk.iter().map(of).sum::<f64>() / chunk.len() as f64;
    points.chunks(n).map(|chunk| (mean(chunk, |p| p.0), mean(chunk, |p| p.1))).collect()
}
