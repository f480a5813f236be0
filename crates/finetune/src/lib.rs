//! Discriminative fine-tuning (Radford et al. 2018, sections 3.2, 3.3 and 4.1): a pre-trained model, or one with random
//! weights, learns a labelled task.
//!
//! The way through this crate: [`run`] reads the model and the task, [`encode`] turns a split into token sequences,
//! [`objective`] computes the gradients of a batch, [`score()`] judges a split, [`TaskFile`] is the `task.json` that makes a
//! model directory one of a task. `gpt1-evaluate` is thin over [`TaskModel`] and [`score()`].

mod encode;
mod error;
pub mod objective;
mod score;
mod stage;
mod task_file;

pub use encode::{Encoded, encode};
pub use error::FinetuneError;
pub use score::{Scored, score, table};
pub use stage::{Ended, Finetuned, Init, Options, run};
pub use task_file::{TaskFile, TaskModel, Training};

/// Tokens computed at once: bounds the memory of activations. Fixed, so that no result depends on the machine.
const TOKENS_AT_ONCE: usize = 4096;

/// Splits `items` into runs of at most 4096 tokens, to be computed at once; what is longer alone is a run alone.
pub fn runs<'a>(items: &'a [u32], n_tokens: impl Fn(u32) -> usize + 'a) -> impl Iterator<Item = &'a [u32]> {
    let mut rest = items;
    std::iter::from_fn(move || {
        let mut sum = 0;
        let fits = |item: &&u32| {
            sum += n_tokens(**item);
            sum <= TOKENS_AT_ONCE
        };
        let n = rest.iter().take_while(fits).count().max(1).min(rest.len());
        let (run, after) = rest.split_at(n);
        rest = after;
        (n > 0).then_some(run)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_bounded_and_complete() {
        let lengths = [100, 5000, 4000, 96, 1, 4096, 4097, 3];
        let items: Vec<u32> = (0..lengths.len() as u32).collect();
        let found: Vec<&[u32]> = runs(&items, |i| lengths[i as usize]).collect();
        assert_eq!(found, [&[0][..], &[1], &[2, 3], &[4], &[5], &[6], &[7]]);
        assert_eq!(runs(&[], |_| 1).count(), 0);
    }
}
