//! Lower case as Python 3.11's `str.lower` has it: Unicode 14.0, whichever version the compiler's own tables have.

use super::classes::step_function;
use super::lower_table::{CASING, LOWER};
use super::steps;
use std::borrow::Cow;

/// The word in lower case. `Σ` becomes `ς` at the end of a word, which is decided by the characters of `word` alone; `İ` becomes
/// two characters; characters that Unicode 14.0 did not have stay as they are.
pub fn lowercase(word: &str) -> Cow<'_, str> {
    if word.is_ascii() {
        let has_upper = word.bytes().any(|byte| byte.is_ascii_uppercase());
        return if has_upper { word.to_ascii_lowercase().into() } else { word.into() };
    }
    let Some(first) = word.find(|c| lower(c) != c || c == 'İ') else { return word.into() };
    let mut out = String::with_capacity(word.len() + 1);
    out.push_str(&word[..first]);
    for (at, c) in word[first..].char_indices().map(|(at, c)| (first + at, c)) {
        match c {
            'Σ' => out.push(if is_final(&word[..at], &word[at + 'Σ'.len_utf8()..]) { 'ς' } else { 'σ' }),
            'İ' => out.push_str("i\u{307}"),
            other => out.push(lower(other)),
        }
    }
    out.into()
}

/// The lower case of one character by itself, but for `İ`.
fn lower(c: char) -> char {
    steps::count(1);
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let code = u32::from(c);
    let (first, last, step, difference) = match LOWER.partition_point(|row| row.0 <= code) {
        0 => return c,
        n => LOWER[n - 1],
    };
    if code > last || !(code - first).is_multiple_of(step) {
        return c;
    }
    code.checked_add_signed(difference).and_then(char::from_u32).unwrap_or(c)
}

/// Unicode's Final_Sigma: past what is ignored, a cased character before it and none after it. What lies between two sigmas is
/// looked at twice at most, for a sigma is cased.
fn is_final(before: &str, after: &str) -> bool {
    next_is_cased(before.chars().rev()) && !next_is_cased(after.chars())
}

fn next_is_cased(chars: impl Iterator<Item = char>) -> bool {
    const CASED: u8 = 1;
    const IGNORED: u8 = 2;
    let casing = chars.map(|c| {
        steps::count(1);
        step_function(&CASING, c)
    });
    casing.into_iter().find(|&casing| casing != IGNORED) == Some(CASED)
}
