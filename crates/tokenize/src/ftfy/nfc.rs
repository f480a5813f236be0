//! Canonical composition (NFC) by Unicode 14.0: the Unicode standard's section 3.11, with the tables of Python 3.11. What
//! later versions of Unicode assign stays as it is.

use super::unicode_tables::{COMBINING_CLASS, COMPOSED, DECOMPOSED};
use std::sync::LazyLock;

/// Hangul syllables are composed by arithmetic (section 3.12): leading consonant, vowel, trailing consonant.
const S_BASE: u32 = 0xAC00;
const L_BASE: u32 = 0x1100;
const V_BASE: u32 = 0x1161;
const T_BASE: u32 = 0x11A7;
const L_COUNT: u32 = 19;
const V_COUNT: u32 = 21;
const T_COUNT: u32 = 28;
const S_COUNT: u32 = L_COUNT * V_COUNT * T_COUNT;

/// Pairs that are composed, and what they become, by pair.
static PAIRS: LazyLock<Vec<((u32, u32), u32)>> = LazyLock::new(|| {
    let mut pairs: Vec<_> = COMPOSED.iter().map(|&(whole, first, second)| ((first, second), whole)).collect();
    pairs.sort_unstable();
    pairs
});

/// Characters that composed text does not have, or not always: second characters of a pair, and those that are taken apart.
static UNSURE: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let mut unsure: Vec<u32> = COMPOSED.iter().map(|&(_, _, second)| second).collect();
    unsure.extend(DECOMPOSED.iter().map(|&(whole, _, _)| whole));
    unsure.extend(V_BASE..V_BASE + V_COUNT);
    unsure.extend(T_BASE + 1..T_BASE + T_COUNT);
    unsure.sort_unstable();
    unsure.dedup();
    unsure
});

/// Which blocks of 256 code points have a character of [`UNSURE`] or of a combining class other than 0.
static IS_BUSY_BLOCK: LazyLock<Vec<bool>> = LazyLock::new(|| {
    let mut is_busy = vec![false; 0x1100];
    for &code in UNSURE.iter() {
        is_busy[code as usize >> 8] = true;
    }
    for &(first, last, _) in COMBINING_CLASS {
        is_busy[first as usize >> 8..=last as usize >> 8].fill(true);
    }
    is_busy
});

/// The composed text; `None` if it is already. Linear in the text, but for sorting runs of combining marks.
pub fn compose(text: &str) -> Option<String> {
    if is_composed(text) {
        return None;
    }
    let mut characters = Vec::with_capacity(text.len());
    for c in text.chars() {
        decompose(c as u32, &mut characters);
    }
    for marks in characters.chunk_by_mut(|a, b| a.1 != 0 && b.1 != 0) {
        marks.sort_by_key(|&(_, class)| class);
    }
    Some(recompose(&characters)).filter(|composed| composed != text)
}

/// Whether the text is surely composed.
fn is_composed(text: &str) -> bool {
    let mut last_class = 0;
    for c in text.chars() {
        let code = c as u32;
        if code < 0x300 || !IS_BUSY_BLOCK[code as usize >> 8] {
            last_class = 0;
            continue;
        }
        let class = combining_class(code);
        if class != 0 && last_class > class || UNSURE.binary_search(&code).is_ok() {
            return false;
        }
        last_class = class;
    }
    true
}

/// Appends the canonical decomposition of a character, with combining classes.
fn decompose(code: u32, out: &mut Vec<(u32, u8)>) {
    if code < 0xc0 {
        out.push((code, 0));
    } else if (S_BASE..S_BASE + S_COUNT).contains(&code) {
        let s = code - S_BASE;
        out.push((L_BASE + s / (V_COUNT * T_COUNT), 0));
        out.push((V_BASE + s % (V_COUNT * T_COUNT) / T_COUNT, 0));
        if !s.is_multiple_of(T_COUNT) {
            out.push((T_BASE + s % T_COUNT, 0));
        }
    } else {
        let find = |table: &[(u32, u32, u32)]| {
            table.binary_search_by_key(&code, |&(whole, _, _)| whole).ok().map(|at| (table[at].1, table[at].2))
        };
        match find(COMPOSED).or_else(|| find(DECOMPOSED)) {
            None => out.push((code, combining_class(code))),
            Some((first, second)) => {
                decompose(first, out);
                if second != 0 {
                    decompose(second, out);
                }
            }
        }
    }
}

