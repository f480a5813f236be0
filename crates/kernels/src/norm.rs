//! Bias + dropout + residual + LayerNorm, one pass forward and one backward (Ba et al. 2016; GPT-1 normalises after the
//! addition: x = LN(x + branch)).

use crate::cpu::{fma, for_each_cpu, halved};
use crate::dropout::{BLOCK, Mask};
use crate::element::Element;
use crate::{ROW_BLOCK, add};
use rayon::prelude::*;

/// Mean and reciprocal standard deviation of one row.
#[derive(Debug, Clone, Copy, Default)]
pub struct NormStats {
    /// Mean of the row.
    pub mean: f32,
    /// 1 / sqrt(variance + epsilon).
    pub rstd: f32,
}

/// `sum = residual + mask * (branch + bias)`, `residual = gain * (sum - mean) * rstd + shift`, row by row, and `out` is that, rounded.
///
/// residual, branch, out: (N, C); `branch` is replaced by `sum`, which the backward pass needs; bias, gain, shift: (C);
/// row_ids: (N) names each row to the dropout mask; stats: (N).
pub fn residual_norm_forward<E: Element>(
    residual: &mut [f32],
    branch: &mut [f32],
    bias: &[f32],
    mask: Option<Mask>,
    row_ids: &[u64],
    gain: &[f32],
    shift: &[f32],
    epsilon: f32,
    out: &mut [E],
    stats: &mut [NormStats],
) {
    let c = gain.len();
    let block = ROW_BLOCK * c;
    residual
        .par_chunks_mut(block)
        .zip(branch.par_chunks_mut(block))
        .zip(out.par_chunks_mut(block))
        .zip(stats.par_chunks_mut(ROW_BLOCK).zip(row_ids.par_chunks(ROW_BLOCK)))
        .for_each(|(((residual, branch), out), (stats, row_ids))| {
            for (i, stats) in stats.iter_mut().enumerate() {
                let at = i * c..(i + 1) * c;
                *stats = forward_row(
                    &mut residual[at.clone()],
                    &mut branch[at.clone()],
                    bias,
                    mask.as_ref(),
                    row_ids[i],
                    gain,
                    shift,
                    epsilon,
                    &mut out[at],
                );
            }
        });
}

const LANES: usize = 16;

#[inline(always)]
#[allow(clippy::inline_always, reason = "must be compiled inside the function that has the instructions")]
fn sum_body(x: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let chunks = x.chunks_exact(LANES);
    for (l, v) in lanes.iter_mut().zip(chunks.remainder()) {
        *l += v;
    }
    for chunk in chunks {
        for (l, v) in lanes.iter_mut().zip(chunk) {
            *l += v;
        }
    }
    halved(lanes, |a, b| a + b)
}

#[inline(always)]
#[allow(clippy::inline_always, reason = "must be compiled inside the function that has the instructions")]
fn square_distance_body<const FMA: bool>(x: &[f32], mean: f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let chunks = x.chunks_exact(LANES);
    for (l, v) in lanes.iter_mut().zip(chunks.remainder()) {
        *l = fma::<FMA>(v - mean, v - mean, *l);
    }
    for chunk in chunks {
        for (l, v) in lanes.iter_mut().zip(chunk) {
            *l = fma::<FMA>(v - mean, v - mean, *l);
        }
    }
    halved(lanes, |a, b| a + b)
}

for_each_cpu! {
    fn forward_row<E: Element>(
        residual: &mut [f32],
        branch: &mut [f32],
        bias: &[f32],
        mask: Option<&Mask>,
        row_id: u64,
        gain: &[f32],
        shift: &[f32],
        epsilon: f32,
        out: &mut [E],
    ) -> NormStats {
        let c = gain.len();
        let mut m = [1.0_f32; BLOCK];
        for (block, ((y, x), b)) in branch.chunks_mut(BLOCK).zip(residual.chunks(BLOCK)).zip(bias.chunks(BLOCK)).enumerate() {
            if let Some(mask) = mask {
                mask.multipliers(row_id, block, &mut m);
            }
            for (((y, x), b), m) in y.iter_mut().zip(x).zip(b).zip(&m) {
                *y = fma::<FMA>(*m, *y + b, *x);
            }
        }
        let mean = sum_body(branch) / c as f32;
        let variance = square_distance_body::<FMA>(branch, mean) / c as f32;
        let rstd = 1.0 / (variance + epsilon).sqrt();
        for (((r, s), g), b) in residual.iter_mut().zip(branch.iter()).zip(gain).zip(shift) {
            *r = fma::<FMA>((s - mean) * rstd, *g, *b);
        }
        E::round_all(residual, out);
        NormStats { mean, rstd }
    }
}

