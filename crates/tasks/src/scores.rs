//! Scores of predictions by the task's metrics, and those of who always answers the same.

use std::collections::BTreeMap;

use crate::metrics::{self, Metric};
use crate::{Answer, Example, Target, Task};

/// The task's metrics over `predictions`, one for each of `examples`, in the order of [`Task::metrics`]; `None` if an
/// example has no label or a prediction is missing or of the wrong kind.
pub fn scores(task: Task, predictions: &[Target], examples: &[Example]) -> Option<Vec<(Metric, f64)>> {
    if predictions.len() != examples.len() {
        return None;
    }
    let targets = examples.iter().map(|example| &example.target);
    let of = |metric| match task.answer() {
        Answer::Label(_) => {
            let (predictions, targets) = (classes(predictions)?, classes(targets.clone())?);
            match metric {
                Metric::Accuracy => Some(metrics::accuracy(&predictions, &targets)),
                Metric::F1 => Some(metrics::f1(&predictions, &targets)),
                Metric::Matthews => Some(metrics::matthews(&predictions, &targets)),
                Metric::Pearson | Metric::Spearman => None,
            }
        }
        Answer::Score => {
            let (predictions, targets) = (numbers(predictions)?, numbers(targets.clone())?);
            match metric {
                Metric::Pearson => Some(metrics::pearson(&predictions, &targets)),
                Metric::Spearman => Some(metrics::spearman(&predictions, &targets)),
                Metric::Accuracy | Metric::F1 | Metric::Matthews => None,
            }
        }
    };
    task.metrics().iter().map(|&metric| Some((metric, of(metric)?))).collect()
}

/// A part of the examples and its scores.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupScores {
    /// One of [`Task::groups`].
    pub name: &'static str,
    /// How many examples are of it.
    pub n: usize,
    /// [`scores`] of them.
    pub scores: Vec<(Metric, f64)>,
}

/// The scores of each of [`Task::groups`] that has examples, all of them labelled.
pub fn group_scores(task: Task, predictions: &[Target], examples: &[Example]) -> Vec<GroupScores> {
    let of = |&name: &&'static str| {
        let is_member = |example: &Example| example.id.split('/').next() == Some(name);
        let members = predictions.iter().zip(examples).filter(|(_, example)| is_member(example));
        // The scores need no texts.
        let bare = |example: &Example| Example { id: String::new(), texts: Vec::new(), target: example.target };
        let (predictions, members): (Vec<Target>, Vec<Example>) =
            members.map(|(prediction, example)| (*prediction, bare(example))).unzip();
        let scores = scores(task, &predictions, &members).filter(|_| !members.is_empty())?;
        Some(GroupScores { name, n: members.len(), scores })
    };
    task.groups().iter().filter_map(of).collect()
}

/// The best constant prediction by `train`: its most frequent class (the first of equals; for multiple choice the most
/// frequent position of the right answer), for STS-B its mean score. `Target::None` if `train` has no labels.
pub fn majority(task: Task, train: &[Example]) -> Target {
    let targets = train.iter().map(|example| &example.target);
    match task.answer() {
        Answer::Label(_) => {
            let mut counts = BTreeMap::new();
            for target in targets {
                if let Target::Class(class) = target {
                    *counts.entry(*class).or_insert(0) += 1;
                }
            }
            let most = counts.iter().max_by_key(|&(&class, &n)| (n, std::cmp::Reverse(class)));
            most.map_or(Target::None, |(&class, _)| Target::Class(class))
        }
        Answer::Score => {
            let scores: Vec<f64> = targets.filter_map(number).collect();
            if scores.is_empty() {
                return Target::None;
            }
            Target::Score((scores.iter().sum::<f64>() / scores.len() as f64) as f32)
        }
    }
}

/// What always predicting [`majority`] of `train` scores on `examples`; the correlations are then 0.
pub fn majority_scores(task: Task, train: &[Example], examples: &[Example]) -> Option<Vec<(Metric, f64)>> {
    scores(task, &vec![majority(task, train); examples.len()], examples)
}

