//! What mojibake looks like: ftfy's "badness" expression and its detector of misread UTF-8, matched by classes of characters.

use super::classes::{
    BAD, BOX, C1, COMMON, CURRENCY, END_PUNCTUATION, KAOMOJI, LAW, LOWER_ACCENTED, LOWER_COMMON, NUMERIC,
    START_PUNCTUATION, UPPER_ACCENTED, UPPER_COMMON, UTF8_CONTINUATION, UTF8_CONTINUATION_STRICT, UTF8_FIRST_OF_2,
    UTF8_FIRST_OF_3, UTF8_FIRST_OF_4, classes_of, is_word,
};
use crate::clean::is_space;
use std::ops::Range;

/// Whether any place of a text is more likely mojibake than text (ftfy's `is_bad`).
pub fn is_bad(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(|byte| !byte.is_ascii()) {
        at += found;
        let mut rest = text[at..].chars();
        let Some(c) = rest.next() else { return false };
        if is_bad_at(c, &text[..at], rest.as_str()) {
            return true;
        }
        at += c.len_utf8();
    }
    false
}

/// The next run of sequences at or after `from` that look like UTF-8 read as a single-byte encoding: a character that a lead
/// byte becomes, and as many as it takes that continuation bytes become. No character of the latter kind stands before the run.
pub fn find_utf8(text: &str, from: usize) -> Option<Range<usize>> {
    let mut at = from;
    let mut follows_continuation =
        text[..from].chars().next_back().is_some_and(|c| classes_of(c) & UTF8_CONTINUATION_STRICT != 0);
    for c in text[from..].chars() {
        if !follows_continuation {
            let mut end = at;
            while let Some(len) = sequence_len(&text[end..]) {
                end += len;
            }
            if end > at {
                return Some(at..end);
            }
        }
        follows_continuation = classes_of(c) & UTF8_CONTINUATION_STRICT != 0;
        at += c.len_utf8();
    }
    None
}

/// Bytes of the one sequence at the start.
fn sequence_len(text: &str) -> Option<usize> {
    let mut rest = text.chars();
    let n_continuations = match classes_of(rest.next()?) {
        first if first & UTF8_FIRST_OF_2 != 0 => 1,
        first if first & UTF8_FIRST_OF_3 != 0 => 2,
        first if first & UTF8_FIRST_OF_4 != 0 => 3,
        _ => return None,
    };
    for _ in 0..n_continuations {
        if classes_of(rest.next()?) & UTF8_CONTINUATION == 0 {
            return None;
        }
    }
    Some(text.len() - rest.as_str().len())
}

const ACCENTED: u32 = LOWER_ACCENTED | UPPER_ACCENTED;
const PUNCTUATION: u32 = START_PUNCTUATION | END_PUNCTUATION;
/// What is mojibake beside a "bad" character.
const BESIDE_BAD: u32 = ACCENTED | BOX | PUNCTUATION | CURRENCY | NUMERIC | LAW;

/// Whether the expression matches with `c`, which is not ASCII, as the first such character of the match.
fn is_bad_at(c: char, before: &str, after: &str) -> bool {
    let class = classes_of(c);
    if class & C1 != 0 {
        return true;
    }
    // Every other alternative needs a character after `c`.
    let mut rest = after.chars();
    let Some(next) = rest.next() else { return false };
    if next.is_ascii() {
        return is_bad_before_ascii(c, next, before);
    }
    is_bad_pair(class, classes_of(next))
        || is_bad_in_context(class, before, next, rest.as_str())
        || is_known_sequence(c, next, rest.as_str())
}

/// Two classes that do not meet in text.
fn is_bad_pair(class: u32, next: u32) -> bool {
    let are = |first: u32, second: u32| class & first != 0 && next & second != 0;
    are(BAD | BESIDE_BAD, BAD)
        || are(BAD, BESIDE_BAD)
        || are(LOWER_ACCENTED | LOWER_COMMON | BOX | END_PUNCTUATION | CURRENCY | NUMERIC, UPPER_ACCENTED)
        || are(BOX | END_PUNCTUATION | CURRENCY | NUMERIC, LOWER_ACCENTED)
        || are(LOWER_ACCENTED | BOX | END_PUNCTUATION, CURRENCY)
        || are(UPPER_ACCENTED | BOX, NUMERIC | LAW)
        || are(CURRENCY | NUMERIC | BOX, START_PUNCTUATION)
        || are(BOX, KAOMOJI | END_PUNCTUATION)
        || are(ACCENTED | CURRENCY | NUMERIC | PUNCTUATION | LAW, BOX)
}

/// Two classes that do not meet beside a third, or after an ASCII character.
fn is_bad_in_context(class: u32, before: &str, next: char, rest: &str) -> bool {
    let second = classes_of(next);
    let are = |first: u32, other: u32| class & first != 0 && second & other != 0;
    let previous = || before.chars().next_back().unwrap_or('\n');
    let third = || rest.chars().next();
    let third_is = |wanted: u32| third().is_some_and(|c| classes_of(c) & wanted != 0);
    are(LOWER_COMMON | UPPER_COMMON, BAD) && previous().is_ascii_alphabetic()
        || are(UPPER_ACCENTED, CURRENCY) && before.chars().next_back().is_some_and(is_space)
        || are(UPPER_ACCENTED, START_PUNCTUATION | CURRENCY) && previous().is_ascii_lowercase()
        || are(ACCENTED | BOX | CURRENCY | END_PUNCTUATION, START_PUNCTUATION) && third_is(NUMERIC)
        || are(ACCENTED | CURRENCY | NUMERIC | BOX | LAW, END_PUNCTUATION) && third_is(START_PUNCTUATION)
        || are(ACCENTED, PUNCTUATION) && third().is_some_and(is_word)
}

