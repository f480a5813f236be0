//! Packing an operand into panels.
//!
//! Words come out of the operand a vector at a time, of eight or (AVX-512) sixteen: steps of one row where rows are contiguous,
//! rows of one step where columns are. A panel wants one or the other side by side; where it wants the other, as many such
//! vectors as they have words are transposed in registers.

use super::Precision;
use crate::element::Element;
use ndarray::{ArrayView2, s};
use rayon::prelude::*;

/// How the words of a panel lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// Rows of a panel.
    pub width: usize,
    /// Steps of one row that lie side by side: `[steps / group][width][group]`; 1, or 16 for tile registers, whose rows are
    /// 16 words. The number of steps is a multiple.
    pub group: usize,
}

impl Layout {
    fn at(self, row: usize, step: usize) -> usize {
        (step / self.group * self.width + row) * self.group + step % self.group
    }
}

/// x in bf16 as the CPU's own conversion has it (Intel, VCVTNE2PS2BF16): rounded to the nearest, ties to even; subnormal values
/// become zeros of their sign, NaN stays NaN and becomes quiet.
#[inline]
pub(crate) fn bf16(x: f32) -> u32 {
    let bits = x.to_bits();
    if bits & 0x7F80_0000 == 0 {
        return (bits & 0x8000_0000) >> 16;
    }
    if x.is_nan() {
        return bits >> 16 | 0x40;
    }
    bits.wrapping_add(0x7FFF + ((bits >> 16) & 1)) >> 16
}

/// Packs the rows of `x` (R, K) into panels one after the other, with zeros for the rows and values that are missing. The
/// work is shared out to the threads.
pub(super) fn panels<E: Element>(layout: Layout, precision: Precision, x: ArrayView2<E>, words: &mut [u32]) {
    /// Panels and steps of a piece of work.
    const PIECE: (usize, usize) = (8, 512);
    let n_panels = x.nrows().div_ceil(layout.width).max(1);
    let steps = words.len() / (n_panels * layout.width);
    let n_pieces = steps.div_ceil(PIECE.1);
    let mut pieces: Vec<_> = (0..n_panels.div_ceil(PIECE.0) * n_pieces).map(|_| Vec::new()).collect();
    for (i, panel) in words.chunks_mut((steps * layout.width).max(1)).enumerate() {
        for (piece, words) in panel.chunks_mut(PIECE.1 * layout.width).enumerate() {
            pieces[i / PIECE.0 * n_pieces + piece].push(words);
        }
    }
    pieces.into_par_iter().enumerate().for_each(|(i, mut panels)| {
        let (first, step) = (i / n_pieces * PIECE.0, i % n_pieces * PIECE.1);
        part(layout, precision, x, (first, step), &mut panels);
    });
}

/// As [`panels`], on this thread.
pub(super) fn panels_here<E: Element>(layout: Layout, precision: Precision, x: ArrayView2<E>, words: &mut [u32]) {
    let size = words.len() / x.nrows().div_ceil(layout.width).max(1);
    let mut panels: Vec<_> = words.chunks_mut(size.max(1)).collect();
    part(layout, precision, x, (0, 0), &mut panels);
}

/// Neighbouring panels from the given one on, and of each as many steps from the given one on as it has words.
fn part<E: Element>(
    layout: Layout,
    precision: Precision,
    x: ArrayView2<E>,
    (first, step): (usize, usize),
    panels: &mut [&mut [u32]],
) {
    /// Where columns are contiguous, so many steps of all panels before the next: a line of memory is read once.
    const STEPS: usize = 32;
    let path = Path::new(layout, precision, x);
    let steps = panels.first().map_or(0, |words| words.len() / layout.width);
    let along_k = x.ncols() <= 1 || x.strides()[1] == 1;
    let at_once = if along_k { steps } else { STEPS };
    for from in (0..steps).step_by(at_once.max(1)) {
        let to = steps.min(from + at_once);
        if !along_k {
            foresee(x, (first * layout.width, panels.len() * layout.width), (step + to, at_once), precision);
        }
        for (i, words) in panels.iter_mut().enumerate() {
            let words = &mut words[from * layout.width..to * layout.width];
            panel(path, layout, precision, x, (first + i, step + from), words);
        }
    }
}

