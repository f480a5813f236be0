//! What activations are kept in: f32, or bf16, half as large, which products in bf16 take as it is.

use crate::cpu::for_each_cpu;
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

    fn as_f32(_: ArrayView2<'_, Bf16>) -> ArrayView2<'_, f32> {
        panic!("a product in f32 of a bf16 matrix")
    }

    fn as_f32_mut(_: ArrayViewMut2<'_, Bf16>) -> ArrayViewMut2<'_, f32> {
        panic!("a product in f32 into a bf16 matrix")
    }
}

for_each_cpu! {
    /// `to = from`, each value rounded to the element.
    pub fn round_all<E: Element>(from: &[f32], to: &mut [E]) {
        let _ = FMA;
        for (to, from) in to.iter_mut().zip(from) {
            *to = E::new(*from);
        }
    }
}

for_each_cpu! {
    /// Rounds a row of values to the element, in place: they fill the row's first bytes then.
    pub(crate) fn narrow<E: Element>(row: &mut [f32]) {
        const AT_ONCE: usize = 64;
        let _ = FMA;
        if E::PRECISION == Precision::F32 {
            return;
        }
        let mut held = [0.0_f32; AT_ONCE];
        for first in (0..row.len()).step_by(AT_ONCE) {
            let n = AT_ONCE.min(row.len() - first);
            held[..n].copy_from_slice(&row[first..first + n]);
            let to: &mut [E] = bytemuck::cast_slice_mut(row);
            for (to, x) in to[first..first + n].iter_mut().zip(&held) {
                *to = E::new(*x);
            }
        }
    }
}
