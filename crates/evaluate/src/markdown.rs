//! The table of scores as Markdown that reads well in a terminal too.

use crate::paper::GLUE_TASKS;
use crate::table::{Average, Number, Score, Table};
use std::fmt::Write;

/// Where there is no number.
const NOTHING: &str = "-";

/// The table, and below it what the numbers are.
pub fn markdown(table: &Table) -> String {
    let columns = table.columns.iter().map(|column| column.name.clone());
    let header = ["task", "metric"].map(str::to_owned).into_iter().chain(columns);
    let header: Vec<String> = header.chain(["majority", "GPT-1", "paper's table"].map(str::to_owned)).collect();
    let row = |name: &str, metric: &str, scores: Vec<String>, majority: String, paper: Option<Number>| {
        let number = paper.map_or(NOTHING.to_owned(), |number| format!("{:.1}", number.score));
        let table = paper.map_or(NOTHING.to_owned(), |number| number.table.to_string());
        [name, metric].map(str::to_owned).into_iter().chain(scores).chain([majority, number, table]).collect()
    };
    let mut lines: Vec<Vec<String>> = vec![header];
    for line in &table.rows {
        let majority = line.majority.map_or(NOTHING.to_owned(), |score| format!("{score:.1}"));
        let scores = line.scores.iter().map(|score| cell(score.as_ref())).collect();
        lines.push(row(&line.name, line.metric, scores, majority, line.paper));
    }
    let averages = table.glue.iter().map(average).collect();
    lines.push(row("GLUE", "average", averages, average(&table.glue_majority), Some(table.glue_paper)));

    let mut text = String::new();
    write_lines(&lines, &mut text);
    text.push_str("\nTimes 100; here on the development sets, GPT-1 by the paper on the test sets.");
    if table.rows.iter().flat_map(|row| row.scores.iter().flatten()).any(|score| score.values.len() > 1) {
        text.push_str(" n: runs, of which the median is given.");
    }
    text.push_str("\nGLUE: the mean over its nine tasks of the mean of each task's metrics; MNLI's two sets are one task, AX is none.\n");
    for (column, average) in table.columns.iter().zip(&table.glue) {
        if !average.missing.is_empty() && average.score.is_some() {
            let _ = writeln!(text, "GLUE, {}: without {}.", column.name, average.missing.join(", "));
        }
    }
    for note in &table.notes {
        let _ = writeln!(text, "{note}");
    }
    text
}

fn cell(score: Option<&Score>) -> String {
    match score {
        None => NOTHING.to_owned(),
        Some(Score { median, values }) if values.len() > 1 => format!("{median:.1} (n={})", values.len()),
        Some(Score { median, .. }) => format!("{median:.1}"),
    }
}

fn average(average: &Average) -> String {
    let n = GLUE_TASKS.len();
    match average.score {
        None => NOTHING.to_owned(),
        Some(score) if average.n_tasks < n => format!("{score:.1} ({} of {n})", average.n_tasks),
        Some(score) => format!("{score:.1}"),
    }
}

/// The first two columns flush left, numbers flush right.
fn write_lines(lines: &[Vec<String>], text: &mut String) {
    let n_columns = lines[0].len();
    let widths: Vec<usize> =
        (0..n_columns).map(|i| lines.iter().map(|line| line[i].chars().count()).max().unwrap_or(0).max(3)).collect();
    for (i, line) in lines.iter().enumerate() {
        for (j, (cell, &width)) in line.iter().zip(&widths).enumerate() {
            let _ = if j < 2 { write!(text, "| {cell:<width$} ") } else { write!(text, "| {cell:>width$} ") };
        }
        text.push_str("|\n");
        if i == 0 {
            for (j, &width) in widths.iter().enumerate() {
                let dashes = "-".repeat(width + 1);
                let _ = if j < 2 { write!(text, "|{dashes}-") } else { write!(text, "|{dashes}:") };
            }
            text.push_str("|\n");
        }
    }
}
