//! Causal self-attention over ragged batches, block by block: no T x T matrix is kept, and the half that the mask hides is
//! not computed (up to the block on the diagonal).
//!
//! For each sequence and head: S = Q K^T / sqrt(HS), P = softmax of the causal part of each row, O = (M * P) V with the
//! dropout mask M. Forward keeps ln sum exp of each row; backward computes P again from it.

use crate::dropout::{BLOCK as MASK_BLOCK, Mask};
use crate::element::Element;
use crate::product::{Here, Precision, cut};
use crate::softmax::{softmax_again, softmax_row};
use ndarray::{ArrayView2, ArrayViewMut2, Axis, s};
use rayon::prelude::*;

/// Rows of queries computed at once, about.
const QUERIES: usize = 64;

/// The sizes that attention needs besides its buffers.
#[derive(Debug, Clone, Copy)]
pub struct Shape<'a> {
    /// (B + 1) first row of each sequence, and the number of rows at the end.
    pub starts: &'a [u32],
    /// (B) the sequences' names to the dropout mask.
    pub sequence_ids: &'a [u64],
    /// NH, heads.
    pub n_head: usize,
    /// C, channels; HS = C / NH.
    pub n_embd: usize,
    /// Longest sequence that the model knows: spaces the rows of the dropout mask.
    pub n_positions: usize,
    /// The dropout mask on the attention weights.
    pub mask: Option<Mask>,
    /// What the operands of its products are rounded to.
    pub precision: Precision,
}

impl Shape<'_> {
    fn sequences(&self) -> impl Iterator<Item = (usize, usize, u64)> + '_ {
        self.starts.windows(2).zip(self.sequence_ids).map(|(w, id)| (w[0] as usize, (w[1] - w[0]) as usize, *id))
    }

    fn mask_row(&self, sequence_id: u64, head: usize, position: usize) -> u64 {
        (sequence_id * self.n_head as u64 + head as u64) * self.n_positions as u64 + position as u64
    }
}

/// Forward: qkv (N, 3C) -> out (N, C), log_sums (N * NH; per sequence, head by head).
pub fn forward<E: Element>(shape: &Shape, qkv: &[E], out: &mut [E], log_sums: &mut [f32]) {
    let (c, nh) = (shape.n_embd, shape.n_head);
    let hs = c / nh;
    let mut tasks = Vec::new();
    let (mut out, mut log_sums) = (out, log_sums);
    for (start, t, id) in shape.sequences() {
        let qkv = matrix(&qkv[start * 3 * c..], t, 3 * c);
        let (rows, rest) = out.split_at_mut(t * c);
        out = rest;
        let (sums, rest) = log_sums.split_at_mut(t * nh);
        log_sums = rest;
        let mut heads = cut(matrix_mut(rows, t, c), Axis(1), hs);
        let mut sums = sums;
        for (head, out) in heads.drain(..).enumerate() {
            let (sum, rest) = sums.split_at_mut(t);
            sums = rest;
            tasks.push((qkv, head, id, out, sum));
        }
    }
    let scale = 1.0 / (hs as f32).sqrt();
    let here = Here::new(shape.precision);
    let queries = here.whole_tiles(QUERIES);
    tasks.into_par_iter().for_each_init(Vec::new, |scores: &mut Vec<f32>, (qkv, head, id, mut out, sums)| {
        let t = qkv.nrows();
        let (q, k, v) = (part(&qkv, 0, head, c, hs), part(&qkv, 1, head, c, hs), part(&qkv, 2, head, c, hs));
        let (keys, values) = (here.right(k.t()), here.right(v));
        here.session(|| {
            for first in (0..t).step_by(queries) {
                let end = (first + queries).min(t);
                let (n, width) = (end - first, here.whole_columns(end));
                scores.resize(n * width, 0.0);
                here.product(&here.left(q.slice(s![first..end, ..])), &keys, false, matrix_mut(scores, n, width));
                for (i, row) in scores.chunks_exact_mut(width).take(n).enumerate() {
                    let position = first + i;
                    let (seen, hidden) = whole_vectors(row, position + 1);
                    sums[position] = softmax_row(seen, scale);
                    hidden.fill(0.0);
                    if let Some(mask) = &shape.mask {
                        mask.apply(shape.mask_row(id, head, position), seen);
                    }
                }
                let p = matrix(scores, n, width).slice_move(s![.., ..end]);
                here.product(&here.left(p), &values, false, out.slice_mut(s![first..end, ..]));
            }
        });
    });
}

