//! The metrics of the paper's tables, as scikit-learn and SciPy define them; where those have a zero denominator, the
//! value is 0 (scikit-learn's default; SciPy gives NaN for correlations of constants).
//!
//! Every function takes predictions and gold answers of the same length, and panics if the lengths differ.

use std::collections::BTreeMap;
use std::fmt;

/// A metric by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// [`accuracy`]
    Accuracy,
    /// [`f1`]
    F1,
    /// [`matthews`]
    Matthews,
    /// [`pearson`]
    Pearson,
    /// [`spearman`]
    Spearman,
}

impl Metric {
    /// `accuracy`, `f1`, `matthews`, `pearson` or `spearman`.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Accuracy => "accuracy",
            Metric::F1 => "f1",
            Metric::Matthews => "matthews",
            Metric::Pearson => "pearson",
            Metric::Spearman => "spearman",
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The share of predictions that are right; 0 without any.
pub fn accuracy(predictions: &[usize], targets: &[usize]) -> f64 {
    assert_eq!(predictions.len(), targets.len());
    ratio(count(predictions, targets, |p, t| p == t), predictions.len() as f64)
}

/// F1 of class 1: the harmonic mean of precision and recall, `2 tp / (2 tp + fp + fn)`; 0 if nobody is or is said to be
/// of class 1.
pub fn f1(predictions: &[usize], targets: &[usize]) -> f64 {
    assert_eq!(predictions.len(), targets.len());
    let tp = count(predictions, targets, |p, t| p == 1 && t == 1);
    let wrong = count(predictions, targets, |p, t| (p == 1) != (t == 1));
    ratio(2.0 * tp, 2.0 * tp + wrong)
}

/// Matthews' correlation coefficient, for any number of classes (Gorodkin 2004); 0 if the predictions or the targets are
/// all of one class.
pub fn matthews(predictions: &[usize], targets: &[usize]) -> f64 {
    assert_eq!(predictions.len(), targets.len());
    let (mut predicted, mut true_) = (BTreeMap::new(), BTreeMap::new());
    for (&p, &t) in predictions.iter().zip(targets) {
        *predicted.entry(p).or_insert(0.0) += 1.0;
        *true_.entry(t).or_insert(0.0) += 1.0;
    }
    let dot = |a: &BTreeMap<usize, f64>, b: &BTreeMap<usize, f64>| -> f64 {
        a.iter().map(|(class, n)| n * b.get(class).unwrap_or(&0.0)).sum()
    };
    let n = predictions.len() as f64;
    let n_right = count(predictions, targets, |p, t| p == t);
    let covariance = n_right * n - dot(&predicted, &true_);
    ratio(covariance, ((n * n - dot(&predicted, &predicted)) * (n * n - dot(&true_, &true_))).sqrt())
}

/// Pearson's correlation coefficient; 0 if one side is constant or there are fewer than two pairs.
pub fn pearson(x: &[f64], y: &[f64]) -> f64 {
    assert_eq!(x.len(), y.len());
    let constant = |values: &[f64]| values.iter().all(|&value| value == values[0]);
    if x.len() < 2 || constant(x) || constant(y) {
        return 0.0;
    }
    let centred = |values: &[f64]| -> Vec<f64> {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter().map(|value| value - mean).collect()
    };
    let (x, y) = (centred(x), centred(y));
    let norm = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>().sqrt();
    let (norm_x, norm_y) = (norm(&x), norm(&y));
    let r: f64 = x.iter().zip(&y).map(|(x, y)| (x / norm_x) * (y / norm_y)).sum();
    r.clamp(-1.0, 1.0)
}

/// Spearman's rank correlation coefficient: Pearson's of the ranks, equal values sharing the mean of their ranks.
pub fn spearman(x: &[f64], y: &[f64]) -> f64 {
    pearson(&ranks(x), &ranks(y))
}

/// Ranks from 1; equal values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut n_below = 0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        // The tied values would have the ranks n_below + 1 ..= n_below + tied.len().
        for &i in tied {
            ranks[i] = f64::midpoint((n_below + 1) as f64, (n_below + tied.len()) as f64);
        }
        n_below += tied.len();
    }
    ranks
}

fn count(predictions: &[usize], targets: &[usize], is: impl Fn(usize, usize) -> bool) -> f64 {
    predictions.iter().zip(targets).filter(|&(&p, &t)| is(p, t)).count() as f64
}

fn ratio(numerator: f64, denominator: f64) -> f64 {
    if denominator == 0.0 { 0.0 } else { numerator / denominator }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_the_mean_rank() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, -0.0, 0.0]), [4.5, 3.0, 4.5, 1.5, 1.5]);
        assert!(ranks(&[]).is_empty());
    }

    #[test]
    fn zero_denominators_give_zero() {
        assert_eq!(accuracy(&[], &[]), 0.0);
        assert_eq!(f1(&[0, 0], &[0, 0]), 0.0);
        assert_eq!(matthews(&[1, 1], &[0, 1]), 0.0);
        assert_eq!(matthews(&[], &[]), 0.0);
        assert_eq!(pearson(&[0.1; 3], &[1.0, 2.0, 3.0]), 0.0);
        assert_eq!(spearman(&[], &[]), 0.0);
    }
}
