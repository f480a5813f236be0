//! Exponential, softmax and cross-entropy over rows.

use crate::cpu::{fma, for_each_cpu, halved};
use crate::element::{Element, narrow};
use ndarray::{ArrayView2, s};
use rayon::prelude::*;

/// e^x in f32, to about 1 unit in the last place: x = n ln 2 + r, |r| <= ln 2 / 2, a polynomial for e^r and n added to the
/// exponent. Below -87 it is 0, above 88 it is clamped.
#[inline(always)]
#[allow(clippy::inline_always, reason = "must be compiled inside the function that has the instructions")]
pub(crate) fn exp_body<const FMA: bool>(x: f32) -> f32 {
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer on every CPU path alike.
    const ROUND: f32 = 12_582_912.0;
    let clamped = x.clamp(-87.0, 88.0);
    let shifted = fma::<FMA>(clamped, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    // ln 2 in two parts, the first exact in 15 bits.
    let r = fma::<FMA>(n, -0.693_359_4, clamped);
    let r = fma::<FMA>(n, 2.121_944_4e-4, r);
    let mut p = 1.0 / 5040.0;
    p = fma::<FMA>(p, r, 1.0 / 720.0);
    p = fma::<FMA>(p, r, 1.0 / 120.0);
    p = fma::<FMA>(p, r, 1.0 / 24.0);
    p = fma::<FMA>(p, r, 1.0 / 6.0);
    p = fma::<FMA>(p, r, 0.5);
    p = fma::<FMA>(p, r, 1.0);
    p = fma::<FMA>(p, r, 1.0);
    // The lowest bits of `shifted` are those of the integer n, in -126..=127; the upper ones leave with the shift. (A
    // conversion by `as`, which saturates, would take the vector apart.)
    let scale = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    if x < -87.0 { 0.0 } else { p * scale }
}

/// e^x in f32, as the kernels compute it.
pub fn exp(x: f32) -> f32 {
    exp_body::<false>(x)
}

for_each_cpu! {
    /// `x = e^x`, element by element.
    pub fn exp_all(x: &mut [f32]) {
        exp_sum_body::<FMA>(x, 1.0, 0.0);
    }
}

const LANES: usize = 16;

#[inline(always)]
#[allow(clippy::inline_always, reason = "must be compiled inside the function that has the instructions")]
fn max_body(x: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = x.chunks_exact(LANES);
    for (l, v) in lanes.iter_mut().zip(chunks.remainder()) {
        *l = *v;
    }
    for chunk in chunks {
        for (l, v) in lanes.iter_mut().zip(chunk) {
            *l = if *v > *l { *v } else { *l };
        }
    }
    halved(lanes, |a, b| if b > a { b } else { a })
}

/// Replaces `x` by `exp(x * scale - shift)` and returns the sum of the new values.
#[inline(always)]
#[allow(clippy::inline_always, reason = "must be compiled inside the function that has the instructions")]
fn exp_sum_body<const FMA: bool>(x: &mut [f32], scale: f32, shift: f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let mut chunks = x.chunks_exact_mut(LANES);
    for chunk in &mut chunks {
        for (l, v) in lanes.iter_mut().zip(chunk) {
            *v = exp_body::<FMA>(fma::<FMA>(*v, scale, -shift));
            *l += *v;
        }
    }
    for (l, v) in lanes.iter_mut().zip(chunks.into_remainder()) {
        *v = exp_body::<FMA>(fma::<FMA>(*v, scale, -shift));
        *l += *v;
    }
    halved(lanes, |a, b| a + b)
}

for_each_cpu! {
    /// Softmax of `scale * x` in place; returns ln sum exp(scale x).
    pub(crate) fn softmax_row(x: &mut [f32], scale: f32) -> f32 {
        let shift = max_body(x) * scale;
        let sum = exp_sum_body::<FMA>(x, scale, shift);
        let norm = 1.0 / sum;
        for v in x.iter_mut() {
            *v *= norm;
        }
        shift + sum.ln()
    }
}

for_each_cpu! {
    /// `x = exp(scale * x - log_sum)`: a row's softmax again from its kept log-sum-exp.
    pub(crate) fn softmax_again(x: &mut [f32], scale: f32, log_sum: f32) {
        exp_sum_body::<FMA>(x, scale, log_sum);
    }
}

for_each_cpu! {
    /// One row of cross-entropy: returns -ln softmax(x)[target]; `x` becomes `weight * (softmax(x) - onehot(target))`.
    fn cross_entropy_row(x: &mut [f32], target: usize, weight: f32, gradient: bool) -> f64 {
        let shift = max_body(x);
        let at_target = x[target];
        let sum = exp_sum_body::<FMA>(x, 1.0, shift);
        if gradient {
            let norm = weight / sum;
            for v in x.iter_mut() {
                *v *= norm;
            }
            x[target] -= weight;
        }
        f64::from(shift) + f64::from(sum).ln() - f64::from(at_target)
    }
}

/// Values from one row of V logits to the next: rows begin with a line of the cache, and do not all fall into the same places of it.
pub fn logits_stride(v: usize) -> usize {
    const LINE: usize = 16;
    const PAGE: usize = 1024;
    let stride = v.next_multiple_of(LINE);
    if stride.is_multiple_of(PAGE) { stride + LINE } else { stride }
}

/// Cross-entropy of every row: logits (rows, V), [`logits_stride`] apart, targets and weights (rows). Returns the weighted sum of
/// -ln p(target); with `gradient`, the logits are replaced by the gradient of that sum, each row in the element at the beginning of
/// its place: see [`gradients`].
///
/// # Panics
/// If a target is not below V.
pub fn cross_entropy_rows<E: Element>(
    logits: &mut [f32],
    v: usize,
    targets: &[u32],
    weights: &[f32],
    gradient: bool,
) -> f64 {
    let losses: Vec<f64> = logits
        .par_chunks_exact_mut(logits_stride(v).max(1))
        .with_min_len(8)
        .zip(targets.par_iter().zip(weights))
        .map(|(row, (&target, &weight))| {
            let loss = cross_entropy_row(&mut row[..v], target as usize, weight, gradient);
            if gradient {
                narrow::<E>(&mut row[..v]);
            }
            f64::from(weight) * loss
        })
        .collect();
    losses.iter().sum()
}

/// The gradients (rows, V) that [`cross_entropy_rows`] left in `logits`.
pub fn gradients<E: Element>(logits: &[f32], v: usize) -> ArrayView2<'_, E> {
    let values = bytemuck::cast_slice::<f32, E>(logits);
    let stride = logits_stride(v) * (size_of::<f32>() / size_of::<E>());
    ArrayView2::from_shape((values.len() / stride.max(1), stride), values).expect("whole rows").slice_move(s![.., ..v])
}

