//! The cell of an LSTM (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000), for some rows at once:
//! `i, f, o = sigmoid(a)`, `g = tanh(a)`, `c = f c_before + i g`, `h = o tanh(c)`.
//!
//! The gates stand in PyTorch's order i, f, g, o, U values each, side by side in a row of 4U.

use crate::cpu::{fma, for_each_cpu};
use crate::softmax::exp_body;
use rayon::prelude::*;

/// Values of a piece that one thread takes; smaller work stays on the calling thread.
const PIECE: usize = 1 << 13;

/// gates: (rows, 4U), what the products gave, becomes the gates' values; bias: (4U); `c_before`: (rows, U), the cells before;
/// c, h: (rows, U), the cells and outputs.
///
/// # Panics
/// If the sizes do not fit.
pub fn cell_forward(gates: &mut [f32], bias: &[f32], c_before: &[f32], c: &mut [f32], h: &mut [f32]) {
    let u = bias.len() / 4;
    let n = c.len();
    assert!(gates.len() == 4 * n && c_before.len() == n && h.len() == n && bias.len() == 4 * u, "a cell's sizes");
    let piece = PIECE.div_ceil(u.max(1)) * u.max(1);
    if n <= piece {
        return rows_forward(gates, bias, c_before, c, h);
    }
    let pieces = gates.par_chunks_mut(4 * piece).zip(c_before.par_chunks(piece));
    pieces
        .zip(c.par_chunks_mut(piece).zip(h.par_chunks_mut(piece)))
        .for_each(|((gates, c_before), (c, h))| rows_forward(gates, bias, c_before, c, h));
}

/// gates: (rows, 4U), as forward left them, becomes dL/da, the gradient before the gates' functions; `c_before`, c: (rows, U);
/// `d_h`: (rows, U), dL/dh; `d_c`: (rows, U), dL/dc from the later steps, becomes dL/dc_before.
///
/// # Panics
/// If the sizes do not fit.
pub fn cell_backward(u: usize, gates: &mut [f32], c_before: &[f32], c: &[f32], d_h: &[f32], d_c: &mut [f32]) {
    let n = c.len();
    assert!(gates.len() == 4 * n && c_before.len() == n && d_h.len() == n && d_c.len() == n, "a cell's sizes");
    let piece = PIECE.div_ceil(u.max(1)) * u.max(1);
    if n <= piece {
        return rows_backward(u, gates, c_before, c, d_h, d_c);
    }
    let pieces = gates.par_chunks_mut(4 * piece).zip(c_before.par_chunks(piece).zip(c.par_chunks(piece)));
    pieces
        .zip(d_h.par_chunks(piece).zip(d_c.par_chunks_mut(piece)))
        .for_each(|((gates, (c_before, c)), (d_h, d_c))| rows_backward(u, gates, c_before, c, d_h, d_c));
}

#[inline(always)]
#[allow(clippy::inline_always, reason = "must be compiled inside the function that has the instructions")]
fn sigmoid<const FMA: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp_body::<FMA>(-x))
}

/// tanh x to a few units in the last place, also near 0: the quotient of two polynomials that Eigen uses (ptanh_float); from
/// 7.9 on it is 1.
#[inline(always)]
#[allow(clippy::inline_always, reason = "must be compiled inside the function that has the instructions")]
fn tanh<const FMA: bool>(x: f32) -> f32 {
    let x = x.clamp(-7.905_311, 7.905_311);
    let s = x * x;
    let mut p = -2.760_768_5e-16;
    p = fma::<FMA>(p, s, 2.000_188e-13);
    p = fma::<FMA>(p, s, -8.604_672e-11);
    p = fma::<FMA>(p, s, 5.122_297e-8);
    p = fma::<FMA>(p, s, 1.485_722_4e-5);
    p = fma::<FMA>(p, s, 6.372_619_3e-4);
    p = fma::<FMA>(p, s, 4.893_525e-3);
    let mut q = 1.198_258_4e-6;
    q = fma::<FMA>(q, s, 1.185_347_1e-4);
    q = fma::<FMA>(q, s, 2.268_434_6e-3);
    q = fma::<FMA>(q, s, 4.893_525_3e-3);
    x * p / q
}

/// The four gates of a row.
macro_rules! split_gates {
    ($row:expr, $u:expr) => {{
        let (i, rest) = $row.split_at_mut($u);
        let (f, rest) = rest.split_at_mut($u);
        let (g, o) = rest.split_at_mut($u);
        (i, f, g, &mut o[..$u])
    }};
}

