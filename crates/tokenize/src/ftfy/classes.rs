//! The classes of characters that tell mojibake from text: which of them a character is in, as bits.

use super::class_tables as tables;
use super::unicode_tables::WORD;

/// One bit a class; the names are ftfy's.
macro_rules! bits {
    ($($name:ident = $bit:expr),* $(,)?) => {
        $(
            #[doc = concat!("`", stringify!($name), "` of ftfy.")]
            pub const $name: u32 = 1 << $bit;
        )*
        const ALL: &[(u32, &[(u32, u32)])] = &[$(($name, tables::$name)),*];
    };
}

bits! {
    COMMON = 0,
    C1 = 1,
    BAD = 2,
    LAW = 3,
    CURRENCY = 4,
    START_PUNCTUATION = 5,
    END_PUNCTUATION = 6,
    NUMERIC = 7,
    KAOMOJI = 8,
    UPPER_ACCENTED = 9,
    LOWER_ACCENTED = 10,
    UPPER_COMMON = 11,
    LOWER_COMMON = 12,
    BOX = 13,
    UTF8_FIRST_OF_2 = 14,
    UTF8_FIRST_OF_3 = 15,
    UTF8_FIRST_OF_4 = 16,
    UTF8_CONTINUATION = 17,
    UTF8_CONTINUATION_STRICT = 18,
}

/// Nearly all members lie below; those above are looked up in the ranges.
const TABLE_LEN: usize = 0x2600;

static TABLE: [u32; TABLE_LEN] = table();

/// The classes of a character.
pub fn classes_of(c: char) -> u32 {
    let code = c as u32;
    match TABLE.get(code as usize) {
        Some(&classes) => classes,
        None if code < 0xF8FF => 0,
        None => ALL.iter().filter(|(_, ranges)| is_in(ranges, code)).fold(0, |classes, (class, _)| classes | class),
    }
}

/// Whether Python's `\w` matches the character.
pub fn is_word(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphanumeric() || c == '_' } else { is_in(WORD, c as u32) }
}

/// Whether sorted ranges hold a code point.
pub(super) fn is_in(ranges: &[(u32, u32)], code: u32) -> bool {
    let after = ranges.partition_point(|&(first, _)| first <= code);
    after > 0 && code <= ranges[after - 1].1
}

#[expect(clippy::large_stack_arrays, reason = "evaluated by the compiler only")]
const fn table() -> [u32; TABLE_LEN] {
    let mut table = [0; TABLE_LEN];
    let mut i = 0;
    while i < ALL.len() {
        let (class, ranges) = ALL[i];
        let mut j = 0;
        while j < ranges.len() {
            let mut code = ranges[j].0 as usize;
            while code <= ranges[j].1 as usize && code < TABLE_LEN {
                table[code] |= class;
                code += 1;
            }
            j += 1;
        }
        i += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_those_of_the_tables() {
        assert_eq!(classes_of('Ã'), UPPER_ACCENTED | UTF8_FIRST_OF_2);
        assert_eq!(classes_of('ü'), LOWER_ACCENTED | KAOMOJI);
        assert_eq!(classes_of(' '), UTF8_CONTINUATION);
        assert_eq!(classes_of('\u{fb01}'), LOWER_ACCENTED);
        assert_eq!(classes_of('\u{f8ff}'), START_PUNCTUATION);
        assert_eq!(classes_of('\u{fffd}'), BAD);
        assert_eq!(classes_of('日') | classes_of('a') | classes_of('\u{10ffff}'), 0);
        let members = ('\0'..=char::MAX).filter(|&c| classes_of(c) & ((1 << 14) - 1) != 0).count();
        assert_eq!(members, 449);
    }

    #[test]
    fn words_are_of_unicode_14() {
        assert!("aZ_0é日²ª٣".chars().all(is_word));
        // A combining mark, and a letter of Unicode 15.
        assert!("-\u{301} \u{10ec2}\u{11f02}’".chars().all(|c| !is_word(c)));
    }
}
