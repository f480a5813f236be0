//! Cleaning: the "standardize" step of GPT-1's encoder.
//!
//! 1. `— – ―` become `-`, `…` becomes `...`, `´` becomes `'`.
//! 2. Each run of one repeated character out of ``- ~ ! " ; ? + , ) ( / * [ ] } { | _`` gets a space on both sides. (The
//!    backslash is not among them: the pattern of the released code names it in a string that is not raw.)
//! 3. White space that holds a line break becomes `" \n "`, other white space one space; none is left at the ends.
//!
//! So a chunk (what stands between spaces) is a line break, or a run of one spaced character, or holds none of those.

/// The text after cleaning; one pass, linear in the text.
pub fn standardize(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut gap = Gap::None;
    let mut run = None; // the spaced character that ends `out`
    for c in text.chars() {
        let c = replaced(c);
        if is_space(c) {
            gap = gap.max(if c == '\n' { Gap::Line } else { Gap::Space });
            continue;
        }
        let spaced = is_spaced(c);
        if gap != Gap::None || (run != Some(c) && (spaced || run.is_some())) {
            if !out.is_empty() {
                out.push_str(if gap == Gap::Line { " \n " } else { " " });
            }
            gap = Gap::None;
        }
        run = spaced.then_some(c);
        if c == '…' { out.push_str("...") } else { out.push(c) }
    }
    out
}

/// Whether Python's `\s` matches the character: Unicode's white space and U+001C to U+001F.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// Whether runs of the character stand alone after cleaning.
fn is_spaced(c: char) -> bool {
    matches!(
        c,
        '-' | '~' | '!' | '"' | ';' | '?' | '+' | ',' | ')' | '(' | '/' | '*' | '[' | ']' | '}' | '{' | '|' | '_'
    )
}

/// What separates the text so far from the next character.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    None,
    Space,
    Line,
}

/// The replacements by one character; `…` is written as three.
fn replaced(c: char) -> char {
    match c {
        '\u{2014}' | '\u{2013}' | '\u{2015}' => '-',
        '\u{b4}' => '\'',
        other => other,
    }
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
}
