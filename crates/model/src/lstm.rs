//! The LSTM of table 5: "a single layer 2048 unit LSTM using the same framework" (paper, section 5), in the place of the
//! Transformer's blocks, between the token embedding and the heads.
//!
//! `x = dropout(embedding)`, `a = x W_ih + h_before W_hh + b`, the cell ([`gpt1_kernels::lstm`]), and a projection to the width C
//! that the heads read, since the output layer is the token embedding: `dropout(h W_proj + b_proj)`. The state is zero at
//! the beginning of each sequence. Dropout is on what enters and leaves the layer, not on the recurrence (Zaremba et al. 2014).
//!
//! Step t takes token t of all sequences that have one. Here the rows stand step after step, the longest sequence first within
//! each ([`Steps`]): so a step is one product, its rows lie together, and those of the step before are the first of them.

use crate::batch::Site;
use crate::block::{Weights, embed, embed_backward, view, view_mut};
use crate::{Batch, Dropout, Model, Params, Workspace};
use gpt1_kernels::lstm::{cell_backward, cell_forward};
use gpt1_kernels::product::Packed;
use gpt1_kernels::profile::{lap, lap_product};
use gpt1_kernels::{ROW_BLOCK, RightOperand, add_bias, column_sums, gemm};
use rayon::prelude::*;
use std::ops::Range;

/// The order of the rows.
#[derive(Debug, Default)]
struct Steps {
    /// (N) the batch's row of each row here.
    order: Vec<u32>,
    /// (T + 1) the first row of each step, and N at the end.
    starts: Vec<usize>,
}

/// What forward keeps for backward, and backward's scratch memory. B: sequences, so B rows in the first step.
#[derive(Debug, Default)]
pub(crate) struct Activations {
    steps: Steps,
    /// (N) the rows' tokens.
    tokens: Vec<u32>,
    /// (N, C) their embeddings.
    embedded: Vec<f32>,
    /// (N, 4U) the gates' values; in backward, the gradients of their sums.
    gates: Vec<f32>,
    /// (B + N, U) B rows of zeros, then the cells: what precedes the first step stands where that of any other does.
    cells: Vec<f32>,
    /// (B + N, U) the same of the outputs.
    outputs: Vec<f32>,
    /// (N, C) outputs projected; in backward, the gradients of that.
    projected: Vec<f32>,
    /// (N, U) gradients of the outputs.
    d_outputs: Vec<f32>,
    /// (N, U) the output before each row.
    outputs_before: Vec<f32>,
    /// (B, U) gradients of the cells, handed from step to step.
    d_cells: Vec<f32>,
}

/// The tensors' numbers in the layout.
const W_IH: usize = 1;
const W_HH: usize = 2;
const BIAS: usize = 3;
const W_PROJ: usize = 4;
const B_PROJ: usize = 5;

impl Activations {
    /// Values that a token takes at most.
    pub(crate) fn values_per_token(c: usize, u: usize, training: bool) -> usize {
        // Sequences have a token at least, so B is at most N.
        4 * u + 2 * 2 * u + 2 * c + 2 + if training { 3 * u } else { 0 }
    }

    fn resize(&mut self, c: usize, u: usize, training: bool) {
        let (n, b) = (self.steps.order.len(), self.steps.rows(0).len());
        self.gates.resize(n * 4 * u, 0.0);
        for states in [&mut self.cells, &mut self.outputs] {
            states.resize((b + n) * u, 0.0);
            states[..b * u].fill(0.0);
        }
        self.embedded.resize(n * c, 0.0);
        self.projected.resize(n * c, 0.0);
        if training {
            self.d_outputs.resize(n * u, 0.0);
            self.outputs_before.resize(n * u, 0.0);
            self.d_cells.clear();
            self.d_cells.resize(b * u, 0.0);
        }
    }
}

impl Steps {
    fn fill(&mut self, batch: &Batch) {
        let mut sequences: Vec<Range<u32>> = batch.starts.windows(2).map(|at| at[0]..at[1]).collect();
        // Stable: sequences of the same length stay in the batch's order.
        sequences.sort_by_key(|rows| std::cmp::Reverse(rows.len()));
        self.order.clear();
        self.starts.clear();
        self.starts.push(0);
        for t in 0..sequences.first().map_or(0, ExactSizeIterator::len) as u32 {
            self.order.extend(sequences.iter().take_while(|rows| t < rows.end - rows.start).map(|rows| rows.start + t));
            self.starts.push(self.order.len());
        }
    }

