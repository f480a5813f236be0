//! Matrix products through BLAS, cut into blocks of our own.
//!
//! OpenBLAS is told to use one thread and is called from blocks whose size depends on the shapes alone: its own threads
//! would fight with ours, and a result would depend on their number.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, Axis};
use rayon::prelude::*;
use std::sync::Once;

// The linker finds BLAS through these two crates; nothing of them is called by name.
use blas_src as _;
use openblas_src as _;

/// Largest block of a product that one call computes.
const BLOCK: (usize, usize) = (256, 768);
/// A product is cut further until it has so many blocks, or blocks get smaller than 64.
const MIN_BLOCKS: usize = 8;
/// Below so many multiplications a product is one call on the calling thread.
const SMALL: usize = 1 << 16;

/// Why the arithmetic cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The thread pool could not be made.
    #[error("cannot start {n_threads} threads: {message}")]
    Threads {
        /// Threads asked for.
        n_threads: usize,
        /// The system's reason.
        message: String,
    },
    /// The BLAS library computes wrong products on this CPU.
    #[error(
        "the BLAS library gives wrong results on this CPU: a {m} x {k} x {n} product is off by {error:e}\n  hint: set OPENBLAS_CORETYPE=Haswell (or SkylakeX, Zen) in the environment, or install a newer OpenBLAS"
    )]
    Blas {
        /// Rows of the product that failed.
        m: usize,
        /// Its inner size.
        k: usize,
        /// Its columns.
        n: usize,
        /// Largest difference from the plain product.
        error: f32,
    },
}

/// Prepares the arithmetic of a process: `n_threads` workers (`None`: all cores), BLAS on one thread each, subnormal numbers
/// flushed to zero, and a few products of BLAS checked against plain ones (old versions are wrong on some new CPUs).
pub fn start(n_threads: Option<usize>) -> Result<usize, StartError> {
    let n_threads = n_threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1);
    single_thread();
    flush_subnormals();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).start_handler(|_| flush_subnormals());
    match pool.build_global() {
        Ok(()) => {}
        // A pool that exists already (a second call in a test) is as good if it has the size.
        Err(_) if rayon::current_num_threads() == n_threads => {}
        Err(error) => return Err(StartError::Threads { n_threads, message: error.to_string() }),
    }
    for (m, k, n) in [(1, 7, 5), (33, 64, 17), (64, 129, 96), (37, 300, 260)] {
        let error = product_error(m, k, n);
        log::debug!("BLAS: a product of ({m}, {k}) and ({k}, {n}) is off by {error:e} at most");
        if !error.is_finite() || error > 1e-3 {
            return Err(StartError::Blas { m, k, n, error });
        }
    }
    let f32_through = if crate::is_blas(crate::Precision::F32) { "BLAS" } else { "our own" };
    log::info!("{n_threads} threads, CPU path {:?}, f32 products through {f32_through}", crate::cpu::level());
    Ok(n_threads)
}

/// Largest absolute difference between BLAS's product of two matrices with entries in -1..1 and the plain one.
fn product_error(m: usize, k: usize, n: usize) -> f32 {
    let entry = |i: usize| ((i * 2_654_435_761) % 2001) as f32 / 1000.0 - 1.0;
    let a: Vec<f32> = (0..m * k).map(entry).collect();
    let b: Vec<f32> = (0..k * n).map(|i| entry(i + 7)).collect();
    let mut c = vec![0.0; m * n];
    gemm(view(&a, m, k), view(&b, k, n), false, view_mut(&mut c, m, n));
    let mut worst = 0.0_f32;
    for i in 0..m {
        for j in 0..n {
            let plain: f32 = (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum();
            let error = (plain - c[i * n + j]).abs();
            worst = if error.is_nan() { f32::NAN } else { worst.max(error) };
        }
    }
    worst
}

fn view(data: &[f32], rows: usize, cols: usize) -> ArrayView2<'_, f32> {
    ArrayView2::from_shape((rows, cols), data).expect("sizes agree")
}

fn view_mut(data: &mut [f32], rows: usize, cols: usize) -> ArrayViewMut2<'_, f32> {
    ArrayViewMut2::from_shape((rows, cols), data).expect("sizes agree")
}

pub(crate) fn single_thread() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        unsafe extern "C" {
            fn openblas_set_num_threads(n: std::ffi::c_int);
        }
        // SAFETY: a function of OpenBLAS, which openblas-src links, with this signature in its public header.
        unsafe { openblas_set_num_threads(1) };
    });
}