fn classes<'a>(targets: impl IntoIterator<Item = &'a Target>) -> Option<Vec<usize>> {
    let class = |target: &Target| if let Target::Class(class) = target { Some(*class) } else { None };
    targets.into_iter().map(class).collect()
}

fn numbers<'a>(targets: impl IntoIterator<Item = &'a Target>) -> Option<Vec<f64>> {
    targets.into_iter().map(number).collect()
}

fn number(target: &Target) -> Option<f64> {
    if let Target::Score(score) = target { Some(f64::from(*score)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples(targets: &[Target]) -> Vec<Example> {
        targets.iter().map(|&target| Example { id: String::new(), texts: vec![], target }).collect()
    }

    #[test]
    fn each_task_reports_its_metrics() {
        use Target::{Class, Score};
        let mrpc = scores(
            "mrpc".parse().unwrap(),
            &[Class(1), Class(1), Class(0)],
            &examples(&[Class(1), Class(0), Class(0)]),
        );
        assert_eq!(mrpc.unwrap(), [(Metric::F1, 2.0 / 3.0), (Metric::Accuracy, 2.0 / 3.0)]);
        let stsb =
            scores("stsb".parse().unwrap(), &[Score(1.0), Score(2.0)], &examples(&[Score(0.0), Score(5.0)])).unwrap();
        assert_eq!(stsb.iter().map(|(metric, _)| *metric).collect::<Vec<_>>(), [Metric::Pearson, Metric::Spearman]);
        assert!(stsb.iter().all(|(_, value)| (value - 1.0).abs() < 1e-15));
        let rte = "rte".parse().unwrap();
        assert_eq!(scores(rte, &[Class(1)], &examples(&[Target::None])), None);
        assert_eq!(scores(rte, &[Target::None], &examples(&[Class(1)])), None);
        assert_eq!(scores(rte, &[], &examples(&[Class(1)])), None);
    }

    #[test]
    fn groups_are_scored_by_themselves() {
        use Target::Class;
        let race = "race".parse().unwrap();
        let example = |id: &str, class| Example { id: id.to_owned(), texts: vec![], target: Class(class) };
        let mut examples = vec![example("middle/1.txt:0", 0), example("high/1.txt:0", 1), example("high/2.txt:0", 2)];
        let found = group_scores(race, &[Class(0), Class(1), Class(3)], &examples);
        let group = |name, n, accuracy| GroupScores { name, n, scores: vec![(Metric::Accuracy, accuracy)] };
        let expected = [group("middle", 1, 1.0), group("high", 2, 0.5)];
        assert_eq!(found, expected);
        assert_eq!(group_scores(race, &[Class(0)], &examples[..1]).len(), 1);
        examples[1].target = Target::None;
        assert_eq!(group_scores(race, &[Class(0); 3], &examples).len(), 1);
        assert!(group_scores("rte".parse().unwrap(), &[Class(0)], &examples[..1]).is_empty());
    }

    #[test]
    fn majority_answers_the_same_always() {
        use Target::{Class, Score};
        let cola = "cola".parse().unwrap();
        let train = examples(&[Class(1), Class(0), Class(1)]);
        assert_eq!(majority(cola, &train), Class(1));
        assert_eq!(majority(cola, &train[..2]), Class(0));
        assert_eq!(majority(cola, &[]), Target::None);
        assert_eq!(
            majority_scores(cola, &train, &examples(&[Class(1), Class(0)])).unwrap()[0],
            (Metric::Matthews, 0.0)
        );
        let stsb = "stsb".parse().unwrap();
        let train = examples(&[Score(1.0), Score(2.0)]);
        assert_eq!(majority(stsb, &train), Score(1.5));
        assert_eq!(majority_scores(stsb, &train, &train).unwrap(), [(Metric::Pearson, 0.0), (Metric::Spearman, 0.0)]);
    }
}