/// Asks for what the next steps read: lines a row of `x` transposed apart, which no hardware foresees.
fn foresee<E: Element>(
    x: ArrayView2<E>,
    (row, n_rows): (usize, usize),
    (step, n_steps): (usize, usize),
    precision: Precision,
) {
    let n_rows = n_rows.min(x.nrows().saturating_sub(row));
    let values = precision.values_of_word();
    for k in step * values..((step + n_steps) * values).min(x.ncols()) {
        let at = x.as_ptr().wrapping_offset(row as isize * x.strides()[0] + k as isize * x.strides()[1]);
        super::prefetch(at, n_rows);
    }
}

/// What packs an operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Path {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Plain,
}

impl Path {
    fn new<E: Element>(layout: Layout, precision: Precision, x: ArrayView2<E>) -> Path {
        #[cfg(target_arch = "x86_64")]
        {
            let along_k = x.ncols() <= 1 || x.strides()[1] == 1;
            let along_rows = x.nrows() <= 1 || x.strides()[0] == 1;
            let forward = x.strides().iter().all(|stride| *stride >= 0);
            if forward && (along_k || along_rows) {
                let may_be_f32 = E::PRECISION == Precision::F32;
                if crate::element::converts() && (may_be_f32 || precision == Precision::Bf16) {
                    return Path::Avx512;
                }
                // Tile registers, which have groups, take no f32.
                let is_f32 = may_be_f32 && precision == Precision::F32 && layout.group == 1;
                if is_f32 && crate::cpu::level() >= crate::cpu::Level::Avx2 {
                    return Path::Avx2;
                }
            }
        }
        _ = (layout, precision, x);
        Path::Plain
    }
}

/// Some steps of a panel.
fn panel<E: Element>(
    path: Path,
    layout: Layout,
    precision: Precision,
    x: ArrayView2<E>,
    (panel, step): (usize, usize),
    words: &mut [u32],
) {
    let steps = words.len() / layout.width;
    assert!(words.len() == steps * layout.width && steps.is_multiple_of(layout.group));
    let values = precision.values_of_word();
    let (row, k) = ((panel * layout.width).min(x.nrows()), (step * values).min(x.ncols()));
    let (rows, n_k) = (layout.width.min(x.nrows() - row), (steps * values).min(x.ncols() - k));
    #[cfg(target_arch = "x86_64")]
    if path != Path::Plain {
        let along_k = x.ncols() <= 1 || x.strides()[1] == 1;
        let (across, along) = (x.strides()[0].unsigned_abs(), x.strides()[1].unsigned_abs());
        let source = Source {
            x: x.as_ptr().wrapping_add(row * across + k * along),
            rows,
            k: n_k,
            along_k,
            stride: if along_k { across } else { along },
            next: layout.width * across,
        };
        // SAFETY: `path` says that the CPU has the instructions; `source` describes a part of `x`, which has unit stride along one
        // axis; `words` holds `steps` steps of the layout.
        unsafe {
            match (path, precision) {
                (Path::Avx512, Precision::Bf16) => avx512::panel::<E, true>(layout, &source, steps, words),
                (Path::Avx512, Precision::F32) => avx512::panel::<f32, false>(layout, &source.cast(), steps, words),
                _ => avx2::panel(layout.width, &source.cast(), steps, words),
            }
        }
        return;
    }
    words.fill(0);
    for (row, x) in x.slice(s![row..row + rows, k..k + n_k]).rows().into_iter().enumerate() {
        match precision {
            Precision::F32 => {
                for (step, x) in x.iter().enumerate() {
                    words[layout.at(row, step)] = x.get().to_bits();
                }
            }
            Precision::Bf16 => {
                for (i, x) in x.iter().enumerate() {
                    words[layout.at(row, i / 2)] |= bf16(x.get()) << (i % 2 * 16);
                }
            }
        }
    }
}

