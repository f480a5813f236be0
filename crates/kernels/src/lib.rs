//! The arithmetic of GPT-1 on slices: products through BLAS and of our own, dropout masks from a counter, normalisation, activation,
//! softmax and the optimiser's update, each written once and compiled for the CPUs it may meet ([`cpu`]).
//!
//! Sizes are named as in the field: B sequences, T positions, C channels, V vocabulary, NH heads, HS head size, N tokens.
//! Nothing here depends on the number of threads: work is cut into blocks whose size depends on the shapes alone.
#![allow(unsafe_code, reason = "the one crate with unsafe arithmetic; each block says why it is sound")]

use ndarray::{ArrayView2, ArrayViewMut2};
use std::sync::LazyLock;

pub mod attention;
pub mod blas;
pub mod cpu;
pub mod dropout;
pub mod element;
mod elementwise;
pub mod lstm;
pub mod memory;
mod norm;
mod optimizer;
pub mod product;
pub mod profile;
mod softmax;
pub mod vector;

pub use blas::{StartError, start};
pub use element::{Bf16, Element};
pub use elementwise::{add, add_bias, column_sums, gelu_backward, gelu_bias_backward, gelu_forward};
pub use norm::{NormStats, residual_norm_backward, residual_norm_forward};
pub use optimizer::{adam_update, sum_of_squares};
pub use product::{Precision, UnknownPrecision, has_bf16};
pub use softmax::{cross_entropies, cross_entropy_rows, exp, exp_all, gradients, logits_stride};

/// Rows of a block in row-parallel passes: small enough for the cache, fixed so that sums have a fixed order.
pub const ROW_BLOCK: usize = 64;

/// `c = a b`, or `c += a b` with `accumulate`, for a: (M, K), b: (K, N), c: (M, N) with rows of unit stride; a and b may have any
/// strides (a transposed view is a transposed operand). Through BLAS or through [`product`].
///
/// # Panics
/// If the sizes do not fit, or the precision is f32 and a matrix in bf16.
pub fn gemm(
    precision: Precision,
    a: ArrayView2<impl Element>,
    b: ArrayView2<impl Element>,
    accumulate: bool,
    c: ArrayViewMut2<impl Element>,
) {
    if is_blas(precision) {
        blas::gemm(Element::as_f32(a), Element::as_f32(b), accumulate, Element::as_f32_mut(c));
    } else {
        product::product(precision, a, b, accumulate, c);
    }
}

/// The right operand of several products: made ready once, where the products are our own.
#[derive(Debug)]
pub enum RightOperand<'b> {
    /// As it is, for BLAS.
    Blas(ArrayView2<'b, f32>),
    /// Packed.
    Own(product::Packed),
    /// Packed by somebody else.
    Kept(&'b product::Packed),
}

impl<'b> RightOperand<'b> {
    /// b: (K, N), any strides.
    pub fn new(precision: Precision, b: ArrayView2<'b, f32>) -> RightOperand<'b> {
        if is_blas(precision) { RightOperand::Blas(b) } else { RightOperand::Own(product::Packed::new(precision, b)) }
    }

    /// As [`gemm`] with this operand, in the precision that it was made for.
    ///
    /// # Panics
    /// As [`gemm`].
    pub fn gemm(&self, a: ArrayView2<impl Element>, accumulate: bool, c: ArrayViewMut2<impl Element>) {
        self.gemm_and_bias(a, accumulate, &[], c);
    }

    /// As [`RightOperand::gemm`], and to every row of c `bias` (N) is added; none if it is empty.
    ///
    /// # Panics
    /// As [`gemm`].
    pub fn gemm_and_bias(
        &self,
        a: ArrayView2<impl Element>,
        accumulate: bool,
        bias: &[f32],
        c: ArrayViewMut2<impl Element>,
    ) {
        match self {
            RightOperand::Blas(b) => {
                let mut c = Element::as_f32_mut(c);
                blas::gemm(Element::as_f32(a), *b, accumulate, c.view_mut());
                if !bias.is_empty() {
                    blas::add_bias(c, bias);
                }
            }
            RightOperand::Own(packed) => packed.product_and_bias(a, accumulate, bias, c),
            RightOperand::Kept(packed) => packed.product_and_bias(a, accumulate, bias, c),
        }
    }
}

/// Whether products of that precision go through BLAS: those in f32 on a CPU without AVX-512, where BLAS is as fast as ours
/// (LOG.md); the variable `GPT1_F32` (`blas`, `own`) decides otherwise.
fn is_blas(precision: Precision) -> bool {
    static CHOSEN: LazyLock<Option<bool>> = LazyLock::new(|| match std::env::var("GPT1_F32").as_deref() {
        Ok("blas") => Some(true),
        Ok("own") => Some(false),
        _ => None,
    });
    precision == Precision::F32 && CHOSEN.unwrap_or(cpu::level() < cpu::Level::Avx512)
}