/// Sequences that misreadings in one encoding or another give.
fn is_known_sequence(c: char, next: char, rest: &str) -> bool {
    let class = classes_of(c);
    let second = classes_of(next);
    let third = || rest.chars().next();
    // Windows-1252, Latin-1
    matches!(c, 'Œ' | 'œ') // not followed by an ASCII letter
        || class & UPPER_ACCENTED != 0 && next == '°'
        || matches!(c, 'Â' | 'Ã' | 'Î' | 'Ð')
            && (second & PUNCTUATION != 0
                || matches!(next, '€' | 'œ' | 'Š' | 'š' | '¢' | '£' | 'Ÿ' | 'ž' | '\u{a0}' | '\u{ad}' | '®' | '©' | '°' | '·' | '»' | '–' | '—' | '´'))
        || c == '×' && matches!(next, '²' | '³')
        || is_arabic(c, next) && {
            let mut more = rest.chars();
            matches!((more.next(), more.next()), (Some(c), Some(next)) if is_arabic(c, next))
        }
        || c == 'à' && matches!(next, '²' | 'µ' | '¹' | '¼' | '½' | '¾')
        || c == 'Ã' && matches!(next, '\u{a0}' | '¡')
    // Mac Roman
        || c == '√' && matches!(next, '±' | '∂' | '†' | '≠' | '®' | '™' | '´' | '≤' | '≥' | '¥' | 'µ' | 'ø')
        || c == '≈' && matches!(next, '°' | '¢')
        || (c, next) == ('‚', 'Ä')
            && matches!(third(), Some('ì' | 'î' | 'ï' | 'ò' | 'ô' | 'ú' | 'ù' | 'û' | '†' | '°' | '¢' | 'π'))
        || c == '‚' && matches!(next, 'â' | 'ó') && matches!(third(), Some('à' | 'ä' | '°' | 'ê'))
    // Windows-1251
        || (c, next) == ('в', 'Ђ')
        || is_between(c, next, third(), &['В', 'Г', 'Р', 'С'], &['°', 'µ'])
        || c == 'Г' && is_twice_cyrillic(next, rest)
    // Windows-1253
        || (c, next) == ('β', '€') && matches!(third(), Some('™' | '\u{a0}' | 'Ά' | '\u{ad}' | '®' | '°'))
        || is_between(c, next, third(), &['Β', 'Γ', 'Ξ', 'Ο'], &['°'])
    // Windows-1257
        || (c, next) == ('ā', '€')
}

/// One of the two pairs in a row that Arabic becomes in Windows-1252.
fn is_arabic(c: char, next: char) -> bool {
    matches!(c, 'Ø' | 'Ù')
        && (classes_of(next) & (COMMON | CURRENCY | BAD | NUMERIC | START_PUNCTUATION) != 0
            || matches!(next, 'Ÿ' | 'Š' | '®' | '°' | 'µ' | '»'))
}

/// A capital of `leads`, a symbol, and again a capital: Latin-1 and the alphabet read as Cyrillic or Greek.
fn is_between(c: char, next: char, third: Option<char>, leads: &[char], others: &[char]) -> bool {
    leads.contains(&c)
        && (classes_of(next) & (C1 | BAD | PUNCTUATION | CURRENCY) != 0 || others.contains(&next))
        && third.is_some_and(|c| leads.contains(&c))
}

/// `ГўВЂВ`, any character of the line, and an ASCII letter or space: Windows-1251 on top of Windows-1252.
fn is_twice_cyrillic(next: char, rest: &str) -> bool {
    let Some(rest) = rest.strip_prefix("ВЂВ").filter(|_| next == 'ў') else { return false };
    let mut rest = rest.chars();
    rest.next().is_some_and(|c| c != '\n') && rest.next().is_some_and(|c| c == ' ' || c.is_ascii_alphabetic())
}

/// The alternatives in which an ASCII character follows.
fn is_bad_before_ascii(c: char, next: char, before: &str) -> bool {
    if matches!(c, 'Œ' | 'œ') {
        return !next.is_ascii_alphabetic();
    }
    if !matches!(c, 'Ã' | 'Â') || next != ' ' {
        return false;
    }
    let mut back = before.chars().rev();
    let Some(previous) = back.next() else { return true };
    previous.is_ascii_lowercase()
        || is_space(previous) && back.next().is_some_and(|c| c.is_ascii_lowercase())
        || c == 'Â' && (matches!(previous, '.' | ',' | '?' | '!') || classes_of(previous) & END_PUNCTUATION != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mojibake_is_told_from_text() {
        for text in ["Ã©", "voilÃ le", "â€œ", "Ã la", "a\u{81}", "ÐŸÑ€Ð¸", "‚Äî", "ГўВЂВ“a", "œ ", "à²", "Â ."]
        {
            assert!(is_bad(text), "{text}");
        }
        for text in [
            "",
            "naïve café",
            "œuvre",
            "“quoted” — …",
            "Größe",
            "Русский текст",
            "日本語",
            "½ £5 ©",
            "à la",
            "Ã",
            "É Ã ",
        ] {
            assert!(!is_bad(text), "{text}");
        }
    }

    #[test]
    fn misread_utf_8_is_found() {
        assert_eq!(find_utf8("caf\u{e9} Ã©Ã¨ x", 0), Some(6..14));
        assert_eq!(find_utf8("\u{a0}Ã©", 0), None);
        assert_eq!(find_utf8("\u{a0}Ã©", 2), None);
        assert_eq!(find_utf8("â€ ð\u{9f}", 0), Some(0..6));
        assert_eq!(find_utf8("Ã", 0), None);
    }
}
