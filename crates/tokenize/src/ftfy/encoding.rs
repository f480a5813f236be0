//! Mojibake: UTF-8 that was read in a single-byte encoding is turned back into its bytes and read as UTF-8 (ftfy's
//! `fix_encoding`).

use super::Effort;
use super::codecs::{self, CODECS, Codec};
use super::detect::{find_utf8, is_bad};

/// Sequences inside sequences are followed so deep; ftfy's recursion ends with an error somewhat deeper.
const MAX_DEPTH: usize = 100;

/// U+FFFD in UTF-8.
const REPLACEMENT: [u8; 3] = [0xef, 0xbf, 0xbd];

/// The text as it was meant, one misreading after the other undone; `None` if nothing looks like mojibake or can be undone.
pub fn fix_encoding(text: &str, effort: &mut Effort) -> Option<String> {
    fix_to_depth(text, 0, effort)
}

fn fix_to_depth(text: &str, depth: usize, effort: &mut Effort) -> Option<String> {
    let mut fixed: Option<String> = None;
    loop {
        let current = fixed.as_deref().unwrap_or(text);
        if current.is_ascii() || !is_bad(current) || !effort.spend(current.len()) {
            return fixed;
        }
        match fix_once(current, depth, effort) {
            Some(next) if next != current => fixed = Some(next),
            _ => return fixed,
        }
    }
}

/// One misreading of a bad text undone: the first encoding in which all of it is UTF-8; else the sequences within it that
/// are; else C1 controls become what Windows-1252 has in their place.
fn fix_once(text: &str, depth: usize, effort: &mut Effort) -> Option<String> {
    let reread = |codec: &Codec| codecs::decode(repaired(codec, codec.encode(text)?));
    CODECS.iter().find_map(reread).or_else(|| fix_sequences(text, depth, effort)).or_else(|| fix_c1(text))
}

/// The bytes with what was lost on the way restored, as far as it can be told.
fn repaired(codec: &Codec, mut bytes: Vec<u8>) -> Vec<u8> {
    if codec.restores_a0 {
        bytes = substitute(bytes, |rest, out| {
            if rest.starts_with(b"\xc3 ") && !is_a_grave_in_word(&rest[2..]) {
                out.extend(b"\xc3\xa0 ");
                return 2;
            }
            let len = altered_len(rest);
            out.extend(rest[..len].iter().map(|&byte| if byte == b' ' { 0xa0 } else { byte }));
            len
        });
    }
    if codec.is_sloppy {
        bytes = substitute(bytes, |rest, out| {
            let len = lossy_len(rest);
            if len > 0 {
                out.extend(REPLACEMENT);
            }
            len
        });
    }
    bytes
}

/// Replaces what `replace` finds at the start of the rest: it appends the new bytes and returns how many old ones they stand
/// for, or 0.
fn substitute(bytes: Vec<u8>, mut replace: impl FnMut(&[u8], &mut Vec<u8>) -> usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        // All sequences begin with a lead byte or with 1A.
        let len = if byte >= 0xc2 || byte == 0x1a { replace(&bytes[at..], &mut out) } else { 0 };
        if len == 0 {
            out.push(byte);
        }
        at += len.max(1);
    }
    out
}

/// Whether the space of `Ã ` is taken for the second byte of `à` alone: inside the Portuguese words às, àquele, àquela,
/// àquilo, and before another space. Elsewhere the space is kept too.
fn is_a_grave_in_word(after: &[u8]) -> bool {
    [&b" "[..], b"quele", b"quela", b"quilo", b"s "].iter().any(|word| after.starts_with(word))
}