for_each_cpu! {
    fn rows_forward(gates: &mut [f32], bias: &[f32], c_before: &[f32], c: &mut [f32], h: &mut [f32]) {
        let u = bias.len() / 4;
        if u == 0 {
            return;
        }
        let (b_i, b_f, b_g, b_o) = (&bias[..u], &bias[u..2 * u], &bias[2 * u..3 * u], &bias[3 * u..4 * u]);
        let before = c_before.chunks_exact(u);
        let after = c.chunks_exact_mut(u).zip(h.chunks_exact_mut(u));
        for ((row, before), (c, h)) in gates.chunks_exact_mut(4 * u).zip(before).zip(after) {
            let (i, f, g, o) = split_gates!(row, u);
            for k in 0..u {
                i[k] = sigmoid::<FMA>(i[k] + b_i[k]);
                f[k] = sigmoid::<FMA>(f[k] + b_f[k]);
                g[k] = tanh::<FMA>(g[k] + b_g[k]);
                o[k] = sigmoid::<FMA>(o[k] + b_o[k]);
                c[k] = fma::<FMA>(f[k], before[k], i[k] * g[k]);
                h[k] = o[k] * tanh::<FMA>(c[k]);
            }
        }
    }
}

for_each_cpu! {
    /// With s' = s (1 - s) and tanh' = 1 - tanh^2: `dc = d_c + d_h o (1 - tanh(c)^2)`, `d_o = d_h tanh(c) o'`, `d_i = dc g i'`,
    /// `d_f = dc c_before f'`, `d_g = dc i g'`, `dc_before = dc f`.
    fn rows_backward(u: usize, gates: &mut [f32], c_before: &[f32], c: &[f32], d_h: &[f32], d_c: &mut [f32]) {
        if u == 0 {
            return;
        }
        let cells = c_before.chunks_exact(u).zip(c.chunks_exact(u));
        let gradients = d_h.chunks_exact(u).zip(d_c.chunks_exact_mut(u));
        for ((row, (before, c)), (d_h, d_c)) in gates.chunks_exact_mut(4 * u).zip(cells).zip(gradients) {
            let (i, f, g, o) = split_gates!(row, u);
            for k in 0..u {
                let squashed = tanh::<FMA>(c[k]);
                let dc = fma::<FMA>(d_h[k] * o[k], fma::<FMA>(-squashed, squashed, 1.0), d_c[k]);
                let (d_i, d_f) = (dc * g[k] * i[k] * (1.0 - i[k]), dc * before[k] * f[k] * (1.0 - f[k]));
                let d_g = dc * i[k] * fma::<FMA>(-g[k], g[k], 1.0);
                o[k] = d_h[k] * squashed * o[k] * (1.0 - o[k]);
                d_c[k] = dc * f[k];
                i[k] = d_i;
                f[k] = d_f;
                g[k] = d_g;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{self, Level};
    use proptest::prelude::*;

    /// The gates, the cell and the output of one unit, in f64.
    fn plain(a: [f64; 4], before: f64) -> ([f64; 4], f64, f64) {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let gates = [sigmoid(a[0]), sigmoid(a[1]), a[2].tanh(), sigmoid(a[3])];
        let c = gates[1] * before + gates[0] * gates[2];
        (gates, c, gates[3] * c.tanh())
    }

    fn near(found: f32, wanted: f64) -> bool {
        (f64::from(found) - wanted).abs() <= 1e-6 + 2e-6 * wanted.abs()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn cells_are_the_plain_ones_on_every_cpu_path(rows in 0_usize..5, u in 1_usize..70, seed: u64, level in 0..3) {
            let _alone = cpu::alone();
            let level = [Level::Plain, Level::Avx2, Level::Avx512][level as usize];
            cpu::force(level);
            let mut x = seed;
            let mut values = |n: usize, scale: f32| -> Vec<f32> {
                (0..n)
                    .map(|_| {
                        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                        scale * ((x >> 40) as f32 / (1 << 23) as f32 - 1.0)
                    })
                    .collect()
            };
            let (a, bias) = (values(4 * rows * u, 4.0), values(4 * u, 1.0));
            let (before, d_h, d_c) = (values(rows * u, 2.0), values(rows * u, 1.0), values(rows * u, 1.0));
            let (mut gates, mut c, mut h) = (a.clone(), vec![f32::NAN; rows * u], vec![f32::NAN; rows * u]);
            cell_forward(&mut gates, &bias, &before, &mut c, &mut h);
            let (values_of_gates, mut d_before) = (gates.clone(), d_c.clone());
            cell_backward(u, &mut gates, &before, &c, &d_h, &mut d_before);
            for r in 0..rows {
                for k in 0..u {
                    let at = |gate: usize| 4 * r * u + gate * u + k;
                    let unit = r * u + k;
                    let sums = [0, 1, 2, 3].map(|gate| f64::from(a[at(gate)]) + f64::from(bias[gate * u + k]));
                    let cell = f64::from(before[unit]);
                    let (wanted, cell_after, output) = plain(sums, cell);
                    for gate in 0..4 {
                        prop_assert!(near(values_of_gates[at(gate)], wanted[gate]), "{level:?} gate {gate}");
                    }
                    prop_assert!(near(c[unit], cell_after) && near(h[unit], output), "{level:?}");
                    // What the gradients are those of: d_h h + d_c c.
                    let objective = |sums: [f64; 4], cell: f64| {
                        let (_, c, h) = plain(sums, cell);
                        f64::from(d_h[unit]) * h + f64::from(d_c[unit]) * c
                    };
                    for gate in 0..4 {
                        let moved = |by: f64| objective(std::array::from_fn(|j| sums[j] + if j == gate { by } else { 0.0 }), cell);
                        let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                        let found = f64::from(gates[at(gate)]);
                        prop_assert!((found - slope).abs() < 3e-6, "{level:?} gate {gate}: {found} not {slope}");
                    }
                    let slope = (objective(sums, cell + 1e-5) - objective(sums, cell - 1e-5)) / 2e-5;
                    let found = f64::from(d_before[unit]);
                    prop_assert!((found - slope).abs() < 3e-6, "{level:?} cell: {found} not {slope}");
                }
            }
            cpu::force(Level::Amx);
        }
    }

    #[test]
    fn tanh_and_sigmoid_are_exact_near_zero_and_far_out() {
        let (mut worst_tanh, mut worst_sigmoid) = (0.0_f64, 0.0_f64);
        for i in -90_000..90_000 {
            let x = i as f32 / 10_000.0 * if i % 3 == 0 { 1e-3 } else { 1.0 };
            let (t, s) = (f64::from(x).tanh(), 1.0 / (1.0 + (-f64::from(x)).exp()));
            if x != 0.0 {
                worst_tanh = worst_tanh.max((f64::from(tanh::<false>(x)) - t).abs() / t.abs());
            }
            worst_sigmoid = worst_sigmoid.max((f64::from(sigmoid::<false>(x)) - s).abs() / s);
        }
        assert!(worst_tanh < 5e-7 && worst_sigmoid < 5e-7, "{worst_tanh} {worst_sigmoid}");
        for (x, t, s) in [(0.0, 0.0, 0.5), (1e30, 1.0, 1.0), (-1e30, -1.0, 0.0)] {
            assert!((tanh::<false>(x) - t).abs() < 3e-7, "{}", tanh::<false>(x));
            assert!((sigmoid::<false>(x) - s).abs() < 1e-37, "{}", sigmoid::<false>(x));
        }
        assert!(tanh::<false>(f32::NAN).is_nan() && sigmoid::<false>(f32::NAN).is_nan());
    }

    #[test]
    fn large_work_is_cut_and_stays_the_same() {
        let _alone = cpu::alone();
        let (rows, u) = (70, 300);
        let a: Vec<f32> = (0..4 * rows * u).map(|i| ((i * 37) % 101) as f32 / 25.0 - 2.0).collect();
        let (bias, before) = (vec![0.1; 4 * u], vec![0.5; rows * u]);
        let (mut gates, mut c, mut h) = (a.clone(), vec![0.0; rows * u], vec![0.0; rows * u]);
        cell_forward(&mut gates, &bias, &before, &mut c, &mut h);
        let mut d_c = vec![0.25; rows * u];
        let mut d_gates = gates.clone();
        cell_backward(u, &mut d_gates, &before, &c, &h, &mut d_c);
        for r in 0..rows {
            let (wide, narrow) = (4 * r * u..4 * (r + 1) * u, r * u..(r + 1) * u);
            let (mut g, mut c1, mut h1, mut d1) = (a[wide.clone()].to_vec(), vec![0.0; u], vec![0.0; u], vec![0.25; u]);
            cell_forward(&mut g, &bias, &before[narrow.clone()], &mut c1, &mut h1);
            assert!(g == gates[wide.clone()] && c1 == c[narrow.clone()] && h1 == h[narrow.clone()], "row {r}");
            cell_backward(u, &mut g, &before[narrow.clone()], &c1, &h1, &mut d1);
            assert!(g == d_gates[wide] && d1 == d_c[narrow], "row {r}");
        }
    }
}
