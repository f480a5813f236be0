//! What a model without context reaches: the frequency of each token.

use gpt1_shard::Tokens;

/// Tokens counted at once.
const STRETCH: usize = 1 << 20;

/// The mean loss in nats a token of a unigram model on the targets of `windows`: p(t) = (count of t in `train` + 1) / (number
/// of training tokens + V).
pub fn unigram_loss(train: &Tokens, n_vocab: usize, windows: &[Vec<u32>]) -> f64 {
    let mut counts = vec![1_u64; n_vocab];
    for start in (0..train.len()).step_by(STRETCH) {
        for token in train.window(start, STRETCH.min(train.len() - start)) {
            counts[token as usize] += 1;
        }
    }
    mean_loss(&counts, windows)
}

/// The mean of -ln p over the targets, p being proportional to the counts.
fn mean_loss(counts: &[u64], windows: &[Vec<u32>]) -> f64 {
    let total = counts.iter().sum::<u64>() as f64;
    let targets = windows.iter().flat_map(|window| &window[1..]);
    let (mut sum, mut n) = (0.0, 0_u64);
    for token in targets {
        sum -= (counts[*token as usize] as f64 / total).ln();
        n += 1;
    }
    sum / n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_probabilities() {
        let counts = [4, 2, 1, 1];
        let windows = [vec![3, 0, 1], vec![0, 2]];
        let expected = (2.0_f64.ln() + 4.0_f64.ln() + 8.0_f64.ln()) / 3.0;
        assert!((mean_loss(&counts, &windows) - expected).abs() < 1e-12);
    }
}
