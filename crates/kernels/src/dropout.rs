//! Dropout masks from a counter-based generator: Philox 4x32 with 7 rounds (Salmon et al. 2011, "Parallel random numbers:
//! as easy as 1, 2, 3"). A mask is a function of (seed, update, site, row, column): nothing is stored, and the number of
//! threads does not matter.

/// Elements that one call of the generator covers: 16 lanes of 8 decisions, 16 bits each.
pub const BLOCK: usize = 128;
const LANES: usize = 16;
const ROUNDS: usize = 7;

/// The mask of one dropout site in one update.
#[derive(Debug, Clone, Copy)]
pub struct Mask {
    key: [u32; 2],
    site: u32,
    threshold: u32,
    scale: f32,
}

impl Mask {
    /// The mask of rate `p` (to 1/65536) at `site` in update `step` of a run with `seed`; none when the rate is 0.
    pub fn new(seed: u64, step: u64, site: u32, p: f32) -> Option<Mask> {
        let threshold = (f64::from(p) * 65536.0).round() as u32;
        if threshold == 0 {
            return None;
        }
        let mixed = mix(seed ^ mix(step.wrapping_add(0x9E37_79B9_7F4A_7C15)));
        let scale = 65536.0 / (65536 - threshold.min(65535)) as f32;
        Some(Mask { key: [mixed as u32, (mixed >> 32) as u32], site, threshold, scale })
    }

    /// Multipliers of the `BLOCK` elements from column `block * BLOCK` of `row`: 0, or 1 / (1 - p).
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "must be compiled inside the function that has the instructions")]
    #[allow(clippy::needless_range_loop, reason = "lanes of several arrays in step, as the vector unit has them")]
    pub fn multipliers(&self, row: u64, block: usize, out: &mut [f32; BLOCK]) {
        // 32-bit words in lanes of 64 bits, as the CPU multiplies them; upper halves that are not masked off mean nothing.
        const WORD: u64 = 0xFFFF_FFFF;
        let mut c = [[0_u64; LANES]; 4];
        for lane in 0..LANES {
            c[0][lane] = (block * LANES + lane) as u64;
        }
        c[1] = [row & WORD; LANES];
        c[2] = [row >> 32; LANES];
        c[3] = [u64::from(self.site); LANES];
        let [mut k0, mut k1] = self.key;
        for _ in 0..ROUNDS {
            let mut next = [[0_u64; LANES]; 4];
            for lane in 0..LANES {
                let p0 = (c[0][lane] & WORD) * 0xD251_1F53;
                let p1 = (c[2][lane] & WORD) * 0xCD9E_8D57;
                next[0][lane] = (p1 >> 32) ^ c[1][lane] ^ u64::from(k0);
                next[1][lane] = p1;
                next[2][lane] = (p0 >> 32) ^ c[3][lane] ^ u64::from(k1);
                next[3][lane] = p0;
            }
            c = next;
            k0 = k0.wrapping_add(0x9E37_79B9);
            k1 = k1.wrapping_add(0xBB67_AE85);
        }
        // Below 2^16 on both sides, so that a signed comparison is right; it is one instruction.
        let threshold = self.threshold as i32;
        let multiplier = |sixteen: u32| if sixteen as i32 >= threshold { self.scale } else { 0.0 };
        let (c01, c23) = c.split_at(2);
        for (pair, out) in [c01, c23].into_iter().zip(out.chunks_exact_mut(4 * LANES)) {
            let (low, high) = out.split_at_mut(2 * LANES);
            for lane in 0..LANES {
                let words = [pair[0][lane] as u32, pair[1][lane] as u32];
                for which in 0..2 {
                    low[2 * lane + which] = multiplier(words[which] & 0xFFFF);
                    high[2 * lane + which] = multiplier(words[which] >> 16);
                }
            }
        }
    }

    /// Multiplies `x` (the elements of `row` from column 0) by the mask.
    pub fn apply(&self, row: u64, x: &mut [f32]) {
        apply(self, row, x);
    }
}

