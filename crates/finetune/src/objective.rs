//! The objective of fine-tuning (paper 3.2, equation 5): `L3 = L2 + lm_coef L1`, and the order of the examples.

use crate::encode::{Encoded, Run};
use crate::runs;
use gpt1_model::{Dropout, Examples, Model, Params, Workspace, backward, classifier_loss, forward, lm_loss};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What the objective depends on besides the batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recipe {
    /// Weight of the language-modelling loss L1; 0: it is not computed.
    pub lm_coef: f32,
    /// Dropout rate before the classifier.
    pub clf_pdrop: f32,
}

/// The parts of the objective for a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Losses {
    /// L2: mean over examples of the cross-entropy against the target distribution.
    pub classifier: f64,
    /// L1: mean over sequences of the mean of their next-token losses; 0 if `lm_coef` is.
    pub language_model: f64,
}

/// Adds the gradients of L3 for the examples `batch` of `data` to `grads`.
///
/// L1 is that of the released code: for each sequence the mean over its next-token losses (the start token is never a
/// target; delimiter and extract are), averaged over all sequences of the batch; so a short sequence weighs as much as a
/// long one. The batch is computed in parts that bound the memory; `stop` is asked between them, and `None` is returned if it
/// says so.
///
/// # Panics
/// If `data` has no labels, or the model does not fit to it.
pub fn gradients(
    model: &Model,
    data: &Encoded,
    batch: &[u32],
    recipe: Recipe,
    dropout: Dropout,
    ws: &mut Workspace,
    grads: &mut Params,
    stop: impl Fn() -> bool,
) -> Option<Losses> {
    let mut losses = Losses::default();
    let mut run = Run::default();
    let mut first_id = 0;
    let n_sequences = (batch.len() * data.form.n_sequences()) as f32;
    let dropout = Some(dropout);
    let mut ws = ws.hold(model);
    for examples in runs(batch, |example| data.n_tokens_of(example)) {
        if stop() {
            return None;
        }
        run.fill(data, examples, first_id);
        first_id += examples.len() as u64;
        log::trace!("{} examples at once, {} tokens", examples.len(), run.batch.tokens.len());
        forward(model, &run.batch, dropout, &mut ws);
        if recipe.lm_coef > 0.0 {
            let (targets, weights) = next_tokens(&run, recipe.lm_coef / n_sequences);
            let weighted = lm_loss(model, &targets, &weights, &mut ws, Some(grads));
            losses.language_model += weighted / f64::from(recipe.lm_coef);
        }
        let examples = Examples {
            form: data.form,
            rows: &run.rows,
            example_ids: &run.example_ids,
            targets: &run.targets,
            weight: 1.0 / batch.len() as f32,
            pdrop: recipe.clf_pdrop,
        };
        losses.classifier += classifier_loss(model, &examples, dropout, &mut ws, Some(grads)).loss;
        backward(model, &run.batch, dropout, &mut ws, grads);
    }
    Some(losses)
}

/// The next token of each row and its weight, which is such that those of each sequence sum to `weight`; the last row of a
/// sequence has none.
fn next_tokens(run: &Run, weight: f32) -> (Vec<u32>, Vec<f32>) {
    let tokens = &run.batch.tokens;
    let mut targets = Vec::with_capacity(tokens.len());
    let mut weights = Vec::with_capacity(tokens.len());
    for range in run.batch.starts.windows(2) {
        let sequence = &tokens[range[0] as usize..range[1] as usize];
        let n_targets = sequence.len() - 1;
        targets.extend_from_slice(&sequence[1..]);
        targets.push(0);
        weights.resize(weights.len() + n_targets, weight / n_targets as f32);
        weights.push(0.0);
    }
    (targets, weights)
}

