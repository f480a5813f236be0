//! The arithmetic of GPT-1 on slices: products through BLAS, dropout masks from a counter, normalisation, activation,
//! softmax and the optimiser's update, each written once and compiled for the CPUs it may meet ([`cpu`]).
//!
//! Sizes are named as in the field: B sequences, T positions, C channels, V vocabulary, NH heads, HS head size, N tokens.
//! Nothing here depends on the number of threads: work is cut into blocks whose size depends on the shapes alone.
#![allow(unsafe_code, reason = "the one crate with unsafe arithmetic; each block says why it is sound")]

pub mod attention;
mod blas;
pub mod cpu;
pub mod dropout;
mod elementwise;
mod norm;
mod optimizer;
mod softmax;

pub use blas::{StartError, gemm, gemv, start};
pub use elementwise::{add, add_bias, column_sums, gelu_backward, gelu_forward};
pub use norm::{NormStats, residual_norm_backward, residual_norm_forward};
pub use optimizer::{adam_update, sum_of_squares};
pub use softmax::{cross_entropy_rows, exp};

/// Rows of a block in row-parallel passes: small enough for the cache, fixed so that sums have a fixed order.
pub const ROW_BLOCK: usize = 64;