/// Composes each starter with the characters after it that are not blocked: none between them has the same class or a higher
/// one, or is a starter.
fn recompose(characters: &[(u32, u8)]) -> String {
    let mut out: Vec<u32> = Vec::with_capacity(characters.len());
    let mut starter = None;
    let mut last_class = None; // of the last character kept after the starter
    for &(code, class) in characters {
        if let Some(at) = starter
            && last_class.is_none_or(|last| last < class)
            && let Some(whole) = pair(out[at], code)
        {
            out[at] = whole;
            continue;
        }
        if class == 0 {
            starter = Some(out.len());
            last_class = None;
        } else {
            last_class = Some(class);
        }
        out.push(code);
    }
    out.into_iter().filter_map(char::from_u32).collect()
}

/// What two characters become together.
fn pair(first: u32, second: u32) -> Option<u32> {
    let (l, v) = (first.wrapping_sub(L_BASE), second.wrapping_sub(V_BASE));
    if l < L_COUNT && v < V_COUNT {
        return Some(S_BASE + (l * V_COUNT + v) * T_COUNT);
    }
    let (s, t) = (first.wrapping_sub(S_BASE), second.wrapping_sub(T_BASE));
    if s < S_COUNT && s.is_multiple_of(T_COUNT) && (1..T_COUNT).contains(&t) {
        return Some(first + t);
    }
    PAIRS.binary_search_by_key(&(first, second), |&(pair, _)| pair).ok().map(|at| PAIRS[at].1)
}

/// The canonical combining class; 0 for starters.
fn combining_class(code: u32) -> u8 {
    let after = COMBINING_CLASS.partition_point(|&(first, _, _)| first <= code);
    match after.checked_sub(1).map(|at| COMBINING_CLASS[at]) {
        Some((_, last, class)) if code <= last => class,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn composed(text: &str) -> String {
        compose(text).unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn letters_and_marks() {
        assert_eq!(composed("e\u{301}a\u{323}\u{302}\u{302}\u{323}o\u{31b}\u{301}"), "é\u{1ead}\u{323}\u{302}\u{1edb}");
        assert_eq!(composed("a\u{302}\u{323}\u{315}\u{300}"), "\u{1ead}\u{300}\u{315}");
        assert_eq!(composed("\u{2126}\u{212b}\u{344}\u{958}\u{fb1d}"), "ΩÅ\u{308}\u{301}\u{915}\u{93c}\u{5d9}\u{5b4}");
        assert_eq!(composed("<\u{338}\u{301}\u{301}"), "≮\u{301}\u{301}");
        assert_eq!(
            compose("naïve 日本語 \u{301}\u{301} é\u{323}"),
            Some("naïve 日本語 \u{301}\u{301} ẹ\u{301}".into())
        );
        assert_eq!(compose("naïve 日本語 Ελλάδα 한국어 \u{327}\u{308}z"), None);
    }

    #[test]
    fn hangul() {
        assert_eq!(
            composed("\u{1112}\u{1161}\u{11ab}\u{ac00}\u{11a8}\u{ac01}\u{11a8}\u{11a7}"),
            "한각각\u{11a8}\u{11a7}"
        );
    }

    #[test]
    fn later_versions_are_not_known() {
        // Kirat Rai of Unicode 16, and a mark of Unicode 15 that would be put before the other.
        for text in ["\u{16d67}\u{16d67}", "\u{113c2}\u{113c2}", "\u{301}\u{10efd}"] {
            assert_eq!(compose(text), None);
        }
    }
}
