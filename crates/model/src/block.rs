//! The decoder forward and backward: `x = LN(x + attention(x)); x = LN(x + mlp(x))` for each block (paper 3.1).

use crate::batch::Site;
use crate::held::Held;
use crate::workspace::{Activations, BlockActivations, Keep};
use crate::{Batch, Config, Dropout, Model, Params, Workspace, lstm};
use gpt1_kernels::attention::{self, Shape};
use gpt1_kernels::profile::{lap, lap_product};
use gpt1_kernels::{
    Bf16, Element, Precision, ROW_BLOCK, RightOperand, column_sums, gelu_bias_backward, gelu_forward, gemm,
    residual_norm_backward, residual_norm_forward,
};
use ndarray::{ArrayView2, ArrayViewMut2};
use rayon::prelude::*;

/// Computes the hidden states (N, C) of a batch into the workspace. With `dropout` it is a training pass: activations are
/// kept for [`backward`]; without, two blocks' memory is enough, and only [`Workspace::hidden`] remains.
///
/// # Panics
/// If a token is not in the vocabulary or a sequence is longer than the model's context.
pub fn forward(model: &Model, batch: &Batch, dropout: Option<Dropout>, ws: &mut Workspace) {
    run(model, batch, dropout, dropout.is_some(), ws);
}

/// As [`forward`], keeping the activations for [`backward`] though there is no dropout: for checks of gradients.
pub(crate) fn run(model: &Model, batch: &Batch, dropout: Option<Dropout>, keep: bool, ws: &mut Workspace) {
    let config = &model.config;
    ws.prepare(config, batch.n_tokens(), keep);
    batch.row_ids(config.n_positions, &mut ws.row_ids);
    match (config.n_units, ws.precision) {
        (Some(_), _) => lstm::forward(model, batch, dropout, keep, ws),
        (None, Precision::F32) => blocks_forward::<f32>(model, batch, dropout, keep, ws),
        (None, Precision::Bf16) => blocks_forward::<Bf16>(model, batch, dropout, keep, ws),
    }
}

fn blocks_forward<E: Keep>(model: &Model, batch: &Batch, dropout: Option<Dropout>, keep: bool, ws: &mut Workspace) {
    let config = &model.config;
    let Workspace { held, row_ids, hidden, kept, .. } = ws;
    let Activations { embedded, blocks, activated, .. } = E::of(kept);
    embed(model, &batch.tokens, &batch.positions, dropout, row_ids, hidden);
    let rows = ROW_BLOCK * config.n_embd;
    hidden.par_chunks(rows).zip(embedded.par_chunks_mut(rows)).for_each(|(from, to)| E::round_all(from, to));
    lap("embedding");
    for l in 0..config.n_layer {
        let (input, block) = input_and_block(embedded, blocks, l, keep);
        let weights = Weights { params: &model.params, held: held.as_ref(), precision: E::PRECISION, l };
        block_forward(
            config,
            &model.params.block(l),
            batch,
            dropout,
            &weights,
            row_ids,
            hidden,
            input,
            block,
            activated,
        );
    }
}

/// The input of block `l` and the place of its activations.
fn input_and_block<'a, E>(
    embedded: &'a [E],
    blocks: &'a mut [BlockActivations<E>],
    l: usize,
    keep: bool,
) -> (&'a [E], &'a mut BlockActivations<E>) {
    if l == 0 {
        return (embedded, &mut blocks[0]);
    }
    let at = |l: usize| if keep { l } else { l % 2 };
    let [from, to] = blocks.get_disjoint_mut([at(l - 1), at(l)]).expect("two different blocks");
    (&from.out, to)
}

/// embedded (N, C) = dropout(tokens + positions); an LSTM has no positions (empty).
pub(crate) fn embed(
    model: &Model,
    tokens: &[u32],
    positions: &[u32],
    dropout: Option<Dropout>,
    row_ids: &[u64],
    embedded: &mut [f32],
) {
    let c = model.config.n_embd;
    let mask = Dropout::mask(dropout, 0, Site::Embedding, model.config.embd_pdrop);
    embedded.par_chunks_mut(ROW_BLOCK * c).enumerate().for_each(|(block, x)| {
        for (i, x) in x.chunks_exact_mut(c).enumerate() {
            let row = block * ROW_BLOCK + i;
            let token = tokens[row] as usize;
            x.copy_from_slice(&model.params.token_embedding()[token * c..(token + 1) * c]);
            if let Some(position) = positions.get(row).map(|position| *position as usize) {
                gpt1_kernels::add(x, &model.params.position_embedding()[position * c..(position + 1) * c]);
            }
            if let Some(mask) = &mask {
                mask.apply(row_ids[row], x);
            }
        }
    });
    lap("embedding");
}

