//! Vocabularies, and corpora of text and JSON lines.

use crate::harness::{Damaged, damage, folder, is_beyond, isolated, same};
use gpt1_corpus::{Corpus, CorpusError};
use gpt1_tokenize::{Encoder, Vocabulary, learn};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

fn vocabulary() -> Vocabulary {
    let words = [("low", 5), ("lower", 2), ("newest", 6), ("wid\u{e9}st", 3), ("\"quoted\"", 4)];
    let words: Vec<_> = words.map(|(word, n)| (word.into(), n)).into();
    let alphabet = learn::alphabet(&words, learn::MAX_CHARACTERS);
    Vocabulary::from_learned(&alphabet, &learn::learn(&words, &alphabet, 30, 2, |_| {})).unwrap()
}

/// The entries by id and the merges as the two files of a folder have them.
fn expected(vocab: &Path, merges: &Path) -> (Vec<String>, Vec<String>) {
    let json: Value = serde_json::from_slice(&fs_err::read(vocab).unwrap()).unwrap();
    let by_id: BTreeMap<u64, String> =
        json.as_object().unwrap().iter().map(|(entry, id)| (id.as_u64().unwrap(), entry.clone())).collect();
    let text = fs_err::read_to_string(merges).unwrap();
    let lines = text.lines().skip(1).map(|line| line.replace(' ', ""));
    (by_id.into_values().collect(), lines.collect())
}

fn vocabulary_files(test: &str, names: [&str; 2]) {
    isolated(test, || {
        let dir = folder();
        let [vocab, merges] = names.map(|name| dir.path().join(name));
        vocabulary().write(dir.path()).unwrap();
        for (ours, name) in ["vocab.json", "merges.txt"].into_iter().zip(names) {
            fs_err::rename(dir.path().join(ours), dir.path().join(name)).unwrap();
        }
        let check = |_: &[u8], encoder: Encoder| {
            let (entries, made) = expected(&vocab, &merges);
            same("entries", &encoder.vocabulary().entries().to_vec(), &entries)?;
            let merged = encoder.vocabulary().merges().iter().map(|merge| entries[merge.merged as usize].clone());
            same("merges", &merged.collect(), &made)?;
            let ids = encoder.encode("lower \"newest\" low wid\u{e9}st");
            same("ids", &ids.iter().all(|id| (*id as usize) < entries.len()), &true)
        };
        for path in [&vocab, &merges] {
            // What does not fit may be found in the other of the two.
            let file = Damaged { named: dir.path().to_owned(), ..Damaged::text(path) };
            damage(&file, || Encoder::from_dir(dir.path()), check);
        }
    });
}

#[test]
fn vocabulary_of_ours() {
    vocabulary_files("texts::vocabulary_of_ours", ["vocab.json", "merges.txt"]);
}

#[test]
fn vocabulary_of_openai() {
    vocabulary_files("texts::vocabulary_of_openai", ["encoder_bpe_40000.json", "vocab_40000.bpe"]);
}

/// All documents: name and text.
fn read(path: &Path) -> Result<Vec<(String, String)>, CorpusError> {
    let mut documents = Vec::new();
    Corpus::open(path)?.read::<CorpusError>(&mut |_| {}, &mut |piece| {
        documents.push((piece.document.to_string(), piece.text));
        Ok(())
    })?;
    Ok(documents)
}

/// White space to the encoder, which makes no document.
fn is_empty(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c))
}

fn without_mark(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).unwrap()
}

#[test]
fn corpus_txt() {
    isolated("texts::corpus_txt", || {
        let dir = folder();
        let path = dir.path().join("a.txt");
        fs_err::write(&path, "\u{feff}The caf\u{e9} was shut.\nNobody came,\r\n\tnobody went.\n\n1234 \u{2028} end")
            .unwrap();
        let check = |bytes: &[u8], documents: Vec<(String, String)>| {
            let text = without_mark(bytes);
            let expected = if is_empty(text) { vec![] } else { vec![("a.txt".to_owned(), text.to_owned())] };
            same("documents", &documents, &expected)
        };
        damage(&Damaged { has_lines: true, ..Damaged::text(&path) }, || read(&path), check);
    });
}

#[test]
fn corpus_jsonl() {
    isolated("texts::corpus_jsonl", || {
        let dir = folder();
        let path = dir.path().join("a.jsonl");
        let lines = [
            r#"{"text": "The cat sat.", "id": 17}"#,
            r#"{"id": 2, "meta": {"a": [1, 2.5, null, true]}, "text": "caf\u00e9 \"shut\"\n\ud83d\ude00"}"#,
            "",
            "{\"text\":\"\u{2028}end\",\"url\":\"x\"}",
        ];
        fs_err::write(&path, lines.join("\n")).unwrap();
        let check = |bytes: &[u8], documents: Vec<(String, String)>| {
            if is_beyond(bytes) {
                return Ok(());
            }
            let lines = without_mark(bytes).split('\n').enumerate().filter(|(_, line)| !line.trim().is_empty());
            let texts = lines.map(|(i, line)| {
                let json: Value = serde_json::from_str(line).unwrap();
                (format!("a.jsonl#{}", i + 1), json["text"].as_str().unwrap().to_owned())
            });
            same("documents", &documents, &texts.filter(|(_, text)| !is_empty(text)).collect())
        };
        damage(&Damaged { has_lines: true, ..Damaged::text(&path) }, || read(&path), check);
    });
}
