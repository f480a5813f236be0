//! The two heads: next-token prediction with the tied embedding (paper equation 1), and the classifier (equation 4).

use crate::batch::Site;
use crate::block::{view, view_mut};
use crate::held::Held;
use crate::workspace::{Keep, head_rows};
use crate::{Dropout, Model, Params, Workspace};
use gpt1_kernels::profile::{lap, lap_product};
use gpt1_kernels::{Bf16, Element, Precision, cross_entropies, cross_entropy_rows, gemm, gradients, logits_stride};
use ndarray::{ArrayViewMut2, s};

/// The language-modelling loss of the last forward pass: sum over rows of `weights[i] * -ln p(targets[i])`.
///
/// targets, weights: (N). Rows of weight 0 are not computed. Logits exist only for a chunk of rows at a time. With `grads`,
/// the gradient of the tied embedding is added there, and that of the hidden states in the workspace.
///
/// # Panics
/// If a target with a weight is not in the vocabulary, or, with `grads`, if the forward pass was one for evaluation.
pub fn lm_loss(model: &Model, targets: &[u32], weights: &[f32], ws: &mut Workspace, grads: Option<&mut Params>) -> f64 {
    match ws.precision {
        Precision::F32 => lm_loss_in::<f32>(model, targets, weights, ws, grads),
        Precision::Bf16 => lm_loss_in::<Bf16>(model, targets, weights, ws, grads),
    }
}

fn lm_loss_in<E: Keep>(
    model: &Model,
    targets: &[u32],
    weights: &[f32],
    ws: &mut Workspace,
    mut grads: Option<&mut Params>,
) -> f64 {
    let (c, v) = (model.config.n_embd, model.config.vocab_size);
    let embedding = view(model.params.token_embedding(), v, c);
    let rows: Vec<usize> = (0..targets.len()).filter(|i| weights[*i] != 0.0).collect();
    if rows.is_empty() {
        return 0.0;
    }
    let Workspace { held, hidden, d_hidden, kept, logits, .. } = ws;
    let (precision, gathered) = (E::PRECISION, &mut E::of(kept).rows);
    let operand = |transposed| Held::operand(held.as_ref(), precision, 0, embedding, transposed);
    let to_logits = operand(true);
    let to_hidden = grads.is_some().then(|| operand(false));
    let mut d_rows = Vec::new();
    let mut loss = 0.0;
    let n_chunks = rows.len().div_ceil(head_rows(v));
    for rows in rows.chunks(rows.len().div_ceil(n_chunks)) {
        let n = rows.len();
        gather(hidden, rows, c, gathered);
        let logits = room(logits, n, v);
        lap("head, gathering rows");
        to_logits.gemm(view(gathered, n, c), false, rows_of(logits, n, v));
        lap_product("head, logits", n, c, v);
        let targets: Vec<u32> = rows.iter().map(|i| targets[*i]).collect();
        let weights: Vec<f32> = rows.iter().map(|i| weights[*i]).collect();
        loss += cross_entropy_rows::<E>(logits, v, &targets, &weights, grads.is_some());
        lap("head, loss");
        if let (Some(grads), Some(to_hidden)) = (grads.as_deref_mut(), &to_hidden) {
            let d_logits = gradients::<E>(logits, v);
            let d_embedding = view_mut(&mut grads.data[..v * c], v, c);
            gemm(precision, d_logits.reversed_axes(), view(gathered, n, c), true, d_embedding);
            lap_product("head, d_embedding", v, n, c);
            d_rows.resize(n * c, 0.0);
            to_hidden.gemm(d_logits, false, view_mut(&mut d_rows, n, c));
            lap_product("head, d_hidden", n, v, c);
            for (row, d) in rows.iter().zip(d_rows.chunks_exact(c)) {
                gpt1_kernels::add(&mut d_hidden[row * c..(row + 1) * c], d);
            }
            lap("head, gathering rows");
        }
    }
    loss
}

