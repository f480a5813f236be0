//! The micro-kernels for AVX-512: 14 rows of two vectors are 28 of the 32 registers; a word of A is broadcast, two vectors of
//! B are read.

use super::{Kernel, Write};
use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm_sfence, _mm512_add_ps, _mm512_castsi512_ps, _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps,
    _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_storeu_epi16, _mm512_mask_storeu_ps,
    _mm512_maskz_loadu_ps, _mm512_set1_epi32, _mm512_setzero_ps, _mm512_storeu_ps, _mm512_storeu_si512,
    _mm512_stream_ps, _mm512_stream_si512,
};

const MR: usize = 14;
pub(super) const NR: usize = 32;

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

/// The first `n` lanes of a vector of f32.
fn first(n: usize) -> u16 {
    if n < 16 { (1 << n) - 1 } else { u16::MAX }
}

/// Two vectors of one row of a strip or of the bias: NR columns, of which the masks leave some.
///
/// # Safety
/// The CPU has AVX-512F; what the masks leave can be read.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn two(x: *const f32, [low, high]: [u16; 2]) -> [__m512; 2] {
    // SAFETY: the caller's promise.
    unsafe { [_mm512_maskz_loadu_ps(low, x), _mm512_maskz_loadu_ps(high, x.wrapping_add(16))] }
}

/// As [`super::write_strip`], of f32.
///
/// # Safety
/// The CPU has AVX-512F; `strip` holds the rows, of NR values each; c: so many rows of so many values, `ld` apart, which nobody
/// else reads or writes meanwhile; `bias` is empty or has so many values.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn write_f32(
    strip: &[f32],
    c: *mut f32,
    ld: usize,
    (rows, cols): (usize, usize),
    write: Write,
    bias: &[f32],
) {
    let masks = [first(cols), first(cols.saturating_sub(16))];
    let is_stream = write == Write::Stream && cols == NR && c.align_offset(64) == 0 && ld.is_multiple_of(16);
    // SAFETY: the bias has as many values as the masks leave.
    let bias = if bias.is_empty() { [_mm512_setzero_ps(); 2] } else { unsafe { two(bias.as_ptr(), masks) } };
    for row in 0..rows {
        // SAFETY: the strip has such a row of NR values; of c, the masks leave the columns that are there; stores that go around the
        // caches are of whole, aligned vectors.
        unsafe {
            let to = c.add(row * ld);
            let mut v = two(strip.as_ptr().add(row * NR), [u16::MAX; 2]);
            v = [_mm512_add_ps(v[0], bias[0]), _mm512_add_ps(v[1], bias[1])];
            if write == Write::Add {
                let before = two(to, masks);
                v = [_mm512_add_ps(v[0], before[0]), _mm512_add_ps(v[1], before[1])];
            }
            if is_stream {
                _mm512_stream_ps(to, v[0]);
                _mm512_stream_ps(to.add(16), v[1]);
            } else if cols == NR {
                _mm512_storeu_ps(to, v[0]);
                _mm512_storeu_ps(to.add(16), v[1]);
            } else {
                _mm512_mask_storeu_ps(to, masks[0], v[0]);
                _mm512_mask_storeu_ps(to.wrapping_add(16), masks[1], v[1]);
            }
        }
    }
    if is_stream {
        _mm_sfence();
    }
}

/// As [`super::write_strip`], of bf16, which are set.
///
/// # Safety
/// As [`write_f32`], and the CPU has AVX-512-BF16 and BW; c: values of 16 bits.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) unsafe fn write_bf16(
    strip: &[f32],
    c: *mut i16,
    ld: usize,
    (rows, cols): (usize, usize),
    write: Write,
    bias: &[f32],
) {
    let masks = [first(cols), first(cols.saturating_sub(16))];
    let is_stream = write == Write::Stream && cols == NR && c.align_offset(64) == 0 && ld.is_multiple_of(32);
    // SAFETY: the bias has as many values as the masks leave.
    let bias = if bias.is_empty() { [_mm512_setzero_ps(); 2] } else { unsafe { two(bias.as_ptr(), masks) } };
    for row in 0..rows {
        // SAFETY: as in [`write_f32`]; two views of the same 512 bits.
        unsafe {
            let to = c.add(row * ld);
            let v = two(strip.as_ptr().add(row * NR), [u16::MAX; 2]);
            let v = _mm512_cvtne2ps_pbh(_mm512_add_ps(v[1], bias[1]), _mm512_add_ps(v[0], bias[0]));
            let v = std::mem::transmute::<__m512bh, __m512i>(v);
            if is_stream {
                _mm512_stream_si512(to.cast(), v);
            } else if cols == NR {
                _mm512_storeu_si512(to.cast(), v);
            } else {
                let mask = u32::from(masks[0]) | u32::from(masks[1]) << 16;
                _mm512_mask_storeu_epi16(to, mask, v);
            }
        }
    }
    if is_stream {
        _mm_sfence();
    }
}
