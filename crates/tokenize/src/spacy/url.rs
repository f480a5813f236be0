//! URLs and addresses of mail, which stay whole: spaCy's pattern, matched by hand.
//!
//! The pattern asks for `\w` at the start, an optional scheme, an optional `user:password@`, a host; what follows (port, path,
//! query) may be anything at all, but the last character is `\w` or `/`. Nothing in it asks where the host ends, so a text
//! is a URL if a host begins at its start, after its scheme or after any `@`, and is complete before the text ends.

use super::classes::{is_digit, is_word};
use super::steps;
use std::ops::Range;

const SCHEMES: [&str; 4] = ["https://", "http://", "ftp://", "mailto://"];

/// No host.
const NEVER: usize = usize::MAX;

/// What is known about the hosts in a chunk.
pub struct Urls<'t> {
    chunk: &'t str,
    has_period: bool,
    /// Where the first host after an `@` is complete. No prefix holds an `@`: all of them are in what is left of the chunk, at
    /// any time.
    after_at: usize,
    /// A place, and where a host that begins there, or after a scheme there, is complete.
    known: Option<(usize, usize)>,
}

impl<'t> Urls<'t> {
    /// Looks for hosts after `@`; each look ends at the next `@` at the latest.
    pub fn new(chunk: &'t str) -> Urls<'t> {
        let has_period = chunk.contains('.');
        let hosts = || chunk.match_indices('@').map(|(at, _)| host_end(chunk, at + 1)).min();
        Urls { chunk, has_period, after_at: has_period.then(hosts).flatten().unwrap_or(NEVER), known: None }
    }

    /// Whether this part of the chunk is a URL. As long as it starts at the same place, the host is looked for once.
    pub fn is_url(&mut self, part: Range<usize>) -> bool {
        let text = &self.chunk[part.clone()];
        if !self.has_period || !text.ends_with(|c| is_word(c) || c == '/') || !text.starts_with(is_word) {
            return false;
        }
        let at_start = match self.known {
            Some((start, end)) if start == part.start => end,
            _ => {
                let after_scheme = SCHEMES.iter().find(|scheme| self.chunk[part.start..].starts_with(**scheme));
                let after_scheme = after_scheme.map_or(NEVER, |scheme| host_end(self.chunk, part.start + scheme.len()));
                let end = host_end(self.chunk, part.start).min(after_scheme);
                self.known = Some((part.start, end));
                end
            }
        };
        at_start.min(self.after_at) <= part.end
    }
}

/// Where a host that begins at `at` is complete at the earliest.
fn host_end(chunk: &str, at: usize) -> usize {
    let text = &chunk[at..];
    let n_bytes = name(text.as_bytes()).into_iter().chain(address(text)).min();
    n_bytes.map_or(NEVER, |n_bytes| at + n_bytes)
}

/// Bytes of the shortest host name: labels of `[a-z0-9-]` that end in no hyphen, with a period after each, then two letters.
fn name(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let is_label = |byte: &&u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let n = bytes[at..].iter().take_while(is_label).count();
        steps::count(n + 1);
        let period = at + n;
        if n == 0 || bytes[period - 1] == b'-' || bytes.get(period) != Some(&b'.') {
            return None;
        }
        at = period + 1;
        if let [b'a'..=b'z', b'a'..=b'z', ..] = bytes[at..] {
            return Some(at + 2);
        }
    }
}

/// Bytes of the shortest IPv4 address that is public. Digits may be of any script where the pattern says `\d`.
fn address(text: &str) -> Option<usize> {
    let (a, rest) = octet(text)?;
    let (b, rest) = octet(rest)?;
    let (c, rest) = octet(rest)?;
    let first =
        matches!(a[..], ['1'..='9'] | ['1'..='9', _] | ['1', _, _] | ['2', '0' | '1', _] | ['2', '2', '0'..='3']);
    let is_middle =
        |octet: &[char]| matches!(octet, [_] | [_, _] | ['1', _, _] | ['2', '0'..='4', _] | ['2', '5', '0'..='5']);
    let is_private = matches!(
        (&a[..], &b[..]),
        (['1', '0'] | ['1', '2', '7'], _)
            | (['1', '6', '9'], ['2', '5', '4'])
            | (['1', '9', '2'], ['1', '6', '8'])
            | (['1', '7', '2'], ['1', '6'..='9'] | ['2', _] | ['3', '0' | '1'])
    );
    let last = rest.starts_with(|c| matches!(c, '1'..='9'));
    (first && is_middle(&b) && is_middle(&c) && !is_private && last).then(|| text.len() - rest.len() + 1)
}

/// One to three digits with a period after them, and the text behind it.
fn octet(text: &str) -> Option<(Vec<char>, &str)> {
    let digits: Vec<char> = text.chars().take(3).take_while(|&c| is_digit(c)).collect();
    let n_bytes: usize = digits.iter().map(|c| c.len_utf8()).sum();
    let rest = text[n_bytes..].strip_prefix('.')?;
    (!digits.is_empty()).then_some((digits, rest))
}