/// Subnormal numbers cost a hundred cycles each on some CPUs and carry nothing here: flush them to zero on this thread.
fn flush_subnormals() {
    #[cfg(target_arch = "x86_64")]
    {
        let mut control: u32 = 0;
        // SAFETY: stmxcsr and ldmxcsr write and read the four bytes of `control`; only the two flush bits are changed.
        unsafe {
            std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut control, options(nostack));
            control |= (1 << 15) | (1 << 6);
            std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const control, options(nostack));
        }
    }
}

/// Adds `bias` (N) to every row of c: (M, N) with rows of unit stride.
pub(crate) fn add_bias(mut c: ArrayViewMut2<f32>, bias: &[f32]) {
    c.axis_chunks_iter_mut(Axis(0), crate::ROW_BLOCK).into_par_iter().for_each(|mut rows| {
        for row in rows.rows_mut() {
            crate::add(row.into_slice().expect("rows of unit stride"), bias);
        }
    });
}

/// As [`crate::gemm`] in f32, by BLAS.
///
/// # Panics
/// If the sizes do not fit.
pub fn gemm(a: ArrayView2<f32>, b: ArrayView2<f32>, accumulate: bool, mut c: ArrayViewMut2<f32>) {
    single_thread();
    let beta = if accumulate { 1.0 } else { 0.0 };
    let (m, n) = c.dim();
    let k = a.ncols();
    assert!(a.nrows() == m && b.dim() == (k, n), "gemm: {:?} x {:?} into {:?}", a.dim(), b.dim(), c.dim());
    if m == 0 || n == 0 {
        return;
    }
    if m * n * k <= SMALL {
        general_mat_mul(1.0, &a, &b, beta, &mut c);
        return;
    }
    let (rows, cols) = block_size(m, n);
    let mut blocks = Vec::new();
    for (i, c) in c.axis_chunks_iter_mut(Axis(0), rows).enumerate() {
        let a = a.slice_move(ndarray::s![i * rows..i * rows + c.nrows(), ..]);
        let mut c = c;
        let mut left = n;
        let mut at = 0;
        while left > 0 {
            let width = cols.min(left);
            let (head, rest) = c.split_at(Axis(1), width);
            blocks.push((a, b.slice_move(ndarray::s![.., at..at + width]), head));
            c = rest;
            at += width;
            left -= width;
        }
    }
    blocks.into_par_iter().for_each(|(a, b, mut c)| general_mat_mul(1.0, &a, &b, beta, &mut c));
}

/// The size of a product's blocks, from its shape alone.
fn block_size(m: usize, n: usize) -> (usize, usize) {
    let even = |size: usize, limit: usize| size.div_ceil(size.div_ceil(limit)).next_multiple_of(16).min(size);
    let (mut rows, mut cols) = (even(m, BLOCK.0), even(n, BLOCK.1));
    while m.div_ceil(rows) * n.div_ceil(cols) < MIN_BLOCKS && rows.max(cols) > 64 {
        if rows >= cols {
            rows = (rows / 2).next_multiple_of(16);
        } else {
            cols = (cols / 2).next_multiple_of(16);
        }
    }
    (rows, cols)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn start_checks_blas() {
        start(None).unwrap();
    }

    proptest! {
        #[test]
        fn gemm_is_the_plain_product(m in 0_usize..200, k in 0_usize..90, n in 0_usize..300) {
            prop_assert!(product_error(m, k, n) < 1e-3);
        }

        #[test]
        fn blocks_cover(m in 1_usize..5000, n in 1_usize..5000) {
            let (rows, cols) = block_size(m, n);
            prop_assert!(rows >= 1 && cols >= 1);
            prop_assert!(rows <= BLOCK.0.max(16) && cols <= BLOCK.1.max(16));
        }
    }

    #[test]
    fn transposed_operands_and_beta() {
        let (m, k, n) = (70, 50, 130);
        let a: Vec<f32> = (0..m * k).map(|i| (i % 7) as f32 - 3.0).collect();
        let b: Vec<f32> = (0..k * n).map(|i| (i % 5) as f32 - 2.0).collect();
        let mut c = vec![1.0; n * m];
        // c^T (N, M) = b^T a^T
        gemm(view(&b, k, n).reversed_axes(), view(&a, m, k).reversed_axes(), true, view_mut(&mut c, n, m));
        for i in 0..m {
            for j in 0..n {
                let plain: f32 = (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum();
                assert_eq!(c[j * m + i], plain + 1.0);
            }
        }
    }
}