/// The order of `n` examples in an epoch: a permutation that seed and epoch determine.
pub fn order(n: usize, seed: u64, epoch: u64) -> Vec<u32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(epoch);
    let mut order: Vec<u32> = (0..n as u32).collect();
    for i in (1..n).rev() {
        // A random number below i + 1; off uniform by at most 2^-32.
        let j = ((u128::from(random.next_u64()) * (i as u128 + 1)) >> 64) as usize;
        order.swap(i, j);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use gpt1_model::{Config, Form};

    fn config() -> Config {
        Config { initializer_range: 0.3, ..Config::of_paper(20, 8, 8, 2, 2) }
    }

    fn data(form: Form) -> Encoded {
        let lengths = [5, 3, 8, 2, 7, 4];
        let sequences = lengths.iter().map(|n| (0..*n).map(|i| (i * 7 + n) % 20).collect()).collect();
        let n_outputs = 2;
        let n_examples = lengths.len() / form.n_sequences();
        let targets = (0..n_examples).flat_map(|i| if i % 2 == 0 { [1.0, 0.0] } else { [0.3, 0.7] }).collect();
        Encoded { form, sequences, targets, n_outputs, n_truncated: 0 }
    }

    const DROPOUT: Dropout = Dropout { seed: 3, step: 4 };

    /// L1 and L2 by their definitions, from the whole logits of each sequence alone; without dropout.
    fn plain_losses(model: &Model, data: &Encoded) -> Losses {
        let log_softmax = |x: &[f32], i: usize| {
            let sum: f64 = x.iter().map(|v| f64::from(*v).exp()).sum();
            f64::from(x[i]) - sum.ln()
        };
        let mut losses = Losses::default();
        let (mut ws, n_sequences) = (Workspace::new(&model.config), data.sequences.len() as f64);
        for sequence in &data.sequences {
            let mut batch = gpt1_model::Batch::new();
            batch.push(0, sequence);
            forward(model, &batch, None, &mut ws);
            let rows: Vec<usize> = (0..sequence.len()).collect();
            let logits = gpt1_model::logits(model, &rows, &ws);
            let each = sequence[1..].iter().enumerate().map(|(t, next)| {
                -log_softmax(&logits[t * model.config.vocab_size..(t + 1) * model.config.vocab_size], *next as usize)
            });
            losses.language_model += each.sum::<f64>() / (sequence.len() - 1) as f64 / n_sequences;
        }
        for example in 0..data.n_examples() as u32 {
            let mut run = Run::default();
            run.fill(data, &[example], 0);
            forward(model, &run.batch, None, &mut ws);
            let examples =
                Examples { form: data.form, rows: &run.rows, example_ids: &[0], targets: &[], weight: 1.0, pdrop: 0.0 };
            let logits = classifier_loss(model, &examples, None, &mut ws, None).logits;
            let each =
                data.targets_of(example).iter().enumerate().map(|(k, p)| -f64::from(*p) * log_softmax(&logits, k));
            losses.classifier += each.sum::<f64>() / data.n_examples() as f64;
        }
        losses
    }

    fn model(form: Form) -> Model {
        let n_classes = if matches!(form, Form::Choice(_)) { 1 } else { 2 };
        Model::init(config(), 1).add_classifier(n_classes, 2)
    }

    #[test]
    fn losses_are_those_of_the_definition() {
        for form in [Form::Single, Form::Sum, Form::Choice(2)] {
            let mut model = model(form);
            for rate in [&mut model.config.embd_pdrop, &mut model.config.resid_pdrop, &mut model.config.attn_pdrop] {
                *rate = 0.0;
            }
            let data = data(form);
            let batch: Vec<u32> = (0..data.n_examples() as u32).collect();
            let mut ws = Workspace::new(&model.config);
            let recipe = Recipe { lm_coef: 0.5, clf_pdrop: 0.0 };
            let mut grads = Params::zeros(&model.params.layout);
            let found = gradients(&model, &data, &batch, recipe, DROPOUT, &mut ws, &mut grads, || false).unwrap();
            let expected = plain_losses(&model, &data);
            assert!((found.classifier - expected.classifier).abs() < 1e-5, "{form:?} {found:?} {expected:?}");
            assert!((found.language_model - expected.language_model).abs() < 1e-5, "{form:?} {found:?} {expected:?}");
        }
    }

    /// Along the gradient, L3 changes by its squared norm.
    #[test]
    fn gradients_are_those_of_the_losses() {
        for form in [Form::Single, Form::Sum, Form::Choice(2)] {
            let (model, data) = (model(form), data(form));
            let batch: Vec<u32> = (0..data.n_examples() as u32).collect();
            let recipe = Recipe { lm_coef: 0.5, clf_pdrop: 0.2 };
            let mut ws = Workspace::new(&model.config);
            let mut total = |model: &Model, grads: &mut Params| {
                let l = gradients(model, &data, &batch, recipe, DROPOUT, &mut ws, grads, || false).unwrap();
                l.classifier + f64::from(recipe.lm_coef) * l.language_model
            };
            let mut grads = Params::zeros(&model.params.layout);
            total(&model, &mut grads);
            let squared: f64 = grads.data.iter().map(|g| f64::from(*g).powi(2)).sum();
            let step = 1e-2 / squared.sqrt();
            let mut moved = |sign: f64| {
                let mut other = model.clone();
                for (p, g) in other.params.data.iter_mut().zip(&grads.data) {
                    *p += (sign * step * f64::from(*g)) as f32;
                }
                total(&other, &mut Params::zeros(&model.params.layout))
            };
            let slope = (moved(1.0) - moved(-1.0)) / (2.0 * step);
            assert!((slope / squared - 1.0).abs() < 1e-2, "{form:?}: slope {slope}, squared norm {squared}");
        }
    }

    #[test]
    fn stops_when_told() {
        let (model, data) = (model(Form::Single), data(Form::Single));
        let mut grads = Params::zeros(&model.params.layout);
        let recipe = Recipe { lm_coef: 0.5, clf_pdrop: 0.1 };
        let mut ws = Workspace::new(&model.config);
        assert_eq!(gradients(&model, &data, &[0, 1], recipe, DROPOUT, &mut ws, &mut grads, || true), None);
    }

    #[test]
    fn orders_are_permutations_that_differ() {
        let (first, second, other) = (order(100, 1, 0), order(100, 1, 1), order(100, 2, 0));
        assert_eq!(first, order(100, 1, 0));
        assert!(first != second && first != other && second != other);
        for mut order in [first, second, other] {
            order.sort_unstable();
            assert_eq!(order, (0..100).collect::<Vec<_>>());
        }
        assert_eq!((order(0, 1, 0), order(1, 1, 0)), (vec![], vec![0]));
    }
}
