//! Prefixes and suffixes: what spaCy takes off a chunk's two ends. Lengths are in bytes; 0 says that there is none.
//!
//! Of several prefixes the first in spaCy's list counts, and so `'` wins over `''`, but ` `` ` over `` ` ``. A suffix is
//! sought from the left and ends where the text ends: the longest one counts.

use super::classes::{is_lower, is_symbol, is_upper};
use super::steps;

/// Money, before a number and after it. `US$`, `C$` and `A$` too.
const CURRENCIES: [&str; 6] = ["£", "€", "¥", "฿", "₽", "﷼"];

/// Suffixes after an ASCII digit, beside the currencies.
const AFTER_DIGIT: &str = "+ $ US$ C$ A$ km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb \
    oz m/s km/h kmh mph hPa Pa mbar mb MB kb KB gb GB tb TB T G M K % км км² км³ м м² м³ дм дм² дм³ см см² см³ мм мм² мм³ нм \
    кг г мг м/с км/ч кПа Па мбар Кб КБ кб Мб МБ мб Гб ГБ гб Тб ТБ тб";

/// Characters of the longest of them.
const MAX_AFTER_DIGIT: usize = 4;

/// Bytes of the prefix of a text.
pub fn prefix(text: &str) -> usize {
    let Some(first) = text.chars().next() else { return 0 };
    match first {
        '.' => periods(count_periods(text.bytes())),
        '`' if text.starts_with("``") => 2,
        '’' if text.starts_with("’’") => "’’".len(),
        'U' if text.starts_with("US$") => 3,
        'C' | 'A' if text[1..].starts_with('$') => 2,
        'a'..='z' | 'A'..='Z' | '0'..='9' => 0,
        '§' | '%' | '=' | '+' | '$' | '£' | '€' | '¥' | '฿' | '₽' | '﷼' => first.len_utf8(),
        mark if is_mark(mark) || is_symbol(mark) => mark.len_utf8(),
        _ => 0,
    }
}

/// Bytes of the suffix of a text.
pub fn suffix(text: &str) -> usize {
    let mut before = text.chars();
    let Some(last) = before.next_back() else { return 0 };
    match last {
        '.' => match periods(count_periods(text.bytes().rev())) {
            0 => usize::from(ends_sentence(before.as_str())),
            n => n,
        },
        '\'' | '`' | '‘' | '’' | '…' if before.as_str().ends_with(last) => 2 * last.len_utf8(),
        's' | 'S' if before.as_str().ends_with('\'') => 2,
        's' | 'S' if before.as_str().ends_with('’') => "’s".len(),
        mark if is_mark(mark) || is_symbol(mark) => mark.len_utf8(),
        _ => after_digit(text),
    }
}

/// Whether one period after this text is a word of its own.
fn ends_sentence(text: &str) -> bool {
    let mut before = text.chars().rev();
    let Some(last) = before.next() else { return false };
    // What spaCy wrote as a group inside a character class stands for its characters: `(`, `?`, `:`, `|`, `)`.
    if is_lower(last)
        || matches!(last, '0'..='9' | '%' | '²' | '-' | ']' | '+' | '(' | '?' | ':' | '|' | ')')
        || is_quote(last)
    {
        return true;
    }
    match before.next() {
        Some('°') => matches!(last, 'F' | 'f' | 'C' | 'c' | 'K' | 'k'),
        Some(previous) => is_upper(last) && is_upper(previous),
        None => false,
    }
}

/// Bytes after the last ASCII digit, if they are a currency, a unit or a plus sign.
fn after_digit(text: &str) -> usize {
    let mut n_bytes = 0;
    for c in text.chars().rev().take(MAX_AFTER_DIGIT + 1) {
        steps::count(1);
        if c.is_ascii_digit() {
            let found = &text[text.len() - n_bytes..];
            let is_suffix = CURRENCIES.contains(&found) || AFTER_DIGIT.split(' ').any(|unit| unit == found);
            return if is_suffix { n_bytes } else { 0 };
        }
        n_bytes += c.len_utf8();
    }
    0
}

/// Prefixes and suffixes of one character, beside symbols.
fn is_mark(c: char) -> bool {
    is_quote(c) && c != '’'
        || matches!(
            c,
            '…' | ':'
                | ';'
                | '!'
                | '?'
                | '¿'
                | '؟'
                | '¡'
                | '('
                | ')'
                | '['
                | ']'
                | '{'
                | '}'
                | '<'
                | '>'
                | '_'
                | '#'
                | '*'
                | '&'
                | '。'
                | '？'
                | '！'
                | '，'
                | '、'
                | '；'
                | '：'
                | '～'
                | '·'
                | '।'
                | '،'
                | '؛'
                | '٪'
        )
}

/// spaCy's quotes, the comma among them; `’` alone is neither prefix nor suffix.
fn is_quote(c: char) -> bool {
    matches!(
        c,
        '\'' | '"'
            | '”'
            | '“'
            | '`'
            | '‘'
            | '´'
            | '’'
            | '‚'
            | ','
            | '„'
            | '»'
            | '«'
            | '「'
            | '」'
            | '『'
            | '』'
            | '（'
            | '）'
            | '〔'
            | '〕'
            | '【'
            | '】'
            | '《'
            | '》'
            | '〈'
            | '〉'
    )
}

/// Two periods or more are one affix; one alone is none.
fn periods(n: usize) -> usize {
    if n < 2 { 0 } else { n }
}

fn count_periods(bytes: impl Iterator<Item = u8>) -> usize {
    let n = bytes.take_while(|&byte| byte == b'.').count();
    steps::count(n);
    n
}
