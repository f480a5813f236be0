//! Adam with decoupled weight decay, as in OpenAI's released code (opt.py), and the norm of the gradients.

use crate::share::{CHUNK, Share};
use gpt1_kernels::profile::lap;
use gpt1_model::Params;
use rayon::prelude::*;

/// Chunks that are worth a thread's while.
const AT_LEAST: usize = 8;

/// The optimiser's constants (paper 4.1, and the released code for what the paper does not say).
#[derive(Debug, Clone, PartialEq)]
pub struct AdamConfig {
    /// Largest learning rate; the schedule's factor multiplies it.
    pub learning_rate: f64,
    /// Decay of the mean of the gradients.
    pub beta1: f64,
    /// Decay of the mean of their squares.
    pub beta2: f64,
    /// Added to the root of the mean of squares, outside the root.
    pub epsilon: f64,
    /// Decoupled weight decay w, multiplied by the bias-corrected rate; not on biases and gains.
    pub weight_decay: f64,
    /// Gradients with a larger global norm are scaled down to it; `None`: never.
    pub max_grad_norm: Option<f64>,
}

/// The optimiser's state: of all parameters, or of a rank's share of them.
#[derive(Debug)]
pub struct Adam {
    /// Which parameters.
    pub share: Share,
    /// (own) running mean of the gradients.
    pub m: Vec<f32>,
    /// (own) running mean of their squares.
    pub v: Vec<f32>,
    /// Finished updates.
    pub n_updates: u64,
}

impl Adam {
    /// The state before the first update: all zeros.
    pub fn new(share: Share) -> Adam {
        let n = share.n_own();
        Adam { share, m: vec![0.0; n], v: vec![0.0; n], n_updates: 0 }
    }

    /// One update of the share's parameters with their gradients (own) times `grad_scale` (see [`clip_scale`]); `factor` is the
    /// schedule's. With t the number of this update, from 1:
    ///
    /// ```text
    /// g = grad_scale * gradient
    /// m = beta1 m + (1 - beta1) g
    /// v = beta2 v + (1 - beta2) g^2
    /// rate = learning_rate * factor * sqrt(1 - beta2^t) / (1 - beta1^t)
    /// p -= rate * (m / (sqrt(v) + epsilon) + weight_decay p)
    /// ```
    ///
    /// The decay term is left out for biases and gains ([`gpt1_model::Tensor::decays`]).
    ///
    /// # Panics
    /// If parameters or gradients are not those of the share.
    pub fn update(&mut self, params: &mut Params, own: &[f32], config: &AdamConfig, factor: f64, grad_scale: f32) {
        let Share { rank, n_ranks, n_params } = self.share;
        assert_eq!(params.data.len(), n_params, "parameters and optimiser state of different layouts");
        assert_eq!(own.len(), self.m.len(), "gradients and optimiser state of different layouts");
        self.n_updates += 1;
        let t = self.n_updates as f64;
        let rate = config.learning_rate * factor * (1.0 - config.beta2.powf(t)).sqrt() / (1.0 - config.beta1.powf(t));
        let (rate, beta1, beta2) = (rate as f32, config.beta1, config.beta2);
        let (epsilon, weight_decay) = (config.epsilon as f32, config.weight_decay as f32);

        let Params { layout, data } = params;
        let tensors = &layout.tensors;
        let chunks = data.par_chunks_mut(CHUNK).enumerate().skip(rank).step_by(n_ranks);
        let states = self.m.par_chunks_mut(CHUNK).zip(self.v.par_chunks_mut(CHUNK)).zip(own.par_chunks(CHUNK));
        chunks.zip(states).with_min_len(AT_LEAST).for_each(|((number, p), ((m, v), g))| {
            // Tensors lie one after the other; each has its decay.
            let first = number * CHUNK;
            let end = first + p.len();
            let mut at = first;
            for tensor in &tensors[tensors.partition_point(|tensor| tensor.range.end <= first)..] {
                if at == end {
                    break;
                }
                let piece = at - first..tensor.range.end.min(end) - first;
                at = first + piece.end;
                let decay = if tensor.decays() { weight_decay } else { 0.0 };
                gpt1_kernels::adam_update(
                    &mut p[piece.clone()],
                    &g[piece.clone()],
                    &mut m[piece.clone()],
                    &mut v[piece],
                    rate,
                    beta1,
                    beta2,
                    epsilon,
                    decay,
                    grad_scale,
                );
            }
        });
        lap("optimiser, update");
    }
}

/// The sums of squares of gradients, chunk by chunk.
pub(crate) fn squares(grads: &[f32]) -> Vec<f64> {
    let sums = grads.par_chunks(CHUNK).with_min_len(AT_LEAST).map(gpt1_kernels::sum_of_squares).collect();
    lap("optimiser, gradient norm");
    sums
}

/// The Euclidean norm of all gradients together, the same to the bit for any number of threads.
pub fn gradient_norm(grads: &[f32]) -> f64 {
    squares(grads).iter().sum::<f64>().sqrt()
}

