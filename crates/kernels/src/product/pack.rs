//! Packing an operand into panels.

use super::Precision;
use crate::cpu::for_each_cpu;
use ndarray::{ArrayView2, s};
use rayon::prelude::*;

/// x in bf16, rounded to the nearest, ties to even; NaN stays NaN.
#[inline(always)]
#[allow(clippy::inline_always, reason = "must be compiled inside the function that has the instructions")]
pub(super) fn bf16(x: f32) -> u32 {
    let bits = x.to_bits();
    let rounded = (bits.wrapping_add(0x7FFF + ((bits >> 16) & 1))) >> 16;
    if (bits & 0x7FFF_FFFF) > 0x7F80_0000 { 0x7FC0 } else { rounded }
}

/// Packs the rows of `x` (R, K) into panels of `width` rows, the last filled up with zeros.
///
/// # Panics
/// If no kernel has tiles of that width.
pub(super) fn panels(width: usize, precision: Precision, x: ArrayView2<f32>, words: &mut [u32]) {
    match width {
        6 => panels_of::<6>(precision, x, words),
        14 => panels_of::<14>(precision, x, words),
        16 => panels_of::<16>(precision, x, words),
        32 => panels_of::<32>(precision, x, words),
        _ => unreachable!("no kernel has panels of {width}"),
    }
}

fn panels_of<const W: usize>(precision: Precision, x: ArrayView2<f32>, words: &mut [u32]) {
    let n_rows = x.nrows();
    let steps = words.len() / (n_rows.div_ceil(W) * W);
    words.par_chunks_mut(steps * W).enumerate().for_each(|(panel, words)| {
        let rows = panel * W..((panel + 1) * W).min(n_rows);
        let x = x.slice(s![rows, ..]);
        if x.nrows() < W {
            words.fill(0);
        }
        if x.strides()[0] == 1 && x.nrows() == W {
            // Rows of the panel lie side by side in memory: step by step.
            let columns = x.reversed_axes();
            let mut columns = columns.rows().into_iter().map(|column| column.to_slice().expect("unit stride"));
            for words in words.chunks_exact_mut(W) {
                let Some(column) = columns.next() else { break };
                match precision {
                    Precision::F32 => copy_words::<W>(column, words),
                    Precision::Bf16 => pair_words(column, columns.next().unwrap_or(&[0.0; W]), words),
                }
            }
        } else if x.strides()[1] == 1 && x.nrows() == W && precision == Precision::F32 {
            let rows: [&[f32]; W] = std::array::from_fn(|i| x.row(i).to_slice().expect("unit stride"));
            interleave(&rows, words);
        } else {
            for (i, row) in x.rows().into_iter().enumerate() {
                match row.as_slice() {
                    Some(row) => scatter(precision, row, &mut words[i..], W),
                    None => scatter(precision, &row.to_vec(), &mut words[i..], W),
                }
            }
        }
    });
}

#[inline]
fn copy_words<const W: usize>(x: &[f32], words: &mut [u32]) {
    let (Some(x), Some(words)) = (x.first_chunk::<W>(), words.first_chunk_mut::<W>()) else { return };
    *words = x.map(f32::to_bits);
}

/// Writes the k-th value of each row side by side, for each k.
fn interleave<const W: usize>(rows: &[&[f32]; W], words: &mut [u32]) {
    const STEPS: usize = 8;
    let k = rows[0].len();
    for start in (0..k).step_by(STEPS) {
        let words = &mut words[start * W..];
        if start + STEPS <= k {
            let values: [&[f32; STEPS]; W] = rows.map(|row| row[start..].first_chunk().expect("STEPS values are left"));
            let (words, _) = words.as_chunks_mut::<W>();
            for (step, words) in words[..STEPS].iter_mut().enumerate() {
                *words = values.map(|row| row[step].to_bits());
            }
        } else {
            for (i, row) in rows.iter().enumerate() {
                scatter(Precision::F32, &row[start..], &mut words[i..], W);
            }
        }
    }
}

for_each_cpu! {
    fn pair_words(low: &[f32], high: &[f32], words: &mut [u32]) {
        let _ = FMA;
        for (word, (low, high)) in words.iter_mut().zip(low.iter().zip(high)) {
            *word = bf16(*low) | bf16(*high) << 16;
        }
    }
}

/// Writes the words of one row, `width` apart.
fn scatter(precision: Precision, row: &[f32], words: &mut [u32], width: usize) {
    match precision {
        Precision::F32 => {
            for (word, x) in words.iter_mut().step_by(width).zip(row) {
                *word = x.to_bits();
            }
        }
        Precision::Bf16 => scatter_pairs(row, words, width),
    }
}

for_each_cpu! {
    fn scatter_pairs(row: &[f32], words: &mut [u32], width: usize) {
        let _ = FMA;
        const PAIRS: usize = 16;
        let mut pairs = [0_u32; PAIRS];
        for (block, x) in row.chunks(2 * PAIRS).enumerate() {
            let n = x.len() / 2;
            for (pair, x) in pairs.iter_mut().zip(x.chunks_exact(2)) {
                *pair = bf16(x[0]) | bf16(x[1]) << 16;
            }
            let mut n_words = n;
            if x.len() % 2 == 1 {
                pairs[n] = bf16(x[x.len() - 1]);
                n_words += 1;
            }
            let at = block * PAIRS * width;
            for (i, pair) in pairs[..n_words].iter().enumerate() {
                words[at + i * width] = *pair;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ] {
            assert_eq!(bf16(x), bits, "{x}");
        }
        assert!(f32::from_bits(bf16(f32::NAN) << 16).is_nan());
        assert!(f32::from_bits(bf16(f32::from_bits(0x7F80_0001)) << 16).is_nan());
    }
}
