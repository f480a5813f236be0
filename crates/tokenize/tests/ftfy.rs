//! `fix_text` against the real ftfy 6.3.1, and what must hold for any text.

use gpt1_tokenize::ftfy::{MAX_SEGMENT, fix_text, nfc};
use proptest::prelude::*;
use std::borrow::Cow;

/// Each line of a file: a JSON array of a text, what ftfy makes of it, and what it makes of that if it is another.
fn check(cases: &str) -> usize {
    let mut n_wrong = 0;
    for (i, line) in cases.lines().enumerate() {
        let texts: Vec<String> = serde_json::from_str(line).unwrap();
        for two in texts.windows(2) {
            let found = fix_text(&two[0]);
            if found != two[1] {
                n_wrong += 1;
                if n_wrong <= 20 {
                    println!("line {}:\n  text     {:?}\n  expected {:?}\n  found    {found:?}", i + 1, two[0], two[1]);
                }
            }
        }
        let last = texts.last().unwrap();
        if texts.len() == 2 {
            n_wrong += usize::from(fix_text(last) != last.as_str());
        }
    }
    println!("{} texts, {n_wrong} differ", cases.lines().count());
    n_wrong
}

#[test]
fn golden_texts() {
    let cases = include_str!("../../../tests/golden/ftfy/cases.jsonl");
    assert!(cases.lines().count() > 3000);
    assert_eq!(check(cases), 0);
}

/// `tests/golden/ftfy/compare.py` makes the files that GPT1_FTFY_CASES names (separated by colons) and runs this test.
#[test]
fn texts_of_a_file() {
    let Some(paths) = std::env::var_os("GPT1_FTFY_CASES") else {
        println!("skipped: GPT1_FTFY_CASES names no file of cases (tests/golden/ftfy/compare.py makes them)");
        return;
    };
    for path in std::env::split_paths(&paths) {
        assert_eq!(check(&fs_err::read_to_string(path).unwrap()), 0);
    }
}

#[test]
fn long_texts_end() {
    let n = 1_000_000;
    for unit in [
        "\u{301}",
        "\u{323}\u{301}",
        "&",
        "&amp;",
        "amp;",
        "a",
        "é",
        "Ã",
        "Ã©",
        "\u{83}",
        "\u{1b}[1;",
        "<",
        "\r",
        "\u{fdfa}",
    ] {
        let text = unit.repeat(n / unit.len());
        let fixed = fix_text(&text);
        assert!(fixed.len() <= text.len() + 2, "{unit:?}");
        let text = format!("&{text}; Ã {text}\u{83}");
        fix_text(&text);
    }
    // An odd run of marks is put in order, and stays as long as it was.
    let marks = "\u{301}\u{323}\u{327}".repeat(MAX_SEGMENT / 3);
    assert_eq!(fix_text(&marks).chars().count(), marks.chars().count());
}

/// Characters that take part in mojibake, and all that the other steps look at.
fn texts() -> impl Strategy<Value = String> {
    let hard = "([ÂÃâäàåðÅÐÑØÙÎœŒ×√‚≈вГўЂВβā][\u{80}-\u{bf}€™š›œžŸ†‡•…–—“”‘’ŠŽ¢£©® ?\u{fffd}\u{1a}]{1,3}|[a-z &;#0-9.,<]|&amp;|&#x?[0-9a-f]{1,5};|\
                &[a-zA-Z]{2,6};|\u{1b}\\[[0-9;]{0,3}m?|[\0-\u{1f}\u{7f}-\u{ff}]|[\u{100}-\u{24f}\u{2b0}-\u{36f}]|[\u{2000}-\u{206f}]|\
                [\u{fb00}-\u{fb06}\u{ff00}-\u{ffff}]|[\u{1100}-\u{11ff}가-힣]|\\PC){0,30}";
    proptest::string::string_regex(hard).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_fixed_stays(text in texts()) {
        let fixed = fix_text(&text);
        let is_gone = |c| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\r'..='\u{1f}' | '\u{7f}' | '\u{fb00}'..='\u{fb06}');
        let has_quotes = fixed.contains(['‘', '’', '“', '”']);
        prop_assert!(!fixed.contains(is_gone) && !has_quotes);
        // In one segment, with entities on or off as before, the last round changed nothing.
        let is_segment = |text: &str| text.find('\n').is_none_or(|at| at + 1 == text.len());
        if is_segment(&text) && is_segment(&fixed) && (!text.contains('<') || fixed.contains('<')) {
            prop_assert_eq!(fix_text(&fixed), fixed.as_ref());
        }
        if is_segment(&fixed) {
            prop_assert_eq!(nfc::compose(&fixed), None);
        }
    }

    #[test]
    fn lines_are_fixed_alone(first in texts(), second in texts()) {
        let first = first.replace(['<', '\n'], "");
        let both = format!("{first}\n{second}");
        prop_assert_eq!(fix_text(&both), fix_text(&both[..=first.len()]) + fix_text(&second));
    }

    #[test]
    fn plain_text_is_borrowed(text in "[ -%'-~\t\n\u{c}]{0,200}") {
        prop_assert!(matches!(fix_text(&text), Cow::Borrowed(same) if same == text));
    }
}
