//! Repair of text: what ftfy 6.3.1's `fix_text` does with its defaults, character for character. GPT-1's encoder begins
//! with it.
//!
//! A text is taken apart after each line feed, and where a line has [`MAX_SEGMENT`] characters. A `<` in a segment turns HTML
//! entities off, there and in all that follow. Each segment goes through these steps, over and over until a round changes
//! nothing:
//! 1. [`entities`]: `&eacute;`, `&#233;` become the character;
//! 2. [`encoding`]: UTF-8 that was read in another encoding (`Ã©`) is read anew;
//! 3. [`characters`]: C1 controls become what Windows-1252 has in their place, Latin ligatures two letters, full-width and
//!    half-width forms their ordinary width, curly quotes straight ones, line breaks a line feed; terminal escapes and
//!    control characters go;
//! 4. [`nfc`]: canonical composition, by Unicode 14.0 (that of Python 3.11).
//!
//! A text without `&`, CR, DEL, other control characters than tab, LF and FF, and anything outside ASCII is returned as it
//! is, after one look at its bytes.
//!
//! ## Bounded time
//! A round is linear in the text, and a text of any natural kind needs two to five. But a text can be made so that each of
//! n rounds uncovers the next (`&amp;amp;amp;`); plain ASCII is therefore unescaped to the end in one pass, and for the rest
//! [`Effort`] bounds the bytes read: 64 times the segment, and beyond that 64 MiB for the whole text. A segment that uses
//! them up stays as far as it got; ftfy would go on, in time that grows with the square. It takes more than sixty levels
//! of nesting in a text of many kilobytes to get there.

pub mod characters;
mod class_tables;
pub mod classes;
mod codec_tables;
pub mod codecs;
pub mod detect;
pub mod encoding;
pub mod entities;
pub mod nfc;
mod unicode_tables;

use std::borrow::Cow;

/// Characters of a line that are repaired together.
pub const MAX_SEGMENT: usize = 1_000_000;

/// What a segment may cost, in bytes read for each byte it has.
const READS_PER_BYTE: usize = 64;

/// What the segments of a text may cost beyond that, all together, in bytes read.
const RESERVE: usize = 64 << 20;

/// The repaired text; borrowed if nothing is to be done. Linear in the text, and it never panics.
///
/// ```
/// use gpt1_tokenize::ftfy::fix_text;
/// assert_eq!(fix_text("Broken text&hellip; itâ€™s ﬂubberiﬁc!\r\n"), "Broken text… it's flubberific!\n");
/// ```
pub fn fix_text(text: &str) -> Cow<'_, str> {
    fix_counted(text, &mut Effort::default())
}

/// [`fix_text`], with the bytes read counted.
fn fix_counted<'t>(text: &'t str, effort: &mut Effort) -> Cow<'t, str> {
    if is_plain(text) && !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let entities_end = text.find('<').unwrap_or(text.len());
    let mut changed: Option<String> = None;
    let mut start = 0;
    while start < text.len() {
        let end = segment_end(text, start);
        let segment = &text[start..end];
        effort.begin(segment.len());
        let fixed = fix_segment(segment, end <= entities_end, effort);
        match &mut changed {
            Some(out) => out.push_str(&fixed),
            None if fixed == segment => {}
            None => {
                let mut out = String::with_capacity(text.len());
                out.push_str(&text[..start]);
                out.push_str(&fixed);
                changed = Some(out);
            }
        }
        start = end;
    }
    changed.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// How many bytes may still be read.
#[derive(Debug)]
pub struct Effort {
    segment: usize,
    reserve: usize,
    n_bytes: usize,
}

impl Default for Effort {
    fn default() -> Effort {
        Effort { segment: 0, reserve: RESERVE, n_bytes: 0 }
    }
}

impl Effort {
    /// A new segment of so many bytes.
    fn begin(&mut self, len: usize) {
        self.segment = len.saturating_mul(READS_PER_BYTE);
    }

    /// Takes the bytes of one reading; false if there are not so many left.
    fn spend(&mut self, len: usize) -> bool {
        self.n_bytes += len;
        for left in [&mut self.segment, &mut self.reserve] {
            if let Some(rest) = left.checked_sub(len) {
                *left = rest;
                return true;
            }
        }
        false
    }
}

/// Where the segment that starts at `start` ends: after a line feed, or after [`MAX_SEGMENT`] characters.
fn segment_end(text: &str, start: usize) -> usize {
    // The longest a segment can be, in bytes; so that a long line is not searched again for each of its segments.
    let mut limit = text.len().min(start + 4 * MAX_SEGMENT);
    while !text.is_char_boundary(limit) {
        limit += 1;
    }
    let window = &text[start..limit];
    let line = window.find('\n').map_or(window.len(), |at| at + 1);
    if line <= MAX_SEGMENT {
        return start + line;
    }
    start + window[..line].char_indices().nth(MAX_SEGMENT).map_or(line, |(at, _)| at)
}

