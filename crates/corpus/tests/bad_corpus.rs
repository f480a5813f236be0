//! Every fault of a corpus is named with its place.

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use gpt1_corpus::{Corpus, CorpusError, PIECE_BYTES};
use parquet::arrow::ArrowWriter;
use std::path::Path;
use std::sync::Arc;

fn write(dir: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = dir.join(name);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, content).unwrap();
}

fn write_parquet(path: &Path, column: &str, values: ArrayRef) {
    let batch = RecordBatch::try_from_iter([("id", values.clone()), (column, values)]).unwrap();
    let mut writer = ArrowWriter::try_new(fs_err::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn read(path: &Path) -> Result<(), CorpusError> {
    Corpus::open(path)?.read(&mut |_| {}, &mut |_| Ok(()))
}

fn message(path: &Path) -> String {
    read(path).unwrap_err().to_string()
}

fn fault(name: &str, content: impl AsRef<[u8]>) -> String {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a.txt", "fine");
    write(dir.path(), name, content);
    let text = message(dir.path());
    assert!(text.starts_with(&format!("{}:", dir.path().join(name).display())), "{text}");
    text
}

#[test]
fn invalid_utf8_with_line_and_byte() {
    let text = fault("b.txt", b"ab\ncd\nef\xffgh\n");
    assert!(text.contains("b.txt:3: invalid UTF-8 at byte 8 of the file (0xff)\n  hint: "), "{text}");
    // A character cut short at the end, and one far into a long file.
    let text = fault("b.txt", b"ab\nc\xe2\x82");
    assert!(text.contains("b.txt:2: invalid UTF-8 at byte 4 "), "{text}");
    let mut long = "the mat\n".repeat(PIECE_BYTES / 4).into_bytes();
    let at = long.len() - 3;
    long[at] = 0x80;
    let text = fault("b.txt", &long);
    assert!(text.contains(&format!("b.txt:{}: invalid UTF-8 at byte {at} ", PIECE_BYTES / 4)), "{text}");
    let text = fault("b.jsonl", b"{\"text\": \"a\"}\n{\"text\": \"\xc0\"}\n");
    assert!(text.contains("b.jsonl:2: invalid UTF-8 at byte 24 "), "{text}");
}

#[test]
fn faulty_lines() {
    for (line, expected) in [
        ("{\"text\": \"a\"", "b.jsonl:2: expected one JSON object on the line: EOF while parsing an object, column 12"),
        ("the cat", "b.jsonl:2: expected one JSON object"),
        ("{\"text\": \"a\"} {}", "b.jsonl:2: expected one JSON object"),
        ("{\"text\": \"\\ud800\"}", "b.jsonl:2: expected one JSON object"),
        (
            "{\"id\": 1, \"body\": \"a\"}",
            "b.jsonl:2: expected a field \"text\" that holds a string, found the fields id, body",
        ),
        ("{}", "b.jsonl:2: expected a field \"text\" that holds a string, found no field"),
        ("{\"text\": \"a\", \"text\": \"b\"}", "found more than one field of that name"),
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
fn long_lines_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("b.jsonl");
    // A file of holes: 300 MiB of zero bytes that take no room.
    fs_err::File::create(&path).unwrap().set_len(300 << 20).unwrap();
    let text = message(dir.path());
    assert!(text.contains("b.jsonl:1: the line is longer than 268435456 bytes"), "{text}");
}

#[test]
fn parquet_without_text() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("b.parquet");
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    write_parquet(&path, "body", numbers.clone());
    let text = message(dir.path());
    assert!(text.contains("b.parquet: expected a column \"text\" of strings, found the columns id, body"), "{text}");

    write_parquet(&path, "text", numbers);
    let text = message(dir.path());
    assert!(text.contains("b.parquet: expected a column \"text\"") && text.contains("of type Int32"), "{text}");

    write_parquet(&path, "text", Arc::new(StringArray::from(vec![Some("a"), None])));
    let text = message(dir.path());
    assert!(text.contains("b.parquet:2: the column \"text\" is null in this row"), "{text}");
}

#[test]
fn truncated_and_damaged_parquet() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("b.parquet");
    let texts = StringArray::from_iter_values((0..60).map(|i| format!("the cat {i} sat")));
    write_parquet(&path, "text", Arc::new(texts));
    let whole = fs_err::read(&path).unwrap();
    for len in [0, 3, 11, 12, 100, whole.len() / 2, whole.len() - 1] {
        fs_err::write(&path, &whole[..len]).unwrap();
        let text = message(dir.path());
        assert!(text.contains("b.parquet: not a whole Parquet file"), "{len}: {text}");
    }
    // Damage may go unnoticed in a corpus, but it is never a panic.
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        fs_err::write(&path, &damaged).unwrap();
        if let Err(error) = read(dir.path()) {
            assert!(error.to_string().contains("b.parquet"), "{error}");
        }
    }
}

#[test]
fn what_is_no_corpus_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(message(dir.path()).contains("no .txt, .jsonl or .parquet file (0 of other types)"));
    write(dir.path(), "notes.csv", "a,b");
    assert!(message(dir.path()).contains("(1 of other types)"));
    assert!(matches!(Corpus::open(&dir.path().join("notes.csv")), Err(CorpusError::UnknownType(_))));
    assert!(message(&dir.path().join("nowhere")).contains("nowhere"));
}

#[test]
fn the_error_of_whoever_takes_the_text_stops_the_reading() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a.jsonl", "{\"text\": \"a\"}\nno JSON");
    let mut n_pieces = 0;
    let result = Corpus::open(dir.path()).unwrap().read(&mut |_| {}, &mut |_| {
        n_pieces += 1;
        Err(CorpusError::Io(std::io::Error::other("full")))
    });
    assert_eq!((result.unwrap_err().to_string().as_str(), n_pieces), ("full", 1));
}