/// ln p(targets[i]) of the token that follows row `rows[i]` of the last forward pass. Logits exist only for a chunk of rows at
/// a time.
///
/// # Panics
/// If the numbers of rows and targets differ, or a target is not in the vocabulary.
pub fn log_probabilities(model: &Model, rows: &[usize], targets: &[u32], ws: &mut Workspace) -> Vec<f64> {
    assert_eq!(rows.len(), targets.len(), "a target for each row");
    let (c, v) = (model.config.n_embd, model.config.vocab_size);
    let embedding = view(model.params.token_embedding(), v, c);
    let Workspace { precision, held, hidden, logits, .. } = ws;
    let to_logits = Held::operand(held.as_ref(), *precision, 0, embedding, true);
    let (mut found, mut gathered) = (Vec::with_capacity(rows.len()), Vec::<f32>::new());
    for (rows, targets) in rows.chunks(head_rows(v)).zip(targets.chunks(head_rows(v))) {
        let n = rows.len();
        gather(hidden, rows, c, &mut gathered);
        let logits = room(logits, n, v);
        to_logits.gemm(view(&gathered, n, c), false, rows_of(logits, n, v));
        found.extend(cross_entropies(logits, v, targets).into_iter().map(|loss| -loss));
    }
    found
}

/// Logits (rows, V) of some rows of the last forward pass.
pub fn logits(model: &Model, rows: &[usize], ws: &Workspace) -> Vec<f32> {
    let (c, v) = (model.config.n_embd, model.config.vocab_size);
    let mut gathered = Vec::<f32>::new();
    gather(ws.hidden(), rows, c, &mut gathered);
    let mut out = vec![0.0; rows.len() * v];
    let embedding = view(model.params.token_embedding(), v, c);
    gemm(
        ws.precision,
        view(&gathered, rows.len(), c),
        embedding.reversed_axes(),
        false,
        view_mut(&mut out, rows.len(), v),
    );
    out
}

/// Room for the logits of `n` rows, at the beginning of a buffer that is kept.
fn room(logits: &mut Vec<f32>, n: usize, v: usize) -> &mut [f32] {
    let size = n * logits_stride(v);
    logits.resize(logits.len().max(size), 0.0);
    &mut logits[..size]
}

/// (n, V) the logits in their room.
fn rows_of(logits: &mut [f32], n: usize, v: usize) -> ArrayViewMut2<'_, f32> {
    view_mut(logits, n, logits_stride(v)).slice_move(s![.., ..v])
}

fn gather<E: Element>(hidden: &[f32], rows: &[usize], c: usize, into: &mut Vec<E>) {
    into.resize(rows.len() * c, E::default());
    for (row, to) in rows.iter().zip(into.chunks_exact_mut(c)) {
        E::round_all(&hidden[row * c..(row + 1) * c], to);
    }
}

/// How an example's sequences become its outputs (paper 3.3, figure 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One sequence an example, K outputs.
    Single,
    /// Two sequences an example (both orders), their representations added, K outputs.
    Sum,
    /// So many sequences an example, one output each (the classifier has one), softmax over them.
    Choice(usize),
}

impl Form {
    /// Sequences of an example.
    pub fn n_sequences(self) -> usize {
        match self {
            Form::Single => 1,
            Form::Sum => 2,
            Form::Choice(n) => n,
        }
    }
}

/// The examples of a batch, E of them.
#[derive(Debug, Clone, Copy)]
pub struct Examples<'a> {
    /// How sequences become outputs.
    pub form: Form,
    /// (E * sequences) the row of each sequence's extract token.
    pub rows: &'a [u32],
    /// (E) each example's number: it names the dropout mask, which an example's sequences share (released code).
    pub example_ids: &'a [u64],
    /// (E, outputs) target distributions; empty: outputs only, no loss.
    pub targets: &'a [f32],
    /// Weight of each example in the loss, such as 1 / batch size.
    pub weight: f32,
    /// Dropout rate before the classifier.
    pub pdrop: f32,
}

/// What the classifier made of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Classified {
    /// Sum over examples of `weight * -sum_k target_k ln p_k`.
    pub loss: f64,
    /// (E, outputs)
    pub logits: Vec<f32>,
}