    /// T.
    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The rows of step `t`; none after the last.
    fn rows(&self, t: usize) -> Range<usize> {
        let at = |t: usize| self.starts[t.min(self.len())];
        at(t)..at(t + 1)
    }

    /// Where the states before step `t` and those after it stand, in rows of [`Activations::cells`].
    fn states(&self, t: usize) -> (Range<usize>, Range<usize>) {
        let (rows, b) = (self.rows(t), self.rows(0).len());
        let before = if t == 0 { 0 } else { b + self.rows(t - 1).start };
        (before..before + rows.len(), b + rows.start..b + rows.end)
    }
}

/// Computes the hidden states (N, C) of a batch into the workspace, which is prepared for it; `keep`: for [`backward`].
pub(crate) fn forward(model: &Model, batch: &Batch, dropout: Option<Dropout>, keep: bool, ws: &mut Workspace) {
    let (n, c, u) = sizes(model, batch);
    let Workspace { precision, held, row_ids, hidden, lstm, .. } = ws;
    lstm.steps.fill(batch);
    lstm.resize(c, u, keep);
    let Activations { steps, tokens, embedded, gates, cells, outputs, projected, .. } = lstm;
    let weights = Weights { params: &model.params, held: held.as_ref(), precision: *precision, l: 0 };

    tokens.clear();
    tokens.extend(steps.order.iter().map(|row| batch.tokens[*row as usize]));
    *row_ids = steps.order.iter().map(|row| row_ids[*row as usize]).collect();
    embed(model, tokens, &[], dropout, row_ids, embedded);
    weights.operand(W_IH, false).gemm(view(embedded, n, c), false, view_mut(gates, n, 4 * u));
    lap_product("lstm.weight_ih forward", n, c, 4 * u);

    let to_gates = packed(&weights, false);
    let bias = model.params.at(BIAS);
    // Inside the pool, where a product wakes nobody up to begin: it may take less than waking up does.
    rayon::scope(|_| {
        for t in 0..steps.len() {
            let rows = steps.rows(t);
            let (before, after) = steps.states(t);
            let n_rows = rows.len();
            let gates = &mut gates[rows.start * 4 * u..rows.end * 4 * u];
            if t > 0 {
                let outputs = view(&outputs[before.start * u..], n_rows, u);
                to_gates.gemm(outputs, true, view_mut(gates, n_rows, 4 * u));
            }
            let (cells_before, cells) = cells.split_at_mut(after.start * u);
            let cells_before = &cells_before[before.start * u..before.end * u];
            let outputs = &mut outputs[after.start * u..after.end * u];
            cell_forward(gates, bias, cells_before, &mut cells[..n_rows * u], outputs);
        }
    });
    lap_product("lstm.weight_hh, steps forward", n, u, 4 * u);

    let first = steps.rows(0).len() * u;
    weights.operand(W_PROJ, false).gemm(view(&outputs[first..], n, u), false, view_mut(projected, n, c));
    lap_product("lstm.c_proj forward", n, u, c);
    let mask = Dropout::mask(dropout, 0, Site::LstmOutput, model.config.resid_pdrop);
    projected.par_chunks_mut(c).with_min_len(ROW_BLOCK).zip(&*row_ids).for_each(|(x, id)| {
        add_bias(x, model.params.at(B_PROJ));
        if let Some(mask) = &mask {
            mask.apply(*id, x);
        }
    });
    for (row, x) in steps.order.iter().zip(projected.chunks_exact(c)) {
        hidden[*row as usize * c..][..c].copy_from_slice(x);
    }
    lap("lstm output forward");
}

