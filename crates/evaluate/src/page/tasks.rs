//! Tables 2 to 4: all tasks from the pre-trained model, and GLUE's average.

use super::{Section, escaped, shown, table};
use crate::table::Table;

/// The table of [`crate::table`] as HTML, if there is any score in it.
pub(super) fn section(all: &Table) -> Option<Section> {
    let columns = all.columns.iter().map(|column| escaped(&column.name));
    let head: Vec<String> = ["task".to_owned(), "metric".to_owned(), "examples".to_owned()]
        .into_iter()
        .chain(columns)
        .chain(["majority".to_owned(), "paper".to_owned(), "table".to_owned()])
        .collect();
    let mut rows = Vec::new();
    for row in all.rows.iter().filter(|row| row.n_examples.is_some()) {
        let scores = row.scores.iter().map(|score| match score {
            Some(score) if score.values.len() > 1 => {
                format!("{}<br><small>of {}</small>", shown(Some(score.median)), score.values.len())
            }
            score => shown(score.as_ref().map(|score| score.median)),
        });
        let paper =
            [row.paper.map(|paper| format!("{:.1}", paper.score)), row.paper.map(|paper| paper.table.to_string())];
        let n = row.n_examples.map_or_else(String::new, |n| n.to_string());
        let cells = [escaped(&row.name), row.metric.to_owned(), n].into_iter().chain(scores);
        rows.push(
            cells
                .chain([shown(row.majority)])
                .chain(paper.into_iter().map(Option::unwrap_or_default))
                .collect::<Vec<_>>(),
        );
    }
    if rows.is_empty() {
        return None;
    }
    let average = |average: &crate::table::Average| {
        let of = if average.missing.is_empty() {
            String::new()
        } else {
            format!("<br><small>{} of 9 tasks</small>", average.n_tasks)
        };
        format!("{}{of}", shown(average.score))
    };
    let cells = ["<b>GLUE</b>".to_owned(), "mean".to_owned(), String::new()].into_iter();
    let cells = cells.chain(all.glue.iter().map(average)).chain([average(&all.glue_majority)]);
    let paper = all.glue_paper;
    rows.push(cells.chain([format!("{:.1}", paper.score), paper.table.to_string()]).collect());
    let body = format!(
        "<p>Development sets here, times 100; the paper's numbers are of the test sets.</p>\n<div class=\"wide\">{}</div>",
        table(&head, &rows)
    );
    Some(super::section("tasks", "All tasks (tables 2 to 4)", body, all))
}
