//! Damaged vocabulary files are refused with the place and the reason.

use gpt1_tokenize::{Encoder, Vocabulary, VocabularyError, learn};
use std::path::Path;

const JSON: &str = r#"{"<unk>": 0, "a": 1, "b": 2, "a</w>": 3, "b</w>": 4, "ab</w>": 5, "aab</w>": 6, "\n</w>": 7}"#;
const MERGES: &str = "#version: 0.2\na b</w>\na ab</w>\n";

fn parse(json: &str, merges: &str) -> Result<Vocabulary, VocabularyError> {
    Vocabulary::parse(Path::new("v.json"), json.into(), Path::new("m.txt"), merges.into())
}

fn error(json: &str, merges: &str) -> String {
    parse(json, merges).unwrap_err().to_string()
}

#[test]
fn sound_files_are_read() {
    let encoder = Encoder::new(parse(JSON, MERGES).unwrap());
    assert_eq!(encoder.encode("aab ba\nb c"), [6, 2, 3, 7, 4, 0]);
    assert_eq!(encoder.decode(&[6, 2, 3, 7, 4]), "aab ba\nb");
    // No last line break, line ends of Windows, entries in brackets: the same vocabulary but for the digest's entries.
    assert_eq!(Encoder::new(parse(JSON, MERGES.trim_end()).unwrap()).digest(), encoder.digest());
    assert_eq!(Encoder::new(parse(JSON, &MERGES.replace('\n', "\r\n")).unwrap()).digest(), encoder.digest());
    assert_eq!(Encoder::new(parse(&JSON.replace(", ", ",\n"), MERGES).unwrap()).digest(), encoder.digest());
    let padded = Encoder::new(parse(&JSON.replace('}', r#", "<pad>": 8}"#), MERGES).unwrap());
    assert_ne!(padded.digest(), encoder.digest());
}

#[test]
fn damaged_entries_are_refused() {
    let cut = &JSON[..43];
    assert_eq!(
        error(cut, MERGES),
        "v.json:1:43: expected a JSON object of entries and their ids: EOF while parsing a string"
    );
    assert!(error("[1]", MERGES).starts_with("v.json:1:"), "{}", error("[1]", MERGES));
    assert!(error("", MERGES).starts_with("v.json:1:0: "));
    assert!(error(&format!("{JSON}x"), MERGES).contains("trailing characters"));
    assert!(error(&JSON.replace("\"a\": 1", "\n\"a\": -1"), MERGES).starts_with("v.json:2:7: "));
    assert!(error(&JSON.replace("\"a\": 1", "\"a\": 1.5"), MERGES).contains("expected u32"));
    assert!(error(&JSON.replace("\"a\": 1", "\"a\": \"1\""), MERGES).contains("expected u32"));
    assert!(error(&JSON.replace("\"a\": 1", "\"a\": 2"), MERGES).contains(r#""a" and "b" have the same id, 2"#));
    assert!(error(&JSON.replace("\"b\": 2", "\"a\": 2"), MERGES).contains(r#"the entry "a" occurs twice"#));
    assert!(error(&JSON.replace("\"b\": 2, ", ""), MERGES).contains("id 2 is missing and the largest is 7"));
    assert!(
        error(&JSON.replace(": 7", ": 4000000000"), MERGES).contains("id 7 is missing and the largest is 4000000000")
    );
    assert!(error("{}", MERGES).contains("found none"));
    assert!(error(r#"{"a": 0}"#, MERGES).contains(r#"expected "<unk>" at id 0"#));
    assert!(error(&JSON.replace('}', r#", "abab": 8}"#), MERGES).contains(r#"no merge makes the entry "abab" (id 8)"#));
    assert!(error(&JSON.replace('}', r#", "": 8}"#), MERGES).contains(r#"no merge makes the entry "" (id 8)"#));
}

#[test]
fn damaged_merges_are_refused() {
    let of = |merges: &str| error(JSON, merges);
    assert_eq!(of(""), r##"m.txt:1: expected "#version: 0.2" as the first line; found """##);
    assert!(of("a b</w>\n").starts_with("m.txt:1: expected \"#version: 0.2\""));
    assert_eq!(
        of("#version: 0.2\na b</w>\na\n"),
        r#"m.txt:3: expected two symbols and a space between them; found "a""#
    );
    for line in ["", " ", "a ", " a", "a  b", "a b c", "a\tb"] {
        let found = of(&format!("#version: 0.2\n{line}\na b</w>\n"));
        assert!(found.starts_with("m.txt:2: expected two symbols"), "{line:?}: {found}");
    }
    assert_eq!(of("#version: 0.2\nx b</w>\n"), r#"m.txt:2: the symbol "x" is not in the vocabulary"#);
    assert_eq!(
        of("#version: 0.2\nb b</w>\n"),
        r#"m.txt:2: the result of the merge, "bb</w>", is not in the vocabulary"#
    );
    assert_eq!(
        of("#version: 0.2\na ab</w>\na b</w>\n"),
        r#"m.txt:2: the symbol "ab</w>" is used before a line makes it"#
    );
    assert_eq!(of(&format!("{MERGES}a b</w>\n")), r#"m.txt:4: line 2 makes "ab</w>" already"#);
    // Cut at the end of a line: the vocabulary's last entry is left over.
    let cut = of("#version: 0.2\na b</w>\n");
    assert!(cut.starts_with(r#"v.json: no merge makes the entry "aab</w>" (id 6)"#), "{cut}");
    assert!(cut.contains("m.txt holds 1 merges"), "{cut}");
    let bytes = [MERGES.as_bytes(), b"a \xff\n"].concat();
    let found = Vocabulary::parse(Path::new("v.json"), JSON.into(), Path::new("m.txt"), bytes).unwrap_err();
    assert_eq!(found.to_string(), format!("m.txt:4: byte {} of the file is not valid UTF-8", MERGES.len() + 2));
}

#[test]
fn missing_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = Encoder::from_dir(dir.path()).unwrap_err().to_string();
    assert!(error.contains("no vocabulary here") && error.contains("vocab.json and merges.txt"), "{error}");
    fs_err::write(dir.path().join("vocab.json"), JSON).unwrap();
    let error = Encoder::from_dir(dir.path()).unwrap_err().to_string();
    assert!(error.contains("merges.txt"), "{error}");
    fs_err::write(dir.path().join("merges.txt"), MERGES).unwrap();
    assert_eq!(Encoder::from_dir(dir.path()).unwrap().n_vocab(), 8);
}

#[test]
fn the_rarest_characters_become_unknown() {
    let words = vec![("aé".into(), 5), ("日é".into(), 2), ("b日".into(), 1), ("x☃".into(), 1)];
    let alphabet = learn::alphabet(&words, 70);
    assert_eq!(alphabet.len(), 70, "68 of printable ASCII and two more");
    assert_eq!(alphabet[..4], ['é', 'a', '日', 'b']);
    assert!(!alphabet.contains(&'☃') && !alphabet.contains(&'A'));
    let merges = learn::learn(&words, &alphabet, 10, 1, |_| {});
    assert!(merges.iter().all(|(left, right)| !left.contains('☃') && !right.contains('☃')));
    let encoder = Encoder::new(Vocabulary::from_learned(&alphabet, &merges).unwrap());
    assert_eq!(encoder.encode("☃"), [0]);
}

#[test]
fn the_unknown_entry_is_never_made_by_a_merge() {
    let words = vec![("<unk>s".into(), 100), ("<unk>".into(), 100), ("</w>a".into(), 50), ("ba".into(), 50)];
    let alphabet = learn::alphabet(&words, learn::MAX_CHARACTERS);
    let merges = learn::learn(&words, &alphabet, 100, 1, |_| {});
    assert!(!merges.is_empty());
    assert!(merges.iter().all(|(left, right)| format!("{left}{right}") != "<unk>"));
    let encoder = Encoder::new(Vocabulary::from_learned(&alphabet, &merges).unwrap());
    assert!(!encoder.encode("<unk>s <unk>").contains(&0));
}