crate::cpu::for_each_cpu! {
    fn apply(mask: &Mask, row: u64, x: &mut [f32]) {
        let _ = FMA;
        let mut m = [0.0; BLOCK];
        for (block, x) in x.chunks_mut(BLOCK).enumerate() {
            mask.multipliers(row, block, &mut m);
            for (x, m) in x.iter_mut().zip(&m) {
                *x *= m;
            }
        }
    }
}

/// The finaliser of SplitMix64: a bijection of 64 bits in which every input bit moves every output bit.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{self, Level};

    fn mask_of(seed: u64, step: u64, site: u32, row: u64, p: f32, n: usize) -> Vec<f32> {
        let mut x = vec![1.0; n];
        Mask::new(seed, step, site, p).unwrap().apply(row, &mut x);
        x
    }

    #[test]
    fn rate_and_mean() {
        for p in [0.1_f32, 0.5, 0.9] {
            let x: Vec<f32> = (0..200).flat_map(|row| mask_of(3, 5, 7, row, p, 1000)).collect();
            let dropped = x.iter().filter(|v| **v == 0.0).count() as f64 / x.len() as f64;
            let mean = x.iter().map(|v| f64::from(*v)).sum::<f64>() / x.len() as f64;
            // 200,000 draws: four standard deviations of the mean are below 0.03 at p = 0.9.
            assert!((dropped - f64::from(p)).abs() < 0.005, "{p}: {dropped}");
            assert!((mean - 1.0).abs() < 0.03, "{p}: {mean}");
        }
    }

    #[test]
    fn every_key_part_gives_another_mask_and_no_correlation() {
        let base = mask_of(1, 1, 1, 1, 0.5, 4096);
        let others = [
            mask_of(2, 1, 1, 1, 0.5, 4096),
            mask_of(1, 2, 1, 1, 0.5, 4096),
            mask_of(1, 1, 2, 1, 0.5, 4096),
            mask_of(1, 1, 1, 2, 0.5, 4096),
        ];
        for other in others {
            let same = base.iter().zip(&other).filter(|(a, b)| a == b).count();
            assert!((1850..2250).contains(&same), "{same} of 4096 agree");
        }
        assert!(Mask::new(1, 1, 1, 0.0).is_none());
    }

    #[test]
    fn every_cpu_path_makes_the_same_mask() {
        let _alone = cpu::alone();
        let wanted = mask_of(9, 8, 7, 6, 0.1, 777);
        for level in [Level::Plain, Level::Avx2, Level::Avx512] {
            cpu::force(level);
            assert_eq!(mask_of(9, 8, 7, 6, 0.1, 777), wanted, "{level:?}");
        }
    }

    #[test]
    fn known_answers_of_philox() {
        // Philox4x32-7 of counter 0 and key 0, from Random123's known-answer file (kat_vectors): 5f6fb709 0d893f64 4f121f81 4f730a48.
        let mask = Mask { key: [0, 0], site: 0, threshold: 1, scale: 1.0 };
        let mut c = [0.0; BLOCK];
        mask.multipliers(0, 0, &mut c);
        let expected = [0x5f6f_b709_u32, 0x0d89_3f64, 0x4f12_1f81, 0x4f73_0a48];
        for threshold in [0x3000_u32, 0x4f13, 0x8000, 0xb709] {
            let mask = Mask { threshold, ..mask };
            mask.multipliers(0, 0, &mut c);
            for (word, bits) in expected.iter().enumerate() {
                let first = word / 2 * 4 * LANES + word % 2;
                assert_eq!(c[first] != 0.0, (bits & 0xFFFF) >= threshold);
                assert_eq!(c[first + 2 * LANES] != 0.0, (bits >> 16) >= threshold);
            }
        }
    }
}