/// As [`crate::backward`], of an LSTM.
pub(crate) fn backward(model: &Model, batch: &Batch, dropout: Option<Dropout>, ws: &mut Workspace, grads: &mut Params) {
    let (n, c, u) = sizes(model, batch);
    let Workspace { precision, held, row_ids, d_hidden, lstm, .. } = ws;
    let precision = *precision;
    let Activations {
        steps,
        tokens,
        embedded,
        gates,
        cells,
        outputs,
        projected: d_projected,
        d_outputs,
        outputs_before,
        d_cells,
    } = lstm;
    let weights = Weights { params: &model.params, held: held.as_ref(), precision, l: 0 };
    let [g_w_ih, g_w_hh, g_bias, g_w_proj, g_b_proj] = grads.lstm_mut();

    let mask = Dropout::mask(dropout, 0, Site::LstmOutput, model.config.resid_pdrop);
    let from = steps.order.par_iter().with_min_len(ROW_BLOCK).zip(&*row_ids);
    d_projected.par_chunks_mut(c).zip(from).for_each(|(d, (row, id))| {
        d.copy_from_slice(&d_hidden[*row as usize * c..][..c]);
        if let Some(mask) = &mask {
            mask.apply(*id, d);
        }
    });
    column_sums(d_projected, g_b_proj);
    lap("lstm output backward");
    let first = steps.rows(0).len() * u;
    let outputs_here = view(&outputs[first..], n, u);
    gemm(precision, outputs_here.reversed_axes(), view(d_projected, n, c), true, view_mut(g_w_proj, u, c));
    lap_product("lstm.c_proj d_weight", u, n, c);
    weights.operand(W_PROJ, true).gemm(view(d_projected, n, c), false, view_mut(d_outputs, n, u));
    lap_product("lstm.c_proj d_input", n, c, u);

    let to_outputs = packed(&weights, true);
    rayon::scope(|_| {
        for t in (0..steps.len()).rev() {
            let rows = steps.rows(t);
            let (before, after) = steps.states(t);
            let n_rows = rows.len();
            let (gates, gates_after) = gates[rows.start * 4 * u..].split_at_mut(n_rows * 4 * u);
            let d_outputs = &mut d_outputs[rows.start * u..rows.end * u];
            // The sequences that go on are the first of these rows.
            let n_after = steps.rows(t + 1).len();
            if n_after > 0 {
                to_outputs.gemm(view(gates_after, n_after, 4 * u), true, view_mut(d_outputs, n_after, u));
            }
            let cells_before = &cells[before.start * u..before.end * u];
            let cells = &cells[after.start * u..after.end * u];
            cell_backward(u, gates, cells_before, cells, d_outputs, &mut d_cells[..n_rows * u]);
        }
    });
    lap_product("lstm.weight_hh, steps backward", n, 4 * u, u);

    for t in 0..steps.len() {
        let (rows, (before, _)) = (steps.rows(t), steps.states(t));
        outputs_before[rows.start * u..rows.end * u].copy_from_slice(&outputs[before.start * u..before.end * u]);
    }
    column_sums(gates, g_bias);
    lap("lstm output backward");
    let d_gates = view(gates, n, 4 * u);
    gemm(precision, view(outputs_before, n, u).reversed_axes(), d_gates, true, view_mut(g_w_hh, u, 4 * u));
    lap_product("lstm.weight_hh d_weight", u, n, 4 * u);
    gemm(precision, view(embedded, n, c).reversed_axes(), d_gates, true, view_mut(g_w_ih, c, 4 * u));
    lap_product("lstm.weight_ih d_weight", c, n, 4 * u);
    weights.operand(W_IH, true).gemm(d_gates, false, view_mut(d_hidden, n, c));
    lap_product("lstm.weight_ih d_input", n, 4 * u, c);
    embed_backward(model, tokens, &[], dropout, row_ids, d_hidden, grads);
}

/// N, C, U.
fn sizes(model: &Model, batch: &Batch) -> (usize, usize, usize) {
    (batch.n_tokens(), model.config.n_embd, model.config.n_units.expect("an LSTM"))
}

/// The recurrent weights, or their transpose, ready for the products of all steps. Always our own: BLAS would pack them in each.
fn packed<'a>(weights: &'a Weights, transposed: bool) -> RightOperand<'a> {
    match weights.operand(W_HH, transposed) {
        RightOperand::Blas(w) => RightOperand::Own(Packed::new(weights.precision, w)),
        ready => ready,
    }
}