/// Backward: from qkv (N, 3C), out (N, C), its gradient d_out (N, C) and log_sums, sets d_qkv (N, 3C).
///
/// dV = (M * P)^T dO; dP = M * (dO V^T); dS = P * (dP - rowsum(dO * O)) / sqrt(HS); dQ = dS K; dK = dS^T Q
/// (the row sum of P * dP equals that of dO * O).
pub fn backward<E: Element>(shape: &Shape, qkv: &[E], out: &[E], d_out: &[E], log_sums: &[f32], d_qkv: &mut [E]) {
    let (c, nh) = (shape.n_embd, shape.n_head);
    let hs = c / nh;
    let mut tasks = Vec::new();
    let mut d_qkv = d_qkv;
    for (start, t, id) in shape.sequences() {
        let qkv = matrix(&qkv[start * 3 * c..], t, 3 * c);
        let out = matrix(&out[start * c..], t, c);
        let d_out = matrix(&d_out[start * c..], t, c);
        let sums = &log_sums[start * nh..(start + t) * nh];
        let (rows, rest) = d_qkv.split_at_mut(t * 3 * c);
        d_qkv = rest;
        let mut parts = cut(matrix_mut(rows, t, 3 * c), Axis(1), hs);
        let d_v = parts.split_off(2 * nh);
        let d_k = parts.split_off(nh);
        for (head, ((d_q, d_k), d_v)) in parts.into_iter().zip(d_k).zip(d_v).enumerate() {
            tasks.push((qkv, out, d_out, &sums[head * t..(head + 1) * t], head, id, [d_q, d_k, d_v]));
        }
    }
    let scale = 1.0 / (hs as f32).sqrt();
    let here = Here::new(shape.precision);
    let queries = here.whole_tiles(QUERIES);
    tasks.into_par_iter().for_each_init(Buffers::default, |buffers, (qkv, out, d_out, sums, head, id, d)| {
        let [mut d_q, d_k, d_v] = d;
        let Buffers { p, d_p, d_k: k_sums, d_v: v_sums } = buffers;
        let t = qkv.nrows();
        let (q, k, v) = (part(&qkv, 0, head, c, hs), part(&qkv, 1, head, c, hs), part(&qkv, 2, head, c, hs));
        let (keys_across, values_across, keys) = (here.right(k.t()), here.right(v.t()), here.right(k));
        let out = out.slice(s![.., head * hs..(head + 1) * hs]);
        let d_out = d_out.slice(s![.., head * hs..(head + 1) * hs]);
        for sums in [&mut *k_sums, &mut *v_sums] {
            sums.clear();
            sums.resize(t * hs, 0.0);
        }
        here.session(|| {
            for first in (0..t).step_by(queries) {
                let end = (first + queries).min(t);
                let (n, width) = (end - first, here.whole_columns(end));
                p.resize(n * width, 0.0);
                d_p.resize(n * width, 0.0);
                let (q, d_o) = (q.slice(s![first..end, ..]), d_out.slice(s![first..end, ..]));
                here.product(&here.left(q), &keys_across, false, matrix_mut(p, n, width));
                here.product(&here.left(d_o), &values_across, false, matrix_mut(d_p, n, width));
                let rows = p.chunks_exact_mut(width).zip(d_p.chunks_exact_mut(width));
                for (i, (p, d_p)) in rows.take(n).enumerate() {
                    let position = first + i;
                    let (seen, hidden) = whole_vectors(p, position + 1);
                    softmax_again(seen, scale, sums[position]);
                    hidden.fill(0.0);
                    let (d_seen, d_hidden) = d_p.split_at_mut(seen.len());
                    d_hidden.fill(0.0);
                    let dot = dot(row_of(&out, position), row_of(&d_o, i));
                    let row = shape.mask_row(id, head, position);
                    weights_backward(seen, d_seen, dot, scale, shape.mask.as_ref(), row);
                }
                let p = matrix(p, n, width).slice_move(s![.., ..end]);
                let d_s = matrix(d_p, n, width).slice_move(s![.., ..end]);
                here.product(&here.left(p.t()), &here.right(d_o), true, matrix_mut(v_sums, end, hs));
                here.product(&here.left(d_s), &keys, false, d_q.slice_mut(s![first..end, ..]));
                here.product(&here.left(d_s.t()), &here.right(q), true, matrix_mut(k_sums, end, hs));
            }
        });
        for (sums, mut d) in [(&*k_sums, d_k), (&*v_sums, d_v)] {
            for (sums, d) in sums.chunks_exact(hs).zip(d.rows_mut()) {
                E::round_all(sums, d.into_slice().expect("rows of unit stride"));
            }
        }
    });
}

