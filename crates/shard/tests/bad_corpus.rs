//! Every fault of a corpus is named with its place.

mod common;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use common::{Place, config, message, write_parquet};
use gpt1_shard::{Corpus, PIECE_BYTES, ShardError};
use std::sync::Arc;

fn fault(name: &str, content: impl AsRef<[u8]>) -> String {
    let place = Place::new();
    place.corpus_file("a.txt", "fine");
    place.corpus_file(name, content);
    let text = message(place.shard(&config(0.0, 100)));
    assert!(text.contains(name), "{text}");
    assert_eq!(fs_err::read_dir(place.shards()).unwrap().count(), 0, "nothing is written before all has been checked");
    text
}

#[test]
fn invalid_utf8_with_line_and_byte() {
    let text = fault("b.txt", b"ab\ncd\nef\xffgh\n");
    assert!(text.contains("b.txt, line 3: invalid UTF-8 at byte 8 of the file (byte 0xff)"), "{text}");
    // A character cut short at the end, and one far into a long file.
    let text = fault("b.txt", b"ab\nc\xe2\x82");
    assert!(text.contains("line 2: invalid UTF-8 at byte 4"), "{text}");
    let mut long = "the mat\n".repeat(PIECE_BYTES / 4).into_bytes();
    let at = long.len() - 3;
    long[at] = 0x80;
    let text = fault("b.txt", &long);
    assert!(text.contains(&format!("line {}: invalid UTF-8 at byte {at}", PIECE_BYTES / 4)), "{text}");
    let text = fault("b.jsonl", b"{\"text\": \"a\"}\n{\"text\": \"\xc0\"}\n");
    assert!(text.contains("b.jsonl, line 2: invalid UTF-8 at byte 24"), "{text}");
}

#[test]
fn faulty_lines() {
    for (line, expected) in [
        ("{\"text\": \"a\"", "b.jsonl:2: expected one JSON object"),
        ("the cat", "b.jsonl:2: expected one JSON object"),
        ("{\"text\": \"a\"} {}", "b.jsonl:2: expected one JSON object"),
        ("{\"text\": \"\\ud800\"}", "b.jsonl:2: expected one JSON object"),
        (
            "{\"id\": 1, \"body\": \"a\"}",
            "b.jsonl:2: expected a field \"text\" that holds a string, found the fields id, body",
        ),
        ("{}", "b.jsonl:2: expected a field \"text\" that holds a string, found no field"),
        ("{\"text\": null}", "found null in it"),
        ("{\"text\": [\"a\"]}", "found an array in it"),
        ("[1]", "found an array instead of an object"),
    ] {
        let text = fault("b.jsonl", format!("{{\"text\": \"a\"}}\n{line}\n"));
        assert!(text.contains(expected), "{line}: {text}");
    }
}

#[test]
fn deep_json_is_no_stack_overflow() {
    let text = fault("b.jsonl", format!("{{\"x\": {}", "[".repeat(200_000)));
    assert!(text.contains("b.jsonl:1"), "{text}");
}

#[test]
fn parquet_without_text() {
    let place = Place::new();
    let path = place.path("corpus/b.parquet");
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    write_parquet(
        &path,
        &RecordBatch::try_from_iter([("id", numbers.clone()), ("body", numbers.clone())]).unwrap(),
        None,
    );
    let text = message(place.shard(&config(0.0, 100)));
    assert!(text.contains("b.parquet: expected a column \"text\" of strings, found the columns id, body"), "{text}");

    write_parquet(&path, &RecordBatch::try_from_iter([("text", numbers)]).unwrap(), None);
    let text = message(place.shard(&config(0.0, 100)));
    assert!(text.contains("b.parquet") && text.contains("of type Int32"), "{text}");

    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
    write_parquet(&path, &RecordBatch::try_from_iter([("text", texts)]).unwrap(), None);
    let text = message(place.shard(&config(0.0, 100)));
    assert!(text.contains("b.parquet, row 2") && text.contains("null"), "{text}");
}

#[test]
fn truncated_and_damaged_parquet() {
    let place = Place::new();
    let path = place.path("corpus/b.parquet");
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..60).map(|i| format!("the cat {i} sat"))));
    write_parquet(&path, &RecordBatch::try_from_iter([("text", texts)]).unwrap(), None);
    let whole = fs_err::read(&path).unwrap();
    for len in [0, 3, 11, 12, 100, whole.len() / 2, whole.len() - 1] {
        fs_err::write(&path, &whole[..len]).unwrap();
        let text = message(place.shard(&config(0.0, 100)));
        assert!(text.contains("b.parquet: not a whole Parquet file"), "{len}: {text}");
    }
    // Damage may go unnoticed in a corpus, but it is never a panic.
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        fs_err::write(&path, &damaged).unwrap();
        if let Ok(corpus) = Corpus::open(&place.path("corpus")) {
            match corpus.read(&mut |_| {}, &mut |_| Ok(())) {
                Ok(()) => {}
                Err(error) => assert!(error.to_string().contains("b.parquet"), "{error}"),
            }
        }
    }
}

#[test]
fn empty_corpora() {
    let place = Place::new();
    let text = message(place.shard(&config(0.0, 100)));
    assert!(text.contains("no .txt, .jsonl or .parquet file (0 of other types)"), "{text}");
    place.corpus_file("notes.csv", "a,b");
    let text = message(place.shard(&config(0.0, 100)));
    assert!(text.contains("(1 of other types)"), "{text}");
    place.corpus_file("a.txt", " \n\u{feff} \n");
    fs_err::write(place.path("corpus/b.jsonl"), "\n\n{\"text\": \" \"}\n").unwrap();
    fs_err::write(place.path("corpus/a.txt"), "\u{feff} \n\t").unwrap();
    let text = message(place.shard(&config(0.1, 100)));
    assert!(text.contains("the corpus is empty: 2 files"), "{text}");
    assert!(matches!(Corpus::open(&place.path("corpus/notes.csv")), Err(ShardError::UnknownType(_))));
    assert!(message(Corpus::open(&place.path("nowhere"))).contains("nowhere"));
}

#[test]
fn other_types_are_counted_and_hidden_entries_passed_over() {
    let place = Place::new();
    place.corpus_file("deep/er/B.TXT", "one");
    place.corpus_file("deep/a.txt", "two");
    place.corpus_file("notes.csv", "a,b");
    place.corpus_file("deep/README", "a");
    place.corpus_file(".git/x.txt", "no");
    let corpus = Corpus::open(&place.path("corpus")).unwrap();
    let names: Vec<&str> = corpus.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["deep/a.txt", "deep/er/B.TXT"]);
    assert_eq!(corpus.ignored.len(), 2);
}

#[test]
fn byte_order_marks_are_no_text() {
    let place = Place::new();
    place.corpus_file("a.txt", "\u{feff}the");
    place.corpus_file("b.jsonl", "\u{feff}{\"text\": \"the\"}\r\n");
    let summary = place.shard(&config(0.0, 100)).unwrap();
    assert_eq!((summary.train.bytes, summary.train.tokens, summary.train.unknown), (6, 2, 0));
}
