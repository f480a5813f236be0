//! The objective: next-token prediction on windows of text.
//!
//! L1 = -1/n sum_i ln P(u_i | u_0 .. u_{i-1}), the mean over all n target tokens of an update (paper 3.1, equation 1). A
//! window is n_ctx + 1 tokens: all but the last are inputs, all but the first targets.

use gpt1_artifacts::progress::Progress;
use gpt1_model::{Batch, Dropout, Model, Params, Workspace, backward, forward, lm_loss};
use gpt1_shard::Tokens;

/// Memory that is kept from batch to batch.
#[derive(Debug)]
pub struct Scratch {
    workspace: Workspace,
    inputs: Inputs,
}

#[derive(Debug, Default)]
struct Inputs {
    batch: Batch,
    targets: Vec<u32>,
    weights: Vec<f32>,
}

impl Scratch {
    /// Scratch memory for a model.
    pub fn new(model: &Model) -> Scratch {
        Scratch { workspace: Workspace::new(&model.config), inputs: Inputs::default() }
    }
}

impl Inputs {
    /// Lays windows end to end; the first has the number `first` in its update. `weight` is that of each target.
    fn fill(&mut self, windows: &[Vec<u32>], first: usize, weight: f32) {
        self.batch.clear();
        self.targets.clear();
        for (i, window) in windows.iter().enumerate() {
            self.batch.push((first + i) as u64, &window[..window.len() - 1]);
            self.targets.extend_from_slice(&window[1..]);
        }
        self.weights.clear();
        self.weights.resize(self.targets.len(), weight);
    }
}

/// Adds the gradients of the mean loss over all targets of `windows` to `grads` and returns the loss in nats a token.
///
/// `micro_batch_size` windows are computed at once; it changes nothing but rounding and memory, since each target's weight
/// and each window's dropout mask are those of the whole update. `None` if `give_up` said so between micro batches.
pub fn gradients(
    model: &Model,
    windows: &[Vec<u32>],
    micro_batch_size: usize,
    dropout: Dropout,
    scratch: &mut Scratch,
    grads: &mut Params,
    give_up: impl Fn() -> bool,
) -> Option<f64> {
    let weight = 1.0 / n_targets(windows) as f32;
    let mut loss = 0.0;
    let Scratch { workspace, inputs } = scratch;
    let mut workspace = workspace.hold(model);
    for (i, micro_batch) in windows.chunks(micro_batch_size).enumerate() {
        if give_up() {
            return None;
        }
        inputs.fill(micro_batch, i * micro_batch_size, weight);
        log::trace!("micro batch {i}: {} windows, {} tokens", micro_batch.len(), inputs.targets.len());
        let Inputs { batch, targets, weights } = inputs;
        forward(model, batch, Some(dropout), &mut workspace);
        loss += lm_loss(model, targets, weights, &mut workspace, Some(grads));
        backward(model, batch, Some(dropout), &mut workspace, grads);
    }
    Some(loss)
}

/// The mean loss over all targets of `windows` in nats a token, without dropout.
pub fn loss(model: &Model, windows: &[Vec<u32>], micro_batch_size: usize, scratch: &mut Scratch) -> f64 {
    let mut sum = 0.0;
    let Scratch { workspace, inputs } = scratch;
    let mut workspace = workspace.hold(model);
    let progress = Progress::brief("evaluating", windows.len() as u64, "windows");
    for micro_batch in windows.chunks(micro_batch_size) {
        inputs.fill(micro_batch, 0, 1.0);
        forward(model, &inputs.batch, None, &mut workspace);
        sum += lm_loss(model, &inputs.targets, &inputs.weights, &mut workspace, None);
        progress.inc(micro_batch.len() as u64);
    }
    sum / n_targets(windows) as f64
}

/// Targets of some windows.
pub fn n_targets(windows: &[Vec<u32>]) -> usize {
    windows.iter().map(|window| window.len() - 1).sum()
}

/// The first `limit` windows of a split, in order and without overlap (the last target of one is the first input of the
/// next); where the split ends within a window, that one is shorter. Empty if the split has no target.
pub fn consecutive_windows(tokens: &Tokens, n_ctx: usize, limit: usize) -> Vec<Vec<u32>> {
    let last = tokens.len().saturating_sub(1);
    let starts = (0..last).step_by(n_ctx).take(limit);
    starts.map(|start| tokens.window(start, n_ctx.min(last - start) + 1).collect()).collect()
}
