//! Bias, GELU and sums over rows.

use crate::ROW_BLOCK;
use crate::cpu::{fma, for_each_cpu};
use crate::element::{AT_ONCE, Element};
use crate::softmax::exp_body;
use rayon::prelude::*;

/// sqrt(2 / pi) and the cubic coefficient of GELU's tanh form (Hendrycks and Gimpel 2016).
const SQRT_2_PI: f32 = 0.797_884_6;
const CUBIC: f32 = 0.044_715;

for_each_cpu! {
    /// `x += y`, element by element.
    pub fn add(x: &mut [f32], y: &[f32]) {
        let _ = FMA;
        for (x, y) in x.iter_mut().zip(y) {
            *x += y;
        }
    }
}

for_each_cpu! {
    /// Adds `bias` (F) to every row of `x` (rows, F).
    pub fn add_bias(x: &mut [f32], bias: &[f32]) {
        let _ = FMA;
        for row in x.chunks_exact_mut(bias.len()) {
            for (x, b) in row.iter_mut().zip(bias) {
                *x += b;
            }
        }
    }
}

/// gelu(x) = x/2 (1 + tanh(u)), u = sqrt(2/pi) (x + 0.044715 x^3). With tanh(u) = 1 - 2 / (e^{2u} + 1) that is x s,
/// s = 1 - 1 / (e^{2u} + 1). Here: s.
#[inline(always)]
#[allow(clippy::inline_always, reason = "must be compiled inside the function that has the instructions")]
fn gelu_share<const FMA: bool>(x: f32) -> f32 {
    let u = SQRT_2_PI * fma::<FMA>(CUBIC * x * x, x, x);
    1.0 - 1.0 / (exp_body::<FMA>(2.0 * u) + 1.0)
}

for_each_cpu! {
    /// `y = gelu(x)`, element by element.
    pub fn gelu_forward<E: Element>(x: &[E], y: &mut [E]) {
        for (x, y) in x.chunks(AT_ONCE).zip(y.chunks_mut(AT_ONCE)) {
            let mut values = [0.0_f32; AT_ONCE];
            for (value, x) in values.iter_mut().zip(x) {
                let x = x.get();
                *value = x * gelu_share::<FMA>(x);
            }
            E::round_all(&values[..x.len()], y);
        }
    }
}

for_each_cpu! {
    /// `d *= gelu'(x)`, and `y = gelu(x)` again; d holds dL/dy and becomes dL/dx.
    ///
    /// With s as in [`gelu_share`]: gelu' = s + 2 x s (1 - s) u', u' = sqrt(2/pi) (1 + 3 * 0.044715 x^2).
    pub fn gelu_backward<E: Element>(d: &mut [E], x: &[E], y: &mut [E]) {
        for ((d, x), y) in d.chunks_mut(AT_ONCE).zip(x.chunks(AT_ONCE)).zip(y.chunks_mut(AT_ONCE)) {
            let (mut values, mut gradients) = ([0.0_f32; AT_ONCE], [0.0_f32; AT_ONCE]);
            for (((value, gradient), x), d) in values.iter_mut().zip(&mut gradients).zip(x).zip(&*d) {
                let x = x.get();
                let s = gelu_share::<FMA>(x);
                let du = SQRT_2_PI * fma::<FMA>(3.0 * CUBIC * x, x, 1.0);
                *gradient = d.get() * fma::<FMA>(2.0 * x * s * (1.0 - s), du, s);
                *value = x * s;
            }
            E::round_all(&gradients[..x.len()], d);
            E::round_all(&values[..x.len()], y);
        }
    }
}

/// GELU backward of a whole layer: [`gelu_backward`] of d, x and y (rows, F), and `d_bias += column sums of d` for d_bias: (F), each
/// block of rows summed while it is in the cache.
pub fn gelu_bias_backward<E: Element>(d: &mut [E], x: &[E], y: &mut [E], d_bias: &mut [f32]) {
    let f = d_bias.len();
    let size = ROW_BLOCK * f;
    let blocks = d.par_chunks_mut(size).zip(x.par_chunks(size)).zip(y.par_chunks_mut(size));
    let partial: Vec<Vec<f32>> = blocks
        .map(|((d, x), y)| {
            gelu_backward(d, x, y);
            sum_of_rows(d, f)
        })
        .collect();
    for part in &partial {
        add(d_bias, part);
    }
}

/// `sums += column sums of x` for x: (rows, F), sums: (F): the gradient of a bias. Blocks of rows are summed apart and then
/// added in order, so that the result does not depend on the number of threads.
pub fn column_sums<E: Element>(x: &[E], sums: &mut [f32]) {
    let f = sums.len();
    let partial: Vec<Vec<f32>> = x.par_chunks(4 * ROW_BLOCK * f).map(|block| sum_of_rows(block, f)).collect();
    for part in &partial {
        add(sums, part);
    }
}

fn sum_of_rows<E: Element>(x: &[E], f: usize) -> Vec<f32> {
    let mut sum = vec![0.0; f];
    x.chunks_exact(f).for_each(|row| add_row(&mut sum, row));
    sum
}

for_each_cpu! {
    fn add_row<E: Element>(sum: &mut [f32], row: &[E]) {
        let _ = FMA;
        for (sum, x) in sum.iter_mut().zip(row) {
            *sum += x.get();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{self, Level};

    fn gelu(x: f64) -> f64 {
        0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x)).tanh())
    }

    #[test]
    fn gelu_and_its_slope_on_every_cpu_path() {
        let _alone = cpu::alone();
        for level in [Level::Plain, Level::Avx2, Level::Avx512] {
            cpu::force(level);
            let x: Vec<f32> = (-1200..1200).map(|i| i as f32 / 97.0).collect();
            let (mut y, mut again, mut d) = (vec![0.0; x.len()], vec![0.0; x.len()], vec![1.0; x.len()]);
            gelu_forward(&x, &mut y);
            gelu_backward(&mut d, &x, &mut again);
            assert_eq!(y, again);
            for i in 0..x.len() {
                let v = f64::from(x[i]);
                assert!((f64::from(y[i]) - gelu(v)).abs() < 2e-6, "{level:?} gelu({v}) = {}", y[i]);
                let slope = (gelu(v + 1e-5) - gelu(v - 1e-5)) / 2e-5;
                assert!((f64::from(d[i]) - slope).abs() < 1e-5, "{level:?} gelu'({v}) = {} not {slope}", d[i]);
            }
        }
    }

    #[test]
    fn gelu_far_out() {
        let x = [-1e30_f32, -100.0, 100.0, 1e30];
        let (mut y, mut d) = ([0.0; 4], [1.0; 4]);
        gelu_forward(&x, &mut y);
        gelu_backward(&mut d[1..3], &x[1..3], &mut [0.0; 2]);
        assert_eq!(&y[1..], &[0.0, 100.0, 1e30]);
        assert_eq!(&d[1..3], &[0.0, 1.0]);
    }

    #[test]
    fn column_sums_add() {
        let x: Vec<f32> = (0..1000 * 3).map(|i| (i % 3) as f32).collect();
        let mut sums = vec![1.0; 3];
        column_sums(&x, &mut sums);
        assert_eq!(sums, [1.0, 1001.0, 2001.0]);
    }
}
