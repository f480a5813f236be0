//! Infixes: where spaCy cuts what is left of a chunk without its affixes.

use super::classes::{is_alpha, is_lower, is_symbol, is_upper};
use super::steps;

/// Hyphens between letters, each as a whole.
const HYPHENS: [&str; 7] = ["-", "–", "—", "--", "---", "——", "~"];

/// Calls `each` with the infixes and what stands between them. An infix at the start is passed over, and stays with what
/// follows it.
pub fn split<'t>(text: &'t str, each: &mut impl FnMut(&'t str)) {
    let mut start = 0; // of what no word holds yet
    let mut at = 0;
    let mut before = None;
    while let Some(c) = text[at..].chars().next() {
        steps::count(1);
        let n = infix(before, c, &text[at..]);
        let end = at + if n == 0 { c.len_utf8() } else { n };
        if n > 0 && at > 0 {
            if start < at {
                each(&text[start..at]);
            }
            each(&text[at..end]);
            start = end;
        }
        before = text[..end].chars().next_back();
        at = end;
    }
    if start < text.len() {
        each(&text[start..]);
    }
}

/// Bytes of the infix at the start of `here`, whose first character is `c`; 0 if there is none. The first rule that fits counts.
fn infix(before: Option<char>, c: char, here: &str) -> usize {
    if c.is_ascii_alphanumeric() {
        return 0;
    }
    let n_periods = here.bytes().take_while(|&byte| byte == b'.').count();
    steps::count(n_periods);
    if n_periods > 1 {
        return n_periods;
    }
    if c == '…' || is_symbol(c) {
        return c.len_utf8();
    }
    let Some(before) = before else { return 0 };
    let next = here[c.len_utf8()..].chars().next();
    let next_is = |test: fn(char) -> bool| next.is_some_and(test);
    let is_infix = match c {
        '+' | '-' | '*' | '^' if before.is_ascii_digit() && next_is(|c| c.is_ascii_digit() || c == '-') => true,
        '.' if is_lower(before) && next_is(is_upper) => true,
        ',' if is_alpha(before) && next_is(is_alpha) => true,
        _ => false,
    };
    if is_infix {
        return 1;
    }
    if let Some(n) = hyphen(before, here) {
        return n;
    }
    let joins = matches!(c, ':' | '<' | '>' | '=' | '/') && (before == '"' || is_alpha(before)) && next_is(is_alpha);
    usize::from(joins)
}

/// Bytes of a hyphen between letters, with the marks before it. The marks are read only after a letter, so that a run of them
/// is read once.
fn hyphen(before: char, here: &str) -> Option<usize> {
    if !is_alpha(before) {
        return None;
    }
    let rest = here.trim_start_matches(['?', '"', ';', ':', '=', ',', '.']);
    steps::count(here.len() - rest.len());
    let is_hyphen = |hyphen: &&&str| rest.strip_prefix(**hyphen).is_some_and(|rest| rest.starts_with(is_alpha));
    let found = HYPHENS.iter().find(is_hyphen)?;
    Some(here.len() - rest.len() + found.len())
}
