//! The memory that forward and backward work in; it grows to the largest batch and is kept.

use crate::Config;
use crate::held::Held;
use crate::lstm;
use gpt1_kernels::{Bf16, Element, NormStats, Precision, logits_stride};

/// What forward keeps of one block for backward. What products take is kept in their element.
#[derive(Debug, Default)]
pub(crate) struct BlockActivations<E> {
    /// (N, 3C) queries, keys, values.
    pub qkv: Vec<E>,
    /// (N * NH) ln sum exp of each row of attention scores.
    pub log_sums: Vec<f32>,
    /// (N, C) the heads' outputs side by side.
    pub attended: Vec<E>,
    /// (N, C) residual + attention branch, before its norm.
    pub sum_1: Vec<f32>,
    /// (N)
    pub stats_1: Vec<NormStats>,
    /// (N, C) after the first norm.
    pub middle: Vec<E>,
    /// (N, 4C) before GELU.
    pub fc: Vec<E>,
    /// (N, C) residual + feed-forward branch, before its norm.
    pub sum_2: Vec<f32>,
    /// (N)
    pub stats_2: Vec<NormStats>,
    /// (N, C) the block's output.
    pub out: Vec<E>,
}

/// Values a token and channel in [`BlockActivations`], in the element and in f32.
const PER_CHANNEL: (usize, usize) = (3 + 1 + 1 + 4 + 1, 1 + 1);

impl<E: Element> BlockActivations<E> {
    fn resize(&mut self, config: &Config, n: usize) {
        let c = config.n_embd;
        self.qkv.resize(n * 3 * c, E::default());
        self.log_sums.resize(n * config.n_head, 0.0);
        for buffer in [&mut self.attended, &mut self.middle, &mut self.out] {
            buffer.resize(n * c, E::default());
        }
        for buffer in [&mut self.sum_1, &mut self.sum_2] {
            buffer.resize(n * c, 0.0);
        }
        self.fc.resize(n * 4 * c, E::default());
        for stats in [&mut self.stats_1, &mut self.stats_2] {
            stats.resize(n, NormStats::default());
        }
    }
}

/// What a Transformer's products take and leave.
#[derive(Debug, Default)]
pub(crate) struct Activations<E> {
    /// (N, C) the first block's input.
    pub embedded: Vec<E>,
    /// One for each block in training, two that take turns in evaluation.
    pub blocks: Vec<BlockActivations<E>>,
    /// (N, 4C) after GELU, of one block after the other; backward makes it again.
    pub activated: Vec<E>,
    /// (N, C) gradient of a branch.
    pub d_branch: Vec<E>,
    /// (N, 4C) and (N, 3C) in turn.
    pub d_wide: Vec<E>,
    /// (rows, C) the hidden states of a chunk of rows of the output head.
    pub rows: Vec<E>,
}

/// Values a token and channel in [`Activations`] besides the blocks', in training; in evaluation without the gradients.
const PER_CHANNEL_ONCE: (usize, usize) = (1 + 4 + 1 + 4, 1 + 4);

impl<E: Element> Activations<E> {
    fn resize(&mut self, config: &Config, n: usize, training: bool) {
        let c = config.n_embd;
        let n_blocks = if training { config.n_layer } else { config.n_layer.min(2) };
        if self.blocks.len() < n_blocks {
            self.blocks.resize_with(n_blocks, BlockActivations::default);
        }
        self.blocks[..n_blocks].iter_mut().for_each(|block| block.resize(config, n));
        self.embedded.resize(n * c, E::default());
        self.activated.resize(n * 4 * c, E::default());
        if training {
            self.d_branch.resize(n * c, E::default());
            self.d_wide.resize(n * 4 * c, E::default());
        }
    }
}

/// Activations in each element; those of the workspace's precision are used.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    f32: Activations<f32>,
    bf16: Activations<Bf16>,
}

/// An element that activations are kept in.
pub(crate) trait Keep: Element {
    fn of(kept: &mut Kept) -> &mut Activations<Self>;
}

impl Keep for f32 {
    fn of(kept: &mut Kept) -> &mut Activations<f32> {
        &mut kept.f32
    }
}

impl Keep for Bf16 {
    fn of(kept: &mut Kept) -> &mut Activations<Bf16> {
        &mut kept.bf16
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
    /// (N, C) the residual stream: the embeddings, then the output of each block; in the end the hidden states.
    pub(crate) hidden: Vec<f32>,
    pub(crate) kept: Kept,
    /// What an LSTM keeps.
    pub(crate) lstm: lstm::Activations,
    pub(crate) n_tokens: usize,
    /// (N, C) gradient of the last hidden state, then of each block's input.
    pub(crate) d_hidden: Vec<f32>,
    /// (rows, V) logits of a chunk of rows.
    pub(crate) logits: Vec<f32>,
}

/// Bytes of logits that exist at once.
const LOGITS_BYTES: usize = 96 << 20;

/// Rows of the output head computed at once.
pub(crate) fn head_rows(vocab_size: usize) -> usize {
    (LOGITS_BYTES / 4 / vocab_size.max(1)).clamp(16, 512)
}

impl Workspace {
    /// An empty workspace for models of that shape.
    pub fn new(config: &Config) -> Workspace {
        Workspace {
            precision: Precision::chosen(),
            n_embd: config.n_embd,
            held: None,
            row_ids: Vec::new(),
            hidden: Vec::new(),
            kept: Kept::default(),
            lstm: lstm::Activations::default(),
            n_tokens: 0,
            d_hidden: Vec::new(),
            logits: Vec::new(),
        }
    }

    /// Bytes that a batch of `n_tokens` will take at most, with the packed weights of [`Workspace::hold`].
    pub fn bytes(config: &Config, n_tokens: usize, training: bool) -> usize {
        let c = config.n_embd;
        let element = match Precision::chosen() {
            Precision::F32 => 4,
            Precision::Bf16 => 2,
        };
        let layers = match config.n_units {
            None => {
                let (n_blocks, once) = if training {
                    (config.n_layer, PER_CHANNEL_ONCE.0)
                } else {
                    (config.n_layer.min(2), PER_CHANNEL_ONCE.1)
                };
                let (short, long) = PER_CHANNEL;
                element * (n_blocks * short + once) * c + 4 * n_blocks * (long * c + config.n_head + 4)
            }
            Some(u) => 4 * lstm::Activations::values_per_token(c, u, training),
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
        let stream = 4 * (if training { 2 } else { 1 } * c + 2);
        n_tokens * (layers + stream) + rows * (4 * logits_stride(config.vocab_size) + element * c) + packed
    }

    /// (N, C) the hidden states of the last forward pass.
    pub fn hidden(&self) -> &[f32] {
        &self.hidden[..self.n_tokens * self.n_embd]
    }

    pub(crate) fn prepare(&mut self, config: &Config, n: usize, training: bool) {
        self.n_tokens = n;
        self.hidden.resize(n * config.n_embd, 0.0);
        match (config.n_units, self.precision) {
            (Some(_), _) => {}
            (None, Precision::F32) => self.kept.f32.resize(config, n, training),
            (None, Precision::Bf16) => self.kept.bf16.resize(config, n, training),
        }
        if training {
            // The heads add to this; backward needs the rest.
            self.d_hidden.clear();
            self.d_hidden.resize(n * config.n_embd, 0.0);
        }
    }
}