/// The way back of [`residual_norm_forward`]: `d_out` (N, C) becomes the gradient of `sum`, which is the residual's;
/// `d_branch` (N, C) is set to the branch's (that, times the mask); gradients of gain, shift and bias (C) are added to.
///
/// d_sum = rstd (d_hat - mean(d_hat) - hat mean(d_hat hat)), hat = (sum - mean) rstd, d_hat = gain d_out.
pub fn residual_norm_backward<E: Element>(
    d_out: &mut [f32],
    sum: &[f32],
    stats: &[NormStats],
    mask: Option<Mask>,
    row_ids: &[u64],
    gain: &[f32],
    d_branch: &mut [E],
    d_gain: &mut [f32],
    d_shift: &mut [f32],
    d_bias: &mut [f32],
) {
    let c = gain.len();
    let block = ROW_BLOCK * c;
    let partial: Vec<[Vec<f32>; 3]> = d_out
        .par_chunks_mut(block)
        .zip(sum.par_chunks(block))
        .zip(d_branch.par_chunks_mut(block))
        .zip(stats.par_chunks(ROW_BLOCK).zip(row_ids.par_chunks(ROW_BLOCK)))
        .map(|(((d_out, sum), d_branch), (stats, row_ids))| {
            let mut sums = [vec![0.0; c], vec![0.0; c], vec![0.0; c]];
            for (i, stats) in stats.iter().enumerate() {
                let at = i * c..(i + 1) * c;
                backward_row(
                    &mut d_out[at.clone()],
                    &sum[at.clone()],
                    *stats,
                    mask.as_ref(),
                    row_ids[i],
                    gain,
                    &mut d_branch[at],
                    &mut sums,
                );
            }
            sums
        })
        .collect();
    for sums in &partial {
        add(d_gain, &sums[0]);
        add(d_shift, &sums[1]);
        add(d_bias, &sums[2]);
    }
}