/// The classifier's outputs and loss for the last forward pass; with `grads`, its gradients are added there and those of the
/// hidden states in the workspace.
///
/// # Panics
/// If the model has no classifier, or sizes do not fit.
pub fn classifier_loss(
    model: &Model,
    examples: &Examples,
    dropout: Option<Dropout>,
    ws: &mut Workspace,
    grads: Option<&mut Params>,
) -> Classified {
    // The classifier is small and decides the score: always f32.
    let precision = Precision::F32;
    let c = model.config.n_embd;
    let k = model.n_classes().expect("a model with a classifier");
    let weight = model.params.tensor("classifier.weight").expect("a model with a classifier");
    let bias = model.params.tensor("classifier.bias").expect("a model with a classifier");
    let per_example = examples.form.n_sequences();
    let n_examples = examples.example_ids.len();
    assert_eq!(examples.rows.len(), n_examples * per_example, "one row for each sequence");
    let mask = Dropout::mask(dropout, 0, Site::Classifier, examples.pdrop);

    // Representations (R, C): one for each example, or for each alternative.
    let (r, outputs) = match examples.form {
        Form::Choice(n) => (n_examples * n, n),
        Form::Single | Form::Sum => (n_examples, k),
    };
    let rows_of =
        |i: usize| &examples.rows[i * examples.rows.len() / r.max(1)..(i + 1) * examples.rows.len() / r.max(1)];
    let example_of = |i: usize| examples.example_ids[i * n_examples / r.max(1)];
    let mut represented = vec![0.0; r * c];
    for (i, x) in represented.chunks_exact_mut(c).enumerate() {
        for row in rows_of(i) {
            let row = *row as usize;
            gpt1_kernels::add(x, &ws.hidden()[row * c..(row + 1) * c]);
        }
        if let Some(mask) = &mask {
            mask.apply(example_of(i), x);
        }
    }
    let mut logits = vec![0.0; r * k];
    gemm(precision, view(&represented, r, c), view(weight, c, k), false, view_mut(&mut logits, r, k));
    gpt1_kernels::add_bias(&mut logits, bias);
    if examples.targets.is_empty() {
        return Classified { loss: 0.0, logits };
    }
    assert_eq!(examples.targets.len(), logits.len(), "a target for each output");

    let mut d_logits = logits.clone();
    let mut loss = 0.0;
    for (x, target) in d_logits.chunks_exact_mut(outputs).zip(examples.targets.chunks_exact(outputs)) {
        loss += f64::from(examples.weight) * soft_cross_entropy(x, target, examples.weight);
    }
    if let Some(grads) = grads {
        let d_weight = grads.tensor_mut("classifier.weight").expect("the model's layout");
        gemm(
            precision,
            view(&represented, r, c).reversed_axes(),
            view(&d_logits, r, k),
            true,
            view_mut(d_weight, c, k),
        );
        gpt1_kernels::column_sums(&d_logits, grads.tensor_mut("classifier.bias").expect("the model's layout"));
        let mut d = vec![0.0; r * c];
        gemm(precision, view(&d_logits, r, k), view(weight, c, k).reversed_axes(), false, view_mut(&mut d, r, c));
        for (i, d) in d.chunks_exact_mut(c).enumerate() {
            if let Some(mask) = &mask {
                mask.apply(example_of(i), d);
            }
            for row in rows_of(i) {
                let row = *row as usize;
                gpt1_kernels::add(&mut ws.d_hidden[row * c..(row + 1) * c], d);
            }
        }
    }
    lap("classifier");
    Classified { loss, logits }
}