/// The rows of a panel: value k of a row is at `row * stride + k` where rows are contiguous (`along_k`), else at
/// `k * stride + row`.
#[cfg(target_arch = "x86_64")]
struct Source<E> {
    x: *const E,
    rows: usize,
    k: usize,
    along_k: bool,
    stride: usize,
    /// Values from a row to the one in the same place of the next panel, which is likely to be read next.
    next: usize,
}

#[cfg(target_arch = "x86_64")]
impl<E: Element> Source<E> {
    /// As f32, which they are.
    fn cast(&self) -> Source<f32> {
        assert!(E::PRECISION == Precision::F32);
        let Source { x, rows, k, along_k, stride, next } = *self;
        Source { x: x.cast(), rows, k, along_k, stride, next }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use super::{Layout, Source};
    use crate::element::Element;
    use crate::product::Precision;
    use std::arch::x86_64::{
        __m512, __m512bh, __m512i, _mm256_maskz_loadu_epi16, _mm512_castps_si512, _mm512_cvtepu16_epi32,
        _mm512_cvtne2ps_pbh, _mm512_loadu_si512, _mm512_mask_storeu_epi32, _mm512_maskz_loadu_epi16,
        _mm512_maskz_loadu_ps, _mm512_or_si512, _mm512_permutexvar_epi16, _mm512_shuffle_i32x4, _mm512_slli_epi32,
        _mm512_storeu_si512, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32,
        _mm512_unpacklo_epi64,
    };

    /// Words of a vector.
    const LANES: usize = 16;

    /// For 16-bit values: the first of the lower half, the first of the upper half, the second of the lower half and so on.
    static IN_TURN: [u16; 2 * LANES] = {
        let mut order = [0; 2 * LANES];
        let mut i = 0;
        while i < order.len() {
            order[i] = (i / 2 + i % 2 * LANES) as u16;
            i += 1;
        }
        order
    };

    /// Packs one panel, in bf16 or f32.
    ///
    /// # Safety
    /// The CPU has AVX-512 (F, BW) and AVX-512-BF16; the source describes memory that can be read; `words` holds `steps` steps
    /// of the layout.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub(super) unsafe fn panel<E: Element, const BF16: bool>(
        layout: Layout,
        source: &Source<E>,
        steps: usize,
        words: &mut [u32],
    ) {
        let Layout { width, group } = layout;
        let by_row = group > 1;
        assert!(
            words.len() == steps * width && (!by_row || group.is_multiple_of(LANES) && steps.is_multiple_of(group))
        );
        let words = words.as_mut_ptr();
        for first_row in (0..width).step_by(LANES) {
            let n_rows = LANES.min(width - first_row);
            for first_step in (0..steps).step_by(LANES) {
                let n_steps = LANES.min(steps - first_step);
                // SAFETY: the caller's promise.
                let mut v = unsafe {
                    if source.along_k {
                        rows::<E, BF16>(source, first_row, first_step)
                    } else {
                        steps_of_rows::<E, BF16>(source, first_row, first_step)
                    }
                };
                if source.along_k != by_row {
                    v = transpose(&v);
                }
                // SAFETY: `at` is inside the panel for every row below the width and step below `steps`; by rows the steps are
                // whole groups, so that 16 words can be written; by steps, as many words as there are rows.
                unsafe {
                    if by_row {
                        for (i, v) in v.iter().take(n_rows).enumerate() {
                            _mm512_storeu_si512(words.add(layout.at(first_row + i, first_step)).cast(), *v);
                        }
                    } else {
                        let to = words.add(first_step * width + first_row);
                        // A whole vector is stored faster than a part. What it writes too much, in a panel that is narrower, are
                        // later steps' words, which come after it.
                        let may_be_whole = n_rows == LANES || width < LANES;
                        for (i, v) in v.iter().take(n_steps).enumerate() {
                            let end = (first_step + i) * width + first_row + LANES;
                            if may_be_whole && end <= steps * width {
                                _mm512_storeu_si512(to.add(i * width).cast(), *v);
                            } else {
                                _mm512_mask_storeu_epi32(to.add(i * width).cast(), first(n_rows), *v);
                            }
                        }
                    }
                }
            }
        }
    }