/// One query after T keys and values, for sampling: q (C), keys (T, C), values (T, C) -> out (C).
pub fn one_query(n_head: usize, q: &[f32], keys: &[f32], values: &[f32], out: &mut [f32]) {
    /// Heads that one thread takes.
    const HEADS: usize = 3;
    let c = q.len();
    let (t, hs) = (keys.len() / c, c / n_head);
    let scale = 1.0 / (hs as f32).sqrt();
    let pieces = out.par_chunks_mut(HEADS * hs).enumerate();
    pieces.with_min_len(if t * c < 1 << 14 { n_head } else { 1 }).for_each(|(i, out)| {
        let columns = i * HEADS * hs..i * HEADS * hs + out.len();
        let mut weights = vec![0.0; out.len() / hs * t];
        dots(hs, &q[columns.clone()], &keys[columns.start..], c, &mut weights);
        for weights in weights.chunks_exact_mut(t) {
            softmax_row(weights, scale);
        }
        weighted_sum(hs, &weights, &values[columns.start..], c, out);
    });
}

crate::cpu::for_each_cpu! {
    /// The dot product of each head's part of q (heads * HS) with that of each key (T rows, `ld` apart): out (heads, T).
    fn dots(hs: usize, q: &[f32], keys: &[f32], ld: usize, out: &mut [f32]) {
        let t = out.len() * hs / q.len();
        for (position, key) in keys.chunks(ld).enumerate() {
            for (head, (q, k)) in q.chunks_exact(hs).zip(key.chunks_exact(hs)).enumerate() {
                out[head * t + position] = dot_body::<f32, FMA>(q, k);
            }
        }
    }
}

crate::cpu::for_each_cpu! {
    /// The sum of values (T rows, `ld` apart), each head's part with its weights (heads, T): out (heads * HS).
    fn weighted_sum(hs: usize, weights: &[f32], values: &[f32], ld: usize, out: &mut [f32]) {
        let t = weights.len() * hs / out.len();
        out.fill(0.0);
        for (position, value) in values.chunks(ld).enumerate() {
            for (head, (out, v)) in out.chunks_exact_mut(hs).zip(value.chunks_exact(hs)).enumerate() {
                let weight = weights[head * t + position];
                for (out, v) in out.iter_mut().zip(v) {
                    *out = crate::cpu::fma::<FMA>(weight, *v, *out);
                }
            }
        }
    }
}

#[derive(Default)]
struct Buffers {
    p: Vec<f32>,
    d_p: Vec<f32>,
    /// (T, HS) the gradients of the keys and of the values, summed over the queries.
    d_k: Vec<f32>,
    d_v: Vec<f32>,
}

crate::cpu::for_each_cpu! {
    /// One row: `d = p (m d - dot) scale`, then `p *= m`.
    fn weights_backward(p: &mut [f32], d: &mut [f32], dot: f32, scale: f32, mask: Option<&Mask>, row: u64) {
        let _ = FMA;
        let mut m = [1.0_f32; MASK_BLOCK];
        for (block, (p, d)) in p.chunks_mut(MASK_BLOCK).zip(d.chunks_mut(MASK_BLOCK)).enumerate() {
            if let Some(mask) = mask {
                mask.multipliers(row, block, &mut m);
            }
            for ((p, d), m) in p.iter_mut().zip(d).zip(&m) {
                *d = *p * (*d * m - dot) * scale;
                *p *= m;
            }
        }
    }
}

