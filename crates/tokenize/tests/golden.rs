//! Golden values of subword-nmt and of GPT-1's own encoder; tests/golden/tokenize/make_golden.py made them.

use gpt1_tokenize::clean::standardize;
use gpt1_tokenize::count::count_words;
use gpt1_tokenize::{Encoder, Vocabulary, learn, words};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn golden(name: &str) -> String {
    fs_err::read_to_string(workspace().join("tests/golden/tokenize").join(name)).unwrap()
}

/// OpenAI's released files, or the reason to skip.
fn released() -> Option<PathBuf> {
    let dir = workspace().join("../shared/gpt1_vocab");
    if dir.exists() {
        return Some(dir);
    }
    eprintln!("skipped: {} is absent (OpenAI's released vocabulary)", dir.display());
    None
}

#[test]
fn merges_are_those_of_subword_nmt() {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    let corpus = golden("corpus.txt");
    for word in corpus.split_whitespace() {
        *counts.entry(word).or_default() += 1;
    }
    let words: Vec<_> = counts.into_iter().map(|(word, count)| (word.into(), count)).collect();
    let alphabet = learn::alphabet(&words, learn::MAX_CHARACTERS);
    let expected = golden("merges_subword_nmt.txt");
    let expected: Vec<&str> = expected.lines().skip(1).collect();
    let merges = learn::learn(&words, &alphabet, usize::MAX, 2, |_| {});
    let merges: Vec<String> = merges.iter().map(|(left, right)| format!("{left} {right}")).collect();
    assert_eq!(merges, expected);
    assert!(merges.len() > 300);
    let fewer = learn::learn(&words, &alphabet, 100, 2, |_| {});
    assert_eq!(fewer.len(), 100);
    assert_eq!(format!("{} {}", fewer[99].0, fewer[99].1), expected[99]);
}

#[test]
fn cleaning_is_that_of_the_released_code() {
    let cases: Vec<(String, String)> = serde_json::from_str(&golden("standardize.json")).unwrap();
    assert!(cases.len() >= 600);
    for (text, expected) in cases {
        assert_eq!(standardize(&text), expected, "{text:?}");
    }
}

#[test]
fn words_get_the_ids_of_the_released_vocabulary() {
    let Some(dir) = released() else { return };
    let encoder = Encoder::from_dir(&dir).unwrap();
    assert_eq!(encoder.n_vocab(), 40478);
    let bpe = gpt1_tokenize::bpe::Bpe::new(encoder.vocabulary());
    let cases: Vec<(String, Vec<u32>)> = serde_json::from_str(&golden("openai_words.json")).unwrap();
    assert!(cases.len() >= 1900);
    for (word, expected) in cases {
        let mut ids = Vec::new();
        bpe.encode_word(&word, &mut ids);
        assert_eq!(ids, expected, "{word:?}");
        // A word that cleaning and splitting leave as it is has the same ids as a text.
        let mut words = Vec::new();
        words::each_word(&word, &mut |word| words.push(word.to_owned()));
        if words == [word.as_str()] {
            assert_eq!(encoder.encode(&word), expected, "{word:?}");
        }
    }
}

#[test]
fn the_released_files_have_our_layout_and_are_copied_byte_for_byte() {
    let Some(dir) = released() else { return };
    let encoder = Encoder::from_dir(&dir).unwrap();
    let entries = encoder.vocabulary().entries();
    let merges = encoder.vocabulary().merges();
    let text = |id: u32| entries[id as usize].clone();
    let alphabet: Vec<char> = entries[1..=238].iter().flat_map(|entry| entry.chars()).collect();
    let merges: Vec<_> = merges.iter().map(|merge| (text(merge.left), text(merge.right))).collect();
    let rebuilt = Encoder::new(Vocabulary::from_learned(&alphabet, &merges).unwrap());
    assert_eq!(rebuilt.vocabulary().entries(), entries);
    assert_eq!(rebuilt.digest(), encoder.digest());
    assert_eq!(encoder.encode("a\n b c"), [&encoder.encode("a")[..], &[40477], &encoder.encode("b c")].concat());

    let copy = tempfile::tempdir().unwrap();
    encoder.copy_files_to(copy.path()).unwrap();
    for (ours, released) in [("vocab.json", "encoder_bpe_40000.json"), ("merges.txt", "vocab_40000.bpe")] {
        assert!(fs_err::read(copy.path().join(ours)).unwrap() == fs_err::read(dir.join(released)).unwrap(), "{ours}");
    }
    assert_eq!(Encoder::from_dir(copy.path()).unwrap().digest(), encoder.digest());
}

#[test]
fn a_novel_survives_the_released_vocabulary() {
    let (Some(dir), novel) =
        (released(), workspace().join("../shared/data/corpus/english_novels/Doyle_Hound_1902.txt"))
    else {
        return;
    };
    let Ok(text) = fs_err::read_to_string(&novel) else {
        eprintln!("skipped: {} is absent", novel.display());
        return;
    };
    let encoder = Encoder::from_dir(&dir).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let by_line = encoder.encode_batch(&lines);
    for (line, ids) in lines.iter().zip(&by_line) {
        assert_eq!(*ids, encoder.encode(line));
        if !ids.contains(&0) {
            let expected = standardize(line).to_lowercase().replace(' ', "");
            assert_eq!(encoder.decode(ids).replace(' ', ""), expected);
        }
    }
    let n_tokens: usize = by_line.iter().map(Vec::len).sum();
    let n_unknown = by_line.iter().flatten().filter(|&&id| id == 0).count();
    assert!(n_tokens > 60_000 && n_unknown * 1000 < n_tokens, "{n_unknown} unknown of {n_tokens}");

    let counted: u64 =
        count_words(std::iter::once(vec![text.clone()]), words::each_word).iter().map(|(_, count)| count).sum();
    let mut n_words = 0;
    words::each_word(&text, &mut |word| n_words += u64::from(word != words::LINE_BREAK));
    assert_eq!(counted, n_words);
}
