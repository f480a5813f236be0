//! Words and lower case against golden values of the reference; tests/golden/spacy/make_golden.py made them.

use gpt1_tokenize::clean::standardize;
use gpt1_tokenize::spacy::{lowercase, split_chunk, split_words};
use std::io::{BufRead, BufReader};
use std::path::Path;

fn words_of_text(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    split_words(&standardize(text), &mut |word| words.push(word.to_owned()));
    words
}

fn words_of_chunk(chunk: &str) -> Vec<&str> {
    let (mut words, mut tail) = (Vec::new(), Vec::new());
    split_chunk(chunk, &mut tail, &mut |word| words.push(word));
    assert!(tail.is_empty());
    words
}

/// Compares each case of a file; returns how many cases, words and differences there were, and tells the first differences.
fn compare(path: &Path) -> (usize, usize, usize) {
    let (mut n_cases, mut n_words, mut n_differences) = (0, 0, 0);
    for line in BufReader::new(fs_err::File::open(path).unwrap()).lines() {
        let (kind, text, expected): (String, String, serde_json::Value) = serde_json::from_str(&line.unwrap()).unwrap();
        let found: serde_json::Value = match &kind[..] {
            "text" => words_of_text(&text).into(),
            "chunk" => words_of_chunk(&text).into(),
            "lower" => lowercase(&text).into_owned().into(),
            other => panic!("unknown kind of case {other:?}"),
        };
        n_cases += 1;
        n_words += expected.as_array().map_or(1, Vec::len);
        if found != expected {
            n_differences += 1;
            if n_differences <= 20 {
                let context: String = text.chars().take(200).collect();
                eprintln!("{kind} {context:?}\n  {}", first_difference(&found, &expected));
            }
        }
    }
    (n_cases, n_words, n_differences)
}

/// The words around the first that differs.
fn first_difference(found: &serde_json::Value, expected: &serde_json::Value) -> String {
    let (Some(ours), Some(theirs)) = (found.as_array(), expected.as_array()) else {
        return format!("found {found}, expected {expected}");
    };
    let at = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
    let around = |words: &[serde_json::Value]| format!("{:?}", &words[at.saturating_sub(2)..words.len().min(at + 6)]);
    format!("found {}, expected {}", around(ours), around(theirs))
}

#[test]
fn words_and_lower_case_are_those_of_the_reference() {
    let golden = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/spacy"));
    for (name, at_least) in [("texts.jsonl", 1500), ("chunks.jsonl", 5000), ("lower.jsonl", 2400)] {
        let (n_cases, n_words, n_differences) = compare(&golden.join(name));
        assert!(n_cases >= at_least && n_words >= n_cases, "{name}: {n_cases} cases");
        assert_eq!(n_differences, 0, "{name}: differences among {n_cases} cases");
    }
}

#[test]
#[ignore = "compares the file in GPT1_SPACY_CASES, which tests/golden/spacy/make_golden.py writes"]
fn a_file_of_cases() {
    let path = std::env::var("GPT1_SPACY_CASES").expect("GPT1_SPACY_CASES names a file of make_golden.py");
    let (n_cases, n_words, n_differences) = compare(Path::new(&path));
    println!("{path}: {n_cases} cases, {n_words} words, {n_differences} differ");
    assert!(n_cases > 0 && n_differences == 0);
}

#[test]
fn telling_cases() {
    for (text, expected) in [
        ("May. c'mon this'll 1:Do", "May.|c'mon|this'll|1:Do"),
        ("Mr.Jones ''Tis ``No Prof.", "Mr|.|Jones|'|'|Tis|``|No|Prof|."),
        ("a \n\n b", "a|\n |b"),
        ("10am 5km. U.S. can't've ...no", "10|am|5|km|.|U.S.|ca|n't|'ve|...|no"),
        ("see example.com. x@y.org 8.8.8.8 10.0.0.1", "see|example.com|.|x@y.org|8.8.8.8|10.0.0.1"),
        ("", ""),
    ] {
        assert_eq!(words_of_text(text).join("|"), expected, "{text:?}");
    }
}
