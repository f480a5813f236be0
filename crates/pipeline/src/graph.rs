//! `graph`: the steps and what flows between them.

use crate::plan::Plan;
use crate::step::{Source, flag_of};
use clap::ValueEnum;
use std::fmt::Write;

/// How a graph is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For Markdown: GitHub and others draw it
    Mermaid,
    /// For Graphviz: `dot -Tsvg`
    Dot,
}

/// The graph of a plan as text.
pub fn draw(plan: &Plan, format: Format) -> String {
    let mut text = String::from(match format {
        Format::Mermaid => "flowchart TD\n",
        Format::Dot => {
            "digraph pipeline {\n  node [shape=box, fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\", fontsize=10];\n"
        }
    });
    let mut paths: Vec<String> = Vec::new();
    for step in &plan.steps {
        let (name, run) = (quoted(&step.name, format), step.program.run);
        let _ = match format {
            Format::Mermaid => writeln!(text, "  {}[\"{name}<br/>gpt1-{run}\"]", step.name),
            Format::Dot => writeln!(text, "  \"{name}\" [label=\"{name}\\ngpt1-{run}\"];"),
        };
        for (flag, source) in &step.deps {
            let from = match source {
                Source::Result { stage, .. } => stage.clone(),
                Source::Path(path) => {
                    let path = path.display().to_string();
                    let at = paths.iter().position(|known| *known == path).unwrap_or_else(|| {
                        paths.push(path.clone());
                        let (n, path) = (paths.len(), quoted(&path, format));
                        let _ = match format {
                            Format::Mermaid => writeln!(text, "  path{n}[/\"{path}\"/]"),
                            Format::Dot => writeln!(text, "  \"path{n}\" [label=\"{path}\", shape=note];"),
                        };
                        n - 1
                    });
                    format!("path{}", at + 1)
                }
            };
            let flag = flag_of(flag);
            let _ = match format {
                Format::Mermaid => writeln!(text, "  {from} -->|{flag}| {}", step.name),
                Format::Dot => writeln!(text, "  \"{}\" -> \"{name}\" [label=\"{flag}\"];", quoted(&from, format)),
            };
        }
    }
    if format == Format::Dot {
        text.push_str("}\n");
    }
    text
}

/// A text as it stands between quotes.
fn quoted(text: &str, format: Format) -> String {
    match format {
        Format::Mermaid => text.replace('"', "#quot;"),
        Format::Dot => text.replace('\\', "\\\\").replace('"', "\\\""),
    }
}
