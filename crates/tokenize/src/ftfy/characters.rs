//! The steps of ftfy that look at characters one by one.

use super::classes::is_in;
use super::codecs::c1_as_windows_1252;
use super::unicode_tables::DECIMAL;

/// C1 controls as in Windows-1252, ligatures, width, quotes and line breaks; `None` if there are none of them.
pub fn replace(text: &str) -> Option<String> {
    let at = text.char_indices().find(|&(_, c)| is_replaced(c))?.0;
    let mut out = String::with_capacity(text.len());
    out.push_str(&text[..at]);
    let mut rest = text[at..].chars();
    while let Some(c) = rest.next() {
        let c = c1_as_windows_1252(c);
        match replacement(c) {
            Some(_) if c == '\r' && rest.as_str().starts_with('\n') => {}
            Some(other) => out.push_str(other),
            None => out.push(c),
        }
    }
    Some(out)
}

/// Takes out terminal escapes (`ESC [`, numbers with semicolons, a letter) and control characters; `None` if there are none.
pub fn remove(text: &str) -> Option<String> {
    let at = text.char_indices().find(|&(_, c)| is_removed(c))?.0;
    let mut out = String::with_capacity(text.len());
    out.push_str(&text[..at]);
    let mut rest = &text[at..];
    while let Some(c) = rest.chars().next() {
        let n = if c == '\u{1b}' { escape_len(rest) } else { c.len_utf8() };
        if !is_removed(c) {
            out.push(c);
        }
        rest = &rest[n..];
    }
    Some(out)
}

/// Bytes of the terminal escape at the start; of its first character if the rest is none.
fn escape_len(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else { return 1 };
    let letter = parameters.trim_start_matches(|c| c == ';' || is_in(DECIMAL, c as u32));
    if letter.starts_with(|c: char| c.is_ascii_alphabetic()) { text.len() - letter.len() + 1 } else { 1 }
}

/// Control characters that have no effect on what is seen.
fn is_removed(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{8}'
            | '\u{b}'
            | '\u{e}'..='\u{1f}'
            | '\u{7f}'
            | '\u{206a}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffc}'
    )
}

fn is_replaced(c: char) -> bool {
    match c {
        '\r' => true,
        '\0'..='\u{7f}' => false,
        _ => c1_as_windows_1252(c) != c || replacement(c).is_some(),
    }
}

/// What stands for a character. (U+0085 does not get this far: it is Windows-1252's ellipsis.)
fn replacement(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{2018}'..='\u{201b}' | '\u{2bc}' => "'",
        '\u{201c}'..='\u{201f}' => "\"",
        '\r' | '\u{2028}' | '\u{2029}' => "\n",
        '\u{132}'..='\u{1f3}' | '\u{fb00}'..='\u{fb06}' => return ligature(c),
        '\u{3000}' => " ",
        '\u{ff01}'..='\u{ff5e}' => {
            let i = c as usize - 0xff01;
            &ASCII[i..=i]
        }
        '\u{ff5f}'..='\u{ffee}' => return width(c),
        _ => return None,
    })
}

/// Ligatures and digraphs of Latin letters. (That of the Afrikaans `ŉ` has U+02BC, which is a quote to ftfy.)
fn ligature(c: char) -> Option<&'static str> {
    Some(match c {
        'Ĳ' => "IJ",
        'ĳ' => "ij",
        'ŉ' => "'n",
        'Ǳ' => "DZ",
        'ǲ' => "Dz",
        'ǳ' => "dz",
        'Ǆ' => "DŽ",
        'ǅ' => "Dž",
        'ǆ' => "dž",
        'Ǉ' => "LJ",
        'ǈ' => "Lj",
        'ǉ' => "lj",
        'Ǌ' => "NJ",
        'ǋ' => "Nj",
        'ǌ' => "nj",
        '\u{fb00}' => "ff",
        '\u{fb01}' => "fi",
        '\u{fb02}' => "fl",
        '\u{fb03}' => "ffi",
        '\u{fb04}' => "ffl",
        '\u{fb05}' => "ſt",
        '\u{fb06}' => "st",
        _ => return None,
    })
}

