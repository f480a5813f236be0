//! Products of one row with a matrix, for sampling: they are as fast as the matrix comes out of memory.

use crate::blas::single_thread;
use crate::cpu::{fma, for_each_cpu};
use crate::product::{Precision, bf16, prefetch};
use ndarray::linalg::general_mat_vec_mul;
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, Axis, s};
use rayon::prelude::*;

/// A matrix (K, N) to multiply rows with.
#[derive(Debug)]
pub enum Matrix<'w> {
    /// As it is, by BLAS.
    F32(ArrayView2<'w, f32>),
    /// A copy rounded to bf16, half the bytes to read; products and sums are f32.
    Bf16 {
        /// Columns.
        n: usize,
        /// `PANEL` columns side by side, row after row, and so on: `[N / PANEL][K][PANEL]`, the last filled up with zeros.
        panels: Vec<[u16; PANEL]>,
    },
}

/// Bytes to what is asked for ahead: a core of Intel's reads 13 GB/s so, 9.5 without (LOG.md).
const AHEAD: usize = 4096;

/// Columns of a panel: a line of the caches. With fewer, threads end closer together; with fewer yet, a sum waits for itself.
const PANEL: usize = 32;

impl<'w> Matrix<'w> {
    /// w: (K, N), any strides.
    pub fn new(precision: Precision, w: ArrayView2<'w, f32>) -> Matrix<'w> {
        let (k, n) = w.dim();
        if precision == Precision::F32 {
            return Matrix::F32(w);
        }
        let mut panels = vec![[0; PANEL]; k * n.div_ceil(PANEL)];
        panels.par_chunks_mut(k.max(1)).enumerate().for_each(|(i, rows)| {
            let columns = w.slice(s![.., i * PANEL..((i + 1) * PANEL).min(n)]);
            for (row, column) in rows.iter_mut().zip(columns.rows()) {
                row.iter_mut().zip(column).for_each(|(to, x)| *to = bf16(*x) as u16);
            }
        });
        Matrix::Bf16 { n, panels }
    }

    /// `y = x w` for x: (K), y: (N).
    ///
    /// # Panics
    /// If the sizes do not fit.
    pub fn row_product(&self, x: &[f32], y: &mut [f32]) {
        match self {
            Matrix::F32(w) => by_blas(ArrayView1::from(x), *w, ArrayViewMut1::from(y)),
            Matrix::Bf16 { n, panels } => {
                assert!(y.len() == *n && panels.len() == x.len() * n.div_ceil(PANEL), "{} into {}", x.len(), y.len());
                let pieces = y.par_chunks_mut(PANEL).zip(panels.par_chunks(x.len().max(1)));
                pieces.for_each(|(y, panel)| {
                    let mut sums = [0.0; PANEL];
                    panel_product(x, panel, &mut sums);
                    y.copy_from_slice(&sums[..y.len()]);
                });
            }
        }
    }
}

for_each_cpu! {
    fn panel_product(x: &[f32], panel: &[[u16; PANEL]], sums: &mut [f32; PANEL]) {
        let mut held = [0.0_f32; PANEL];
        for (x, row) in x.iter().zip(panel) {
            prefetch(row.as_ptr().wrapping_byte_add(AHEAD), PANEL);
            for (sum, w) in held.iter_mut().zip(row) {
                *sum = fma::<FMA>(*x, f32::from_bits(u32::from(*w) << 16), *sum);
            }
        }
        *sums = held;
    }
}

for_each_cpu! {
    /// The sum of all values, as fast as they come out of memory: what memory can do at most.
    pub fn sum(values: &[f32]) -> f32 {
        let _ = FMA;
        let mut sums = [0.0_f32; PANEL];
        let rows = values.chunks_exact(PANEL);
        let rest: f32 = rows.remainder().iter().sum();
        for row in rows {
            prefetch(row.as_ptr().wrapping_byte_add(AHEAD), PANEL);
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        rest + sums.iter().sum::<f32>()
    }
}

fn by_blas(x: ArrayView1<f32>, w: ArrayView2<f32>, mut y: ArrayViewMut1<f32>) {
    single_thread();
    assert!(x.len() == w.nrows() && y.len() == w.ncols(), "{} x {:?} into {}", x.len(), w.dim(), y.len());
    const OUTPUTS: usize = 512;
    // Four pieces, or a multiple, of the same size: two or four threads end together.
    let n_pieces = y.len().div_ceil(OUTPUTS).next_multiple_of(4);
    let n_outputs = y.len().div_ceil(n_pieces).next_multiple_of(16);
    y.axis_chunks_iter_mut(Axis(0), n_outputs.max(1)).into_par_iter().enumerate().for_each(|(i, mut y)| {
        let w = w.slice(s![.., i * n_outputs..i * n_outputs + y.len()]);
        general_mat_vec_mul(1.0, &w.t(), &x, 0.0, &mut y);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{Level, force};
    use ndarray::Array2;

    #[test]
    fn sums_have_all_values() {
        let _alone = crate::cpu::alone();
        for level in [Level::Plain, Level::Avx2, Level::Amx] {
            force(level);
            for n in [0, 1, PANEL - 1, PANEL, 3 * PANEL + 5] {
                let values: Vec<f32> = (1..=n).map(|i| i as f32).collect();
                assert_eq!(sum(&values), (n * (n + 1) / 2) as f32, "{level:?} {n}");
            }
        }
    }

    #[test]
    fn rows_by_any_matrix_on_every_cpu_path() {
        let _alone = crate::cpu::alone();
        for level in [Level::Plain, Level::Avx2, Level::Amx] {
            force(level);
            for (k, n) in [(37, 1100), (1, 1), (5, 64), (130, 63)] {
                let x: Vec<f32> = (0..k).map(|i| (i % 3) as f32).collect();
                // Small integers, which bf16 holds exactly.
                let w = Array2::from_shape_fn((k, n), |(i, j)| ((i * n + j) % 11) as f32 - 5.0);
                let across = w.t().as_standard_layout().into_owned();
                for precision in [Precision::F32, Precision::Bf16] {
                    for w in [w.view(), across.t()] {
                        let mut y = vec![f32::NAN; n];
                        Matrix::new(precision, w).row_product(&x, &mut y);
                        for (j, y) in y.iter().enumerate() {
                            assert_eq!(*y, (0..k).map(|l| x[l] * w[[l, j]]).sum::<f32>(), "{precision:?} {k} {n} {j}");
                        }
                    }
                }
            }
        }
    }
}
