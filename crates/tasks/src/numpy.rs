//! NumPy's seeded permutation, so that Story Cloze is split exactly as by OpenAI's released code, which calls
//! scikit-learn's `train_test_split`.

/// The permutation of `0..n` that `numpy.random.RandomState(seed).permutation(n)` gives: Mersenne twister MT19937
/// (Matsumoto and Nishimura 1998), Fisher-Yates from the end, and an index drawn by masking off the high bits until it
/// is not too large.
pub(crate) fn permutation(n: usize, seed: u32) -> Vec<usize> {
    let mut twister = Twister::new(seed);
    let mut order: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        let mask = usize::MAX >> last.leading_zeros();
        let chosen = loop {
            let draw = twister.next() as usize & mask;
            if draw <= last {
                break draw;
            }
        };
        order.swap(last, chosen);
    }
    order
}

const N: usize = 624;
const M: usize = 397;

struct Twister {
    state: [u32; N],
    used: usize,
}

impl Twister {
    fn new(seed: u32) -> Twister {
        let mut state = [seed; N];
        for i in 1..N {
            let previous = state[i - 1];
            state[i] = (previous ^ (previous >> 30)).wrapping_mul(1_812_433_253).wrapping_add(i as u32);
        }
        Twister { state, used: N }
    }

    fn next(&mut self) -> u32 {
        if self.used == N {
            for i in 0..N {
                let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
                let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + M) % N] ^ (y >> 1) ^ odd;
            }
            self.used = 0;
        }
        let mut y = self.state[self.used];
        self.used += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_twister_is_mt19937() {
        // The reference implementation's first output after init_genrand(5489), and the 10,000th, which the
        // C++11 standard prescribes.
        let mut twister = Twister::new(5489);
        let outputs: Vec<u32> = (0..10_000).map(|_| twister.next()).collect();
        assert_eq!((outputs[0], outputs[9_999]), (3_499_211_612, 4_123_659_995));
    }

    #[test]
    fn small_permutations() {
        assert!(permutation(0, 1).is_empty());
        assert_eq!(permutation(1, 1), [0]);
        let mut order = permutation(100, 7);
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }
}
