//! The optimiser's pass over a piece of the parameters.

use crate::cpu::{fma, for_each_cpu};

for_each_cpu! {
    /// One Adam update of a piece of the parameters, as in OpenAI's released code (opt.py):
    /// `g = grad_scale * gradient; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
    /// p -= rate (m / (sqrt(v) + epsilon) + weight_decay p)`. `rate` holds the schedule and the bias correction.
    pub fn adam_update(
        p: &mut [f32],
        gradient: &[f32],
        m: &mut [f32],
        v: &mut [f32],
        rate: f32,
        beta1: f64,
        beta2: f64,
        epsilon: f32,
        weight_decay: f32,
        grad_scale: f32,
    ) {
        let n = p.len();
        // 1 - beta in f64: in f32, 1 - 0.999 is off by a hundred-thousandth.
        let (rest1, rest2) = ((1.0 - beta1) as f32, (1.0 - beta2) as f32);
        let (beta1, beta2) = (beta1 as f32, beta2 as f32);
        let (gradient, m, v) = (&gradient[..n], &mut m[..n], &mut v[..n]);
        for i in 0..n {
            let g = gradient[i] * grad_scale;
            m[i] = fma::<FMA>(beta1, m[i], rest1 * g);
            v[i] = fma::<FMA>(beta2, v[i], rest2 * g * g);
            let step = fma::<FMA>(weight_decay, p[i], m[i] / (v[i].sqrt() + epsilon));
            p[i] = fma::<FMA>(-rate, step, p[i]);
        }
    }
}

for_each_cpu! {
    /// Sum of squares, accumulated in f64.
    pub fn sum_of_squares(x: &[f32]) -> f64 {
        let _ = FMA;
        const LANES: usize = 8;
        let mut lanes = [0.0_f64; LANES];
        let chunks = x.chunks_exact(LANES);
        for (l, v) in lanes.iter_mut().zip(chunks.remainder()) {
            *l += f64::from(*v) * f64::from(*v);
        }
        for chunk in chunks {
            for (l, v) in lanes.iter_mut().zip(chunk) {
                *l += f64::from(*v) * f64::from(*v);
            }
        }
        lanes.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{self, Level};

    #[test]
    fn adam_on_every_cpu_path() {
        let _alone = cpu::alone();
        for level in [Level::Plain, Level::Avx2, Level::Avx512] {
            cpu::force(level);
            for n in [0_usize, 1, 16, 45] {
                let mut p: Vec<f32> = (0..n).map(|i| i as f32 / 10.0 - 1.0).collect();
                let g: Vec<f32> = (0..n).map(|i| (i % 5) as f32 - 2.0).collect();
                let (mut m, mut v) = (vec![0.1; n], vec![0.2; n]);
                let before = p.clone();
                adam_update(&mut p, &g, &mut m, &mut v, 0.01, 0.9, 0.999, 1e-8, 0.01, 0.5);
                for i in 0..n {
                    let gi = f64::from(g[i]) * 0.5;
                    let mi = 0.9 * 0.1 + 0.1 * gi;
                    let vi = 0.999 * 0.2 + 0.001 * gi * gi;
                    let pi = f64::from(before[i]);
                    let wanted = pi - 0.01 * (mi / (vi.sqrt() + 1e-8) + 0.01 * pi);
                    assert!((f64::from(p[i]) - wanted).abs() < 1e-6, "{level:?} {n} {i}: {} {wanted}", p[i]);
                    assert!((f64::from(m[i]) - mi).abs() < 1e-7 && (f64::from(v[i]) - vi).abs() < 1e-7);
                }
            }
        }
    }

    #[test]
    fn squares() {
        let x: Vec<f32> = (0..1003).map(|i| i as f32).collect();
        assert_eq!(sum_of_squares(&x), 1002.0 * 1003.0 * 2005.0 / 6.0);
    }
}
