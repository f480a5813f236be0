//! The micro-kernels for AVX-512: 14 rows of two vectors are 28 of the 32 registers; a word of A is broadcast, two vectors of
//! B are read.

use super::{AHEAD_STEPS, Kernel, LINE, Rows, Write};
use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _MM_HINT_T1, _mm_prefetch, _mm_sfence, _mm512_add_ps, _mm512_castsi512_ps,
    _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512,
    _mm512_mask_storeu_epi16, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_set1_epi32, _mm512_setzero_ps,
    _mm512_storeu_ps, _mm512_storeu_si512, _mm512_stream_ps, _mm512_stream_si512,
};
use std::hint::black_box;

const MR: usize = 14;
pub(super) const NR: usize = 32;

type Tile = [[__m512; 2]; MR];

/// For f32 words, where [`crate::cpu::level`] is AVX-512.
pub(super) const F32: Kernel = Kernel { mr: MR, nr: NR, group: 1, pass: 384, run: f32, around: None };

/// For pairs of bf16, where [`super::has_bf16`].
pub(super) const BF16: Kernel = Kernel { mr: MR, nr: NR, group: 1, pass: 768, run: bf16, around: None };

/// f32 words. Safety: see [`super::Run`].
#[target_feature(enable = "avx512f")]
unsafe fn f32(a: Rows, b: &[u32], ahead: *const u32, c: &mut [f32], accumulate: bool) {
    // SAFETY: the caller's promise.
    unsafe { tile::<Words>(a, b, ahead, c, accumulate) }
}

/// Pairs of bf16. Safety: see [`super::Run`].
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn bf16(a: Rows, b: &[u32], ahead: *const u32, c: &mut [f32], accumulate: bool) {
    // SAFETY: the caller's promise.
    unsafe { tile::<Pairs>(a, b, ahead, c, accumulate) }
}

/// What a word holds.
trait Multiply {
    /// `sum + a b`, lane by lane.
    ///
    /// # Safety
    /// The CPU has the instructions.
    unsafe fn multiply(a: __m512i, b: __m512i, sum: __m512) -> __m512;
}

/// f32.
struct Words;

impl Multiply for Words {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "must be compiled inside the function that has the instructions")]
    unsafe fn multiply(a: __m512i, b: __m512i, sum: __m512) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), sum) }
    }
}

/// Two bf16.
struct Pairs;

impl Multiply for Pairs {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "must be compiled inside the function that has the instructions")]
    unsafe fn multiply(a: __m512i, b: __m512i, sum: __m512) -> __m512 {
        // SAFETY: the caller's promise; other views of the same 512 bits.
        unsafe {
            let (a, b) = (std::mem::transmute::<__m512i, __m512bh>(a), std::mem::transmute::<__m512i, __m512bh>(b));
            _mm512_dpbf16_ps(sum, a, b)
        }
    }
}

/// Where the words of a step are, by pointers to every third row: pointers to all rows would be more than there are registers.
struct Thirds {
    at: [*const u32; 5],
    row: usize,
}

impl Thirds {
    fn of(a: Rows) -> Thirds {
        // The compiler sees pointers that have nothing to do with each other, and does not make one for each row.
        Thirds { at: [0, 3, 6, 9, 12].map(|i| black_box(a.at.wrapping_add(i * a.row))), row: a.row }
    }

    /// Those of the next step.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "must be compiled inside the function that has the instructions")]
    fn next<const PACKED: bool>(&mut self) -> [*const u32; MR] {
        let row = if PACKED { 1 } else { self.row };
        let [a, b, c, d, e] = self.at;
        let second = |at: *const u32| at.wrapping_add(row);
        let third = |at: *const u32| at.wrapping_add(2 * row);
        let step = if PACKED { MR } else { 1 };
        self.at = [a, b, c, d, e].map(|at| at.wrapping_add(step));
        [a, second(a), third(a), b, second(b), third(b), c, second(c), third(c), d, second(d), third(d), e, second(e)]
    }
}

/// Safety: see [`super::Run`]; the CPU has AVX-512F too.
#[inline(always)]
#[allow(clippy::inline_always, reason = "must be compiled inside the function that has the instructions")]
unsafe fn tile<M: Multiply>(a: Rows, b: &[u32], ahead: *const u32, c: &mut [f32], accumulate: bool) {
    let steps = b.len() / NR;
    assert!(b.len() == steps * NR && c.len() == MR * NR);
    let (b, c) = (b.as_ptr(), c.as_mut_ptr());
    // SAFETY: the caller's promise; the slices hold `steps` and MR rows of NR values, as was just seen.
    unsafe {
        if a.row == 1 {
            run::<M, true>(steps, a, b, ahead, c, accumulate);
        } else {
            run::<M, false>(steps, a, b, ahead, c, accumulate);
        }
    }
}

/// # Safety
/// As [`tile`]; a: (steps, MR), packed or not, b: (steps, NR), c: (MR, NR).
#[inline(always)]
#[allow(clippy::inline_always, reason = "must be compiled inside the function that has the instructions")]
unsafe fn run<M: Multiply, const PACKED: bool>(
    steps: usize,
    a: Rows,
    b: *const u32,
    ahead: *const u32,
    c: *mut f32,
    accumulate: bool,
) {
    // SAFETY: the caller's promise: there are so many steps of A and B, and all rows of c.
    unsafe {
        let mut sums: Tile = [[_mm512_setzero_ps(); 2]; MR];
        let mut thirds = Thirds::of(a);
        let mut step = 0;
        while step + AHEAD_STEPS <= steps {
            _mm_prefetch::<_MM_HINT_T1>(ahead.wrapping_add(step / AHEAD_STEPS * LINE).cast());
            for i in 0..AHEAD_STEPS {
                add_step::<M>(&mut sums, thirds.next::<PACKED>(), b.add((step + i) * NR));
            }
            step += AHEAD_STEPS;
        }
        while step < steps {
            add_step::<M>(&mut sums, thirds.next::<PACKED>(), b.add(step * NR));
            step += 1;
        }
        // A copy: sums whose address is known are written to memory in every step.
        store(&{ sums }, c, accumulate);
    }
}

/// # Safety
/// As [`tile`]; a word of each row and NR words of B can be read.
#[inline(always)]
#[allow(clippy::inline_always, reason = "must be compiled inside the function that has the instructions")]
unsafe fn add_step<M: Multiply>(sums: &mut Tile, rows: [*const u32; MR], b: *const u32) {
    // SAFETY: the caller's promise.
    unsafe {
        let (b0, b1) = (_mm512_loadu_si512(b.cast()), _mm512_loadu_si512(b.add(16).cast()));
        for (sum, row) in sums.iter_mut().zip(rows) {
            let a = _mm512_set1_epi32(row.cast::<i32>().read_unaligned());
            *sum = [M::multiply(a, b0, sum[0]), M::multiply(a, b1, sum[1])];
        }
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
