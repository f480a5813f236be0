//! Words as spaCy 2.0.11's English tokenizer finds them: the rules that GPT-1's vocabulary was learned with.
//!
//! A chunk is a run without white space. Chunks are independent: the words of one depend on nothing around it, so that a
//! caller may remember what became of a chunk. One is taken apart so ([`split_chunk`]):
//! 1. An [exception](exceptions) (`don't`, `:-)`, `a.m.`, 1,244 in all) gives the words that its entry says.
//! 2. Else, until nothing changes: stop if what is left is a [URL](url); take a [prefix](affixes::prefix) off the front and
//!    a [suffix](affixes::suffix) off the end; stop if that leaves an exception, tried after the prefix alone, after the
//!    suffix alone, and after both. The suffix is sought in the whole of what is left, the prefix included; if the two
//!    overlap, only the prefix is taken.
//! 3. What is left is an exception, or a URL and one word, or is split at its [infixes](infixes).
//!
//! The original searches with regular expressions from every place, copies and hashes what is left each time round, and so
//! needs time quadratic in the length of some chunks. Here each rule looks at a bounded number of characters, but for runs of
//! periods and for hosts of URLs: a run is taken off when it is found, and where a host ends is found once. The time is
//! linear in the text for any text.
//!
//! ```
//! let mut words = Vec::new();
//! gpt1_tokenize::spacy::split_words("''Tis Mr.Jones \n I can't see example.com", &mut |word| words.push(word));
//! assert_eq!(words, ["'", "'", "Tis", "Mr", ".", "Jones", "\n ", "I", "ca", "n't", "see", "example.com"]);
//! assert_eq!(gpt1_tokenize::spacy::lowercase("ΟΔΟΣ"), "οδος");
//! ```

mod affixes;
mod class_table;
mod classes;
pub(crate) mod exceptions;
mod infixes;
mod lower_table;
mod lowercase;
mod steps;
mod url;

pub use lowercase::lowercase;

use crate::clean::{Chunk, each_chunk};

/// The word that a line break of cleaned text is. (The space before it belongs to the word before.)
pub const LINE_BREAK: &str = "\n ";

/// Calls `each` with the words of a text that [`standardize`](crate::clean::standardize) has cleaned, in order: slices of it
/// that hold every character but the spaces, and [`LINE_BREAK`] for each line break. Spaces that cleaning would add may be missing.
pub fn split_words<'t>(standardized: &'t str, each: &mut impl FnMut(&'t str)) {
    let mut tail = Vec::new();
    each_chunk(standardized, &mut |chunk| match chunk {
        Chunk::LineBreak => each(LINE_BREAK),
        Chunk::Letters(chunk, _) | Chunk::Other(chunk) => split_chunk(chunk, &mut tail, each),
    });
}