crate::cpu::for_each_cpu! {
    fn dot<E: Element>(x: &[E], y: &[E]) -> f32 {
        dot_body::<E, FMA>(x, y)
    }
}

#[inline(always)]
#[allow(clippy::inline_always, reason = "must be compiled inside the function that has the instructions")]
fn dot_body<E: Element, const FMA: bool>(x: &[E], y: &[E]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0_f32; LANES];
    let (x, x_rest) = x.as_chunks::<LANES>();
    let (y, y_rest) = y.as_chunks::<LANES>();
    for (x, y) in x.iter().zip(y) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum = crate::cpu::fma::<FMA>(x.get(), y.get(), *sum);
        }
    }
    let rest: f32 = x_rest.iter().zip(y_rest).map(|(x, y)| x.get() * y.get()).sum();
    crate::cpu::halved(sums, |a, b| a + b) + rest
}

/// A row of scores, whose length is whole vectors, cut after the first `n`; what is seen of it is filled up to a whole vector
/// with scores of which nothing comes.
fn whole_vectors(row: &mut [f32], n: usize) -> (&mut [f32], &mut [f32]) {
    const LANES: usize = 16;
    let end = n.next_multiple_of(LANES).min(row.len());
    row[n..end].fill(f32::NEG_INFINITY);
    row.split_at_mut(end)
}

/// A row of a matrix whose rows are contiguous.
fn row_of<'a, E: Element>(x: &ArrayView2<'a, E>, i: usize) -> &'a [E] {
    x.index_axis_move(Axis(0), i).to_slice().expect("rows of unit stride")
}

fn matrix<E>(data: &[E], rows: usize, cols: usize) -> ArrayView2<'_, E> {
    ArrayView2::from_shape((rows, cols), &data[..rows * cols]).expect("sizes agree")
}

fn matrix_mut<E>(data: &mut [E], rows: usize, cols: usize) -> ArrayViewMut2<'_, E> {
    ArrayViewMut2::from_shape((rows, cols), &mut data[..rows * cols]).expect("sizes agree")
}

