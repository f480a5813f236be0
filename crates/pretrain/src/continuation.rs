//! Text drawn from a language model, a token at a time.

use gpt1_model::{Sampler, SamplingModel, sample_token};
use gpt1_shard::Tokens;
use gpt1_tokenize::Encoder;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// How to draw.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    /// Tokens to add.
    pub length: usize,
    /// 0: always the likeliest; 1: as the model says; between: bolder choices of likely tokens.
    pub temperature: f64,
    /// Only the k likeliest tokens; 0: all.
    pub top_k: usize,
    /// Seed; each continuation has a stream of its own.
    pub seed: u64,
}

/// Draws a continuation of `prompt` and returns the new token ids. `number` names its random stream. Only the tokens of the
/// text's vocabulary, the first `n_vocab`, are drawn. `prompt` must not be empty.
pub fn draw(model: &SamplingModel, n_vocab: usize, prompt: &[u32], drawing: &Drawing, number: u64) -> Vec<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(drawing.seed);
    rng.set_stream(number);
    let mut sampler = Sampler::new(model);
    let mut logits = Vec::new();
    for token in prompt {
        logits = sampler.feed(*token).to_vec();
    }
    let mut drawn = Vec::with_capacity(drawing.length);
    while drawn.len() < drawing.length {
        let token = sample_token(&logits[..n_vocab], drawing.temperature, drawing.top_k, &mut rng);
        drawn.push(token);
        if drawn.len() < drawing.length {
            logits = sampler.feed(token).to_vec();
        }
    }
    drawn
}

/// The opening words of `n` sentences from places spread over a split, as token ids.
pub fn prompts(encoder: &Encoder, tokens: &Tokens, n: usize) -> Vec<Vec<u32>> {
    /// Words of a prompt, and tokens at most.
    const WORDS: usize = 4;
    const TOKENS: usize = 16;
    /// How far to look for the end of a sentence.
    const LOOK: usize = 400;
    let entries = encoder.vocabulary().entries();
    let entry = |token: u32| entries.get(token as usize).map_or("", String::as_str);
    (0..n)
        .map(|i| {
            let from = i * tokens.len() / n;
            let stretch: Vec<u32> = tokens.window(from, LOOK.min(tokens.len() - from)).collect();
            let after_stop = stretch.iter().position(|t| entry(*t) == ".</w>").map_or(0, |at| at + 1);
            let begin = if i == 0 || after_stop + TOKENS > stretch.len() { 0 } else { after_stop };
            let mut n_words = 0;
            let mut words: Vec<u32> = Vec::new();
            for token in stretch[begin..].iter().take(TOKENS) {
                // Line breaks are tokens too; a prompt shows better without those it begins with.
                if words.is_empty() && entry(*token) == "\n</w>" {
                    continue;
                }
                words.push(*token);
                n_words += usize::from(entry(*token).ends_with("</w>") && entry(*token) != "\n</w>");
                if n_words == WORDS {
                    break;
                }
            }
            words
        })
        .filter(|words| !words.is_empty())
        .collect()
}
