//! Cleaning: the "standardize" step of GPT-1's encoder.
//!
//! 1. `— – ―` become `-`, `…` becomes `...`, `´` becomes `'`.
//! 2. Each run of one repeated character out of ``- ~ ! " ; ? + , ) ( / * [ ] } { | _`` gets a space on both sides. (The
//!    backslash is not among them: the pattern of the released code names it in a string that is not raw.)
//! 3. White space that holds a line break becomes `" \n "`, other white space one space; none is left at the ends.
//!
//! So a chunk (what stands between spaces) is a line break, or a run of one spaced character, or holds none of those. The
//! encoder finds the chunks in the text as it is; only [`standardize`] writes the spaces.

use crate::letters::{Letters, MAX_LETTERS, letters_at};
use std::borrow::Cow;

/// What stands between two spaces of a cleaned text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunk<'t> {
    /// White space that holds a line break, between two other chunks.
    LineBreak,
    /// At most [`MAX_LETTERS`] ASCII letters.
    Letters(&'t str, Letters),
    /// Anything else: a run of one spaced character, or characters that are neither spaced nor white space.
    Other(&'t str),
}

/// The text after cleaning; linear in the text.
pub fn standardize(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    each_chunk(&replace_characters(text), &mut |chunk| {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(match chunk {
            Chunk::LineBreak => "\n",
            Chunk::Letters(text, _) | Chunk::Other(text) => text,
        });
    });
    out
}

/// The first step: what stands for other dashes, the ellipsis and the acute accent.
pub(crate) fn replace_characters(text: &str) -> Cow<'_, str> {
    const REPLACED: [char; 5] = ['\u{2014}', '\u{2013}', '\u{2015}', '…', '\u{b4}'];
    let Some(first) = (!text.is_ascii()).then(|| text.find(REPLACED)).flatten() else { return text.into() };
    let mut out = String::with_capacity(text.len());
    out.push_str(&text[..first]);
    for c in text[first..].chars() {
        match c {
            '\u{2014}' | '\u{2013}' | '\u{2015}' => out.push('-'),
            '…' => out.push_str("..."),
            '\u{b4}' => out.push('\''),
            other => out.push(other),
        }
    }
    out.into()
}

/// Calls `each` with the chunks of a text whose characters have been replaced; one pass.
pub(crate) fn each_chunk<'t>(text: &'t str, each: &mut impl FnMut(Chunk<'t>)) {
    let mut at = 0;
    let (mut is_first, mut is_new_line) = (true, false);
    while at < text.len() {
        let (letters, n_letters) = letters_at(text.as_bytes(), at);
        let after = at + n_letters;
        let end = match kind_at(text, after) {
            Kind::Space { n_bytes, is_line_break } if n_letters == 0 => {
                is_new_line |= is_line_break;
                at += n_bytes;
                continue;
            }
            Kind::Spaced(byte) if n_letters == 0 => {
                at + text.as_bytes()[at..].iter().take_while(|&&next| next == byte).count()
            }
            Kind::Space { .. } | Kind::Spaced(_) => after,
            Kind::Other { .. } => end_of_other(text, after),
        };
        if is_new_line && !is_first {
            each(Chunk::LineBreak);
        }
        (is_first, is_new_line) = (false, false);
        let is_letters = end == after && n_letters <= MAX_LETTERS;
        let chunk = &text[at..end];
        each(if is_letters { Chunk::Letters(chunk, letters) } else { Chunk::Other(chunk) });
        at = end;
    }
}

/// Whether Python's `\s` matches the character: Unicode's white space and U+001C to U+001F.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// What a character is to the chunk that ends before it.
#[derive(Clone, Copy)]
enum Kind {
    /// White space.
    Space { n_bytes: usize, is_line_break: bool },
    /// One of the characters whose runs stand alone; all are ASCII.
    Spaced(u8),
    /// A character of a chunk.
    Other { n_bytes: usize },
}

/// The kind of the character at a place; the end of the text is white space.
fn kind_at(text: &str, at: usize) -> Kind {
    const SPACE: Kind = Kind::Space { n_bytes: 1, is_line_break: false };
    const ASCII: [Kind; 128] = {
        let mut kinds = [Kind::Other { n_bytes: 1 }; 128];
        let mut byte = 0;
        while byte < 128 {
            kinds[byte as usize] = match byte {
                b'\n' => Kind::Space { n_bytes: 1, is_line_break: true },
                b' ' | b'\t' | 0x0b..=b'\r' | 0x1c..=0x1f => SPACE,
                b'-' | b'~' | b'!' | b'"' | b';' | b'?' | b'+' | b',' | b')' | b'(' | b'/' | b'*' | b'[' | b']'
                | b'}' | b'{' | b'|' | b'_' => Kind::Spaced(byte),
                _ => Kind::Other { n_bytes: 1 },
            };
            byte += 1;
        }
        kinds
    };
    match text.as_bytes().get(at) {
        None => SPACE,
        Some(&byte) if byte < 128 => ASCII[byte as usize],
        Some(_) => match text[at..].chars().next() {
            Some(c) if is_space(c) => Kind::Space { n_bytes: c.len_utf8(), is_line_break: false },
            Some(c) => Kind::Other { n_bytes: c.len_utf8() },
            None => SPACE,
        },
    }
}

/// Where the chunk ends that has a character of kind `Other` at `at`.
fn end_of_other(text: &str, mut at: usize) -> usize {
    while let Kind::Other { n_bytes } = kind_at(text, at) {
        at += n_bytes;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_stand_alone() {
        assert_eq!(standardize("a--b !?? (c)"), "a -- b ! ?? ( c )");
        assert_eq!(standardize("a\\b*_x"), "a\\b * _ x");
        assert_eq!(standardize("—–x…´"), "-- x...'");
        assert_eq!(standardize("!! !"), "!! !");
    }

    #[test]
    fn white_space_is_one_space_or_one_line_break() {
        assert_eq!(standardize("\n a \t\n\r\n\u{1c} b\u{a0}\u{3000}c\u{85} \n"), "a \n b c");
        assert_eq!(standardize(" \n "), "");
        assert_eq!(standardize("a,\nb"), "a , \n b");
    }

    #[test]
    fn letters_are_told_from_other_chunks() {
        let kinds = |text: &str| {
            let mut kinds = String::new();
            each_chunk(text, &mut |chunk| {
                kinds.push(match chunk {
                    Chunk::LineBreak => '|',
                    Chunk::Letters(..) => 'l',
                    Chunk::Other(_) => 'o',
                });
            });
            kinds
        };
        assert_eq!(kinds("Abc d, é\nabcdefgh abcdefghi don't a1"), "lloo|looo");
    }
}
