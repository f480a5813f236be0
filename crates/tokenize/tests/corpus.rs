//! Reading a corpus: kinds, order, blocks, errors with their place.

use gpt1_tokenize::corpus::Corpus;
use gpt1_tokenize::count::{WordCount, count_words};
use std::path::Path;

fn write(dir: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = dir.join(name);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, bytes).unwrap();
}

fn counts(path: &Path) -> Result<Vec<WordCount>, String> {
    Corpus::open(path).and_then(|corpus| count_words(&corpus, |_| {})).map_err(|error| error.to_string())
}

fn pairs(counts: &[WordCount]) -> Vec<(&str, u64)> {
    counts.iter().map(|(word, count)| (&**word, *count)).collect()
}

#[test]
fn folders_are_read_recursively_and_sorted() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "b.txt", "\u{feff}One two.\r\nTwo\n");
    write(dir.path(), "a/c.TXT", "two");
    write(
        dir.path(),
        "a/d.jsonl",
        "{\"id\": 1, \"text\": \"Tw\\u006f\\nthree\"}\n\n{\"text\": \"\"}\n{\"text\": \"é\"}",
    );
    write(dir.path(), "README.md", "not read");
    write(dir.path(), ".hidden.txt", "not read");
    #[cfg(unix)]
    std::os::unix::fs::symlink(dir.path(), dir.path().join("a/loop")).unwrap();
    let corpus = Corpus::open(dir.path()).unwrap();
    let names: Vec<_> = corpus.files.iter().map(|file| file.strip_prefix(dir.path()).unwrap()).collect();
    assert_eq!(names, [Path::new("a/c.TXT"), Path::new("a/d.jsonl"), Path::new("b.txt")]);
    let counts = counts(dir.path()).unwrap();
    assert_eq!(pairs(&counts), [(".", 1), ("one", 1), ("three", 1), ("two", 4), ("é", 1)]);
}

#[test]
fn blocks_cut_no_word() {
    // Several blocks of a file: by lines, and (one line of 3 MB) by spaces; one word longer than a block.
    let dir = tempfile::tempdir().unwrap();
    let lines = "Hello there, world.\n".repeat(150_000);
    write(dir.path(), "lines.txt", &lines);
    write(dir.path(), "one_line.txt", lines.replace('\n', " "));
    write(dir.path(), "word.txt", format!("x {} y", "z".repeat(3 << 20)));
    let counts = counts(dir.path()).unwrap();
    let expected = [
        (",", 300_000),
        (".", 300_000),
        ("hello", 300_000),
        ("there", 300_000),
        ("world", 300_000),
        ("x", 1),
        ("y", 1),
    ];
    assert_eq!(pairs(&counts)[..7], expected);
    assert_eq!(counts[7].0.len(), 3 << 20);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..20 {
        let text =
            (0..20_000).map(|j| format!("w{} {}\n", (i * j) % 977, "é".repeat(j % 5))).collect::<Vec<_>>().concat();
        write(dir.path(), &format!("{i}.txt"), text);
    }
    let of =
        |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(|| counts(dir.path()).unwrap());
    let one = of(1);
    assert!(one.len() > 900);
    for n in [2, 3, 7] {
        assert!(of(n) == one, "{n} threads");
    }
}

#[test]
fn invalid_bytes_are_named_by_file_line_and_offset() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = "fine\n".repeat(500_000).into_bytes();
    bytes.extend(b"a\nbad \xe9 byte\n");
    write(dir.path(), "a.txt", &bytes);
    write(dir.path(), "b.txt", b"\xff");
    let error = counts(dir.path()).unwrap_err();
    assert!(error.contains("a.txt:500002: byte 2500006 of the file is not valid UTF-8"), "{error}");
}

#[test]
fn a_wrong_line_of_jsonl_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for (line, expected) in [
        (
            "{\"txt\": 1}",
            "d.jsonl:2:10: expected a JSON object with a string in the field \"text\": missing field `text`",
        ),
        ("{\"text\": 1}", "invalid type: integer `1`, expected a string"),
        ("[1, 2]", "d.jsonl:2:"),
        ("{\"text\": \"a", "EOF while parsing a string"),
        ("{\"text\": \"\\ud800\"}", "d.jsonl:2:"),
    ] {
        write(dir.path(), "d.jsonl", format!("{{\"text\": \"a\"}}\n{line}\n"));
        let error = counts(dir.path()).unwrap_err();
        assert!(error.contains(expected), "{line}: {error}");
    }
}

#[test]
fn what_is_no_corpus_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let error = counts(dir.path()).unwrap_err();
    assert!(error.contains("the corpus is empty: no .txt or .jsonl file"), "{error}");
    write(dir.path(), "a.txt", " \n\t\n");
    let error = counts(dir.path()).unwrap_err();
    assert!(error.contains("the corpus is empty: no word in 1 file(s) of 4 bytes"), "{error}");
    write(dir.path(), "b.parquet", "PAR1");
    for path in [dir.path().to_owned(), dir.path().join("b.parquet")] {
        let error = counts(&path).unwrap_err();
        assert!(error.contains("b.parquet") && error.contains("Parquet corpora are read by gpt1-shard"), "{error}");
    }
    write(dir.path(), "c.pdf", "%PDF");
    let error = counts(&dir.path().join("c.pdf")).unwrap_err();
    assert!(error.contains("expected a .txt or .jsonl file, or a folder of them; found .pdf"), "{error}");
    let error = counts(&dir.path().join("absent")).unwrap_err();
    assert!(error.contains("absent"), "{error}");
}
