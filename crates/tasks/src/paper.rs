//! What the paper reports of GPT-1.

use crate::Split;

/// A number of the paper's tables 2 to 4: GPT-1's on a test set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paper {
    /// The name of its column, such as `RACE-m`.
    pub name: &'static str,
    /// The value of the task's first metric, times 100.
    pub score: f64,
    /// The number of the table.
    pub table: u8,
    /// The development set of the same kind as that test set: MNLI's matched or mismatched one.
    pub split: Split,
    /// The part of the set, one of [`crate::Task::groups`]; `None`: all of it.
    pub group: Option<&'static str>,
}

impl Paper {
    /// A number on a whole test set.
    pub(crate) const fn new(name: &'static str, score: f64, table: u8) -> Paper {
        Paper { name, score, table, split: Split::Dev, group: None }
    }
}