fn attention_shape<'a>(
    config: &Config,
    batch: &'a Batch,
    dropout: Option<Dropout>,
    l: usize,
    precision: Precision,
) -> Shape<'a> {
    Shape {
        starts: &batch.starts,
        sequence_ids: &batch.sequence_ids,
        n_head: config.n_head,
        n_embd: config.n_embd,
        n_positions: config.n_positions,
        mask: Dropout::mask(dropout, l, Site::Attention, config.attn_pdrop),
        precision,
    }
}

/// The weights among a block's tensors.
const W_QKV: usize = 0;
const W_PROJ: usize = 2;
const W_FC: usize = 6;
const W_OUT: usize = 8;

/// How a block multiplies with its weights; `which` is the tensor's number in the block.
pub(crate) struct Weights<'a> {
    pub params: &'a Params,
    pub held: Option<&'a Held>,
    pub precision: Precision,
    pub l: usize,
}

impl Weights<'_> {
    /// `y = x w`, and `bias` (out) added to each row unless it is empty, for x: (N, in), y: (N, out).
    fn forward(&self, which: usize, x: ArrayView2<impl Element>, bias: &[f32], y: ArrayViewMut2<impl Element>) {
        self.operand(Params::number(self.l, which), false).gemm_and_bias(x, false, bias, y);
    }

    /// `dx (+)= dy w^T` for dy: (N, out), dx: (N, in).
    fn backward(&self, which: usize, dy: ArrayView2<impl Element>, accumulate: bool, dx: ArrayViewMut2<impl Element>) {
        self.operand(Params::number(self.l, which), true).gemm(dy, accumulate, dx);
    }

    /// The weight with that number in the layout.
    pub(crate) fn operand(&self, number: usize, transposed: bool) -> RightOperand<'_> {
        let shape = &self.params.layout.tensors[number].shape;
        let weight = view(self.params.at(number), shape[0], shape[1]);
        Held::operand(self.held, self.precision, number, weight, transposed)
    }
}

/// `hidden` (N, C): on entry the block's input, which `input` is too, on return its output.
fn block_forward<E: Keep>(
    config: &Config,
    p: &[&[f32]],
    batch: &Batch,
    dropout: Option<Dropout>,
    weights: &Weights,
    row_ids: &[u64],
    hidden: &mut [f32],
    input: &[E],
    b: &mut BlockActivations<E>,
    activated: &mut [E],
) {
    let &Weights { precision, l, .. } = weights;
    let &[_, b_qkv, _, b_proj, gain_1, shift_1, _, b_fc, _, b_out, gain_2, shift_2] = p else {
        unreachable!("a block has twelve tensors")
    };
    let (n, c) = (batch.n_tokens(), config.n_embd);
    let epsilon = config.layer_norm_epsilon;
    weights.forward(W_QKV, view(input, n, c), b_qkv, view_mut(&mut b.qkv, n, 3 * c));
    lap_product("attn.c_attn forward", n, c, 3 * c);
    attention::forward(
        &attention_shape(config, batch, dropout, l, precision),
        &b.qkv,
        &mut b.attended,
        &mut b.log_sums,
    );
    lap("attention forward");
    weights.forward(W_PROJ, view(&b.attended, n, c), &[], view_mut(&mut b.sum_1, n, c));
    lap_product("attn.c_proj forward", n, c, c);
    let mask = Dropout::mask(dropout, l, Site::AttentionBranch, config.resid_pdrop);
    residual_norm_forward(
        hidden,
        &mut b.sum_1,
        b_proj,
        mask,
        row_ids,
        gain_1,
        shift_1,
        epsilon,
        &mut b.middle,
        &mut b.stats_1,
    );
    lap("norms forward");
    weights.forward(W_FC, view(&b.middle, n, c), b_fc, view_mut(&mut b.fc, n, 4 * c));
    lap_product("mlp.c_fc forward", n, c, 4 * c);
    let rows = ROW_BLOCK * 4 * c;
    b.fc.par_chunks(rows).zip(activated.par_chunks_mut(rows)).for_each(|(fc, out)| gelu_forward(fc, out));
    lap("activation forward");
    weights.forward(W_OUT, view(activated, n, 4 * c), &[], view_mut(&mut b.sum_2, n, c));
    lap_product("mlp.c_proj forward", n, 4 * c, c);
    let mask = Dropout::mask(dropout, l, Site::MlpBranch, config.resid_pdrop);
    residual_norm_forward(
        hidden,
        &mut b.sum_2,
        b_out,
        mask,
        row_ids,
        gain_2,
        shift_2,
        epsilon,
        &mut b.out,
        &mut b.stats_2,
    );
    lap("norms forward");
}

