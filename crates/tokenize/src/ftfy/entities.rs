//! HTML entities: `&name;` with the names of the HTML standard (and the capitals of those that are all lower case), `&#233;`
//! and `&#xE9;`. The semicolon is required.

use crate::hash::Map;
use std::sync::LazyLock;

/// Letters and digits of an entity, at most.
const MAX_NAME: usize = 24;

/// What the names stand for: one to three characters.
static NAMES: LazyLock<Map<&'static str, String>> = LazyLock::new(|| {
    let mut names = Map::default();
    for line in include_str!("entities.txt").lines() {
        let (name, codes) = line.split_once(' ').unwrap_or((line, ""));
        let character = |code| u32::from_str_radix(code, 16).ok().and_then(char::from_u32);
        names.insert(name, codes.split(' ').filter_map(character).collect());
    }
    names
});

/// Each entity replaced once; `None` if there is none.
pub fn unescape(text: &str) -> Option<String> {
    let mut out: Option<String> = None;
    let mut kept = 0; // text before is in `out`
    let mut at = 0;
    let mut value = String::new();
    while let Some(found) = text[at..].find('&') {
        at += found;
        let Some(len) = entity_len(text.as_bytes(), at).filter(|len| decode(&text[at..at + len], &mut value)) else {
            at += 1;
            continue;
        };
        let out = out.get_or_insert_with(|| String::with_capacity(text.len()));
        out.push_str(&text[kept..at]);
        out.push_str(&value);
        at += len;
        kept = at;
    }
    out.map(|out| out + &text[kept..])
}

/// Plain ASCII after as many rounds of [`unescape`] as there are (`&amp;amp;lt;`), in one pass; `None` if a value is not
/// plain ASCII itself, for then the other steps have a say between the rounds.
///
/// An entity has no `&` but its first character, so no two overlap, and what one stands for does not depend on the others
/// unless they are inside it: the order in which they are replaced does not matter. Each is replaced when its semicolon is
/// written.
pub fn unescape_fully(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut value = String::new();
    for part in text.split_inclusive(';') {
        out.push_str(part);
        while out.ends_with(';') {
            let tail = out.len().saturating_sub(MAX_NAME + 3);
            let Some(back) = out.as_bytes()[tail..].iter().rposition(|&byte| byte == b'&') else { break };
            let at = tail + back;
            if entity_len(out.as_bytes(), at) != Some(out.len() - at) || !decode(&out[at..], &mut value) {
                break;
            }
            if !value.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | 0x0c)) {
                return None;
            }
            out.truncate(at);
            out.push_str(&value);
        }
    }
    Some(out)
}

/// Bytes of the entity that starts with the `&` at `at`, if it has the form of one: `&#?[0-9A-Za-z]{1,24};`.
fn entity_len(text: &[u8], at: usize) -> Option<usize> {
    let after = &text[at + 1..];
    let name = after.strip_prefix(b"#").unwrap_or(after);
    let n = name.iter().take(MAX_NAME + 1).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    ((1..=MAX_NAME).contains(&n) && name.get(n) == Some(&b';')).then_some(2 + after.len() - name.len() + n)
}

/// Sets `value` to what an entity (from `&` to `;`) stands for; false if it stands for nothing but itself.
fn decode(entity: &str, value: &mut String) -> bool {
    value.clear();
    let name = &entity[1..entity.len() - 1];
    match name.strip_prefix('#') {
        None => NAMES.get(name).map(|known| value.push_str(known)).is_some(),
        Some(number) => match number_of(number) {
            // A semicolon in the value is taken for one that was left over.
            None | Some(0x3b) => false,
            Some(code) => {
                value.extend(character_of(code));
                true
            }
        },
    }
}

/// The number of `233` or `xE9`; it has at most 24 digits.
fn number_of(number: &str) -> Option<u128> {
    match number.strip_prefix(['x', 'X']) {
        Some(digits) => u128::from_str_radix(digits, 16).ok(),
        None => number.parse().ok(),
    }
}

/// The character of a number by the HTML standard: C1 controls as in Windows-1252, U+FFFD for what is none; control
/// characters and noncharacters are left out.
fn character_of(code: u128) -> Option<char> {
    let c = match u32::try_from(code).ok().and_then(char::from_u32) {
        None | Some('\0') => return Some(char::REPLACEMENT_CHARACTER),
        Some(c) => super::codecs::c1_as_windows_1252(c),
    };
    let is_left_out = matches!(c, '\u{1}'..='\u{8}' | '\u{b}' | '\u{e}'..='\u{1f}' | '\u{7f}' | '\u{fdd0}'..='\u{fdef}')
        || c as u32 & 0xfffe == 0xfffe;
    (!is_left_out).then_some(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unescaped(text: &str) -> String {
        unescape(text).unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn names() {
        assert_eq!(NAMES.len(), 3501);
        assert_eq!(unescaped("&ntilde; &Ntilde; &NTILDE; &nTILDE; &SZLIG;"), "ñ Ñ Ñ &nTILDE; SS");
        assert_eq!(unescaped("&&amp;amp; &notit; &amp &fjlig;&semi;"), "&&amp; &notit; &amp fj;");
        assert_eq!(unescaped("&ClockwiseContourIntegral;&acE;"), "∲\u{223e}\u{333}");
        // The name is known, but too long for ftfy's expression.
        assert_eq!(unescape("AT&T; & &; &#; & a &CounterClockwiseContourIntegral;"), None);
    }

    #[test]
    fn numbers() {
        assert_eq!(
            unescaped("&#233;&#xE9;&#Xe9;&#0;&#1;&#128;&#129;&#xD83D;&#x110000;"),
            "ééé\u{fffd}€\u{81}\u{fffd}\u{fffd}"
        );
        assert_eq!(unescaped("&#999999999999999999999999;&#xfffffffffffffffffffffff;"), "\u{fffd}\u{fffd}");
        assert_eq!(unescaped("&#xFFFE;&#x1FFFF;&#xFDD0;&#127;&#13;."), "\r.");
        assert_eq!(unescape("&#59; &#x3B; &#12a; &#x; &#xg; &#a; &#9999999999999999999999999;"), None);
    }

    #[test]
    fn all_rounds_at_once_are_the_rounds() {
        let pieces =
            ["&", "amp;", "#", "38;", "59", "#59;", "semi;", ";", "&#5", "3", "lt", "fjlig;", " ", "x26;", "a"];
        let mut state = 1_u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..12 {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
            }
            let mut expected = text.clone();
            while let Some(next) = unescape(&expected) {
                expected = next;
            }
            let is_plain = expected.bytes().all(|byte| matches!(byte, b' '..=b'~'));
            if is_plain && let Some(found) = unescape_fully(&text) {
                assert_eq!(found, expected, "{text}");
            }
        }
    }
}
