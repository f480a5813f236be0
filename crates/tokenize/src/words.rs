//! Splitting cleaned text into words, by a plain rule.
//!
//! The text is that of [`crate::clean::standardize`]. Each chunk between spaces is taken apart so:
//! - a line break, and a run of `- ~ / |` (`--`), is one word;
//! - marks at either end (ASCII punctuation and typographic quotes) are words of their own, one each (`! !`); two periods
//!   or more stay together (`...`), at the ends and between letters (`well...then`);
//! - a final period stays with a single letter (`J.`), with initials (`U.S.`, `p.m.`) and with a short list of titles
//!   (`Mr.`); anywhere else it is a word;
//! - the endings `'s 'm 'd 'll 're 've n't` are words (`do n't`, `Tom 's`), after at least one other character; `cannot` is
//!   `can not`.

/// The line break among the words.
pub const LINE_BREAK: &str = "\n";

/// Abbreviations that keep their period.
const TITLES: [&str; 20] = [
    "Mr", "Mrs", "Ms", "Dr", "St", "Messrs", "Adm", "Gen", "Gov", "Rep", "Rev", "Sen", "Jr", "Bros", "Co", "Corp",
    "Inc", "Ltd", "vs", "Vs",
];

/// Initials are no longer, in bytes; so that the time is linear in the text.
const MAX_INITIALS: usize = 32;

/// Endings that follow an apostrophe, and are split off with it.
const ENDINGS: [&str; 6] = ["s", "m", "d", "ll", "re", "ve"];

/// Calls `each` with the words of cleaned text, in order; they hold every character of it but the spaces.
pub fn split<'t>(cleaned: &'t str, mut each: impl FnMut(&'t str)) {
    let mut tail = Vec::new();
    for chunk in cleaned.split(' ') {
        split_chunk(chunk, &mut tail, &mut each);
    }
}

/// One chunk; `tail` is scratch space for the words found from the end.
fn split_chunk<'t>(chunk: &'t str, tail: &mut Vec<&'t str>, each: &mut impl FnMut(&'t str)) {
    let bytes = chunk.as_bytes();
    if bytes.iter().all(u8::is_ascii_alphanumeric) {
        if is_cannot(chunk) {
            [&chunk[..3], &chunk[3..]].into_iter().for_each(each);
        } else if !chunk.is_empty() {
            each(chunk);
        }
        return;
    }
    if chunk == LINE_BREAK || chunk.starts_with(['-', '~', '/', '|']) {
        return each(chunk);
    }
    let mut rest = chunk;
    while let Some(n) = leading_mark(rest) {
        each(&rest[..n]);
        rest = &rest[n..];
    }
    while let Some(n) = ending(rest) {
        let (before, last) = rest.split_at(rest.len() - n);
        tail.push(last);
        rest = before;
    }
    split_at_ellipses(rest, each);
    tail.drain(..).rev().for_each(each);
}

/// Bytes of the mark at the start.
fn leading_mark(text: &str) -> Option<usize> {
    let first = text.chars().next().filter(|&c| is_mark(c))?;
    let n_periods = text.len() - text.trim_start_matches('.').len();
    Some(if first == '.' { n_periods } else { first.len_utf8() })
}

/// Bytes of the mark or ending at the end, if it is a word of its own.
fn ending(text: &str) -> Option<usize> {
    let last = text.chars().next_back()?;
    if last == '.' {
        let before = text.trim_end_matches('.');
        let n_periods = text.len() - before.len();
        return (n_periods > 1 || !keeps_period(before)).then_some(n_periods);
    }
    if is_mark(last) {
        return Some(last.len_utf8());
    }
    if is_cannot(text) {
        return Some(3);
    }
    let stem = |n: usize| {
        text.len().checked_sub(n).and_then(|at| text.split_at_checked(at)).filter(|(stem, _)| !stem.is_empty())
    };
    for ending in ENDINGS {
        if let Some((stem, found)) = stem(ending.len())
            && found.eq_ignore_ascii_case(ending)
            && let Some(before) = stem.strip_suffix(is_apostrophe)
            && !before.is_empty()
        {
            return Some(text.len() - before.len());
        }
    }
    let (start, found) = stem(1)?;
    let start = start.strip_suffix(is_apostrophe)?;
    let before = start.strip_suffix(['n', 'N'])?;
    (found.eq_ignore_ascii_case("t") && !before.is_empty()).then_some(text.len() - before.len())
}