/// What U+FF01 to U+FF5E are wide forms of.
const ASCII: &str = "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";

/// The ordinary forms of U+FF5F to U+FFEE; blank where none is assigned.
#[rustfmt::skip]
const WIDTHS: [&str; 144] = [
    "⦅", "⦆", "。", "「", "」", "、", "・", "ヲ", "ァ", "ィ", "ゥ", "ェ", "ォ", "ャ", "ュ", "ョ", "ッ", "ー", "ア", "イ", "ウ",
    "エ", "オ", "カ", "キ", "ク", "ケ", "コ", "サ", "シ", "ス", "セ", "ソ", "タ", "チ", "ツ", "テ", "ト", "ナ", "ニ", "ヌ", "ネ",
    "ノ", "ハ", "ヒ", "フ", "ヘ", "ホ", "マ", "ミ", "ム", "メ", "モ", "ヤ", "ユ", "ヨ", "ラ", "リ", "ル", "レ", "ロ", "ワ", "ン",
    "\u{3099}", "\u{309a}", "\u{1160}", "ᄀ", "ᄁ", "ᆪ", "ᄂ", "ᆬ", "ᆭ", "ᄃ", "ᄄ", "ᄅ", "ᆰ", "ᆱ", "ᆲ", "ᆳ", "ᆴ",
    "ᆵ", "ᄚ", "ᄆ", "ᄇ", "ᄈ", "ᄡ", "ᄉ", "ᄊ", "ᄋ", "ᄌ", "ᄍ", "ᄎ", "ᄏ", "ᄐ", "ᄑ", "ᄒ", "", "", "", "ᅡ", "ᅢ", "ᅣ",
    "ᅤ", "ᅥ", "ᅦ", "", "", "ᅧ", "ᅨ", "ᅩ", "ᅪ", "ᅫ", "ᅬ", "", "", "ᅭ", "ᅮ", "ᅯ", "ᅰ", "ᅱ", "ᅲ", "", "", "ᅳ",
    "ᅴ", "ᅵ", "", "", "", "¢", "£", "¬", " \u{304}", "¦", "¥", "₩", "", "│", "←", "↑", "→", "↓", "■", "○",
];

fn width(c: char) -> Option<&'static str> {
    WIDTHS.get((c as usize).checked_sub(0xff5f)?).copied().filter(|form| !form.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacements() {
        assert_eq!(
            replace("“ŉ” ‘ﬂuﬃest’ ＡＢＣ～　ｶﾞ￣\u{ffa1}").as_deref(),
            Some("\"'n\" 'fluffiest' ABC~ カ\u{3099} \u{304}\u{1100}")
        );
        assert_eq!(
            replace("a\r\nb\rc\r\r\nd\u{2028}\u{2029}e\u{85}\u{81}").as_deref(),
            Some("a\nb\nc\n\nd\n\ne…\u{81}")
        );
        assert_eq!(replace("plain é日Ƶ\n"), None);
        let n = |range: std::ops::RangeInclusive<char>| range.filter(|&c| replacement(c).is_some()).count();
        assert_eq!(n('\u{ff01}'..='\u{ffef}') + n('\u{3000}'..='\u{3000}'), 226);
        assert_eq!(n('\u{100}'..='\u{24f}') + n('\u{fb00}'..='\u{fb06}'), 22);
    }

    #[test]
    fn removals() {
        assert_eq!(remove("\u{1b}[36;44mblue\u{1b}[0m \u{1b}[m\u{1b}[;٣;x.").as_deref(), Some("blue ."));
        assert_eq!(remove("\u{1b}[1\0m\u{1b}(B\u{1b}").as_deref(), Some("[1m(B"));
        assert_eq!(remove("a\u{feff}\u{7f}\u{fffc}\u{206a}b\u{b}").as_deref(), Some("ab"));
        assert_eq!(remove("a\t\n\u{c}\r\u{85}\u{200d}"), None);
        let n = ('\0'..=char::MAX).filter(|&c| is_removed(c)).count();
        assert_eq!(n, 40);
    }
}
