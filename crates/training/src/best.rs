//! The best evaluation of a run.
//!
//! The paper uses the last model, and so do the stages. The best one is kept in case the last is not wanted: its checkpoint as
//! long as the run goes on, and in the result, as a model directory `best`, if the preset's `keep_best` says so.

use crate::checkpoint::{self, CheckpointError};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The folder of the best model in a result.
const FOLDER: &str = "best";

/// What decides which model is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Criterion {
    /// The name of a value that evaluations return.
    pub name: &'static str,
    /// Whether a smaller value is the better one, as of a loss.
    pub lower_is_better: bool,
}

/// An evaluation better than all before it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The update that it followed.
    pub update: u64,
    /// The value of the criterion.
    pub value: f64,
}

impl Criterion {
    /// Whether an evaluation is better than the best so far, which it then is. Of two equal ones the earlier stays. A value that
    /// is no finite number is never the best.
    pub fn judge(&self, update: u64, values: &[(&'static str, f64)], best: &mut Option<Best>) -> bool {
        let value = values.iter().find(|(name, _)| *name == self.name).map(|(_, value)| *value);
        let Some(value) = value.filter(|value| value.is_finite()) else { return false };
        let is_better = |than: &Best| if self.lower_is_better { value < than.value } else { value > than.value };
        if !best.as_ref().is_none_or(is_better) {
            return false;
        }
        *best = Some(Best { update, value });
        true
    }
}

/// Writes the model of the checkpoint of `update` into `out/best`, in place of what stands there; returns its path.
pub fn write_best(out: &Path, update: u64) -> Result<PathBuf, CheckpointError> {
    let path = out.join(FOLDER);
    if path.exists() {
        fs_err::remove_dir_all(&path)?;
    }
    fs_err::create_dir(&path)?;
    checkpoint::model(out, update)?.save(&path)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_best_finite_values() {
        let loss = Criterion { name: "loss", lower_is_better: true };
        let mut best = None;
        let values = [f64::NAN, 3.0, 2.0, 2.0, f64::NEG_INFINITY, 2.5];
        let better: Vec<bool> =
            (1..).zip(values).map(|(u, v)| loss.judge(u, &[("x", 0.0), ("loss", v)], &mut best)).collect();
        assert_eq!(better, [false, true, true, false, false, false]);
        assert_eq!(best, Some(Best { update: 3, value: 2.0 }));
        assert!(!loss.judge(9, &[("x", -1.0)], &mut best));
        let score = Criterion { name: "x", lower_is_better: false };
        assert!(score.judge(9, &[("x", 2.1)], &mut best) && !score.judge(10, &[("x", 2.1)], &mut best));
    }
}