/// Cross-entropy against a distribution: returns -sum target ln softmax(x); `x` becomes `weight (softmax(x) - target)` (times
/// the target's sum, which is 1).
fn soft_cross_entropy(x: &mut [f32], target: &[f32], weight: f32) -> f64 {
    let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = x.iter().map(|v| f64::from(v - max).exp()).sum();
    let log_sum = f64::from(max) + sum.ln();
    let mut loss = 0.0;
    for (x, t) in x.iter_mut().zip(target) {
        let log_p = f64::from(*x) - log_sum;
        loss -= f64::from(*t) * log_p;
        *x = weight * (log_p.exp() as f32 - t);
    }
    loss
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::tests::{config, lstm_config};
    use crate::{Batch, Config, backward, block};
    use std::ops::Range;

    fn models() -> [Model; 2] {
        [config(), lstm_config()].map(model)
    }

    fn model(mut config: Config) -> Model {
        config.initializer_range = 0.3;
        let mut model = Model::init(config, 3).add_classifier(3, 4);
        // Biases and gains away from their initial values, so that their part in the gradients shows.
        for (i, x) in model.params.data.iter_mut().enumerate() {
            *x += 0.05 * ((i as f32) * 0.7).sin();
        }
        model
    }

    fn batch() -> Batch {
        let mut batch = Batch::new();
        batch.push(0, &[1, 2, 3, 4, 5]);
        batch.push(1, &[7]);
        batch.push(2, &[9, 9, 1, 0, 22, 3, 4, 5, 6]);
        batch.push(3, &[4, 4]);
        batch
    }

    const DROPOUT: Option<Dropout> = Some(Dropout { seed: 5, step: 6 });

    fn loss(model: &Model, form: Form, dropout: Option<Dropout>, grads: Option<&mut Params>) -> f64 {
        let batch = batch();
        let targets: Vec<u32> = (0..batch.n_tokens() as u32).map(|i| (i * 5) % 23).collect();
        let weights: Vec<f32> = (0..batch.n_tokens()).map(|i| if i % 4 == 3 { 0.0 } else { 0.1 }).collect();
        let rows: Vec<u32> = batch.starts[1..].iter().map(|end| end - 1).collect();
        let (ids, soft): (Vec<u64>, Vec<f32>) = match form {
            Form::Single => (vec![0, 1, 2, 3], vec![1.0, 0.0, 0.0, 0.2, 0.3, 0.5, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0]),
            Form::Sum => (vec![0, 1], vec![1.0, 0.0, 0.0, 0.2, 0.3, 0.5]),
            Form::Choice(_) => (vec![0, 1], vec![1.0, 0.0, 0.25, 0.75]),
        };
        let examples = Examples { form, rows: &rows, example_ids: &ids, targets: &soft, weight: 0.5, pdrop: 0.2 };
        let mut ws = Workspace::new(&model.config);
        block::run(model, &batch, dropout, true, &mut ws);
        match grads {
            None => {
                let lm = lm_loss(model, &targets, &weights, &mut ws, None);
                lm + classifier_loss(model, &examples, dropout, &mut ws, None).loss
            }
            Some(grads) => {
                let lm = lm_loss(model, &targets, &weights, &mut ws, Some(grads));
                let total = lm + classifier_loss(model, &examples, dropout, &mut ws, Some(grads)).loss;
                backward(model, &batch, dropout, &mut ws, grads);
                total
            }
        }
    }

    #[test]
    fn whole_model_by_finite_differences() {
        for (form, dropout) in
            [Form::Single, Form::Sum, Form::Choice(2)].into_iter().flat_map(|f| [(f, None), (f, DROPOUT)])
        {
            for model in models() {
                let mut model = match form {
                    Form::Choice(_) => model.add_classifier(1, 4),
                    _ => model,
                };
                let mut grads = Params::zeros(&model.params.layout);
                let with = loss(&model, form, dropout, Some(&mut grads));
                assert!((with - loss(&model, form, dropout, None)).abs() < 1e-6);
                for tensor in &model.params.layout.clone().tensors {
                    let what = format!("{form:?} dropout {} {}", dropout.is_some(), tensor.name);
                    for i in tensor.range.clone().step_by(1 + tensor.range.len() / 7) {
                        let mut direction = vec![0.0; tensor.range.len()];
                        direction[i - tensor.range.start] = 1.0;
                        let slope = slope(&mut model, form, dropout, tensor.range.clone(), &direction);
                        let found = f64::from(grads.data[i]);
                        let at = i - tensor.range.start;
                        assert!((slope - found).abs() < 2e-3 + 2e-2 * slope.abs(), "{what}[{at}]: {found} not {slope}");
                    }
                    // Along the gradient, where every element of it shows, the slope is the gradient's length.
                    let gradient = &grads.data[tensor.range.clone()];
                    let length = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
                    let direction: Vec<f32> =
                        gradient.iter().map(|g| (f64::from(*g) / length.max(1e-9)) as f32).collect();
                    let slope = slope(&mut model, form, dropout, tensor.range.clone(), &direction);
                    assert!((slope - length).abs() < 3e-4 + 1e-2 * length, "{what}: {length} not {slope}");
                }
            }
        }
    }

    /// The slope of the loss along a direction of some parameters.
    fn slope(model: &mut Model, form: Form, dropout: Option<Dropout>, range: Range<usize>, direction: &[f32]) -> f64 {
        const H: f32 = 4e-3;
        let before = model.params.data[range.clone()].to_vec();
        let mut at = |h: f32| {
            for ((x, before), d) in model.params.data[range.clone()].iter_mut().zip(&before).zip(direction) {
                *x = before + h * d;
            }
            loss(model, form, dropout, None)
        };
        let difference = at(H) - at(-H);
        at(0.0);
        difference / f64::from(2.0 * H)
    }

    #[test]
    fn log_probabilities_are_those_of_the_logits() {
        // More rows than a chunk has.
        let model = model(config());
        let mut batch = Batch::new();
        for i in 0..300_u32 {
            batch.push(0, &[i % 23, i / 23 % 23, 7, i % 5]);
        }
        let mut ws = Workspace::new(&model.config);
        crate::forward(&model, &batch, None, &mut ws);
        let rows: Vec<usize> = (0..batch.n_tokens()).rev().collect();
        assert!(rows.len() > head_rows(23) && !rows.len().is_multiple_of(head_rows(23)));
        let targets: Vec<u32> = rows.iter().map(|row| (*row as u32 * 5) % 23).collect();
        let all = logits(&model, &rows, &ws);
        let found = log_probabilities(&model, &rows, &targets, &mut ws);
        assert_eq!(found.len(), rows.len());
        for ((x, target), found) in all.chunks_exact(23).zip(&targets).zip(&found) {
            let sum: f64 = x.iter().map(|l| f64::from(*l).exp()).sum();
            let expected = f64::from(x[*target as usize]) - sum.ln();
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
        assert_eq!(log_probabilities(&model, &rows, &targets, &mut ws.hold(&model)), found);
        let loss = lm_loss(&model, &[3; 1200], &vec![1.0; 1200], &mut ws, None);
        let sum: f64 = log_probabilities(&model, &rows, &[3; 1200], &mut ws).iter().sum();
        assert!((loss + sum).abs() < 1e-6 * loss, "{loss} {sum}");
        assert!(log_probabilities(&model, &[], &[], &mut ws).is_empty());
    }

    #[test]
    fn evaluation_is_training_without_dropout() {
        let batch = batch();
        for model in models() {
            let (mut training, mut evaluation) = (Workspace::new(&model.config), Workspace::new(&model.config));
            block::run(&model, &batch, None, true, &mut training);
            crate::forward(&model, &batch, None, &mut evaluation);
            assert_eq!(training.hidden(), evaluation.hidden());
            // A smaller batch afterwards sees nothing of the larger one.
            let mut small = Batch::new();
            small.push(0, &[7]);
            crate::forward(&model, &small, None, &mut evaluation);
            assert_eq!(evaluation.hidden().len(), 12);
            let row = 5 * 12;
            for (a, b) in evaluation.hidden().iter().zip(&training.hidden()[row..row + 12]) {
                assert!((a - b).abs() < 1e-5);
            }
            // Nor does a batch of nothing.
            crate::forward(&model, &Batch::new(), None, &mut evaluation);
            assert!(evaluation.hidden().is_empty());
        }
    }

    #[test]
    fn same_bits_for_any_number_of_threads_and_micro_batches_of_dropout() {
        for model in models() {
            let run = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let mut grads = Params::zeros(&model.params.layout);
                let loss = pool.install(|| loss(&model, Form::Single, DROPOUT, Some(&mut grads)));
                (loss.to_bits(), grads.data.iter().map(|g| g.to_bits()).collect::<Vec<_>>())
            };
            assert_eq!(run(1), run(2));
            assert_eq!(run(1), run(3));
            // A sequence alone, under its own number, has the hidden states that it has among others.
            let mut ws = Workspace::new(&model.config);
            crate::forward(&model, &batch(), DROPOUT, &mut ws);
            let all = ws.hidden().to_vec();
            let mut alone = Batch::new();
            alone.push(2, &[9, 9, 1, 0, 22, 3, 4, 5, 6]);
            crate::forward(&model, &alone, DROPOUT, &mut ws);
            for (a, b) in ws.hidden().iter().zip(&all[6 * 12..]) {
                assert!((a - b).abs() < 1e-5, "{a} {b}");
            }
        }
    }
}
