//! What activations are kept in: f32, or bf16, half as large, which products in bf16 take as it is.

use crate::product::{Precision, bf16};
use bytemuck::{Pod, Zeroable};
use ndarray::{ArrayView2, ArrayViewMut2};
use std::fmt::Debug;

/// A kept value. Arithmetic with it is in f32.
pub trait Element: Pod + Default + PartialEq + Debug + Send + Sync {
    /// That of the products that take it as it is.
    const PRECISION: Precision;

    /// The nearest value to `x`.
    fn new(x: f32) -> Self;

    /// The value in f32, which has all of them.
    fn get(self) -> f32;

    /// `to[i] = new(from[i])`, faster.
    ///
    /// # Panics
    /// If the lengths differ.
    fn round_all(from: &[f32], to: &mut [Self]);

    /// A matrix as f32, where that is the element: for products that are made in no other.
    ///
    /// # Panics
    /// For other elements.
    fn as_f32(x: ArrayView2<'_, Self>) -> ArrayView2<'_, f32>;

    /// As [`Element::as_f32`], to be written.
    ///
    /// # Panics
    /// For other elements.
    fn as_f32_mut(x: ArrayViewMut2<'_, Self>) -> ArrayViewMut2<'_, f32>;
}

/// bfloat16: the upper half of an f32.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Bf16(u16);

// SAFETY: a `u16` in another name, of which all bits may be zero.
unsafe impl Zeroable for Bf16 {}
// SAFETY: as above; all bits mean a value, and there are no others.
unsafe impl Pod for Bf16 {}

impl Element for f32 {
    const PRECISION: Precision = Precision::F32;

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "must be compiled inside the function that has the instructions")]
    fn new(x: f32) -> f32 {
        x
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "must be compiled inside the function that has the instructions")]
    fn get(self) -> f32 {
        self
    }

    #[inline]
    fn round_all(from: &[f32], to: &mut [f32]) {
        to.copy_from_slice(from);
    }

    fn as_f32(x: ArrayView2<'_, f32>) -> ArrayView2<'_, f32> {
        x
    }

    fn as_f32_mut(x: ArrayViewMut2<'_, f32>) -> ArrayViewMut2<'_, f32> {
        x
    }
}

impl Element for Bf16 {
    const PRECISION: Precision = Precision::Bf16;

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "must be compiled inside the function that has the instructions")]
    fn new(x: f32) -> Bf16 {
        Bf16(bf16(x) as u16)
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "must be compiled inside the function that has the instructions")]
    fn get(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }

    fn round_all(from: &[f32], to: &mut [Bf16]) {
        assert_eq!(from.len(), to.len());
        #[cfg(target_arch = "x86_64")]
        if converts() {
            // SAFETY: the CPU has AVX-512 and AVX-512-BF16; the lengths are the same.
            return unsafe { round_all_avx512(from, to) };
        }
        for (to, from) in to.iter_mut().zip(from) {
            *to = Bf16::new(*from);
        }
    }

    fn as_f32(_: ArrayView2<'_, Bf16>) -> ArrayView2<'_, f32> {
        panic!("a product in f32 of a bf16 matrix")
    }

    fn as_f32_mut(_: ArrayViewMut2<'_, Bf16>) -> ArrayViewMut2<'_, f32> {
        panic!("a product in f32 into a bf16 matrix")
    }
}

/// Whether the CPU converts to bf16 by instructions of AVX-512.
#[cfg(target_arch = "x86_64")]
pub(crate) fn converts() -> bool {
    is_x86_feature_detected!("avx512bf16") && crate::cpu::level() >= crate::cpu::Level::Avx512
}

/// # Safety
/// The CPU has AVX-512 (F, BW) and AVX-512-BF16; both have the same length.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn round_all_avx512(from: &[f32], to: &mut [Bf16]) {
    use std::arch::x86_64::{
        __m512, __m512bh, __m512i, _mm512_cvtne2ps_pbh, _mm512_loadu_ps, _mm512_mask_storeu_epi16,
        _mm512_maskz_loadu_ps, _mm512_storeu_si512,
    };
    let round = |low: __m512, high: __m512| {
        // SAFETY: two views of the same 512 bits.
        unsafe { std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low)) }
    };
    let (from, from_rest) = from.as_chunks::<32>();
    let (to, to_rest) = to.as_chunks_mut::<32>();
    for (from, to) in from.iter().zip(to) {
        // SAFETY: 32 values each.
        unsafe {
            let from = from.as_ptr();
            _mm512_storeu_si512(to.as_mut_ptr().cast(), round(_mm512_loadu_ps(from), _mm512_loadu_ps(from.add(16))));
        }
    }
    let mask = (1_u32 << from_rest.len()) - 1;
    // SAFETY: the masks leave out what lies beyond the values.
    unsafe {
        let from = from_rest.as_ptr();
        let low = _mm512_maskz_loadu_ps(mask as u16, from);
        let high = _mm512_maskz_loadu_ps((mask >> 16) as u16, from.wrapping_add(16));
        _mm512_mask_storeu_epi16(to_rest.as_mut_ptr().cast(), mask, round(low, high));
    }
}

/// Values that kernels compute in f32 before they are rounded: they stay in the first cache.
pub(crate) const AT_ONCE: usize = 128;

/// Rounds a row of values to the element, in place: they fill the row's first bytes then.
pub(crate) fn narrow<E: Element>(row: &mut [f32]) {
    if E::PRECISION == Precision::F32 {
        return;
    }
    let mut held = [0.0_f32; AT_ONCE];
    for first in (0..row.len()).step_by(AT_ONCE) {
        let n = AT_ONCE.min(row.len() - first);
        held[..n].copy_from_slice(&row[first..first + n]);
        E::round_all(&held[..n], &mut bytemuck::cast_slice_mut(row)[first..first + n]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{self, Level};

    #[test]
    fn rounding_on_every_cpu_path() {
        let _alone = cpu::alone();
        // Ordinary values, ties, subnormal ones, infinities, NaN; and lengths that fill no vector.
        let bits =
            (0..70_000_u32).map(|i| i.wrapping_mul(0x9E37_79B9)).chain([0x3F80_8000, 0x3F81_8000, 1, 0x7F80_0000]);
        let x: Vec<f32> = bits.chain([0x8000_0001, 0x7FC0_0000, 0xFF80_0001]).map(f32::from_bits).collect();
        for level in [Level::Plain, Level::Avx512] {
            cpu::force(level);
            for n in [0, 1, 31, 33, 1000, x.len()] {
                let mut rounded = vec![Bf16(7); n];
                Bf16::round_all(&x[..n], &mut rounded);
                let mut narrowed = x[..n].to_vec();
                narrow::<Bf16>(&mut narrowed);
                for (i, (x, rounded)) in x.iter().zip(&rounded).enumerate() {
                    assert_eq!(*rounded, Bf16::new(*x), "{level:?} {n} {x:e}");
                    assert_eq!(bytemuck::cast_slice::<f32, Bf16>(&narrowed)[i], *rounded);
                }
            }
        }
        cpu::force(Level::Amx);
        assert_eq!(Bf16::new(1.005).get(), 1.007_812_5);
    }
}
