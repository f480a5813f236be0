//! That all ranks are about to do the same.

use crate::Ranks;
use serde_json::Value;
use std::fmt;

/// The first rank that would do something else than rank 0, and in what they differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Disagreement {
    rank: usize,
    differences: Vec<Difference>,
}

#[derive(Debug, Clone, PartialEq)]
struct Difference {
    what: String,
    /// Of the first rank, of the other; `Null` where it is missing.
    values: [Value; 2],
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "rank {} would not do the same as rank 0:", self.rank)?;
        for Difference { what, values: [first, other] } in &self.differences {
            write!(f, "\n  {what}: {first} on rank 0, {other} on rank {}", self.rank)?;
        }
        write!(f, "\n  hint: start all ranks with the same program, settings and data")
    }
}

impl std::error::Error for Disagreement {}

impl Ranks {
    /// Compares a description of what is to be done with that of the other ranks.
    ///
    /// # Errors
    /// On all ranks, if one differs from the first.
    pub fn agree(&self, plan: &Value) -> Result<(), Disagreement> {
        check(&self.all_gather_texts(&plan.to_string()))
    }
}

fn check(plans: &[String]) -> Result<(), Disagreement> {
    let read = |plan: &String| serde_json::from_str::<Value>(plan).unwrap_or(Value::Null);
    let first = read(&plans[0]);
    let Some(rank) = plans.iter().position(|plan| *plan != plans[0]) else { return Ok(()) };
    let mut differences = Vec::new();
    compare(String::new(), &first, &read(&plans[rank]), &mut differences);
    Err(Disagreement { rank, differences })
}

/// The leaves in which two values differ, with their paths.
fn compare(path: String, first: &Value, other: &Value, differences: &mut Vec<Difference>) {
    match (first, other) {
        (Value::Object(a), Value::Object(b)) => {
            let at = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                compare(at(key), &first[key], &other[key], differences);
            }
        }
        _ if first == other => {}
        _ => differences.push(Difference { what: path, values: [first.clone(), other.clone()] }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named() {
        let plan = |seed: u64, shards: &str| {
            serde_json::json!({"binary": "b", "config": {"pretrain": {"seed": seed}}, "inputs": {"shards": shards}})
                .to_string()
        };
        check(&[plan(1, "x"), plan(1, "x")]).unwrap();
        let error = check(&[plan(1, "x"), plan(1, "x"), plan(7, "y")]).unwrap_err().to_string();
        assert!(
            error.contains("rank 2") && error.contains("config.pretrain.seed: 1 on rank 0, 7 on rank 2"),
            "{error}"
        );
        assert!(error.contains("inputs.shards: \"x\" on rank 0, \"y\" on rank 2"), "{error}");
        assert!(!error.contains("binary"), "{error}");
    }

    #[test]
    fn one_that_is_alone_agrees_with_itself() {
        let ranks = Ranks::alone();
        ranks.agree(&serde_json::json!({"a": 1})).unwrap();
        assert_eq!(ranks.all_gather_texts("é"), ["é"]);
        assert_eq!(ranks.broadcast_text("x"), "x");
        assert_eq!((ranks.threads(7), ranks.name()), (7, String::new()));
    }
}