    /// The first `n` lanes.
    fn first(n: usize) -> u16 {
        if n < LANES { (1 << n) - 1 } else { u16::MAX }
    }

    /// Sixteen steps of each of sixteen rows that are contiguous; zeros where the source has none.
    ///
    /// # Safety
    /// The source is contiguous along k and can be read.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn rows<E: Element, const BF16: bool>(source: &Source<E>, row: usize, step: usize) -> [__m512i; LANES] {
        let k = if BF16 { 2 * step } else { step };
        let left = source.k.saturating_sub(k);
        let (low, high) = (first(left), first(left.saturating_sub(LANES)));
        std::array::from_fn(|i| {
            // Nothing is read of a row that is not there, but asking for it at an address that is not there either takes long.
            let ([low, high], i) = if row + i < source.rows { ([low, high], i) } else { ([0; 2], 0) };
            let from = source.x.wrapping_add((row + i) * source.stride + k);
            crate::product::prefetch(from.wrapping_add(source.next), 2 * LANES);
            // SAFETY: the masks leave out what lies beyond the rows and their values.
            unsafe {
                if E::PRECISION == Precision::Bf16 {
                    _mm512_maskz_loadu_epi16(u32::from(low) | u32::from(high) << LANES, from.cast())
                } else if !BF16 {
                    _mm512_castps_si512(_mm512_maskz_loadu_ps(low, from.cast()))
                } else {
                    let from = from.cast::<f32>();
                    both(_mm512_maskz_loadu_ps(low, from), _mm512_maskz_loadu_ps(high, from.wrapping_add(LANES)))
                }
            }
        })
    }

    /// Sixteen rows of each of sixteen steps, where the rows of one step are contiguous; zeros where the source has none.
    ///
    /// # Safety
    /// The source is contiguous along the rows and can be read.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn steps_of_rows<E: Element, const BF16: bool>(
        source: &Source<E>,
        row: usize,
        step: usize,
    ) -> [__m512i; LANES] {
        let there = first(source.rows.saturating_sub(row));
        if !BF16 {
            return std::array::from_fn(|i| {
                let mask = if step + i < source.k { there } else { 0 };
                let from = source.x.wrapping_add((step + i).min(source.k) * source.stride + row);
                // SAFETY: the mask leaves out what lies beyond the columns and their values.
                unsafe { _mm512_castps_si512(_mm512_maskz_loadu_ps(mask, from.cast())) }
            });
        }
        let from = source.x.wrapping_add(2 * step * source.stride + row);
        // Most blocks are whole along k, and then one mask serves all columns.
        // SAFETY: the masks leave out what lies beyond the columns and their values.
        unsafe {
            if 2 * (step + LANES) <= source.k {
                std::array::from_fn(|i| {
                    two_columns(from.wrapping_add(2 * i * source.stride), source.stride, [there; 2])
                })
            } else {
                std::array::from_fn(|i| {
                    let mask = |k: usize| if k < source.k { there } else { 0 };
                    let masks = [mask(2 * (step + i)), mask(2 * (step + i) + 1)];
                    two_columns(from.wrapping_add(2 * i * source.stride), source.stride, masks)
                })
            }
        }
    }

    /// A word of each of sixteen rows: of the column at `x` and of the one `stride` further, what the masks leave.
    ///
    /// # Safety
    /// What the masks leave can be read.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn two_columns<E: Element>(x: *const E, stride: usize, masks: [u16; 2]) -> __m512i {
        let at = [x, x.wrapping_add(stride)];
        // SAFETY: the caller's promise; IN_TURN: 32 values of 16 bits.
        unsafe {
            if E::PRECISION == Precision::Bf16 {
                let [low, high] =
                    std::array::from_fn(|i| _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(masks[i], at[i].cast())));
                _mm512_or_si512(low, _mm512_slli_epi32::<16>(high))
            } else {
                let [low, high] = std::array::from_fn(|i| _mm512_maskz_loadu_ps(masks[i], at[i].cast()));
                _mm512_permutexvar_epi16(_mm512_loadu_si512(IN_TURN.as_ptr().cast()), both(low, high))
            }
        }
    }

    /// Thirty-two values in bf16.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn both(low: __m512, high: __m512) -> __m512i {
        // SAFETY: two views of the same 512 bits.
        unsafe { std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low)) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn transpose(v: &[__m512i; LANES]) -> [__m512i; LANES] {
        let pairs: [__m512i; LANES] = std::array::from_fn(|i| {
            let (a, b) = (v[i / 2 * 2], v[i / 2 * 2 + 1]);
            if i % 2 == 0 { _mm512_unpacklo_epi32(a, b) } else { _mm512_unpackhi_epi32(a, b) }
        });
        // fours[4 g + q]: columns q, q + 4, q + 8 and q + 12 of rows 4 g to 4 g + 3.
        let fours: [__m512i; LANES] = std::array::from_fn(|i| {
            let (g, q) = (i / 4, i % 4);
            let (a, b) = (pairs[4 * g + q / 2], pairs[4 * g + 2 + q / 2]);
            if q % 2 == 0 { _mm512_unpacklo_epi64(a, b) } else { _mm512_unpackhi_epi64(a, b) }
        });
        // eights[8 h + i]: of rows 8 h to 8 h + 7, columns q and q + 8 (i = q) or q + 4 and q + 12 (i = q + 4).
        let eights: [__m512i; LANES] = std::array::from_fn(|i| {
            let (h, odd, q) = (i / 8, i / 4 % 2, i % 4);
            let (a, b) = (fours[8 * h + q], fours[8 * h + 4 + q]);
            if odd == 0 { _mm512_shuffle_i32x4::<0x88>(a, b) } else { _mm512_shuffle_i32x4::<0xDD>(a, b) }
        });
        std::array::from_fn(|i| {
            let (a, b) = (eights[i % 8], eights[8 + i % 8]);
            if i < 8 { _mm512_shuffle_i32x4::<0x88>(a, b) } else { _mm512_shuffle_i32x4::<0xDD>(a, b) }
        })
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::Source;
    use std::arch::x86_64::{
        __m256, __m256i, _mm_storel_epi64, _mm_storeu_si128, _mm256_castps_si256, _mm256_castsi256_si128,
        _mm256_cmpgt_epi32, _mm256_extracti128_si256, _mm256_loadu_ps, _mm256_maskload_ps, _mm256_permute2x128_si256,
        _mm256_set1_epi32, _mm256_setr_epi32, _mm256_setzero_ps, _mm256_setzero_si256, _mm256_storeu_si256,
        _mm256_unpackhi_epi32, _mm256_unpackhi_epi64, _mm256_unpacklo_epi32, _mm256_unpacklo_epi64,
    };

    /// Words of a vector.
    const LANES: usize = 8;

    /// Packs one panel in f32, without groups.
    ///
    /// # Safety
    /// The CPU has AVX2; the source describes memory that can be read; `words` holds `steps` steps of so many words.
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn panel(width: usize, source: &Source<f32>, steps: usize, words: &mut [u32]) {
        // SAFETY: the caller's promise.
        unsafe {
            if source.along_k {
                panel_of::<true>(width, source, steps, words);
            } else {
                panel_of::<false>(width, source, steps, words);
            }
        }
    }

    /// Packs one panel of a source that is contiguous along k or along the rows.
    ///
    /// # Safety
    /// As [`panel`].
    #[target_feature(enable = "avx2")]
    unsafe fn panel_of<const ALONG_K: bool>(width: usize, source: &Source<f32>, steps: usize, words: &mut [u32]) {
        assert!(words.len() == steps * width);
        let words = words.as_mut_ptr();
        for first_row in (0..width).step_by(LANES) {
            let n_rows = LANES.min(width - first_row);
            for first_step in (0..steps).step_by(LANES) {
                let n_steps = LANES.min(steps - first_step);
                let whole = first_row + n_rows <= source.rows && first_step + LANES <= source.k;
                // SAFETY: `whole` says that all rows that are stored, 8 or 6, and all steps are in the source; else reads
                // are masked.
                let mut v = unsafe {
                    match (whole, n_rows) {
                        (true, LANES) => block::<ALONG_K, LANES>(source, first_row, first_step),
                        (true, 6) => block::<ALONG_K, 6>(source, first_row, first_step),
                        _ => block::<ALONG_K, 0>(source, first_row, first_step),
                    }
                };
                if ALONG_K {
                    v = transpose(v);
                }
                for (i, v) in v.iter().take(n_steps).enumerate() {
                    // SAFETY: the step is below `steps`, and has as many words from the first row on as there are rows.
                    unsafe { store(words.add((first_step + i) * width + first_row), *v, n_rows) };
                }
            }
        }
    }

    /// Stores the first 8 or 6 words.
    ///
    /// # Safety
    /// So many words can be written.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn store(to: *mut u32, v: __m256i, n: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            if n == LANES {
                _mm256_storeu_si256(to.cast(), v);
            } else {
                debug_assert!(n == 6, "tiles are 6, 14, 16 or 32 wide");
                _mm_storeu_si128(to.cast(), _mm256_castsi256_si128(v));
                _mm_storel_epi64(to.add(4).cast(), _mm256_extracti128_si256::<1>(v));
            }
        }
    }

    /// Eight rows by eight steps: by rows, or by steps where the source is contiguous along the rows. If `WHOLE` is not 0, so
    /// many rows and all steps are known to be in the source; the other rows may come out as anything.
    ///
    /// # Safety
    /// The source can be read and has what `WHOLE` says.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn block<const ALONG_K: bool, const WHOLE: usize>(
        source: &Source<f32>,
        row: usize,
        step: usize,
    ) -> [__m256i; LANES] {
        let mut v = [_mm256_setzero_si256(); LANES];
        for (i, v) in v.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            *v = unsafe {
                if ALONG_K {
                    let row = row + if WHOLE == 0 { i } else { i.min(WHOLE - 1) };
                    steps_of_row::<WHOLE>(source, row, step)
                } else {
                    rows_of_step::<WHOLE>(source, row, step + i)
                }
            };
        }
        v
    }

    /// Eight steps of one row.
    ///
    /// # Safety
    /// The source is contiguous along k and can be read; if `WHOLE`, it has that row and these steps.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn steps_of_row<const WHOLE: usize>(source: &Source<f32>, row: usize, step: usize) -> __m256i {
        if WHOLE == 0 && row >= source.rows {
            return _mm256_setzero_si256();
        }
        let from = source.x.wrapping_add(row * source.stride);
        // SAFETY: reads are masked to the row's values, unless all are there.
        _mm256_castps_si256(unsafe {
            if WHOLE == 0 { load(from, step, source.k) } else { _mm256_loadu_ps(from.add(step)) }
        })
    }

    /// One step of eight rows.
    ///
    /// # Safety
    /// The source is contiguous along the rows and can be read; if `WHOLE`, it has that step and so many rows.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn rows_of_step<const WHOLE: usize>(source: &Source<f32>, row: usize, step: usize) -> __m256i {
        let from = source.x.wrapping_add(step * source.stride);
        // SAFETY: reads are masked to the column's values, unless all are there.
        _mm256_castps_si256(unsafe {
            match WHOLE {
                LANES => _mm256_loadu_ps(from.add(row)),
                0 if step >= source.k => _mm256_setzero_ps(),
                0 => load(from, row, source.rows),
                _ => load(from.add(row), 0, WHOLE),
            }
        })
    }

    /// Eight values from `at` of the `n` at `from`, zeros beyond.
    ///
    /// # Safety
    /// `n` values can be read.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn load(from: *const f32, at: usize, n: usize) -> __m256 {
        let left = _mm256_set1_epi32(n.saturating_sub(at).min(LANES) as i32);
        let mask = _mm256_cmpgt_epi32(left, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
        // SAFETY: the mask leaves out what lies beyond the values.
        unsafe { _mm256_maskload_ps(from.wrapping_add(at), mask) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn transpose(v: [__m256i; LANES]) -> [__m256i; LANES] {
        let pairs: [__m256i; LANES] = std::array::from_fn(|i| {
            let (a, b) = (v[i / 2 * 2], v[i / 2 * 2 + 1]);
            if i % 2 == 0 { _mm256_unpacklo_epi32(a, b) } else { _mm256_unpackhi_epi32(a, b) }
        });
        // fours[4 h + q]: column q of rows 4 h.. in the lower half, column q + 4 in the upper.
        let fours: [__m256i; LANES] = std::array::from_fn(|i| {
            let (h, q) = (i / 4, i % 4);
            let (a, b) = (pairs[4 * h + q / 2], pairs[4 * h + 2 + q / 2]);
            if q % 2 == 0 { _mm256_unpacklo_epi64(a, b) } else { _mm256_unpackhi_epi64(a, b) }
        });
        std::array::from_fn(|i| {
            let (a, b) = (fours[i % 4], fours[4 + i % 4]);
            if i < 4 { _mm256_permute2x128_si256::<0x20>(a, b) } else { _mm256_permute2x128_si256::<0x31>(a, b) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{Level, force};
    use ndarray::Array2;
    use proptest::prelude::*;

    #[test]
    fn rounding_to_bf16() {
        for (x, bits) in [
            (1.0, 0x3F80),
            (-2.0, 0xC000),
            (f32::from_bits(0x3F80_8000), 0x3F80), // a tie goes to the even
            (f32::from_bits(0x3F81_8000), 0x3F82),
            (f32::from_bits(0x3F80_8001), 0x3F81),
            (f32::INFINITY, 0x7F80),
            (f32::MAX, 0x7F80),
            (0.0, 0),
            (-1e-40, 0x8000), // subnormal
            (f32::MIN_POSITIVE, 0x0080),
        ] {
            assert_eq!(bf16(x), bits, "{x}");
        }
        assert!(f32::from_bits(bf16(f32::NAN) << 16).is_nan());
        assert!(f32::from_bits(bf16(f32::from_bits(0x7F80_0001)) << 16).is_nan());
    }

    /// Any bits: NaN, infinities and subnormals among them.
    fn matrix(rows: usize, k: usize, seed: u64) -> Array2<f32> {
        Array2::from_shape_fn((rows, k), |(i, j)| {
            let bits = (seed + (i * k + j) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            f32::from_bits((bits >> 32) as u32)
        })
    }

    proptest! {
        #[test]
        fn every_path_packs_the_same_words(rows in 1_usize..300, k in 0_usize..80, longer: bool, which in 0_usize..5, seed: u32) {
            let _alone = crate::cpu::alone();
            let (width, group) = [(6, 1), (14, 1), (16, 1), (32, 1), (32, 16)][which];
            let layout = Layout { width, group };
            let (rows, k) = if longer { (rows / 10 + 1, k * 20) } else { (rows, k) };
            let x = matrix(rows, k, u64::from(seed));
            let columns = x.t().as_standard_layout().into_owned();
            for precision in [Precision::F32, Precision::Bf16] {
                let steps = precision.steps(k).next_multiple_of(group);
                let pack = |x: ArrayView2<f32>, level| {
                    force(level);
                    let mut words = vec![0xAAAA_AAAA; rows.div_ceil(width) * width * steps];
                    panels(layout, precision, x, &mut words);
                    let mut here = vec![0xAAAA_AAAA; words.len()];
                    panels_here(layout, precision, x, &mut here);
                    assert_eq!(words, here);
                    words
                };
                let plain = pack(x.view(), Level::Plain);
                for (i, word) in plain.iter().enumerate() {
                    let (panel, within) = (i / (width * steps), i % (width * steps));
                    let (row, step) = (within / group % width, within / (group * width) * group + within % group);
                    let value = |k: usize| x.get((panel * width + row, k)).copied().unwrap_or(0.0);
                    let wanted = match precision {
                        Precision::F32 => value(step).to_bits(),
                        Precision::Bf16 => bf16(value(2 * step)) | bf16(value(2 * step + 1)) << 16,
                    };
                    prop_assert_eq!(*word, wanted);
                }
                for level in [Level::Plain, Level::Avx2, Level::Avx512, Level::Amx] {
                    prop_assert_eq!(&pack(x.view(), level), &plain);
                    prop_assert_eq!(&pack(columns.t(), level), &plain);
                }
            }
        }
    }
}
