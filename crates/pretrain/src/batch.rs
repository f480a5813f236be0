//! The objective: next-token prediction on windows of text.
//!
//! L1 = -1/n sum_i ln P(u_i | u_0 .. u_{i-1}), the mean over all n target tokens of an update (paper 3.1, equation 1). A
//! window is n_ctx + 1 tokens: all but the last are inputs, all but the first targets.

use gpt1_artifacts::progress::Progress;
use gpt1_kernels::profile::in_pool;
use gpt1_model::{Batch, Dropout, Model, Workspace, backward_while, forward, lm_loss};
use gpt1_ranks::Ranks;
use gpt1_shard::Tokens;
use gpt1_training::Gradients;
use std::num::NonZeroUsize;
use std::ops::Range;

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

/// A rank's part of an update's windows, or all of them.
#[derive(Debug, Clone, Copy)]
pub struct Portion<'a> {
    /// The windows.
    pub windows: &'a [Vec<u32>],
    /// The number in the update of the first of them: it names its dropout mask.
    pub first: usize,
    /// Targets of the whole update.
    pub n_targets: usize,
    /// Micro-batches of the rank that has most.
    pub n_micro_batches: usize,
}

impl Portion<'_> {
    /// All windows of an update.
    pub fn whole(windows: &[Vec<u32>], micro_batch_size: usize) -> Portion<'_> {
        let n_micro_batches = windows.len().div_ceil(micro_batch_size);
        Portion { windows, first: 0, n_targets: n_targets(windows), n_micro_batches }
    }
}

/// Adds the gradients of the mean loss over all targets of an update, as far as the windows of `portion` make them, to `grads` and
/// returns their part of the loss in nats a token. In the last micro-batch, what is final goes out to the other ranks.
///
/// `micro_batch_size` windows are computed at once; it changes nothing but rounding and memory, since each target's weight
/// and each window's dropout mask are those of the whole update. `None` if a signal has come ([`gpt1_training::Exchange::signal`])
/// between micro-batches.
pub fn gradients(
    model: &Model,
    portion: &Portion,
    micro_batch_size: usize,
    dropout: Dropout,
    scratch: &mut Scratch,
    grads: &mut Gradients,
) -> Option<f64> {
    let weight = 1.0 / portion.n_targets as f32;
    let mut loss = 0.0;
    let Scratch { workspace, inputs } = scratch;
    let Gradients { sum, exchange } = grads;
    let mut workspace = workspace.hold(model);
    in_pool(|| {
        let mut micro_batches = portion.windows.chunks(micro_batch_size);
        for i in 0..portion.n_micro_batches {
            // Of the first micro-batch the loop over updates has asked.
            if i > 0 && exchange.signal().is_some() {
                return None;
            }
            let Some(micro_batch) = micro_batches.next() else { continue };
            inputs.fill(micro_batch, portion.first + i * micro_batch_size, weight);
            log::trace!("micro batch {i}: {} windows, {} tokens", micro_batch.len(), inputs.targets.len());
            let Inputs { batch, targets, weights } = inputs;
            forward(model, batch, Some(dropout), &mut workspace);
            loss += lm_loss(model, targets, weights, &mut workspace, Some(sum));
            let is_last = i + 1 == portion.n_micro_batches;
            backward_while(model, batch, Some(dropout), &mut workspace, sum, |sum, from| {
                if is_last {
                    exchange.is_final(sum, from);
                }
            });
        }
        Some(loss)
    })
}

/// The mean loss over all targets of `windows` in nats a token, without dropout. The ranks divide them; all get the result, which
/// has the same bits for any number of them.
pub fn loss(model: &Model, windows: &[Vec<u32>], micro_batch_size: usize, scratch: &mut Scratch, ranks: Ranks) -> f64 {
    let Scratch { workspace, inputs } = scratch;
    let mut workspace = workspace.hold(model);
    let progress = Progress::brief("evaluating", windows.len() as u64, "windows");
    let n_each = windows.len().div_ceil(micro_batch_size).div_ceil(ranks.n_ranks());
    let mut sums = Vec::with_capacity(n_each);
    for micro_batch in windows.chunks(micro_batch_size).skip(ranks.rank()).step_by(ranks.n_ranks()) {
        inputs.fill(micro_batch, 0, 1.0);
        forward(model, &inputs.batch, None, &mut workspace);
        sums.push(lm_loss(model, &inputs.targets, &inputs.weights, &mut workspace, None));
        progress.inc((micro_batch.len() * ranks.n_ranks()) as u64);
    }
    sums.resize(n_each, 0.0);
    let all = ranks.all_gather(sums);
    // Micro-batch after micro-batch, as one rank would have added them.
    let sum: f64 = (0..n_each).flat_map(|i| all.iter().skip(i).step_by(n_each)).sum();
    sum / n_targets(windows) as f64
}

/// The windows of an update that a rank computes, of `n` in all.
pub fn own_windows(n: usize, ranks: Ranks) -> Range<usize> {
    n * ranks.rank() / ranks.n_ranks()..n * (ranks.rank() + 1) / ranks.n_ranks()
}

/// Threads of a rank: as many as it was told, else its part of this machine's cores. To be called on all.
pub fn threads(asked_for: Option<NonZeroUsize>, ranks: Ranks) -> Option<usize> {
    let available = std::thread::available_parallelism().map_or(1, usize::from);
    let own = ranks.threads(available);
    asked_for.map(NonZeroUsize::get).or((!ranks.is_alone()).then_some(own))
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
