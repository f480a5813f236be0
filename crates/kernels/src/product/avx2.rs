//! The micro-kernel for AVX2 and FMA: 6 rows of two vectors are 12 of the 16 registers.

use super::{Kernel, Rows};
use std::arch::x86_64::{
    _mm256_add_ps, _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps, _mm256_storeu_ps,
};

const MR: usize = 6;
const NR: usize = 16;

/// For f32 words, where [`crate::cpu::level`] is AVX2.
pub(super) const F32: Kernel = Kernel { mr: MR, nr: NR, group: 1, pass: 256, run: f32, around: None };

/// f32 words. Safety: see [`super::Run`].
unsafe fn f32(a: Rows, b: &[u32], _ahead: *const u32, c: &mut [f32], accumulate: bool) {
    let steps = b.len() / NR;
    assert!(b.len() == steps * NR && c.len() == MR * NR);
    // SAFETY: the caller has seen that the CPU has AVX2 and FMA, and promises the rows of A; the slices hold what is read and written.
    unsafe {
        if a.row == 1 {
            run::<true>(steps, a, b.as_ptr().cast(), c.as_mut_ptr(), accumulate);
        } else {
            run::<false>(steps, a, b.as_ptr().cast(), c.as_mut_ptr(), accumulate);
        }
    }
}

/// # Safety
/// The CPU has AVX2 and FMA; a: (steps, MR), packed or not, b: (steps, NR), c: (MR, NR).
#[target_feature(enable = "avx2,fma")]
unsafe fn run<const PACKED: bool>(steps: usize, a: Rows, b: *const f32, c: *mut f32, accumulate: bool) {
    let mut sums = [[_mm256_setzero_ps(); 2]; MR];
    let (row, next) = if PACKED { (1, MR) } else { (a.row, 1) };
    let at = a.at.cast::<f32>();
    for step in 0..steps {
        // SAFETY: `step` is below `steps`, i below MR.
        unsafe {
            let b = b.add(step * NR);
            let (b0, b1) = (_mm256_loadu_ps(b), _mm256_loadu_ps(b.add(8)));
            for (i, sum) in sums.iter_mut().enumerate() {
                let x = _mm256_broadcast_ss(&*at.add(step * next + i * row));
                sum[0] = _mm256_fmadd_ps(x, b0, sum[0]);
                sum[1] = _mm256_fmadd_ps(x, b1, sum[1]);
            }
        }
    }
    for (i, sum) in sums.into_iter().enumerate() {
        // SAFETY: the caller's promise: two vectors of row i.
        unsafe {
            let (left, right) = (c.add(i * NR), c.add(i * NR + 8));
            if accumulate {
                _mm256_storeu_ps(left, _mm256_add_ps(sum[0], _mm256_loadu_ps(left)));
                _mm256_storeu_ps(right, _mm256_add_ps(sum[1], _mm256_loadu_ps(right)));
            } else {
                _mm256_storeu_ps(left, sum[0]);
                _mm256_storeu_ps(right, sum[1]);
            }
        }
    }
}
