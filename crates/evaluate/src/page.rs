//! `gpt1-evaluate report`: results as one self-contained HTML page, with the paper's figures and tables drawn from them.
//!
//! A section is there if its results are: the curves of pre-training, all tasks (tables 2 to 4), layers transferred (figure 2,
//! left), zero-shot behaviour (figure 2, right), ablations (table 5). The numbers stand in report.json too.

mod ablations;
mod layers;
mod pretraining;
mod tasks;
mod zero_shot;

use crate::table::{Table, median};
use crate::{Report, results};
use anyhow::{Context, bail};
use clap::Args;
use gpt1_artifacts::eprintln;
use gpt1_artifacts::manifest::Manifest;
use gpt1_artifacts::output::{OutputDir, write_atomic, write_json};
use gpt1_artifacts::version;
use gpt1_tasks::Task;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The command line of `gpt1-evaluate report`.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// A folder written by gpt1-evaluate (scores.json); may be repeated
    #[arg(long, value_name = "DIR")]
    pub scores: Vec<PathBuf>,
    /// A pre-trained model's folder (metrics.jsonl); may be repeated
    #[arg(long, value_name = "DIR")]
    pub pretrain: Vec<PathBuf>,
    /// A folder written by gpt1-evaluate zero-shot; may be repeated
    #[arg(long, value_name = "DIR")]
    pub zero_shot: Vec<PathBuf>,
    /// The folder to write report.html and report.json into
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// A part of the page.
struct Section {
    /// Its key in report.json.
    key: &'static str,
    /// Its heading.
    title: &'static str,
    /// HTML below the heading.
    body: String,
    /// The numbers.
    data: Value,
}

/// Writes the report.
///
/// # Errors
/// A folder without the results of its kind; output that cannot be written.
pub fn run(args: &ReportArgs) -> anyhow::Result<()> {
    let mut manifest = Manifest::start("evaluate report", version::REPORT, &Value::Null);
    manifest.inputs("scores", &args.scores)?;
    manifest.inputs("pretrain", &args.pretrain)?;
    manifest.inputs("zero-shot", &args.zero_shot)?;
    let mut results = args.scores.iter().map(|dir| read_scores(dir)).collect::<anyhow::Result<Vec<Report>>>()?;
    let found =
        args.scores.iter().zip(&results).map(|(dir, report)| (Ok(report.clone()), dir.join("scores.json"), true));
    let all_tasks = Table::new(results::collect(found));
    // The figures are of development sets; AX and MNLI's other set have a row in the table alone.
    results.retain(|report| report.split == "dev");
    let sections = [
        pretraining::section(&args.pretrain)?,
        tasks::section(&all_tasks),
        layers::section(&results)?,
        zero_shot::section(&args.zero_shot)?,
        ablations::section(&results),
    ];
    let sections: Vec<Section> = sections.into_iter().flatten().collect();
    if sections.is_empty() {
        bail!("nothing to report\n  hint: name results: --scores DIR, --pretrain DIR, --zero-shot DIR");
    }
    let out = OutputDir::begin(&args.out, &manifest.run_key())?;
    let page = page(&sections);
    write_atomic(&out.join("report.html"), |w| w.write_all(page.as_bytes()))?;
    let data: Map<String, Value> = sections.into_iter().map(|section| (section.key.to_owned(), section.data)).collect();
    write_json(&out.join("report.json"), &data)?;
    let out = out.commit(manifest)?;
    eprintln!("report: {}", out.join("report.html").display());
    Ok(())
}

fn read_scores(dir: &Path) -> anyhow::Result<Report> {
    let path = dir.join("scores.json");
    let text = results::bytes(&path).context("--scores wants folders written by gpt1-evaluate")?;
    serde_json::from_slice(&text).with_context(|| format!("{}: not written by this gpt1-evaluate", path.display()))
}

/// The value, times 100, of the metric that the paper's tables report; none without labels.
fn value(report: &Report) -> Option<f64> {
    of_paper_metric(report.task, report.metrics.as_ref())
}

fn of_paper_metric(task: Task, metrics: Option<&Map<String, Value>>) -> Option<f64> {
    Some(100.0 * metrics?.get(task.metrics().first()?.name())?.as_f64()?)
}

/// The median of the results that fit.
fn median_of(results: &[Report], fits: impl Fn(&Report) -> bool) -> Option<f64> {
    let mut values: Vec<f64> = results.iter().filter(|result| fits(result)).filter_map(value).collect();
    values.sort_by(f64::total_cmp);
    median(&values)
}

/// One decimal; a dash for none.
fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |v| format!("{v:.1}"))
}

/// What the paper calls an architecture.
fn architecture(name: &str) -> &'static str {
    if name == "lstm" { "LSTM" } else { "Transformer" }
}

/// A text in HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The HTML of some items, one after the other.
fn joined<T>(items: &[T], html: impl Fn(&T) -> String) -> String {
    items.iter().map(html).collect::<Vec<_>>().concat()
}

/// A table; the first column holds names, the others numbers. Cells are HTML.
fn table(head: &[String], rows: &[Vec<String>]) -> String {
    let row = |cells: &[String], tag: &str| {
        let cells = joined(cells, |cell| format!("<{tag}>{cell}</{tag}>"));
        format!("<tr>{cells}</tr>\n")
    };
    let body = joined(rows, |cells| row(cells, "td"));
    format!("<table>\n<thead>{}</thead>\n<tbody>\n{body}</tbody>\n</table>\n", row(head, "th"))
}

/// A plot with the sentence that explains it.
fn figure(svg: &str, caption: &str) -> String {
    format!("<figure>\n{svg}\n<figcaption>{caption}</figcaption>\n</figure>\n")
}

/// Ours above the paper's.
fn beside(ours: Option<f64>, paper: f64) -> String {
    format!("{}<br><small>{paper:.1}</small>", shown(ours))
}

fn page(sections: &[Section]) -> String {
    let contents = joined(sections, |s| format!("<li><a href=\"#{}\">{}</a></li>", s.key, escaped(s.title)));
    let body = joined(sections, |s| {
        format!("<section id=\"{}\">\n<h2>{}</h2>\n{}</section>\n", s.key, escaped(s.title), s.body)
    });
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>gpt1: results</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>GPT-1: results</h1>\n\
         <p>What was measured here, laid out as the figures and tables of Radford, Narasimhan, Salimans and Sutskever, \
         <cite>Improving Language Understanding by Generative Pre-Training</cite> (2018). The paper's numbers, where it \
         gives any, stand beside in small print; they are of a model of 116 million parameters on the benchmarks' test \
         sets, so what can be compared is the order of the rows, not their height.</p>\n\
         <ul class=\"contents\">{contents}</ul>\n{body}</body>\n</html>\n"
    )
}

const STYLE: &str = "
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; background: #fff; }
h1, h2 { line-height: 1.2; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc; padding-bottom: .25rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid #ddd; vertical-align: top; line-height: 1.3; }
th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 2px solid #888; vertical-align: bottom; }
small { color: #555; font-size: .8em; }
figure { margin: 1rem 0; }
figure svg { width: 100%; height: auto; }
figcaption { color: #333; }
.contents { padding-left: 1.2rem; }
.wide { overflow-x: auto; }
@media print {
  body { margin: 0; max-width: none; font-size: 11pt; }
  section { break-inside: avoid; }
  a { color: inherit; text-decoration: none; }
}
";

fn section(key: &'static str, title: &'static str, body: String, data: &impl serde::Serialize) -> Section {
    Section { key, title, body, data: json!(data) }
}
