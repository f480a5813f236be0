//! Sampling, a token at a time, with the keys and values of earlier positions kept; of an LSTM, with its state.

use crate::block::view;
use crate::{Config, Model};
use gpt1_kernels::profile::in_pool;
use gpt1_kernels::vector::Matrix;
use gpt1_kernels::{NormStats, Precision, attention, residual_norm_forward};
use ndarray_rand::rand::Rng;

/// A model made ready for sampling: its matrices as they are, or copies in bf16.
#[derive(Debug)]
pub struct SamplingModel<'a> {
    model: &'a Model,
    /// Of each block: c_attn (C, 3C), attention's c_proj (C, C), c_fc (C, 4C), the MLP's c_proj (4C, C). Of an LSTM one entry:
    /// weight_ih (C, 4U), weight_hh (U, 4U), c_proj (U, C).
    layers: Vec<Vec<Matrix<'a>>>,
    /// (C, V)
    to_logits: Matrix<'a>,
}

impl<'a> SamplingModel<'a> {
    /// With matrices in that precision; everything else is f32.
    pub fn new(model: &'a Model, precision: Precision) -> SamplingModel<'a> {
        let Config { n_embd: c, vocab_size: v, n_layer, .. } = model.config;
        let matrix = |w, k, n| Matrix::new(precision, view(w, k, n));
        let block = |l: usize| {
            let [w_qkv, _, w_proj, _, _, _, w_fc, _, w_out, ..] = model.params.block(l);
            vec![matrix(w_qkv, c, 3 * c), matrix(w_proj, c, c), matrix(w_fc, c, 4 * c), matrix(w_out, 4 * c, c)]
        };
        let layers = match model.config.n_units {
            None => (0..n_layer).map(block).collect(),
            Some(u) => {
                let [w_ih, w_hh, _, w_proj, _] = model.params.lstm();
                vec![vec![matrix(w_ih, c, 4 * u), matrix(w_hh, u, 4 * u), matrix(w_proj, u, c)]]
            }
        };
        let embedding = view(model.params.token_embedding(), v, c);
        let to_logits = Matrix::new(precision, embedding.reversed_axes());
        SamplingModel { model, layers, to_logits }
    }
}

/// A sequence being continued.
#[derive(Debug)]
pub struct Sampler<'a, 'w> {
    model: &'a SamplingModel<'w>,
    /// Tokens so far, the last n_positions of them at most; an LSTM needs none.
    tokens: Vec<u32>,
    /// For each block: keys (T, C) and values (T, C). Of an LSTM one entry: cells (U) and outputs (U).
    cache: Vec<[Vec<f32>; 2]>,
    logits: Vec<f32>,
}

impl<'a, 'w> Sampler<'a, 'w> {
    /// An empty sequence.
    pub fn new(model: &'a SamplingModel<'w>) -> Sampler<'a, 'w> {
        let config = &model.model.config;
        let cache = match config.n_units {
            None => vec![[Vec::new(), Vec::new()]; config.n_layer],
            Some(u) => vec![[vec![0.0; u], vec![0.0; u]]],
        };
        Sampler { model, tokens: Vec::new(), cache, logits: vec![0.0; config.vocab_size] }
    }

    /// Adds a token and returns the logits (V) of the next. When the context is full, the first half of it is forgotten and
    /// the rest computed again at its new positions; the state of an LSTM goes on.
    ///
    /// # Panics
    /// If the token is not in the vocabulary.
    pub fn feed(&mut self, token: u32) -> &[f32] {
        in_pool(|| self.feed_here(token))
    }

    fn feed_here(&mut self, token: u32) -> &[f32] {
        let n_positions = self.model.model.config.n_positions;
        if self.tokens.len() == n_positions {
            let kept = self.tokens.split_off(n_positions.div_ceil(2));
            self.tokens.clear();
            self.cache.iter_mut().flatten().for_each(Vec::clear);
            for token in kept {
                self.step(token);
            }
        }
        let hidden = self.step(token);
        self.model.to_logits.row_product(&hidden, &mut self.logits);
        &self.logits
    }