/// What to multiply the gradients by so that their global norm is at most `max_norm`.
pub fn clip_scale(norm: f64, max_norm: Option<f64>) -> f32 {
    match max_norm {
        Some(max) if norm > max => (max / norm) as f32,
        _ => 1.0,
    }
}

/// Sets the gradients to zero.
pub fn clear_gradients(grads: &mut Params) {
    grads.data.par_chunks_mut(CHUNK).with_min_len(AT_LEAST).for_each(|chunk| chunk.fill(0.0));
    lap("optimiser, clearing gradients");
}

#[cfg(test)]
mod tests {
    use super::*;
    use gpt1_model::{Config, Model};
    use std::sync::Arc;

    fn model() -> Model {
        let config = Config {
            vocab_size: 700,
            n_positions: 8,
            n_embd: 128,
            n_layer: 1,
            n_head: 4,
            n_units: None,
            embd_pdrop: 0.0,
            resid_pdrop: 0.0,
            attn_pdrop: 0.0,
            layer_norm_epsilon: 1e-5,
            initializer_range: 0.02,
        };
        Model::init(config, 1)
    }

    /// Numbers in -1..1 from a linear congruential generator.
    fn random(seed: &mut u64) -> f64 {
        *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (*seed >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    /// The released code's formulas, element by element in f64.
    #[test]
    fn updates_are_those_of_the_formula() {
        let mut seed = std::process::id() as u64;
        println!("seed {seed}");
        let mut model = model();
        let layout = Arc::clone(&model.params.layout);
        let config = AdamConfig {
            learning_rate: 0.01,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.1,
            max_grad_norm: None,
        };
        let n = layout.n_params;
        let (mut p, mut m, mut v) =
            (model.params.data.iter().map(|x| f64::from(*x)).collect::<Vec<_>>(), vec![0.0; n], vec![0.0; n]);
        let mut adam = Adam::new(Share::whole(n));
        let mut grads = Params::zeros(&layout);
        for (t, (factor, scale)) in [(0.0, 1.0), (0.5, 0.25), (1.0, 2.0)].into_iter().enumerate() {
            grads.data.iter_mut().for_each(|g| *g = random(&mut seed) as f32);
            adam.update(&mut model.params, &grads.data, &config, factor, scale as f32);
            let t = t as i32 + 1;
            let rate =
                config.learning_rate * factor * (1.0 - config.beta2.powi(t)).sqrt() / (1.0 - config.beta1.powi(t));
            for tensor in &layout.tensors {
                let decay = if tensor.shape.len() > 1 { config.weight_decay } else { 0.0 };
                for i in tensor.range.clone() {
                    let g = f64::from(grads.data[i]) * scale;
                    m[i] = 0.9 * m[i] + 0.1 * g;
                    v[i] = 0.999 * v[i] + 0.001 * g * g;
                    p[i] -= rate * (m[i] / (v[i].sqrt() + config.epsilon) + decay * p[i]);
                }
            }
            for i in 0..n {
                assert!((f64::from(model.params.data[i]) - p[i]).abs() < 1e-6, "update {t}, parameter {i}");
                assert!((f64::from(adam.m[i]) - m[i]).abs() < 1e-6, "update {t}, mean {i}");
                assert!((f64::from(adam.v[i]) - v[i]).abs() < 1e-6, "update {t}, square {i}");
            }
        }
        assert_eq!(adam.n_updates, 3);
    }

    #[test]
    fn first_update_of_a_warm_up_moves_nothing() {
        let mut model = model();
        let before = model.params.data.clone();
        let mut grads = Params::zeros(&model.params.layout);
        grads.data.fill(1.0);
        let config = AdamConfig {
            learning_rate: 0.01,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.1,
            max_grad_norm: None,
        };
        Adam::new(Share::whole(before.len())).update(&mut model.params, &grads.data, &config, 0.0, 1.0);
        assert_eq!(model.params.data, before);
    }

    #[test]
    fn norm_is_the_same_for_any_number_of_threads() {
        let mut seed = 5;
        let mut grads = Params::zeros(&model().params.layout);
        grads.data.iter_mut().for_each(|g| *g = random(&mut seed) as f32);
        let plain = grads.data.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let norms: Vec<f64> = [1, 2, 5]
            .iter()
            .map(|n| {
                rayon::ThreadPoolBuilder::new().num_threads(*n).build().unwrap().install(|| gradient_norm(&grads.data))
            })
            .collect();
        assert!(norms.iter().all(|norm| *norm == norms[0]));
        assert!((norms[0] - plain).abs() < 1e-9 * plain);
    }

    #[test]
    fn clipping() {
        assert_eq!(clip_scale(4.0, Some(1.0)), 0.25);
        assert_eq!(clip_scale(0.5, Some(1.0)), 1.0);
        assert_eq!(clip_scale(4.0, None), 1.0);
    }
}
