//! Which files are read, in which order, and what their documents are.

use arrow::array::{ArrayRef, Int32Array, LargeStringArray, RecordBatch, StringArray, StringViewArray};
use gpt1_corpus::{Corpus, CorpusError, Gap, PIECE_BYTES, Piece};
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

fn write(dir: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = dir.join(name);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, content).unwrap();
}

fn pieces(path: &Path) -> Vec<Piece> {
    let corpus = Corpus::open(path).unwrap();
    let mut pieces = Vec::new();
    let mut n_bytes = 0;
    let read = corpus.read::<CorpusError>(&mut |n| n_bytes += n, &mut |piece| {
        pieces.push(piece);
        Ok(())
    });
    read.unwrap();
    assert_eq!(n_bytes, corpus.n_bytes());
    pieces
}

/// Name, number and text of each document.
fn documents(path: &Path) -> Vec<(String, u64, String)> {
    pieces(path).into_iter().map(|piece| (piece.document.to_string(), piece.index, piece.text)).collect()
}

fn owned(documents: &[(&str, u64, &str)]) -> Vec<(String, u64, String)> {
    documents.iter().map(|&(name, index, text)| (name.to_owned(), index, text.to_owned())).collect()
}

#[test]
fn folders_are_read_whole_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "deep/er/B.TXT", "one");
    write(dir.path(), "deep/a.txt", "two\n");
    write(
        dir.path(),
        "c.jsonl",
        "{\"id\": 1, \"text\": \"Tw\\u006f\\nlines\"}\r\n\n{\"text\": \" \"}\n{\"text\": \"\u{e9}\"}",
    );
    write(dir.path(), "blank.txt", " \n\t");
    write(dir.path(), "notes.csv", "a,b");
    write(dir.path(), "deep/README", "a");
    write(dir.path(), ".git/x.txt", "no");
    let expected = [
        ("c.jsonl#1", 1, "Two\nlines"),
        ("c.jsonl#4", 3, "\u{e9}"),
        ("deep/a.txt", 4, "two\n"),
        ("deep/er/B.TXT", 5, "one"),
    ];
    assert_eq!(documents(dir.path()), owned(&expected));
    let corpus = Corpus::open(dir.path()).unwrap();
    assert_eq!(corpus.ignored, [dir.path().join("deep/README"), dir.path().join("notes.csv")]);
    let warning = corpus.warning().unwrap();
    assert!(warning.starts_with("2 files that are not .txt, .jsonl or .parquet are ignored (first: "), "{warning}");
    assert_eq!(documents(&dir.path().join("deep/a.txt")), owned(&[("a.txt", 0, "two\n")]));
}

#[test]
#[cfg(unix)]
fn links_are_followed_but_not_in_circles() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    write(elsewhere.path(), "b.txt", "two");
    write(dir.path(), "a/a.txt", "one");
    std::os::unix::fs::symlink(elsewhere.path(), dir.path().join("a/elsewhere")).unwrap();
    // Two of them: a reader that follows them for as long as the system does never ends.
    for name in ["a/loop", "a/loop2"] {
        std::os::unix::fs::symlink(dir.path(), dir.path().join(name)).unwrap();
    }
    assert_eq!(documents(dir.path()), owned(&[("a/a.txt", 0, "one"), ("a/elsewhere/b.txt", 1, "two")]));
}

#[test]
fn byte_order_marks_are_no_text() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a.txt", "\u{feff}the");
    write(dir.path(), "b.jsonl", "\u{feff}{\"text\": \"the\"}\r\n");
    write(dir.path(), "c.txt", "\u{feff} \n");
    assert_eq!(documents(dir.path()), owned(&[("a.txt", 0, "the"), ("b.jsonl#1", 1, "the")]));
}

#[test]
fn parquet_of_all_string_types() {
    let texts = ["the first", "", "and the third\nwith a line"];
    let columns: [ArrayRef; 3] = [
        Arc::new(StringArray::from(texts.to_vec())),
        Arc::new(LargeStringArray::from(texts.to_vec())),
        Arc::new(StringViewArray::from(texts.to_vec())),
    ];
    for column in columns {
        let dir = tempfile::tempdir().unwrap();
        let ids: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
        let batch = RecordBatch::try_from_iter([("id", ids), ("text", column)]).unwrap();
        let file = fs_err::File::create(dir.path().join("rows.parquet")).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let expected = [("rows.parquet#1", 0, texts[0]), ("rows.parquet#3", 2, texts[2])];
        assert_eq!(documents(dir.path()), owned(&expected));
    }
}

#[test]
fn long_documents_are_cut_between_words() {
    let line = "Hello there, world.\n";
    let lines = line.repeat(2 * PIECE_BYTES / line.len());
    let one_line = lines.replace('\n', " ");
    let word = format!("x {} y", "z".repeat(3 << 20));
    let mut n_reported = Vec::new();
    for (text, n_pieces, gap) in [(lines, 2, Gap::LineFeed), (one_line, 2, Gap::Space), (word, 1, Gap::None)] {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "a.txt", &text);
        write(dir.path(), "b.jsonl", serde_json::json!({ "text": text }).to_string());
        let found = pieces(dir.path());
        for name in ["a.txt", "b.jsonl#1"] {
            let parts: Vec<&Piece> = found.iter().filter(|piece| &*piece.document == name).collect();
            assert_eq!(parts.len(), n_pieces);
            assert!(parts.iter().map(|piece| piece.text.as_str()).collect::<String>() == text, "{name}");
            assert!(parts.iter().all(|piece| piece.text.len() <= PIECE_BYTES));
            assert!(parts[1..].iter().all(|piece| piece.gap == gap && piece.text.starts_with("Hello ")));
        }
        let corpus = Corpus::open(&dir.path().join("a.txt")).unwrap();
        corpus.read::<CorpusError>(&mut |n| n_reported.push(n), &mut |_| Ok(())).unwrap();
    }
    assert!(n_reported.len() >= 5, "progress within a file: {n_reported:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the bytes are, the answer is text or an error with the place.
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200), name in "a\\.(txt|jsonl|parquet)") {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &name, &bytes);
        let result = Corpus::open(dir.path()).unwrap().read::<CorpusError>(&mut |_| {}, &mut |_| Ok(()));
        if let Err(error) = result {
            let place = format!("{}:", dir.path().join(&name).display());
            prop_assert!(error.to_string().starts_with(&place), "{}", error);
        }
    }
}