/// Bytes of the sequence at the start that would be UTF-8 if its space were byte A0; 0 if it is none.
fn altered_len(bytes: &[u8]) -> usize {
    let is_narrow = |byte: u8| matches!(byte, 0x80..=0x84 | 0x86..=0x9f | 0xa1..=0xbf);
    let is_continuation = |byte: u8| matches!(byte, 0x80..=0xbf);
    match *bytes {
        [0xc2 | 0xc3 | 0xc5 | 0xce | 0xd0 | 0xd9, b' ', ..] => 2,
        [0xe2 | 0xe3, b' ', c, ..] if is_narrow(c) => 3,
        [0xe0..=0xe3, b, b' ', ..] if is_narrow(b) => 3,
        [0xf0, b' ', c, d, ..] if is_continuation(c) && is_continuation(d) => 4,
        [0xf0, b, b' ', d, ..] if is_continuation(b) && is_continuation(d) => 4,
        [0xf0, b, c, b' ', ..] if is_continuation(b) && is_continuation(c) => 4,
        _ => 0,
    }
}

/// Bytes of the UTF-8 or CESU-8 sequence at the start in which a continuation byte was lost (1A, or once `?`); 0 if it is none.
fn lossy_len(bytes: &[u8]) -> usize {
    let is_lost = |byte: u8| matches!(byte, 0x1a | b'?');
    let is_any = |byte: u8| matches!(byte, 0x1a | 0x80..=0xbf);
    match *bytes {
        [0xc2..=0xdf, 0x1a, ..] | [0xc2 | 0xc3, b'?', ..] => 2,
        [0xed, 0xa0..=0xaf, c, 0xed, 0xb0..=0xbf, f, ..]
            if is_lost(c) && (f == b'?' || is_any(f)) || (c == b'?' || is_any(c)) && is_lost(f) =>
        {
            6
        }
        [0xe0..=0xef, b, c, ..] if is_lost(b) && is_any(c) || is_any(b) && is_lost(c) => 3,
        [0xf0..=0xf4, b, c, d, ..]
            if is_lost(b) && is_any(c) && is_any(d)
                || is_any(b) && is_lost(c) && is_any(d)
                || is_any(b) && is_any(c) && is_lost(d) =>
        {
            4
        }
        [0x1a, ..] => 1,
        _ => 0,
    }
}

/// Each run of sequences that look like misread UTF-8, fixed on its own if it is bad on its own; `None` if nothing changes.
fn fix_sequences(text: &str, depth: usize, effort: &mut Effort) -> Option<String> {
    if depth == MAX_DEPTH {
        return None;
    }
    let mut out: Option<String> = None;
    let mut kept = 0; // text before is in `out`
    let mut at = 0;
    while let Some(found) = find_utf8(text, at) {
        at = found.end;
        // Shorter than the text, or this would go on for ever.
        if found.len() == text.len() {
            continue;
        }
        if let Some(fixed) = fix_to_depth(&text[found.clone()], depth + 1, effort) {
            let out = out.get_or_insert_with(|| String::with_capacity(text.len()));
            out.push_str(&text[kept..found.start]);
            out.push_str(&fixed);
            kept = found.end;
        }
    }
    out.map(|out| out + &text[kept..]).filter(|fixed| fixed != text)
}

/// C1 controls as in Windows-1252. (ftfy first tries this for all of a Latin-1 text, which comes to the same.)
fn fix_c1(text: &str) -> Option<String> {
    let is_c1 = |c| matches!(c, '\u{80}'..='\u{9f}');
    text.contains(is_c1).then(|| text.chars().map(codecs::c1_as_windows_1252).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(text: &str) -> String {
        fix_encoding(text, &mut Effort::default()).unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn misreadings_are_undone() {
        assert_eq!(fixed("sÃ³"), "só");
        assert_eq!(fixed("voilÃ le travail"), "voilà le travail");
        assert_eq!(fixed("Ã la mode, Ã s vezes"), "à la mode, às vezes");
        assert_eq!(fixed("â€œ like this â€�"), "“ like this �");
        assert_eq!(fixed("ÃƒÂ©"), "é");
        assert_eq!(fixed("日本 Ã©tÃ©"), "日本 été");
        assert_eq!(fixed("日本 \u{85}\u{81}"), "日本 …\u{81}");
        assert_eq!(fixed("â€”í\u{a0}½í¸\u{8d}"), "—😍");
        assert_eq!(fixed("naïve café"), "naïve café");
    }

    #[test]
    fn deep_recursion_ends() {
        let text = "Ã".repeat(3000) + &"\u{83}".repeat(3000) + "日";
        fixed(&text);
    }
}
