//! The memory that forward and backward work in; it grows to the largest batch and is kept.

use crate::Config;
use crate::held::Held;
use crate::lstm::Activations;
use gpt1_kernels::{NormStats, Precision};

/// What forward keeps of one block for backward.
#[derive(Debug, Default)]
pub(crate) struct BlockActivations {
    /// (N, 3C) queries, keys, values.
    pub qkv: Vec<f32>,
    /// (N * NH) ln sum exp of each row of attention scores.
    pub log_sums: Vec<f32>,
    /// (N, C) the heads' outputs side by side.
    pub attended: Vec<f32>,
    /// (N, C) residual + attention branch, before its norm.
    pub sum_1: Vec<f32>,
    /// (N)
    pub stats_1: Vec<NormStats>,
    /// (N, C) after the first norm.
    pub middle: Vec<f32>,
    /// (N, 4C) before GELU.
    pub fc: Vec<f32>,
    /// (N, 4C) after GELU.
    pub activated: Vec<f32>,
    /// (N, C) residual + feed-forward branch, before its norm.
    pub sum_2: Vec<f32>,
    /// (N)
    pub stats_2: Vec<NormStats>,
    /// (N, C) the block's output.
    pub out: Vec<f32>,
}

/// Values a token and channel in [`BlockActivations`].
const PER_CHANNEL: usize = 3 + 1 + 1 + 1 + 4 + 4 + 1 + 1;

impl BlockActivations {
    fn resize(&mut self, config: &Config, n: usize) {
        let c = config.n_embd;
        self.qkv.resize(n * 3 * c, 0.0);
        self.log_sums.resize(n * config.n_head, 0.0);
        for buffer in [&mut self.attended, &mut self.sum_1, &mut self.middle, &mut self.sum_2, &mut self.out] {
            buffer.resize(n * c, 0.0);
        }
        for buffer in [&mut self.fc, &mut self.activated] {
            buffer.resize(n * 4 * c, 0.0);
        }
        for stats in [&mut self.stats_1, &mut self.stats_2] {
            stats.resize(n, NormStats::default());
        }
    }
}

/// Activations, gradients of activations and scratch memory.
#[derive(Debug)]
pub struct Workspace {
    /// What the operands of dense products are rounded to: [`Precision::chosen`] unless set otherwise.
    pub precision: Precision,
    pub(crate) n_embd: usize,
    /// Packed weights, while [`Workspace::hold`] keeps them.
    pub(crate) held: Option<Held>,
    /// (N) names of the rows to the dropout masks.
    pub(crate) row_ids: Vec<u64>,
    /// (N, C) the first block's input.
    pub(crate) embedded: Vec<f32>,
    /// One for each block in training, two that take turns in evaluation. Of an LSTM there is one, of which `out` alone is used.
    pub(crate) blocks: Vec<BlockActivations>,
    /// What an LSTM keeps.
    pub(crate) lstm: Activations,
    /// The block whose `out` is the last hidden state.
    pub(crate) last: usize,
    pub(crate) n_tokens: usize,
    /// (N, C) gradient of the last hidden state, then of each block's input.
    pub(crate) d_hidden: Vec<f32>,
    /// (N, C)
    pub(crate) d_branch: Vec<f32>,
    /// (N, 4C) and (N, 3C) in turn.
    pub(crate) d_wide: Vec<f32>,
    /// (rows, V) logits of a chunk of rows, and (rows, C) their hidden states.
    pub(crate) logits: Vec<f32>,
    pub(crate) rows: Vec<f32>,
}

/// Bytes of logits that exist at once.
const LOGITS_BYTES: usize = 96 << 20;

/// Rows of the output head computed at once.
pub(crate) fn head_rows(vocab_size: usize) -> usize {
    (LOGITS_BYTES / 4 / vocab_size.max(1)).clamp(16, 1024)
}

impl Workspace {
    /// An empty workspace for models of that shape.
    pub fn new(config: &Config) -> Workspace {
        Workspace {
            precision: Precision::chosen(),
            n_embd: config.n_embd,
            held: None,
            row_ids: Vec::new(),
            embedded: Vec::new(),
            blocks: Vec::new(),
            lstm: Activations::default(),
            last: 0,
            n_tokens: 0,
            d_hidden: Vec::new(),
            d_branch: Vec::new(),
            d_wide: Vec::new(),
            logits: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Bytes that a batch of `n_tokens` will take at most, with the packed weights of [`Workspace::hold`].
    pub fn bytes(config: &Config, n_tokens: usize, training: bool) -> usize {
        let c = config.n_embd;
        let blocks = if training { config.n_layer } else { config.n_layer.min(2) };
        let layers = match config.n_units {
            None => blocks * (PER_CHANNEL * c + config.n_head + 4) + if training { 6 * c } else { 0 },
            Some(u) => Activations::values_per_token(c, u, training),
        };
        let rows = head_rows(config.vocab_size).min(n_tokens);
        let n_weights = match config.n_units {
            None => config.n_layer * 12 * c * c,
            Some(u) => (4 * c + 4 * u + c) * u,
        };
        // In bf16 the weights are kept packed, in training their transposes too; in f32 an LSTM's recurrent ones are, for a pass.
        let packed = match Precision::chosen() {
            Precision::F32 => config.n_units.map_or(0, |u| 4 * 4 * u * u),
            Precision::Bf16 => (n_weights + config.vocab_size * c) * if training { 4 } else { 2 },
        };
        4 * (n_tokens * (layers + c + 2) + rows * (config.vocab_size + c)) + packed
    }

    /// (N, C) the hidden states of the last forward pass.
    pub fn hidden(&self) -> &[f32] {
        &self.blocks[self.last].out[..self.n_tokens * self.n_embd]
    }

    pub(crate) fn prepare(&mut self, config: &Config, n: usize, training: bool) {
        self.n_tokens = n;
        let n_blocks = if training { config.n_layer } else { config.n_layer.min(2) };
        if self.blocks.len() < n_blocks {
            self.blocks.resize_with(n_blocks, BlockActivations::default);
        }
        for block in &mut self.blocks[..n_blocks] {
            match config.n_units {
                None => block.resize(config, n),
                Some(_) => block.out.resize(n * config.n_embd, 0.0),
            }
        }
        self.embedded.resize(n * config.n_embd, 0.0);
        if training {
            // The heads add to this; backward needs the rest.
            self.d_hidden.clear();
            self.d_hidden.resize(n * config.n_embd, 0.0);
            self.d_branch.resize(n * config.n_embd, 0.0);
            if config.n_units.is_none() {
                self.d_wide.resize(n * 4 * config.n_embd, 0.0);
            }
        }
    }
}
