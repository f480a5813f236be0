//! Between a target and the classifier's numbers: labels, target distributions, predictions.

use crate::{Answer, Form, Kind, Target, Task};

/// STS-B's integer scores: 0 to 5.
const N_SCORES: usize = 6;

impl Task {
    /// How many numbers a target distribution has, and the logits of an example: the classes; the alternatives of a
    /// multiple choice; the six integer scores of STS-B.
    pub fn n_outputs(self) -> usize {
        match self.answer() {
            Answer::Label(labels) => labels.len(),
            Answer::Score => N_SCORES,
        }
    }

    /// How many outputs the classifier has: `n_outputs`, but 1 for multiple choice, where each alternative is a
    /// sequence with a logit of its own.
    pub fn n_classes(self) -> usize {
        if self.kind() == Kind::MultipleChoice { 1 } else { self.n_outputs() }
    }

    /// How the sequences of an example make its logits.
    pub fn form(self) -> Form {
        match self.kind() {
            Kind::Classification | Kind::Entailment => Form::Single,
            Kind::Similarity => Form::Sum,
            Kind::MultipleChoice => Form::Choice(self.n_outputs()),
        }
    }

    /// The distribution that the classifier's softmax is to give, `n_outputs` long; empty without a target.
    ///
    /// A class is one-hot. For a score the paper names only the task and the released code contains only Story Cloze
    /// (softmax cross-entropy); so STS-B is learnt as by Tai, Socher and Manning (2015, section 4.2) with that same loss:
    /// score y is the distribution over the two integers around it whose expectation is y, `p(floor(y)) = 1 - (y - floor(y))`
    /// and `p(floor(y) + 1) = y - floor(y)`, in one formula `p(i) = max(0, 1 - |y - i|)` (3.4 is 0.6 at 3 and 0.4 at 4). Scores outside 0 to 5 count as the nearest.
    pub fn targets(self, target: &Target) -> Vec<f32> {
        let mut distribution = vec![0.0; self.n_outputs()];
        match *target {
            Target::None => distribution.clear(),
            Target::Class(class) => {
                if let Some(p) = distribution.get_mut(class) {
                    *p = 1.0;
                }
            }
            Target::Score(score) => {
                let score = score.clamp(0.0, 5.0);
                for (i, p) in distribution.iter_mut().enumerate() {
                    *p = (1.0 - (score - i as f32).abs()).max(0.0);
                }
            }
        }
        distribution
    }

    /// The prediction from the `n_outputs` logits of an example: the class of the largest logit (the first of equals),
    /// or the score expected under their softmax.
    pub fn predict(self, logits: &[f32]) -> Target {
        match self.answer() {
            Answer::Label(_) => {
                let mut best = 0;
                for (class, &logit) in logits.iter().enumerate() {
                    if logit > logits[best] {
                        best = class;
                    }
                }
                Target::Class(best)
            }
            Answer::Score => {
                let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max) as f64;
                let weights: Vec<f64> = logits.iter().map(|&logit| (logit as f64 - max).exp()).collect();
                let sum: f64 = weights.iter().sum();
                let expected: f64 = weights.iter().enumerate().map(|(score, weight)| score as f64 * weight / sum).sum();
                Target::Score(expected as f32)
            }
        }
    }

    /// The target that a label of the official files stands for.
    pub(crate) fn parse_label(self, label: &str) -> Option<Target> {
        match self.answer() {
            Answer::Label(labels) => labels.iter().position(|&known| known == label).map(Target::Class),
            Answer::Score => label.parse().ok().filter(|score: &f32| (0.0..=5.0).contains(score)).map(Target::Score),
        }
    }

    /// For the message when a label is not one.
    pub(crate) fn allowed_labels(self) -> String {
        match self.answer() {
            Answer::Label(labels) => labels.join(", "),
            Answer::Score => "the numbers from 0 to 5".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(name: &str) -> Task {
        name.parse().unwrap()
    }

    #[test]
    fn sizes() {
        let sizes = |name| (task(name).n_outputs(), task(name).n_classes(), task(name).form());
        assert_eq!(sizes("rte"), (2, 2, Form::Single));
        assert_eq!(sizes("mnli"), (3, 3, Form::Single));
        assert_eq!(sizes("mrpc"), (2, 2, Form::Sum));
        assert_eq!(sizes("stsb"), (6, 6, Form::Sum));
        assert_eq!(sizes("race"), (4, 1, Form::Choice(4)));
        assert_eq!(sizes("storycloze"), (2, 1, Form::Choice(2)));
    }

    #[test]
    fn target_distributions() {
        assert_eq!(task("mnli").targets(&Target::Class(1)), [0.0, 1.0, 0.0]);
        assert_eq!(task("race").targets(&Target::Class(3)), [0.0, 0.0, 0.0, 1.0]);
        assert!(task("rte").targets(&Target::None).is_empty());
        let stsb = |score| task("stsb").targets(&Target::Score(score));
        assert_eq!(stsb(0.0), [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(stsb(5.0), [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        assert_eq!(stsb(3.0), [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(stsb(9.0), stsb(5.0));
        for score in [0.2, 1.75, 3.4, 4.999] {
            let distribution = stsb(score);
            let expected: f32 = distribution.iter().enumerate().map(|(score, p)| score as f32 * p).sum();
            assert!((expected - score).abs() < 1e-6, "{distribution:?}");
            assert!((distribution.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
        assert!((stsb(3.4)[3] - 0.6).abs() < 1e-6 && (stsb(3.4)[4] - 0.4).abs() < 1e-6);
    }

    #[test]
    fn predictions() {
        assert_eq!(task("mnli").predict(&[0.1, 2.0, 2.0]), Target::Class(1));
        // A softmax whose weights are those of the target gives the score back.
        let logits: Vec<f32> = task("stsb").targets(&Target::Score(3.4)).iter().map(|p| p.ln()).collect();
        let Target::Score(score) = task("stsb").predict(&logits) else { panic!("not a score") };
        assert!((score - 3.4).abs() < 1e-6);
    }
}