/// Query (0), key (1) or value (2) of a head: (T, HS) of a sequence's qkv (T, 3C).
fn part<'a, E: Element>(qkv: &ArrayView2<'a, E>, which: usize, head: usize, c: usize, hs: usize) -> ArrayView2<'a, E> {
    let at = which * c + head * hs;
    qkv.slice_move(s![.., at..at + hs])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{self, Level};

    fn wave(n: usize, a: f32) -> Vec<f32> {
        (0..n).map(|i| ((i as f32 + 1.0) * a).sin()).collect()
    }

    /// Attention written as its definition, in f64.
    #[allow(clippy::needless_range_loop, reason = "the indices of the definition")]
    fn plain(shape: &Shape, qkv: &[f32]) -> Vec<f64> {
        let (c, nh) = (shape.n_embd, shape.n_head);
        let hs = c / nh;
        let n = *shape.starts.last().unwrap() as usize;
        let mut out = vec![0.0; n * c];
        for (start, t, id) in shape.sequences() {
            for head in 0..nh {
                let at =
                    |i: usize, which: usize, l: usize| f64::from(qkv[(start + i) * 3 * c + which * c + head * hs + l]);
                for i in 0..t {
                    let score = |j: usize| (0..hs).map(|l| at(i, 0, l) * at(j, 1, l)).sum::<f64>() / (hs as f64).sqrt();
                    let sum: f64 = (0..=i).map(|j| score(j).exp()).sum();
                    let mut m = vec![1.0_f32; t];
                    if let Some(mask) = &shape.mask {
                        mask.apply(shape.mask_row(id, head, i), &mut m);
                    }
                    for j in 0..=i {
                        let p = score(j).exp() / sum * f64::from(m[j]);
                        for l in 0..hs {
                            out[(start + i) * c + head * hs + l] += p * at(j, 2, l);
                        }
                    }
                }
            }
        }
        out
    }

    fn shape<'a>(
        starts: &'a [u32],
        sequence_ids: &'a [u64],
        n_head: usize,
        n_embd: usize,
        mask: Option<Mask>,
    ) -> Shape<'a> {
        Shape { starts, sequence_ids, n_head, n_embd, n_positions: 200, mask, precision: Precision::F32 }
    }

    fn shapes() -> Vec<(Vec<u32>, usize, usize)> {
        vec![(vec![0, 1], 1, 4), (vec![0, 5, 6, 80], 2, 8), (vec![0, 130, 150], 3, 12)]
    }

    #[test]
    fn forward_is_the_definition_on_every_cpu_path() {
        let _alone = cpu::alone();
        for level in [Level::Plain, Level::Avx2, Level::Avx512] {
            cpu::force(level);
            for (starts, n_head, n_embd) in shapes() {
                for mask in [None, Mask::new(4, 4, 4, 0.25)] {
                    let n = *starts.last().unwrap() as usize;
                    let ids: Vec<u64> = (0..starts.len() as u64 - 1).collect();
                    let shape = shape(&starts, &ids, n_head, n_embd, mask);
                    let qkv = wave(n * 3 * n_embd, 0.37);
                    let (mut out, mut sums) = (vec![f32::NAN; n * n_embd], vec![0.0; n * n_head]);
                    forward(&shape, &qkv, &mut out, &mut sums);
                    for (i, (a, b)) in out.iter().zip(plain(&shape, &qkv)).enumerate() {
                        assert!((f64::from(*a) - b).abs() < 1e-5, "{level:?} {starts:?} {i}: {a} {b}");
                    }
                }
            }
        }
    }

    #[test]
    fn one_query_is_the_last_row() {
        let _alone = cpu::alone();
        for level in [Level::Plain, Level::Avx2, Level::Avx512] {
            cpu::force(level);
            for (t, n_head, n_embd) in [(1, 1, 4), (7, 2, 40), (130, 3, 96)] {
                let starts = [0, t as u32];
                let shape = shape(&starts, &[0], n_head, n_embd, None);
                let qkv = wave(t * 3 * n_embd, 0.37);
                let of = |which: usize| -> Vec<f32> {
                    qkv.chunks(3 * n_embd).flat_map(|row| row[which * n_embd..][..n_embd].to_vec()).collect()
                };
                let mut out = vec![f32::NAN; n_embd];
                one_query(n_head, &of(0)[(t - 1) * n_embd..], &of(1), &of(2), &mut out);
                for (a, b) in out.iter().zip(&plain(&shape, &qkv)[(t - 1) * n_embd..]) {
                    assert!((f64::from(*a) - b).abs() < 1e-5, "{level:?} {t}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn backward_by_finite_differences() {
        for (starts, n_head, n_embd) in shapes() {
            for mask in [None, Mask::new(4, 4, 4, 0.25)] {
                let n = *starts.last().unwrap() as usize;
                let ids: Vec<u64> = (0..starts.len() as u64 - 1).map(|i| i + 3).collect();
                let shape = shape(&starts, &ids, n_head, n_embd, mask);
                let mut qkv = wave(n * 3 * n_embd, 0.37);
                let weights = wave(n * n_embd, 1.7);
                let (mut out, mut sums) = (vec![0.0; n * n_embd], vec![0.0; n * n_head]);
                forward(&shape, &qkv, &mut out, &mut sums);
                let mut d_qkv = vec![f32::NAN; n * 3 * n_embd];
                backward(&shape, &qkv, &out, &weights, &sums, &mut d_qkv);
                assert!(d_qkv.iter().all(|d| d.is_finite()));
                let loss = |qkv: &[f32]| -> f64 {
                    plain(&shape, qkv).iter().zip(&weights).map(|(o, w)| o * f64::from(*w)).sum()
                };
                for i in (0..qkv.len()).step_by(1 + qkv.len() / 40) {
                    let x = qkv[i];
                    qkv[i] = x + 1e-3;
                    let up = loss(&qkv);
                    qkv[i] = x - 1e-3;
                    let down = loss(&qkv);
                    qkv[i] = x;
                    let slope = (up - down) / 2e-3;
                    assert!(
                        (slope - f64::from(d_qkv[i])).abs() < 1e-3 * (1.0 + slope.abs()),
                        "{starts:?} {i}: {} {slope}",
                        d_qkv[i]
                    );
                }
            }
        }
    }
}