/// Adds the gradients of all parameters of the decoder to `grads`, from the gradient of the hidden states that the heads left
/// in the workspace. Batch and dropout must be those of the forward pass.
pub fn backward(model: &Model, batch: &Batch, dropout: Option<Dropout>, ws: &mut Workspace, grads: &mut Params) {
    backward_while(model, batch, dropout, ws, grads, |_, _| {});
}

/// As [`backward`]; calls `is_final(grads, from)` whenever no later part of it will change `grads.data[from..]`, at the end with 0. The
/// gradients of a Transformer become final from the last block to the first, then those of the embeddings.
pub fn backward_while(
    model: &Model,
    batch: &Batch,
    dropout: Option<Dropout>,
    ws: &mut Workspace,
    grads: &mut Params,
    mut is_final: impl FnMut(&Params, usize),
) {
    match (model.config.n_units, ws.precision) {
        (Some(_), _) => lstm::backward(model, batch, dropout, ws, grads),
        (None, Precision::F32) => blocks_backward::<f32>(model, batch, dropout, ws, grads, &mut is_final),
        (None, Precision::Bf16) => blocks_backward::<Bf16>(model, batch, dropout, ws, grads, &mut is_final),
    }
    is_final(grads, 0);
}

fn blocks_backward<E: Keep>(
    model: &Model,
    batch: &Batch,
    dropout: Option<Dropout>,
    ws: &mut Workspace,
    grads: &mut Params,
    mut is_final: impl FnMut(&Params, usize),
) {
    let config = &model.config;
    let Workspace { held, row_ids, kept, d_hidden, .. } = ws;
    let kept = E::of(kept);
    for l in (0..config.n_layer).rev() {
        let weights = Weights { params: &model.params, held: held.as_ref(), precision: E::PRECISION, l };
        let block = grads.block_mut(l);
        block_backward(config, &model.params.block(l), block, batch, dropout, &weights, row_ids, kept, d_hidden);
        is_final(grads, grads.layout.tensors[Params::number(l, 0)].range.start);
    }
    embed_backward(model, &batch.tokens, &batch.positions, dropout, row_ids, d_hidden, grads);
}

