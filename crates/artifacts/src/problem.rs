//! What is wrong with a file or with the settings on the command line, and where: all of it at once.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Where something was written; displayed as `FILE:LINE:COLUMN`, or the words of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a file, at a 1-based line and column.
    File {
        /// The file as it was named.
        path: Arc<Path>,
        /// 1-based line.
        line: u64,
        /// 1-based column.
        column: u64,
    },
    /// On the command line, such as `--set corpus=books`.
    CommandLine(String),
}

impl Place {
    /// The beginning of a file.
    pub fn top(path: &Path) -> Place {
        Place::File { path: path.into(), line: 1, column: 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Place::CommandLine(words) => f.write_str(words),
        }
    }
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub place: Place,
    /// What was expected and what was found.
    pub message: String,
}

impl Problem {
    /// A mistake at a place.
    pub fn new(place: &Place, message: impl Into<String>) -> Problem {
        Problem { place: place.clone(), message: message.into() }
    }
}

/// Every mistake that was found, in the order of the definition; the error of whatever happens before any work.
#[derive(Debug, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() > 1 {
            writeln!(f, "{} things are wrong; nothing was run", self.0.len())?;
        }
        let lines: Vec<String> = self.0.iter().map(|p| format!("{}: {}", p.place, p.message)).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Problems {
        Problems(vec![problem])
    }
}

impl Problems {
    /// The value if nothing is wrong, else all mistakes, each once.
    pub fn check<T>(problems: Vec<Problem>, value: Option<T>) -> Result<T, Problems> {
        let mut once: Vec<Problem> = Vec::new();
        for problem in problems {
            if !once.contains(&problem) {
                once.push(problem);
            }
        }
        match value {
            Some(value) if once.is_empty() => Ok(value),
            _ => Err(Problems(once)),
        }
    }
}

/// `unknown KIND NAME`, the nearest known name, and all known ones.
pub fn unknown(kind: &str, name: &str, known: &[&str]) -> String {
    let near = nearest(name, known).map_or_else(String::new, |n| format!(" (did you mean {n}?)"));
    let list = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    format!("unknown {kind} {name}{near}; known: {list}")
}

/// The known name nearest to a misspelt one, if it is near enough to be meant.
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let limit = 1 + name.chars().count() / 3;
    known.iter().map(|k| (edit_distance(name, k), *k)).filter(|(d, _)| *d <= limit).min().map(|(_, k)| k)
}

/// Levenshtein's distance.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replace = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