/// Calls `each` with the words of one chunk, in order; joined they are the chunk. An empty chunk has none. `tail` is scratch
/// space, empty before and after.
pub fn split_chunk<'t>(chunk: &'t str, tail: &mut Vec<&'t str>, each: &mut impl FnMut(&'t str)) {
    if let Some(entry) = exceptions::find(chunk) {
        return exceptions::split(chunk, entry, each);
    }
    if chunk.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        // Nearly all chunks; no rule takes letters alone apart.
        if !chunk.is_empty() {
            each(chunk);
        }
        return;
    }
    let mut urls = url::Urls::new(chunk);
    let (mut start, mut end) = (0, chunk.len());
    while start < end && !urls.is_url(start..end) {
        steps::count(1);
        let rest = &chunk[start..end];
        let (prefix, mut suffix) = (affixes::prefix(rest), affixes::suffix(rest));
        if prefix > 0 && exceptions::find(&rest[prefix..]).is_some() {
            each(&rest[..prefix]);
            start += prefix;
            break;
        }
        if suffix > 0 && exceptions::find(&rest[..rest.len() - suffix]).is_some() {
            end -= suffix;
            tail.push(&chunk[end..][..suffix]);
            break;
        }
        if prefix + suffix > rest.len() {
            suffix = 0;
        }
        if prefix > 0 {
            each(&rest[..prefix]);
            start += prefix;
        }
        if suffix > 0 {
            end -= suffix;
            tail.push(&chunk[end..][..suffix]);
        }
        if prefix + suffix == 0 || exceptions::find(&chunk[start..end]).is_some() {
            break;
        }
    }
    let rest = &chunk[start..end];
    if let Some(entry) = exceptions::find(rest) {
        exceptions::split(rest, entry, each);
    } else if urls.is_url(start..end) {
        each(rest);
    } else {
        infixes::split(rest, each);
    }
    tail.drain(..).rev().for_each(each);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(chunk: &str) -> Vec<&str> {
        let mut found = Vec::new();
        split_chunk(chunk, &mut Vec::new(), &mut |word| found.push(word));
        found
    }

    /// Chunks of what the rules treat specially.
    fn hard_chunk() -> impl Strategy<Value = String> {
        let pieces = proptest::sample::select(
            "' '' ’ ’’ ‘ ` `` . .. ... … …… , : ; < > = # @ % ° °C + - -- * / // ? ! \" $ US$ A$ £ 's ’S n't ve 'll km m/s \
             кг 5 10 127 172 16 .1 .255 a b.c. Mr. A B. É é α ё ב 中 ☺ ² \\ ^ & | _ http:// ftp:// .com .co xy foo@ ..x :-) \
             C++ 10am don't o_O U.S. don gonna a.m 😀 \u{301} \u{85} \u{1c}"
                .split(' ')
                .collect::<Vec<_>>(),
        );
        proptest::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn words_joined_are_the_chunk(chunk in prop_oneof![hard_chunk(), "\\PC{0,20}", ".{0,20}"]) {
            let found = words(&chunk);
            prop_assert!(found.iter().all(|word| !word.is_empty()));
            prop_assert_eq!(found.concat(), chunk);
        }

        /// Each time round takes off a byte or more and looks at 12 characters at most, beside the runs that it takes off;
        /// infixes look at 4 for each. A rule that looked at all that is left would need 1,000 for each byte.
        #[test]
        fn steps_are_linear_in_the_chunk(head in hard_chunk(), piece in hard_chunk(), end in hard_chunk()) {
            let chunk = [&head, &piece.repeat(1000)[..], &end].concat();
            let (found, n_steps) = steps::counted(|| words(&chunk));
            prop_assert_eq!(found.concat(), &chunk[..]);
            prop_assert!(n_steps <= 16 * chunk.len() as u64 + 100, "{} steps, {} bytes", n_steps, chunk.len());
        }
    }

    #[test]
    fn hostile_chunks_need_linear_time() {
        for (head, piece, end) in [
            ("", "a", ""),
            ("", "<", ""),
            ("", ".", ""),
            ("", "'s", ""),
            ("a", "'s", ""),
            ("a.1", "'s", ""),
            ("", "..", "a"),
            ("a", "..", ""),
            ("a", ",", "b"),
            ("a", "a,;", "b"),
            ("a", ",", "-b"),
            ("", "a.", "'s'S"),
            ("", "1.2.3.", "a's"),
            ("", "a@", ".1"),
            ("x@", "a.1", "@'s's's"),
            ("", "a@b.c", "."),
            ("US$", "US$", "1US$"),
            ("1", "US$", "US$"),
            ("", "``", "`"),
            ("", "'", "don't"),
            ("don't", "'", ""),
            ("", "_", "a"),
            ("", "http://", "x"),
            ("", "\u{301}", ""),
            ("", "☺", ""),
            ("(", "a", ".)"),
            ("", "10.1.1.1@", "s"),
            ("Σ", "\u{301}", "Σ"),
        ] {
            let chunk = [head, &piece.repeat(1_000_000 / piece.len()), end].concat();
            let (found, n_steps) = steps::counted(|| words(&chunk));
            assert!(found.concat() == chunk, "{head:?} {piece:?} {end:?}");
            assert!(n_steps <= 16 * chunk.len() as u64, "{head:?} {piece:?} {end:?}: {n_steps} steps");
            let (_, n_steps) = steps::counted(|| lowercase(&chunk).len());
            assert!(n_steps <= 4 * chunk.len() as u64, "{head:?} {piece:?} {end:?}: {n_steps} steps to lower case");
        }
    }
}
