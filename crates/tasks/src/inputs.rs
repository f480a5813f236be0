//! The input transformations of section 3.3: from the encoded texts of an example to the sequences the model reads.

use crate::{Kind, Task, TaskError};

/// The three tokens that fine-tuning adds to the vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Special {
    /// `<s>`, first in every sequence.
    pub start: u32,
    /// `$`, between two texts.
    pub delimiter: u32,
    /// `<e>`, last in every sequence; the classifier reads the hidden state at it.
    pub extract: u32,
}

/// How the sequences of an example make its logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One sequence, a logit for each class.
    Single,
    /// Two sequences, whose representations are added; a logit for each class.
    Sum,
    /// This many sequences, one logit each, softmax over them.
    Choice(usize),
}

/// An example as the model reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// How the sequences are put together.
    pub form: Form,
    /// Each at most `n_ctx` long, ending in the extract token.
    pub sequences: Vec<Vec<u32>>,
    /// How many tokens of the texts were cut off; a text that stands in several sequences counts once.
    pub n_cut: usize,
}

impl Special {
    /// The ids after a vocabulary of `n_vocab` tokens, in the order of the released code: start, delimiter, extract.
    pub fn after(n_vocab: usize) -> Special {
        let n_vocab = n_vocab as u32;
        Special { start: n_vocab, delimiter: n_vocab + 1, extract: n_vocab + 2 }
    }
}

/// The sequences of an example. `texts`: the encoded texts in the order of [`crate::Example::texts`].
///
/// - classification: `[start; text; extract]`
/// - entailment: `[start; premise; $; hypothesis; extract]`
/// - similarity: `[start; a; $; b; extract]` and `[start; b; $; a; extract]`
/// - multiple choice: `[start; context; $; answer_k; extract]` for each k; RACE's context is article, then question
///   (section 3.3: `[z; q; $; a_k]`)
///
/// Truncation: what does not fit into `n_ctx` is cut from the tail of the longest text, and of the next longest too once
/// they are equally long; the special tokens always stay. So a short hypothesis, question or answer stays whole beside a
/// long premise or article. (The released code cuts each of two texts to `n_ctx / 2 - 2`, fitting or not; this rule
/// keeps all that it keeps.) All alternatives of a multiple choice see the same context, cut as the longest one demands.
///
/// # Errors
/// `n_ctx` too short for the special tokens and one token of each text; a wrong number of texts.
pub fn inputs(task: Task, texts: &[Vec<u32>], special: &Special, n_ctx: usize) -> Result<Inputs, TaskError> {
    let form = task.form();
    let wrong = |expected: String| TaskError::Texts { task: task.title(), expected, found: texts.len() };
    let fit = |parts: &[usize], n_special: usize| {
        let needed = parts.len() + n_special;
        if n_ctx < needed {
            return Err(TaskError::ContextTooShort { task: task.title(), n_ctx, needed });
        }
        Ok(fit(parts, n_ctx - n_special))
    };
    let n_tokens: usize = texts.iter().map(Vec::len).sum();
    let pair = |first: &[u32], second: &[u32]| {
        [&[special.start], first, &[special.delimiter], second, &[special.extract]].concat()
    };
    let (sequences, n_kept) = match task.kind() {
        Kind::Classification => {
            let [text] = texts else { return Err(wrong("1".to_owned())) };
            let kept = fit(&[text.len()], 2)?;
            (vec![[&[special.start], &text[..kept[0]], &[special.extract]].concat()], kept[0])
        }
        Kind::Entailment | Kind::Similarity => {
            let [a, b] = texts else { return Err(wrong("2".to_owned())) };
            let kept = fit(&[a.len(), b.len()], 3)?;
            let (a, b) = (&a[..kept[0]], &b[..kept[1]]);
            let mut sequences = vec![pair(a, b)];
            if form == Form::Sum {
                sequences.push(pair(b, a));
            }
            (sequences, a.len() + b.len())
        }
        Kind::MultipleChoice => {
            let n_answers = task.n_outputs();
            let n_context = texts.len().saturating_sub(n_answers);
            if n_context == 0 {
                return Err(wrong(format!("at least {}", n_answers + 1)));
            }
            let (context, answers) = texts.split_at(n_context);
            let longest = answers.iter().map(Vec::len).max().unwrap_or(0);
            let lengths: Vec<usize> = context.iter().map(Vec::len).chain([longest]).collect();
            let kept = fit(&lengths, 3)?;
            let context: Vec<&[u32]> = context.iter().zip(&kept).map(|(text, &kept)| &text[..kept]).collect();
            let context = context.concat();
            let answers = answers.iter().map(|text| &text[..text.len().min(kept[n_context])]);
            let n_kept = context.len() + answers.clone().map(<[u32]>::len).sum::<usize>();
            (answers.map(|answer| pair(&context, answer)).collect(), n_kept)
        }
    };
    Ok(Inputs { form, sequences, n_cut: n_tokens - n_kept })
}