for_each_cpu! {
    fn backward_row<E: Element>(
        d_out: &mut [f32],
        sum: &[f32],
        stats: NormStats,
        mask: Option<&Mask>,
        row_id: u64,
        gain: &[f32],
        d_branch: &mut [E],
        sums: &mut [Vec<f32>; 3],
    ) {
        let c = gain.len();
        let NormStats { mean, rstd } = stats;
        let [d_gain, d_shift, d_bias] = sums;
        let (d_gain, d_shift, d_bias) = (&mut d_gain[..c], &mut d_shift[..c], &mut d_bias[..c]);
        let (d_out, sum, d_branch) = (&mut d_out[..c], &sum[..c], &mut d_branch[..c]);
        let (mut lanes, mut lanes_hat) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        let mut at = 0;
        while at < c {
            let width = LANES.min(c - at);
            for l in 0..width {
                let i = at + l;
                let hat = (sum[i] - mean) * rstd;
                let d_hat = d_out[i] * gain[i];
                d_gain[i] = fma::<FMA>(d_out[i], hat, d_gain[i]);
                d_shift[i] += d_out[i];
                lanes[l] += d_hat;
                lanes_hat[l] = fma::<FMA>(d_hat, hat, lanes_hat[l]);
            }
            at += width;
        }
        let mean_d = halved(lanes, |a, b| a + b) / c as f32;
        let mean_d_hat = halved(lanes_hat, |a, b| a + b) / c as f32;
        let (mut m, mut masked) = ([1.0_f32; BLOCK], [0.0_f32; BLOCK]);
        let mut start = 0;
        while start < c {
            if let Some(mask) = mask {
                mask.multipliers(row_id, start / BLOCK, &mut m);
            }
            let end = (start + BLOCK).min(c);
            for i in start..end {
                let hat = (sum[i] - mean) * rstd;
                let d = rstd * (d_out[i] * gain[i] - mean_d - hat * mean_d_hat);
                d_out[i] = d;
                masked[i - start] = d * m[i - start];
                d_bias[i] += masked[i - start];
            }
            E::round_all(&masked[..end - start], &mut d_branch[start..end]);
            start = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{self, Level};

    struct Case {
        residual: Vec<f32>,
        branch: Vec<f32>,
        bias: Vec<f32>,
        gain: Vec<f32>,
        shift: Vec<f32>,
        row_ids: Vec<u64>,
        weights: Vec<f32>,
    }

    fn case(n: usize, c: usize) -> Case {
        let wave = |n: usize, a: f32| -> Vec<f32> { (0..n).map(|i| ((i as f32 + 1.0) * a).sin()).collect() };
        Case {
            residual: wave(n * c, 0.7),
            branch: wave(n * c, 1.3),
            bias: wave(c, 0.9),
            gain: wave(c, 0.31).iter().map(|g| 1.0 + 0.5 * g).collect(),
            shift: wave(c, 0.17),
            row_ids: (0..n as u64).map(|i| i * 3).collect(),
            weights: wave(n * c, 2.1),
        }
    }

    /// A scalar of the output, by the fused pass.
    fn loss(case: &Case, mask: Option<Mask>) -> f64 {
        let (n, c) = (case.row_ids.len(), case.gain.len());
        let mut branch = case.branch.clone();
        let mut out = vec![0.0; n * c];
        let mut stats = vec![NormStats::default(); n];
        residual_norm_forward(
            &mut case.residual.clone(),
            &mut branch,
            &case.bias,
            mask,
            &case.row_ids,
            &case.gain,
            &case.shift,
            1e-5,
            &mut out,
            &mut stats,
        );
        out.iter().zip(&case.weights).map(|(o, w)| f64::from(*o) * f64::from(*w)).sum()
    }

    #[test]
    #[allow(clippy::needless_range_loop, reason = "the indices of the formula")]
    fn forward_is_the_plain_formula() {
        let case = case(3, 40);
        let mut plain = 0.0;
        for r in 0..3 {
            let s: Vec<f64> = (0..40)
                .map(|i| {
                    f64::from(case.residual[r * 40 + i]) + f64::from(case.branch[r * 40 + i]) + f64::from(case.bias[i])
                })
                .collect();
            let mean = s.iter().sum::<f64>() / 40.0;
            let var = s.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / 40.0;
            for i in 0..40 {
                let hat = (s[i] - mean) / (var + 1e-5).sqrt();
                plain +=
                    (hat * f64::from(case.gain[i]) + f64::from(case.shift[i])) * f64::from(case.weights[r * 40 + i]);
            }
        }
        assert!((loss(&case, None) - plain).abs() < 1e-4);
    }

    #[test]
    fn backward_by_finite_differences_on_every_cpu_path() {
        let _alone = cpu::alone();
        for level in [Level::Plain, Level::Avx2, Level::Avx512] {
            cpu::force(level);
            for (n, c) in [(1, 1), (3, 24), (70, 5), (2, 130)] {
                for mask in [None, Mask::new(1, 2, 3, 0.3)] {
                    check(case(n, c), mask, n, c);
                }
            }
        }
    }

    fn check(mut case: Case, mask: Option<Mask>, n: usize, c: usize) {
        let mut sum = case.branch.clone();
        let mut out = vec![0.0; n * c];
        let mut stats = vec![NormStats::default(); n];
        residual_norm_forward(
            &mut case.residual.clone(),
            &mut sum,
            &case.bias,
            mask,
            &case.row_ids,
            &case.gain,
            &case.shift,
            1e-5,
            &mut out,
            &mut stats,
        );
        let mut d_residual = case.weights.clone();
        let mut d_branch = vec![0.0; n * c];
        let (mut d_gain, mut d_shift, mut d_bias) = (vec![0.0; c], vec![0.0; c], vec![0.0; c]);
        residual_norm_backward(
            &mut d_residual,
            &sum,
            &stats,
            mask,
            &case.row_ids,
            &case.gain,
            &mut d_branch,
            &mut d_gain,
            &mut d_shift,
            &mut d_bias,
        );
        type Pick = fn(&mut Case) -> &mut Vec<f32>;
        let parts: [(&str, Pick, &[f32]); 5] = [
            ("residual", |c| &mut c.residual, &d_residual),
            ("branch", |c| &mut c.branch, &d_branch),
            ("bias", |c| &mut c.bias, &d_bias),
            ("gain", |c| &mut c.gain, &d_gain),
            ("shift", |c| &mut c.shift, &d_shift),
        ];
        for (name, pick, gradient) in parts {
            for i in (0..gradient.len()).step_by(1 + gradient.len() / 25) {
                let x = pick(&mut case)[i];
                let h = 1e-2;
                pick(&mut case)[i] = x + h;
                let up = loss(&case, mask);
                pick(&mut case)[i] = x - h;
                let down = loss(&case, mask);
                pick(&mut case)[i] = x;
                let slope = (up - down) / f64::from(2.0 * h);
                // One channel: variance 0, where the quotient of differences says nothing about the residual.
                let tolerance = if c == 1 { 0.5 } else { 5e-3 + 2e-2 * slope.abs() };
                assert!(
                    (slope - f64::from(gradient[i])).abs() < tolerance,
                    "({n}, {c}) d_{name}[{i}] = {} not {slope}",
                    gradient[i]
                );
            }
        }
    }
}