/// One segment, round after round.
fn fix_segment<'t>(segment: &'t str, entities: bool, effort: &mut Effort) -> Cow<'t, str> {
    let mut text = Cow::Borrowed(segment);
    loop {
        if is_plain(&text) {
            if !entities || !text.contains('&') {
                return text;
            }
            if let Some(fixed) = entities::unescape_fully(&text) {
                return Cow::Owned(fixed);
            }
        }
        if !effort.spend(text.len()) {
            return text;
        }
        match round(&text, entities, effort) {
            Some(fixed) if fixed != text => text = Cow::Owned(fixed),
            _ => return text,
        }
    }
}

/// All steps once; `None` if none changes anything.
fn round(text: &str, entities: bool, effort: &mut Effort) -> Option<String> {
    let mut fixed = if entities { entities::unescape(text) } else { None };
    let mut step = |change: &mut dyn FnMut(&str) -> Option<String>| {
        let changed = change(fixed.as_deref().unwrap_or(text));
        if changed.is_some() {
            fixed = changed;
        }
    };
    step(&mut |text| encoding::fix_encoding(text, effort));
    step(&mut |text| characters::replace(text));
    step(&mut |text| characters::remove(text));
    step(&mut |text| nfc::compose(text));
    fixed
}

/// Whether a text holds nothing that a round could change, `&` apart. The chunks have no branches inside, so that the
/// compiler does many bytes at once.
fn is_plain(text: &str) -> bool {
    let is_special = |byte: u8| byte >= 0x7f || byte < 0x20 && !matches!(byte, b'\t' | b'\n' | 0x0c);
    let (chunks, rest) = text.as_bytes().as_chunks::<64>();
    chunks.iter().all(|chunk| !chunk.iter().fold(false, |any, &byte| any | is_special(byte)))
        && !rest.iter().any(|&byte| is_special(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_borrowed() {
        for text in ["", "plain \t text,\n\x0c two lines; <b>", "naïve 日本語"] {
            assert!(matches!(fix_text(text), Cow::Borrowed(_)), "{text:?}");
        }
    }

    #[test]
    fn a_tag_turns_entities_off_from_its_line_on() {
        assert_eq!(fix_text("&lt;\n&lt;\n<&lt;\n&lt;"), "<\n<\n<&lt;\n&lt;");
        assert_eq!(fix_text("&amp;lt;<é"), "&amp;lt;<é");
    }

    #[test]
    fn segments_have_a_million_characters() {
        let long = "é".repeat(MAX_SEGMENT) + "a\nb";
        let first = segment_end(&long, 0);
        assert_eq!(first, 2 * MAX_SEGMENT);
        assert_eq!(segment_end(&long, first), first + 2);
        assert_eq!(segment_end(&long, first + 2), long.len());
        // The combining mark begins a segment of its own, and is not composed with the letter before it.
        let text = "e".repeat(MAX_SEGMENT) + "\u{301}";
        assert_eq!(fix_text(&text), text);
    }

    #[test]
    fn each_byte_is_read_a_bounded_number_of_times() {
        let n = 50_000;
        for unit in [
            "\u{301}",
            "\u{301}\u{323}",
            "&",
            "&amp;",
            "amp;",
            "a",
            "é",
            "Ã©",
            "\u{1b}[",
            "\u{1b}[1;",
            "<",
            "\r",
            "&#",
            "ﷺ",
            "\u{fffd}",
        ] {
            for (before, after) in [("", ""), ("&", ";"), ("é", "Ã"), ("Ã", "\n"), ("\u{c0}", "日")] {
                let text = format!("{before}{}{after}", unit.repeat(n));
                let mut effort = Effort::default();
                fix_counted(&text, &mut effort);
                assert!(
                    effort.n_bytes <= 12 * text.len(),
                    "{before}{unit}{after}: {} for {}",
                    effort.n_bytes,
                    text.len()
                );
            }
        }
    }

    #[test]
    fn endless_nesting_is_bounded() {
        for text in [format!("日&{}", "amp;".repeat(250_000)), format!("Ã{}", "\u{83}".repeat(500_000))] {
            let mut effort = Effort::default();
            fix_counted(&text, &mut effort);
            assert!(effort.n_bytes <= (READS_PER_BYTE + 2) * text.len() + RESERVE);
        }
        assert_eq!(fix_text(&format!("&{}lt;", "amp;".repeat(249_000))), "<");
    }
}