/// How long each part may stay so that together they are at most `budget`: the longest are cut to a common length, of
/// which the first ones may exceed the others by one token so that nothing is wasted.
fn fit(lengths: &[usize], budget: usize) -> Vec<usize> {
    let mut ascending = lengths.to_vec();
    ascending.sort_unstable();
    let mut left = budget;
    for (i, &length) in ascending.iter().enumerate() {
        let n_parts = ascending.len() - i;
        let share = left / n_parts;
        if length > share {
            let mut extra = left % n_parts;
            let cut = |&length: &usize| {
                if length > share && extra > 0 {
                    extra -= 1;
                    return share + 1;
                }
                length.min(share)
            };
            return lengths.iter().map(cut).collect();
        }
        left -= length;
    }
    lengths.to_vec()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SPECIAL: Special = Special { start: 100, delimiter: 101, extract: 102 };

    fn of(task: &str, texts: &[Vec<u32>], n_ctx: usize) -> Result<Inputs, TaskError> {
        inputs(task.parse().unwrap(), texts, &SPECIAL, n_ctx)
    }

    #[test]
    fn the_four_transformations() {
        let texts = [vec![1, 2], vec![3], vec![4], vec![5, 6], vec![], vec![7]];
        let classification = of("sst2", &texts[..1], 8).unwrap();
        assert_eq!(classification, Inputs { form: Form::Single, sequences: vec![vec![100, 1, 2, 102]], n_cut: 0 });
        assert_eq!(of("rte", &texts[..2], 8).unwrap().sequences, [[100, 1, 2, 101, 3, 102]]);
        let similarity = of("mrpc", &texts[..2], 8).unwrap();
        assert_eq!(similarity.form, Form::Sum);
        assert_eq!(similarity.sequences, [[100, 1, 2, 101, 3, 102], [100, 3, 101, 1, 2, 102]]);
        let story = of("storycloze", &texts[..3], 8).unwrap();
        assert_eq!(story.form, Form::Choice(2));
        assert_eq!(story.sequences, [[100, 1, 2, 101, 3, 102], [100, 1, 2, 101, 4, 102]]);
        let race = of("race", &texts, 8).unwrap();
        let expected: [&[u32]; 4] = [
            &[100, 1, 2, 3, 101, 4, 102],
            &[100, 1, 2, 3, 101, 5, 6, 102],
            &[100, 1, 2, 3, 101, 102],
            &[100, 1, 2, 3, 101, 7, 102],
        ];
        assert_eq!(race.sequences, expected);
        assert_eq!(race.n_cut, 0);
        assert_eq!(Special::after(100), SPECIAL);
    }

    #[test]
    fn the_longest_text_is_cut() {
        let (long, short) = (vec![1; 20], vec![2, 3]);
        let rte = of("rte", &[long.clone(), short.clone()], 10).unwrap();
        assert_eq!(rte.sequences, [[100, 1, 1, 1, 1, 1, 101, 2, 3, 102]]);
        assert_eq!(rte.n_cut, 15);
        let mrpc = of("mrpc", &[long.clone(), vec![2; 9]], 10).unwrap();
        assert_eq!(mrpc.sequences, [[100, 1, 1, 1, 1, 101, 2, 2, 2, 102], [100, 2, 2, 2, 101, 1, 1, 1, 1, 102]]);
        assert_eq!(mrpc.n_cut, 22);
        // The article gives way, not the question, and equally for all answers.
        let race = of("race", &[long.clone(), short.clone(), vec![4], vec![5, 6], vec![7], vec![8]], 10).unwrap();
        assert_eq!(race.sequences[0], [100, 1, 1, 1, 2, 3, 101, 4, 102]);
        assert_eq!(race.sequences[1], [100, 1, 1, 1, 2, 3, 101, 5, 6, 102]);
        assert_eq!(race.n_cut, 17);
        assert_eq!(of("cola", &[long], 10).unwrap().n_cut, 12);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let message = of("race", &vec![vec![1]; 6], 5).unwrap_err().to_string();
        assert_eq!(message, "a context of 5 tokens is too short for RACE, which needs at least 6");
        assert!(of("rte", &[vec![1]], 10).is_err());
        let message = of("storycloze", &[vec![1], vec![2]], 10).unwrap_err().to_string();
        assert_eq!(message, "StoryCloze has at least 3 texts an example, this one has 2");
    }

    proptest! {
        #[test]
        fn fitting_wastes_nothing_and_cuts_the_longest(
            lengths in prop::collection::vec(0usize..40, 1..5),
            budget in 5usize..100,
        ) {
            let kept = fit(&lengths, budget);
            let total: usize = lengths.iter().sum();
            prop_assert_eq!(kept.iter().sum::<usize>(), total.min(budget));
            let longest = kept.iter().max().unwrap();
            for (length, kept) in lengths.iter().zip(&kept) {
                prop_assert!(kept <= length);
                prop_assert!(kept == length || kept + 1 >= *longest);
            }
        }

        #[test]
        fn a_pair_keeps_all_that_the_released_rule_keeps(a in 0usize..60, b in 0usize..60, n_ctx in 6usize..50) {
            let kept = fit(&[a, b], n_ctx - 3);
            let max_len = n_ctx / 2 - 2;
            prop_assert!(kept[0] >= a.min(max_len) && kept[1] >= b.min(max_len));
        }

        #[test]
        fn every_sequence_fits(lengths in prop::collection::vec(0usize..30, 6), n_ctx in 6usize..60) {
            let texts: Vec<Vec<u32>> = lengths.iter().map(|&n| vec![7; n]).collect();
            for (task, n) in [("sst2", 1), ("rte", 2), ("qqp", 2), ("storycloze", 3), ("race", 6)] {
                let inputs = of(task, &texts[..n], n_ctx).unwrap();
                for sequence in &inputs.sequences {
                    prop_assert!(sequence.len() <= n_ctx);
                    prop_assert_eq!((sequence[0], sequence[sequence.len() - 1]), (100, 102));
                }
            }
        }
    }
}
