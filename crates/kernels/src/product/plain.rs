//! The micro-kernels in plain Rust: for any CPU, and the twins that the fast ones are checked against.

use super::{Kernel, Rows};

const MR: usize = 14;
const NR: usize = 32;

/// For f32 words.
pub(super) const F32: Kernel = Kernel { mr: MR, nr: NR, group: 1, pass: 256, run: f32, around: None };

/// For pairs of bf16.
pub(super) const BF16: Kernel = Kernel { mr: MR, nr: NR, group: 1, pass: 768, run: bf16, around: None };

/// f32 words. Safety: see [`super::Run`].
unsafe fn f32(a: Rows, b: &[u32], _ahead: *const u32, c: &mut [f32], accumulate: bool) {
    // SAFETY: the caller's promise.
    unsafe { run(a, b, c, accumulate, |a, b, sum| sum + f32::from_bits(a) * f32::from_bits(b)) }
}

/// Pairs of bf16. Safety: see [`super::Run`].
unsafe fn bf16(a: Rows, b: &[u32], _ahead: *const u32, c: &mut [f32], accumulate: bool) {
    let low = |word: u32| f32::from_bits(word << 16);
    let high = |word: u32| f32::from_bits(word & 0xFFFF_0000);
    // SAFETY: the caller's promise.
    unsafe { run(a, b, c, accumulate, |a, b, sum| sum + low(a) * low(b) + high(a) * high(b)) }
}

/// # Safety
/// See [`super::Run`].
#[inline(always)]
#[allow(clippy::inline_always, reason = "the inner operation must be inlined into the loops")]
unsafe fn run(a: Rows, b: &[u32], c: &mut [f32], accumulate: bool, operation: impl Fn(u32, u32, f32) -> f32) {
    let mut sums = [[0.0_f32; NR]; MR];
    for (step, b) in b.chunks_exact(NR).enumerate() {
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: the caller's promise: A has so many steps as B, and MR rows.
            let a = unsafe { a.at.add(row * a.row + step * a.step).read_unaligned() };
            for (b, sum) in b.iter().zip(sums) {
                *sum = operation(a, *b, *sum);
            }
        }
    }
    for (c, sums) in c.chunks_exact_mut(NR).zip(&sums) {
        for (c, sum) in c.iter_mut().zip(sums) {
            *c = if accumulate { *c + sum } else { *sum };
        }
    }
}