/// `d` (N, C): on entry the gradient of the block's output, on return of its input.
fn block_backward<E: Keep>(
    config: &Config,
    p: &[&[f32]],
    g: [&mut [f32]; crate::params::PER_BLOCK],
    batch: &Batch,
    dropout: Option<Dropout>,
    weights: &Weights,
    row_ids: &[u64],
    kept: &mut Activations<E>,
    d: &mut [f32],
) {
    let &Weights { precision, l, .. } = weights;
    let &[_, _, _, _, gain_1, _, _, _, _, _, gain_2, _] = p else { unreachable!("a block has twelve tensors") };
    let [
        g_w_qkv,
        g_b_qkv,
        g_w_proj,
        g_b_proj,
        g_gain_1,
        g_shift_1,
        g_w_fc,
        g_b_fc,
        g_w_out,
        g_b_out,
        g_gain_2,
        g_shift_2,
    ] = g;
    let (n, c) = (batch.n_tokens(), config.n_embd);
    let Activations { embedded, blocks, activated, d_branch, d_wide, .. } = kept;
    let (input, b) = input_and_block(embedded, blocks, l, true);

    let mask = Dropout::mask(dropout, l, Site::MlpBranch, config.resid_pdrop);
    residual_norm_backward(d, &b.sum_2, &b.stats_2, mask, row_ids, gain_2, d_branch, g_gain_2, g_shift_2, g_b_out);
    lap("norms backward");
    let d_fc = &mut d_wide[..n * 4 * c];
    weights.backward(W_OUT, view(d_branch, n, c), false, view_mut(d_fc, n, 4 * c));
    lap_product("mlp.c_proj d_input", n, c, 4 * c);
    gelu_bias_backward(d_fc, &b.fc, activated, g_b_fc);
    lap("activation backward");
    let activated = view(activated, n, 4 * c);
    gemm(precision, activated.reversed_axes(), view(d_branch, n, c), true, view_mut(g_w_out, 4 * c, c));
    lap_product("mlp.c_proj d_weight", 4 * c, n, c);
    gemm(precision, view(&b.middle, n, c).reversed_axes(), view(d_fc, n, 4 * c), true, view_mut(g_w_fc, c, 4 * c));
    lap_product("mlp.c_fc d_weight", c, n, 4 * c);
    weights.backward(W_FC, view(d_fc, n, 4 * c), true, view_mut(d, n, c));
    lap_product("mlp.c_fc d_input", n, 4 * c, c);

    let mask = Dropout::mask(dropout, l, Site::AttentionBranch, config.resid_pdrop);
    residual_norm_backward(d, &b.sum_1, &b.stats_1, mask, row_ids, gain_1, d_branch, g_gain_1, g_shift_1, g_b_proj);
    lap("norms backward");
    gemm(precision, view(&b.attended, n, c).reversed_axes(), view(d_branch, n, c), true, view_mut(g_w_proj, c, c));
    lap_product("attn.c_proj d_weight", c, n, c);
    let (d_qkv, rest) = d_wide.split_at_mut(n * 3 * c);
    let d_attended = &mut rest[..n * c];
    weights.backward(W_PROJ, view(d_branch, n, c), false, view_mut(d_attended, n, c));
    lap_product("attn.c_proj d_input", n, c, c);
    let shape = attention_shape(config, batch, dropout, l, precision);
    attention::backward(&shape, &b.qkv, &b.attended, d_attended, &b.log_sums, d_qkv);
    column_sums(d_qkv, g_b_qkv);
    lap("attention backward");
    gemm(precision, view(input, n, c).reversed_axes(), view(d_qkv, n, 3 * c), true, view_mut(g_w_qkv, c, 3 * c));
    lap_product("attn.c_attn d_weight", c, n, 3 * c);
    weights.backward(W_QKV, view(d_qkv, n, 3 * c), true, view_mut(d, n, c));
    lap_product("attn.c_attn d_input", n, 3 * c, c);
}

/// Adds the gradient `d` (N, C) of the first layer's input to the embeddings' rows; as in [`embed`]. Each piece of an embedding
/// is one task that takes its rows in order, so that the sums do not depend on the number of threads.
pub(crate) fn embed_backward(
    model: &Model,
    tokens: &[u32],
    positions: &[u32],
    dropout: Option<Dropout>,
    row_ids: &[u64],
    d: &mut [f32],
    grads: &mut Params,
) {
    const PIECE: usize = 512;
    let c = model.config.n_embd;
    if let Some(mask) = Dropout::mask(dropout, 0, Site::Embedding, model.config.embd_pdrop) {
        d.par_chunks_mut(c).with_min_len(ROW_BLOCK).zip(row_ids).for_each(|(d, id)| mask.apply(*id, d));
    }
    let d = &*d;
    for (tensor, ids) in [(0, tokens), (1, positions)].into_iter().filter(|(_, ids)| !ids.is_empty()) {
        let range = grads.layout.tensors[tensor].range.clone();
        grads.data[range].par_chunks_mut(PIECE * c).enumerate().for_each(|(piece, g)| {
            let ids_here = (piece * PIECE) as u32..(piece * PIECE + g.len() / c) as u32;
            for (row, id) in ids.iter().enumerate().filter(|(_, id)| ids_here.contains(id)) {
                let at = (id - ids_here.start) as usize * c;
                gpt1_kernels::add(&mut g[at..at + c], &d[row * c..(row + 1) * c]);
            }
        });
    }
    lap("embedding");
}

pub(crate) fn view<E>(data: &[E], rows: usize, cols: usize) -> ArrayView2<'_, E> {
    ArrayView2::from_shape((rows, cols), &data[..rows * cols]).expect("sizes agree")
}

pub(crate) fn view_mut<E>(data: &mut [E], rows: usize, cols: usize) -> ArrayViewMut2<'_, E> {
    ArrayViewMut2::from_shape((rows, cols), &mut data[..rows * cols]).expect("sizes agree")
}
