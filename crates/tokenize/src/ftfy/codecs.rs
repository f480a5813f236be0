//! The encodings that UTF-8 is most often misread in, as ftfy has them: text to bytes, and bytes to text by UTF-8 and its
//! near relatives.

use super::codec_tables as tables;
use std::sync::LazyLock;

/// A single-byte encoding, in the direction in which misread text becomes its bytes again.
#[derive(Debug)]
pub struct Codec {
    /// A sloppy encoding has U+FFFD as byte 1A (and not U+001A), and what Windows leaves undefined as in Latin-1.
    pub is_sloppy: bool,
    /// Whether a space may stand for byte A0 (not in Mac Roman: an en dash and a space would be taken for it).
    pub restores_a0: bool,
    /// The characters outside ASCII and their bytes, by character.
    bytes: Vec<(char, u8)>,
}

/// The encodings in the order in which they are tried.
pub static CODECS: LazyLock<Vec<Codec>> = LazyLock::new(|| {
    let latin_1 = std::array::from_fn(|i| 0x80 + i as u16);
    let codec = |table: &[u16; 128], is_sloppy, restores_a0| Codec::new(table, is_sloppy, restores_a0);
    vec![
        codec(&latin_1, false, true),
        codec(tables::WINDOWS_1252, true, true),
        codec(tables::WINDOWS_1251, true, true),
        codec(tables::WINDOWS_1250, true, true),
        codec(tables::WINDOWS_1253, true, true),
        codec(tables::WINDOWS_1254, true, true),
        codec(tables::WINDOWS_1257, true, true),
        codec(tables::ISO_8859_2, false, true),
        codec(tables::MACROMAN, false, false),
        codec(tables::CP437, false, true),
    ]
});

impl Codec {
    fn new(table: &[u16; 128], is_sloppy: bool, restores_a0: bool) -> Codec {
        let character = |&code: &u16| char::from_u32(u32::from(code)).unwrap_or(char::REPLACEMENT_CHARACTER);
        let mut bytes: Vec<(char, u8)> = table.iter().map(character).zip(0x80..=u8::MAX).collect();
        if is_sloppy {
            bytes.push((char::REPLACEMENT_CHARACTER, 0x1a));
        }
        bytes.sort_unstable();
        Codec { is_sloppy, restores_a0, bytes }
    }

    /// The bytes that a text is in this encoding; `None` if it has a character that the encoding has not.
    pub fn encode(&self, text: &str) -> Option<Vec<u8>> {
        let byte = |c: char| {
            if c.is_ascii() {
                (c != '\u{1a}' || !self.is_sloppy).then_some(c as u8)
            } else {
                self.bytes.binary_search_by_key(&c, |&(c, _)| c).ok().map(|at| self.bytes[at].1)
            }
        };
        text.chars().map(byte).collect()
    }
}

/// What a C1 control is in Windows-1252; other characters, and the five that it leaves undefined, are as they were.
pub fn c1_as_windows_1252(c: char) -> char {
    match c {
        '\u{80}'..='\u{9f}' => {
            let code = tables::WINDOWS_1252[c as usize - 0x80];
            char::from_u32(u32::from(code)).unwrap_or(c)
        }
        _ => c,
    }
}

/// The text of UTF-8. With a byte ED or C0, CESU-8 (a surrogate pair in six bytes) and Java's two-byte NUL are read too.
pub fn decode(bytes: Vec<u8>) -> Option<String> {
    if bytes.contains(&0xed) || bytes.contains(&0xc0) { decode_variants(&bytes) } else { String::from_utf8(bytes).ok() }
}

/// ftfy's `utf-8-variants`. Its patterns end in `$`, which matches before a final line feed too; so such a line feed is
/// taken for the second byte of a NUL, or the last of a pair, when a text is cut there.
fn decode_variants(bytes: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(bytes.len());
    let mut start = 0; // of UTF-8 that has not been read yet
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(|byte| matches!(byte, 0xc0 | 0xed)) {
        at += found;
        let special = match &bytes[at..] {
            [0xc0, 0x80, ..] | [0xc0, b'\n'] => Some((2, '\0')),
            [0xed, b1 @ 0xa0..=0xaf, b2 @ 0x80..=0xbf, 0xed, b4 @ 0xb0..=0xbf, b5, rest @ ..]
                if matches!(b5, 0x80..=0xbf) || *b5 == b'\n' && rest.is_empty() =>
            {
                Some((6, surrogate_pair([*b1, *b2, *b4, *b5])?))
            }
            _ => None,
        };
        if let Some((len, c)) = special {
            text.push_str(std::str::from_utf8(&bytes[start..at]).ok()?);
            text.push(c);
            at += len;
            start = at;
        } else {
            at += 1;
        }
    }
    text.push_str(std::str::from_utf8(&bytes[start..]).ok()?);
    Some(text)
}

/// The character of the four bytes that carry bits: `ED 1010abcd 10efghij ED 1011klmn 10opqrst` is `abc...t` + 0x10000.
fn surrogate_pair([b1, b2, b4, b5]: [u8; 4]) -> Option<char> {
    let bits = |byte: u8, mask: u8, shift: u32| u32::from(byte & mask) << shift;
    char::from_u32(bits(b1, 0xf, 16) + bits(b2, 0x3f, 10) + bits(b4, 0xf, 6) + bits(b5, 0x3f, 0) + 0x10000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_text() {
        let encode = |codec: usize, text: &str| CODECS[codec].encode(text);
        assert_eq!(encode(0, "é\u{1a}"), Some(vec![0xe9, 0x1a]));
        assert_eq!(encode(0, "€"), None);
        assert_eq!(encode(1, "€\u{fffd}\u{81}"), Some(vec![0x80, 0x1a, 0x81]));
        assert_eq!(encode(1, "\u{1a}"), None);
        assert_eq!(encode(9, "Γ"), Some(vec![0xe2]));
    }

    #[test]
    fn near_relatives_of_utf_8() {
        let decoded = |bytes: &[u8]| decode(bytes.to_vec());
        assert_eq!(decoded(b"\xed\xa0\xbd\xed\xb8\x8d!").as_deref(), Some("😍!"));
        assert_eq!(decoded("한\u{d7ff}".as_bytes()).as_deref(), Some("한\u{d7ff}"));
        assert_eq!(decoded(b"a\xc0\x80b\xc0\n").as_deref(), Some("a\0b\0"));
        assert_eq!(decoded(b"\xed\xa0\xbd\xed\xb8\n").as_deref(), Some("\u{1f60a}"));
        for bytes in [
            &b"\xc0"[..],
            b"\xc0\nb",
            b"\xed\xa0\xbd",
            b"\xed\xa0\xbd\xed\xb8",
            b"\xed\xa0\xbd-\xb8\x8d",
            b"\xed",
            b"\xc3",
        ] {
            assert_eq!(decoded(bytes), None, "{bytes:x?}");
        }
    }
}
