//! The micro-kernels for AVX-512: 14 rows of two vectors are 28 of the 32 registers; a word of A is broadcast, two vectors of
//! B are read.

use super::{Kernel, Write};
use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm_sfence, _mm512_add_ps, _mm512_castsi512_ps, _mm512_dpbf16_ps, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_set1_epi32,
    _mm512_setzero_ps, _mm512_storeu_ps, _mm512_stream_ps,
};

const MR: usize = 14;
const NR: usize = 32;

type Tile = [[__m512; 2]; MR];

/// For f32 words, where [`crate::cpu::level`] is AVX-512.
pub(super) const F32: Kernel = Kernel { mr: MR, nr: NR, group: 1, pass: 256, run: f32, around: None };

/// For pairs of bf16, where [`super::has_bf16`].
pub(super) const BF16: Kernel = Kernel { mr: MR, nr: NR, group: 1, pass: 768, run: bf16, around: None };

/// f32 words, where [`crate::cpu::level`] is AVX-512. Safety: see [`super::Run`].
unsafe fn f32(a: &[u32], b: &[u32], c: &mut [f32], accumulate: bool) {
    let steps = check(a, b, c);
    // SAFETY: the caller has seen that the CPU has AVX-512F; `check` has seen that the slices hold what is read.
    unsafe { run_f32(steps, a.as_ptr(), b.as_ptr(), c.as_mut_ptr(), accumulate) }
}

/// Pairs of bf16, where [`super::has_bf16`]. Safety: see [`super::Run`].
unsafe fn bf16(a: &[u32], b: &[u32], c: &mut [f32], accumulate: bool) {
    let steps = check(a, b, c);
    // SAFETY: the caller has seen that the CPU has AVX-512F and BF16; `check` has seen that the slices hold what is read.
    unsafe { run_bf16(steps, a.as_ptr(), b.as_ptr(), c.as_mut_ptr(), accumulate) }
}

/// The number of steps, if the slices are large enough.
fn check(a: &[u32], b: &[u32], c: &[f32]) -> usize {
    let steps = a.len() / MR;
    assert!(a.len() == steps * MR && b.len() == steps * NR && c.len() == MR * NR);
    steps
}

/// # Safety
/// The CPU has AVX-512F; a: (steps, MR), b: (steps, NR), c: (MR, NR).
#[target_feature(enable = "avx512f")]
unsafe fn run_f32(steps: usize, a: *const u32, b: *const u32, c: *mut f32, accumulate: bool) {
    let mut sums: Tile = [[_mm512_setzero_ps(); 2]; MR];
    for step in 0..steps {
        // SAFETY: `step` is below `steps`, so that NR words of b and MR of a can be read.
        let (a, b0, b1) = unsafe { words(a, b, step) };
        let (b0, b1) = (_mm512_castsi512_ps(b0), _mm512_castsi512_ps(b1));
        for (i, sum) in sums.iter_mut().enumerate() {
            // SAFETY: i is below MR.
            let x = _mm512_castsi512_ps(_mm512_set1_epi32(unsafe { *a.add(i) }));
            sum[0] = _mm512_fmadd_ps(x, b0, sum[0]);
            sum[1] = _mm512_fmadd_ps(x, b1, sum[1]);
        }
    }
    // SAFETY: the caller's promise about c.
    unsafe { store(&sums, c, accumulate) }
}

/// # Safety
/// As [`run_f32`], and the CPU has AVX-512-BF16.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn run_bf16(steps: usize, a: *const u32, b: *const u32, c: *mut f32, accumulate: bool) {
    let mut sums: Tile = [[_mm512_setzero_ps(); 2]; MR];
    for step in 0..steps {
        // SAFETY: `step` is below `steps`, so that NR words of b and MR of a can be read.
        let (a, b0, b1) = unsafe { words(a, b, step) };
        // SAFETY: two views of the same 512 bits.
        let (b0, b1) =
            unsafe { (std::mem::transmute::<__m512i, __m512bh>(b0), std::mem::transmute::<__m512i, __m512bh>(b1)) };
        for (i, sum) in sums.iter_mut().enumerate() {
            // SAFETY: i is below MR; two views of the same 512 bits.
            let x = unsafe { std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(*a.add(i))) };
            sum[0] = _mm512_dpbf16_ps(sum[0], x, b0);
            sum[1] = _mm512_dpbf16_ps(sum[1], x, b1);
        }
    }
    // SAFETY: the caller's promise about c.
    unsafe { store(&sums, c, accumulate) }
}

/// The words of one step: where A's are, and B's two vectors.
///
/// # Safety
/// a: more than `step` times MR words, b: NR.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn words(a: *const u32, b: *const u32, step: usize) -> (*const i32, __m512i, __m512i) {
    // SAFETY: the caller's promise.
    unsafe {
        let b = b.add(step * NR);
        (a.add(step * MR).cast(), _mm512_loadu_si512(b.cast()), _mm512_loadu_si512(b.add(16).cast()))
    }
}

/// # Safety
/// c: (MR, NR).
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store(sums: &Tile, c: *mut f32, accumulate: bool) {
    for (i, sum) in sums.iter().enumerate() {
        // SAFETY: the caller's promise: two vectors of row i.
        unsafe {
            let (left, right) = (c.add(i * NR), c.add(i * NR + 16));
            if accumulate {
                _mm512_storeu_ps(left, _mm512_add_ps(sum[0], _mm512_loadu_ps(left)));
                _mm512_storeu_ps(right, _mm512_add_ps(sum[1], _mm512_loadu_ps(right)));
            } else {
                _mm512_storeu_ps(left, sum[0]);
                _mm512_storeu_ps(right, sum[1]);
            }
        }
    }
}

/// As [`super::write_strip`].
///
/// # Safety
/// The CPU has AVX-512F; `strip` holds the rows; c: so many rows of so many values, `ld` apart, which nobody else reads or
/// writes meanwhile.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn write_strip(
    strip: &[f32],
    nr: usize,
    c: *mut f32,
    ld: usize,
    (rows, cols): (usize, usize),
    write: Write,
) {
    const LANES: usize = 16;
    let is_stream = write == Write::Stream && c.align_offset(64) == 0 && ld.is_multiple_of(LANES);
    for row in 0..rows {
        for col in (0..cols).step_by(LANES) {
            // SAFETY: `mask` leaves out what lies beyond the columns; stores that go around the caches are of whole, aligned vectors.
            unsafe {
                let (from, to) = (strip.as_ptr().add(row * nr + col), c.add(row * ld + col));
                if cols - col < LANES {
                    let mask = (1 << (cols - col)) - 1;
                    let v = _mm512_maskz_loadu_ps(mask, from);
                    let v = if write == Write::Add { _mm512_add_ps(v, _mm512_maskz_loadu_ps(mask, to)) } else { v };
                    _mm512_mask_storeu_ps(to, mask, v);
                } else if is_stream {
                    _mm512_stream_ps(to, _mm512_loadu_ps(from));
                } else if write == Write::Add {
                    _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(from), _mm512_loadu_ps(to)));
                } else {
                    _mm512_storeu_ps(to, _mm512_loadu_ps(from));
                }
            }
        }
    }
    if is_stream {
        _mm_sfence();
    }
}