/// Whether a word keeps the one period that follows it.
fn keeps_period(word: &str) -> bool {
    if word.len() > MAX_INITIALS {
        return false;
    }
    let mut chars = word.chars();
    let single_letter = chars.next().is_some_and(char::is_alphabetic) && chars.next().is_none();
    let initials = || word.contains('.') && !word.contains("..") && word.chars().all(|c| c == '.' || c.is_alphabetic());
    single_letter || TITLES.contains(&word) || initials()
}

/// Words and the runs of two periods or more between them.
fn split_at_ellipses<'t>(text: &'t str, each: &mut impl FnMut(&'t str)) {
    let mut rest = text;
    while let Some(at) = rest.find("..") {
        let end = rest.len() - rest[at..].trim_start_matches('.').len();
        each(&rest[..at]);
        each(&rest[at..end]);
        rest = &rest[end..];
    }
    if !rest.is_empty() {
        each(rest);
    }
}

/// Whether the character is a mark that does not belong to a word at whose end it stands.
fn is_mark(c: char) -> bool {
    c.is_ascii_punctuation() || matches!(c, '\u{2018}'..='\u{201f}' | '«' | '»' | '¡' | '¿')
}

fn is_cannot(word: &str) -> bool {
    word.eq_ignore_ascii_case("cannot")
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clean::standardize;
    use proptest::prelude::*;

    fn words(text: &str) -> String {
        let mut found = Vec::new();
        let cleaned = standardize(text);
        split(&cleaned, |word| found.push(word));
        found.join("|")
    }

    #[test]
    fn marks_at_the_ends_are_words() {
        assert_eq!(words("'Why,' he said: \"no.\""), "'|Why|,|'|he|said|:|\"|no|.|\"");
        assert_eq!(words("$5.50 20% <b> dogs'"), "$|5.50|20|%|<|b|>|dogs|'");
        assert_eq!(words("«Où» “so”"), "«|Où|»|“|so|”");
        assert_eq!(words("--\n!!//"), "--|\n|!|!|//");
    }

    #[test]
    fn periods() {
        assert_eq!(words("Mr. J. Hill of the U.S. left at 5 p.m."), "Mr.|J.|Hill|of|the|U.S.|left|at|5|p.m.");
        assert_eq!(words("The end."), "The|end|.");
        assert_eq!(words("well...then.. ...no. ."), "well|...|then|..|...|no|.|.");
        assert_eq!(words("a.b.. U..S."), "a.b|..|U|..|S|.");
    }

    #[test]
    fn contractions() {
        assert_eq!(words("don't can't Tom's I'LL we’ve y'all'd've"), "do|n't|ca|n't|Tom|'s|I|'LL|we|’ve|y'all|'d|'ve");
        assert_eq!(words("Cannot cannot."), "Can|not|can|not|.");
        assert_eq!(words("o'clock 's n't t"), "o'clock|'|s|n't|t");
        assert_eq!(words("é't né't"), "é't|né't");
    }

    proptest! {
        /// No character but spaces is lost, and no word is empty.
        #[test]
        fn words_hold_the_text(text in "([a-zA-Z.'’n't… \n\u{301}é!-]|\\PC){0,40}") {
            let cleaned = standardize(&text);
            let mut joined = String::new();
            split(&cleaned, |word| {
                assert!(!word.is_empty());
                joined.push_str(word);
            });
            prop_assert_eq!(joined, cleaned.replace(' ', ""));
        }
    }
}