/// -ln softmax(row)[target] of every row: logits (rows, V), [`logits_stride`] apart, which are overwritten, targets (rows).
///
/// # Panics
/// If a target is not below V.
pub fn cross_entropies(logits: &mut [f32], v: usize, targets: &[u32]) -> Vec<f64> {
    logits
        .par_chunks_exact_mut(logits_stride(v).max(1))
        .with_min_len(8)
        .zip(targets)
        .map(|(row, &target)| cross_entropy_row(&mut row[..v], target as usize, 0.0, false))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{self, Level};
    use crate::element::Bf16;

    #[test]
    fn exponential() {
        let mut worst = 0.0_f64;
        for i in -8700..8800 {
            let x = i as f32 / 100.0;
            let exact = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) - exact).abs() / exact);
        }
        assert!(worst < 3e-7, "{worst}");
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn softmax_on_every_cpu_path() {
        let _alone = cpu::alone();
        for level in [Level::Plain, Level::Avx2, Level::Avx512] {
            cpu::force(level);
            for n in [1_usize, 2, 15, 16, 17, 100] {
                let x: Vec<f32> = (0..n).map(|i| ((i * 37) % 23) as f32 - 11.0).collect();
                let exact: Vec<f64> = x.iter().map(|v| (f64::from(*v) * 0.5).exp()).collect();
                let sum: f64 = exact.iter().sum();
                let mut p = x.clone();
                let log_sum = softmax_row(&mut p, 0.5);
                assert!((f64::from(log_sum) - sum.ln()).abs() < 1e-5);
                let mut again = x.clone();
                softmax_again(&mut again, 0.5, log_sum);
                for i in 0..n {
                    assert!((f64::from(p[i]) - exact[i] / sum).abs() < 1e-6, "{level:?} {n} {i}");
                    assert!((p[i] - again[i]).abs() < 1e-6);
                }
            }
        }
    }

    #[test]
    fn cross_entropy_and_its_gradient() {
        let _alone = cpu::alone();
        let (rows, v) = (5, 37);
        let stride = logits_stride(v);
        // Between the rows is what nobody reads.
        let at = |i: usize| i / v * stride + i % v;
        let mut logits = vec![f32::NAN; rows * stride];
        for i in 0..rows * v {
            logits[at(i)] = ((i * 31) % 17) as f32 / 3.0 - 2.0;
        }
        let targets: Vec<u32> = (0..rows as u32).map(|i| i * 7).collect();
        let weights: Vec<f32> = (0..rows).map(|i| i as f32 / 2.0).collect();
        let loss = |x: &[f32]| -> f64 {
            (0..rows)
                .map(|r| {
                    let row = &x[r * stride..r * stride + v];
                    let sum: f64 = row.iter().map(|l| f64::from(*l).exp()).sum();
                    f64::from(weights[r]) * (sum.ln() - f64::from(row[targets[r] as usize]))
                })
                .sum()
        };
        let mut gradient = logits.clone();
        let found = cross_entropy_rows::<f32>(&mut gradient, v, &targets, &weights, true);
        assert!((found - loss(&logits)).abs() < 1e-5);
        for i in 0..rows * v {
            let mut up = logits.clone();
            let mut down = logits.clone();
            up[at(i)] += 1e-2;
            down[at(i)] -= 1e-2;
            let slope = (loss(&up) - loss(&down)) / f64::from(up[at(i)] - down[at(i)]);
            assert!((slope - f64::from(gradient[at(i)])).abs() < 1e-4, "{i}: {slope} {}", gradient[at(i)]);
        }
        let mut only = logits.clone();
        assert_eq!(cross_entropy_rows::<f32>(&mut only, v, &targets, &weights, false), found);
        let mut rounded = logits.clone();
        assert_eq!(cross_entropy_rows::<Bf16>(&mut rounded, v, &targets, &weights, true), found);
        let (rounded, exact) = (gradients::<Bf16>(&rounded, v), gradients::<f32>(&gradient, v));
        assert!(rounded.dim() == (rows, v) && rounded.iter().zip(exact).all(|(a, b)| *a == Bf16::new(*b)));
        let each = cross_entropies(&mut logits.clone(), v, &targets);
        let sum: f64 = each.iter().zip(&weights).map(|(loss, weight)| loss * f64::from(*weight)).sum();
        assert!(each.len() == rows && (sum - found).abs() < 1e-9, "{each:?}");
        assert!(cross_entropies(&mut [], v, &[]).is_empty());
    }

    #[test]
    fn strides_of_logits() {
        for v in 0..5000 {
            let stride = logits_stride(v);
            assert!(
                stride >= v
                    && stride <= v + 31
                    && stride.is_multiple_of(16)
                    && (v == 0 || !stride.is_multiple_of(1024)),
                "{v} {stride}"
            );
        }
    }
}
