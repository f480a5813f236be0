//! Sampling, a token at a time, with the keys and values of earlier positions kept.

use crate::block::view;
use crate::{Config, Model};
use gpt1_kernels::{NormStats, attention, gemv, residual_norm_forward};
use ndarray::{ArrayView1, ArrayViewMut1};
use ndarray_rand::rand::Rng;

/// A sequence being continued.
#[derive(Debug)]
pub struct Sampler<'a> {
    model: &'a Model,
    /// Tokens so far, the last n_positions of them at most.
    tokens: Vec<u32>,
    /// For each block: keys (T, C) and values (T, C).
    cache: Vec<[Vec<f32>; 2]>,
    logits: Vec<f32>,
}

impl<'a> Sampler<'a> {
    /// An empty sequence.
    pub fn new(model: &'a Model) -> Sampler<'a> {
        let cache = vec![[Vec::new(), Vec::new()]; model.config.n_layer];
        Sampler { model, tokens: Vec::new(), cache, logits: vec![0.0; model.config.vocab_size] }
    }

    /// Adds a token and returns the logits (V) of the next. When the context is full, the first half of it is forgotten and
    /// the rest computed again at its new positions.
    ///
    /// # Panics
    /// If the token is not in the vocabulary.
    pub fn feed(&mut self, token: u32) -> &[f32] {
        let n_positions = self.model.config.n_positions;
        if self.tokens.len() == n_positions {
            let kept = self.tokens.split_off(n_positions.div_ceil(2));
            self.tokens.clear();
            self.cache.iter_mut().flatten().for_each(Vec::clear);
            for token in kept {
                self.step(token);
            }
        }
        let hidden = self.step(token);
        let Config { n_embd: c, vocab_size: v, .. } = self.model.config;
        let embedding = view(self.model.params.token_embedding(), v, c);
        gemv(ArrayView1::from(&hidden), embedding.reversed_axes(), 0.0, ArrayViewMut1::from(&mut self.logits));
        &self.logits
    }

    /// The hidden state (C) of one more token.
    fn step(&mut self, token: u32) -> Vec<f32> {
        let config = &self.model.config;
        let params = &self.model.params;
        let c = config.n_embd;
        let (token, position) = (token as usize, self.tokens.len());
        let mut x = params.token_embedding()[token * c..(token + 1) * c].to_vec();
        gpt1_kernels::add(&mut x, &params.position_embedding()[position * c..(position + 1) * c]);
        for (l, cache) in self.cache.iter_mut().enumerate() {
            x = step_block(config, &params.block(l), cache, x);
        }
        self.tokens.push(token as u32);
        x
    }
}

fn step_block(config: &Config, p: &[&[f32]], cache: &mut [Vec<f32>; 2], x: Vec<f32>) -> Vec<f32> {
    let &[w_qkv, b_qkv, w_proj, b_proj, gain_1, shift_1, w_fc, b_fc, w_out, b_out, gain_2, shift_2] = p else {
        unreachable!("a block has twelve tensors")
    };
    let c = config.n_embd;
    let mut qkv = b_qkv.to_vec();
    dense(&x, w_qkv, &mut qkv, 1.0);
    cache[0].extend_from_slice(&qkv[c..2 * c]);
    cache[1].extend_from_slice(&qkv[2 * c..]);
    let mut attended = vec![0.0; c];
    attention::one_query(config.n_head, &qkv[..c], &cache[0], &cache[1], &mut attended);
    let mut branch = vec![0.0; c];
    dense(&attended, w_proj, &mut branch, 0.0);
    let middle = norm(config, &x, branch, b_proj, gain_1, shift_1);
    let mut fc = vec![0.0; 4 * c];
    dense(&middle, w_fc, &mut fc, 0.0);
    let mut activated = vec![0.0; 4 * c];
    gpt1_kernels::gelu_forward(&mut fc, b_fc, &mut activated);
    let mut branch = vec![0.0; c];
    dense(&activated, w_out, &mut branch, 0.0);
    norm(config, &middle, branch, b_out, gain_2, shift_2)
}

/// y = x w + beta y for w: (K, N).
fn dense(x: &[f32], w: &[f32], y: &mut [f32], beta: f32) {
    gemv(ArrayView1::from(x), view(w, x.len(), y.len()), beta, ArrayViewMut1::from(y));
}

fn norm(config: &Config, x: &[f32], mut branch: Vec<f32>, bias: &[f32], gain: &[f32], shift: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    let mut stats = [NormStats::default()];
    let epsilon = config.layer_norm_epsilon;
    residual_norm_forward(x, &mut branch, bias, None, &[0], gain, shift, epsilon, &mut out, &mut stats);
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
    let max = f64::from(tokens.iter().map(|i| logits[*i as usize]).fold(f32::NEG_INFINITY, f32::max));
    let weights: Vec<f64> =
        tokens.iter().map(|i| ((f64::from(logits[*i as usize]) - max) / temperature).exp()).collect();
    let mut left = rng.random::<f64>() * weights.iter().sum::<f64>();
    let drawn = weights.iter().position(|weight| {
        left -= weight;
        left < 0.0
    });
    // Rounding may leave a trace of the last weight.
    let last = || weights.iter().rposition(|weight| *weight > 0.0);
    tokens[drawn.or_else(last).expect("the likeliest has weight 1")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::tests::config;
    use crate::{Batch, Workspace, forward, logits};
    use ndarray_rand::rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn cache_gives_the_logits_of_the_whole_sequence() {
        let model = Model::init(Config { initializer_range: 0.3, ..config() }, 3);
        let tokens = [1_u32, 2, 3, 22, 5, 6, 7, 8, 0];
        let mut batch = Batch::new();
        batch.push(0, &tokens);
        let mut ws = Workspace::new(&model.config);
        forward(&model, &batch, None, &mut ws);
        let whole = logits(&model, &(0..tokens.len()).collect::<Vec<_>>(), &ws);
        let mut sampler = Sampler::new(&model);
        for (i, token) in tokens.iter().enumerate() {
            for (a, b) in sampler.feed(*token).iter().zip(&whole[i * 23..]) {
                assert!((a - b).abs() < 1e-4, "{i}: {a} {b}");
            }
        }
        // The context of 9 is full: the next token comes after the last 4.
        let mut after = Sampler::new(&model);
        for token in &tokens[5..] {
            after.feed(*token);
        }
        let wanted = after.feed(11).to_vec();
        for (a, b) in sampler.feed(11).iter().zip(&wanted) {
            assert!((a - b).abs() < 1e-5);
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