    /// The hidden state (C) of one more token.
    fn step(&mut self, token: u32) -> Vec<f32> {
        let SamplingModel { model, layers, .. } = self.model;
        let c = model.config.n_embd;
        let (token, position) = (token as usize, self.tokens.len());
        let mut x = model.params.token_embedding()[token * c..(token + 1) * c].to_vec();
        if model.config.n_units.is_some() {
            return step_lstm(model, &layers[0], &mut self.cache[0], &x);
        }
        gpt1_kernels::add(&mut x, &model.params.position_embedding()[position * c..(position + 1) * c]);
        for (l, (cache, matrices)) in self.cache.iter_mut().zip(layers).enumerate() {
            x = step_block(&model.config, &model.params.block(l), matrices, cache, x);
        }
        self.tokens.push(token as u32);
        x
    }
}

fn step_lstm(model: &Model, matrices: &[Matrix], [cells, outputs]: &mut [Vec<f32>; 2], x: &[f32]) -> Vec<f32> {
    let [to_gates, recurrent, to_hidden] = matrices else { unreachable!("an LSTM has three matrices") };
    let [_, _, bias, _, b_proj] = model.params.lstm();
    let (mut gates, mut from_before) = (vec![0.0; bias.len()], vec![0.0; bias.len()]);
    to_gates.row_product(x, &mut gates);
    recurrent.row_product(outputs, &mut from_before);
    gpt1_kernels::add(&mut gates, &from_before);
    let before = cells.clone();
    gpt1_kernels::lstm::cell_forward(&mut gates, bias, &before, cells, outputs);
    let mut hidden = vec![0.0; x.len()];
    to_hidden.row_product(outputs, &mut hidden);
    gpt1_kernels::add(&mut hidden, b_proj);
    hidden
}

fn step_block(config: &Config, p: &[&[f32]], matrices: &[Matrix], cache: &mut [Vec<f32>; 2], x: Vec<f32>) -> Vec<f32> {
    let [to_qkv, to_branch, to_fc, to_out] = matrices else { unreachable!("a block has four matrices") };
    let &[_, b_qkv, _, b_proj, gain_1, shift_1, _, b_fc, _, b_out, gain_2, shift_2] = p else {
        unreachable!("a block has twelve tensors")
    };
    let c = config.n_embd;
    let mut qkv = vec![0.0; 3 * c];
    to_qkv.row_product(&x, &mut qkv);
    gpt1_kernels::add(&mut qkv, b_qkv);
    cache[0].extend_from_slice(&qkv[c..2 * c]);
    cache[1].extend_from_slice(&qkv[2 * c..]);
    let mut attended = vec![0.0; c];
    attention::one_query(config.n_head, &qkv[..c], &cache[0], &cache[1], &mut attended);
    let mut branch = vec![0.0; c];
    to_branch.row_product(&attended, &mut branch);
    let middle = norm(config, x, branch, b_proj, gain_1, shift_1);
    let mut fc = vec![0.0; 4 * c];
    to_fc.row_product(&middle, &mut fc);
    gpt1_kernels::add(&mut fc, b_fc);
    let mut activated = vec![0.0; 4 * c];
    gpt1_kernels::gelu_forward(&fc, &mut activated);
    let mut branch = vec![0.0; c];
    to_out.row_product(&activated, &mut branch);
    norm(config, middle, branch, b_out, gain_2, shift_2)
}

fn norm(config: &Config, mut x: Vec<f32>, mut branch: Vec<f32>, bias: &[f32], gain: &[f32], shift: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    let mut stats = [NormStats::default()];
    let epsilon = config.layer_norm_epsilon;
    residual_norm_forward(&mut x, &mut branch, bias, None, &[0], gain, shift, epsilon, &mut out, &mut stats);
    out
}

/// Draws a token from `softmax(logits / temperature)` over the `top_k` likeliest (0: all). Temperature 0 takes the likeliest;
/// ties go to the lower id.
///
/// # Panics
/// If there are no logits.
pub fn sample_token(logits: &[f32], temperature: f64, top_k: usize, rng: &mut impl Rng) -> u32 {
    let by_logit = |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
    let mut tokens: Vec<u32> = (0..logits.len() as u32).collect();
    if temperature <= 0.0 {
        return tokens.into_iter().min_by(by_logit).expect("a vocabulary");
    }
    if top_k > 0 && top_k < tokens.len() {
        tokens.select_nth_unstable_by(top_k, by_logit);
        tokens.truncate(top_k);
        tokens.sort_unstable();
    }
    let max = tokens.iter().map(|i| logits[*i as usize]).fold(f32::NEG_INFINITY, f32::max);
    let mut weights: Vec<f32> =
        tokens.iter().map(|i| (f64::from(logits[*i as usize] - max) / temperature) as f32).collect();
    gpt1_kernels::exp_all(&mut weights);
    let mut left = rng.random::<f64>() * weights.iter().map(|weight| f64::from(*weight)).sum::<f64>();
    let drawn = weights.iter().position(|weight| {
        left -= f64::from(*weight);
        left < 0.0
    });
    // Rounding may leave a trace of the last weight.
    let last = || weights.iter().rposition(|weight| *weight > 0.0);
    tokens[drawn.or_else(last).expect("the likeliest has weight 1")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::tests::{config, lstm_config};
    use crate::{Batch, Workspace, forward, logits};
    use ndarray_rand::rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn state_gives_the_logits_of_the_whole_sequence_and_goes_on() {
        let model = Model::init(Config { initializer_range: 0.3, n_positions: 30, ..lstm_config() }, 3);
        let tokens: Vec<u32> = (0..30).map(|i| (i * i + 3) % 23).collect();
        let mut batch = Batch::new();
        batch.push(0, &tokens);
        let mut ws = Workspace::new(&model.config);
        forward(&model, &batch, None, &mut ws);
        let whole = logits(&model, &(0..tokens.len()).collect::<Vec<_>>(), &ws);
        // The context does not matter.
        let model = Model { config: Config { n_positions: 4, ..model.config }, ..model };
        for (precision, tolerance) in [(Precision::F32, 1e-5), (Precision::Bf16, 0.05)] {
            let ready = SamplingModel::new(&model, precision);
            let mut sampler = Sampler::new(&ready);
            for (i, token) in tokens.iter().enumerate() {
                for (a, b) in sampler.feed(*token).iter().zip(&whole[i * 23..]) {
                    assert!((a - b).abs() < tolerance, "{precision:?} {i}: {a} {b}");
                }
            }
        }
        assert!(whole.iter().any(|x| x.abs() > 0.2));
    }

    #[test]
    fn cache_gives_the_logits_of_the_whole_sequence() {
        let model = Model::init(Config { initializer_range: 0.3, ..config() }, 3);
        let tokens = [1_u32, 2, 3, 22, 5, 6, 7, 8, 0];
        let mut batch = Batch::new();
        batch.push(0, &tokens);
        let mut ws = Workspace::new(&model.config);
        forward(&model, &batch, None, &mut ws);
        let whole = logits(&model, &(0..tokens.len()).collect::<Vec<_>>(), &ws);
        let ready = SamplingModel::new(&model, Precision::F32);
        let mut sampler = Sampler::new(&ready);
        for (i, token) in tokens.iter().enumerate() {
            for (a, b) in sampler.feed(*token).iter().zip(&whole[i * 23..]) {
                assert!((a - b).abs() < 1e-4, "{i}: {a} {b}");
            }
        }
        // The context of 9 is full: the next token comes after the last 4.
        let mut after = Sampler::new(&ready);
        for token in &tokens[5..] {
            after.feed(*token);
        }
        let wanted = after.feed(11).to_vec();
        for (a, b) in sampler.feed(11).iter().zip(&wanted) {
            assert!((a - b).abs() < 1e-5);
        }
    }

    #[test]
    fn bf16_logits_are_near_those_in_f32() {
        let model = Model::init(Config { initializer_range: 0.3, ..config() }, 3);
        let exact = SamplingModel::new(&model, Precision::F32);
        let rounded = SamplingModel::new(&model, Precision::Bf16);
        let (mut exact, mut rounded) = (Sampler::new(&exact), Sampler::new(&rounded));
        for token in [1, 2, 3, 22, 5, 6, 7, 8, 0, 4, 4] {
            let worst =
                exact.feed(token).iter().zip(rounded.feed(token)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst > 0.0 && worst < 0.05, "{worst}");
        }
    }

    #[test]
    fn draws_follow_the_distribution() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let logits = [0.0, 2.0_f32.ln(), 4.0_f32.ln(), f32::NEG_INFINITY];
        let mut counts = [0; 4];
        for _ in 0..7000 {
            counts[sample_token(&logits, 1.0, 0, &mut rng) as usize] += 1;
        }
        assert!((900..1100).contains(&counts[0]) && (1850..2150).contains(&counts[1]) && counts[3] == 0, "{counts:?}");
        for _ in 0..100 {
            assert!(sample_token(&logits, 1.0, 2, &mut rng) != 0);
            assert_eq!(sample_token(&logits, 0.0, 0, &mut rng), 2);
            assert_eq!(sample_token(&logits, 1.0, 1, &mut rng), 2);
        }
    }
}
