//! How likely a language model holds a continuation to be.

use gpt1_artifacts::progress::Progress;
use gpt1_model::{Batch, Model, Workspace, forward, log_probabilities};

/// How likely is the continuation after the context?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Token ids before; at least one, since the model says nothing of a first token.
    pub context: Vec<u32>,
    /// Token ids to judge.
    pub continuation: Vec<u32>,
}

/// ln p(continuation | context).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Likelihood {
    /// Sum over the continuation's tokens, nats.
    pub sum: f64,
    /// Tokens of the continuation.
    pub n_tokens: usize,
}

impl Likelihood {
    /// The mean over the tokens; 0 without any.
    pub fn mean(self) -> f64 {
        self.sum / self.n_tokens.max(1) as f64
    }
}

/// Asks the model, without dropout, all questions; `n_alternatives` at a time are about the same example. Of what is longer
/// than the model can read, the contexts lose tokens at their beginning, all those of an example as many as leave room for
/// its longest continuation; a continuation longer than that alone loses tokens at its end. `what` is said with the progress.
///
/// # Panics
/// If a context is empty, or a token is not in the model's vocabulary.
pub fn likelihoods(model: &Model, questions: &[Question], n_alternatives: usize, what: &str) -> Vec<Likelihood> {
    let fitted: Vec<(&[u32], &[u32])> = questions
        .chunks(n_alternatives)
        .flat_map(|alternatives| {
            let n_positions = model.config.n_positions;
            let longest = alternatives.iter().map(|question| question.continuation.len().min(n_positions)).max();
            // The last token is a target and no input.
            let room = n_positions + 1 - longest.unwrap_or(0).max(1);
            alternatives.iter().map(move |Question { context, continuation }| {
                let context = &context[context.len().saturating_sub(room)..];
                (context, &continuation[..continuation.len().min(n_positions)])
            })
        })
        .collect();
    let n_inputs = |i: u32| fitted[i as usize].0.len() + fitted[i as usize].1.len() - 1;
    let mut order: Vec<u32> = (0..fitted.len() as u32).filter(|i| !fitted[*i as usize].1.is_empty()).collect();
    order.sort_by_key(|i| n_inputs(*i));

    let mut found = vec![Likelihood::default(); fitted.len()];
    let mut workspace = Workspace::new(&model.config);
    let mut ws = workspace.hold(model);
    let (mut batch, mut rows, mut targets) = (Batch::new(), Vec::new(), Vec::new());
    let progress = Progress::new(what, order.iter().map(|i| n_inputs(*i) as u64).sum(), "tokens");
    for run in gpt1_finetune::runs(&order, n_inputs) {
        batch.clear();
        rows.clear();
        targets.clear();
        for i in run {
            let (context, continuation) = fitted[*i as usize];
            let first = batch.n_tokens() + context.len() - 1;
            batch.push(u64::from(*i), &[context, &continuation[..continuation.len() - 1]].concat());
            rows.extend(first..first + continuation.len());
            targets.extend_from_slice(continuation);
        }
        forward(model, &batch, None, &mut ws);
        let values = log_probabilities(model, &rows, &targets, &mut ws);
        let mut values = values.as_slice();
        for i in run {
            let (of_this, others) = values.split_at(fitted[*i as usize].1.len());
            found[*i as usize] = Likelihood { sum: of_this.iter().sum(), n_tokens: of_this.len() };
            values = others;
        }
        progress.inc(batch.n_tokens() as u64);
    }
    progress.finish();
    found
}
