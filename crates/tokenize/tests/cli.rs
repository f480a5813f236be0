//! The real program in a fresh folder.

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use gpt1_tokenize::Encoder;
use parquet::arrow::ArrowWriter;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

const CORPUS: &str = include_str!("../../../tests/golden/tokenize/corpus.txt");

fn run(dir: &Path, args: &[&str], input: impl AsRef<[u8]>) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gpt1-tokenize"))
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses its arguments does not read.
    _ = child.stdin.take().unwrap().write_all(input.as_ref());
    child.wait_with_output().unwrap()
}

fn stdout(output: &Output) -> &str {
    assert!(output.status.success(), "{}", stderr(output));
    str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).unwrap()
}

fn train(dir: &Path, out: &str, more: &[&str]) -> Output {
    let args = ["train", "--config", "tiny", "--set", "tokenizer.n_merges=200", "--corpus", "corpus.txt", "--out", out];
    run(dir, &[&args, more].concat(), "")
}

fn fresh() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs_err::write(dir.path().join("corpus.txt"), CORPUS).unwrap();
    dir
}

#[test]
fn train_encode_decode() {
    let dir = fresh();
    let output = train(dir.path(), "vocab", &[]);
    assert_eq!(stdout(&output), "", "results go into --out");
    let merges = fs_err::read_to_string(dir.path().join("vocab/merges.txt")).unwrap();
    assert!(merges.starts_with("#version: 0.2\n"));
    assert_eq!(merges.lines().count(), 201);
    let manifest = fs_err::read_to_string(dir.path().join("vocab/manifest.json")).unwrap();
    assert!(manifest.contains("\"n_merges\": 200") && manifest.contains("corpus.txt"), "{manifest}");

    let text = "The old keeper, and Ruth's cat.\n\n  Far—off harbours…\r\nlast line";
    let output = run(dir.path(), &["encode", "--tokenizer", "vocab"], text);
    let ids = stdout(&output);
    assert_eq!(ids.matches('\n').count(), 4);
    assert_eq!(ids.lines().nth(1), Some(""));
    assert!(ids.split_ascii_whitespace().all(|id| id.parse::<u32>().is_ok()));
    let output = run(dir.path(), &["decode", "--tokenizer", "vocab"], ids);
    assert_eq!(stdout(&output), "the old keeper , and ruth 's cat .\n\nfar - off harbours ...\nlast line\n");

    let output = run(dir.path(), &["encode", "--json", "--tokenizer", "vocab"], "\"One\\ntwo\"\n");
    let output = run(dir.path(), &["decode", "--json", "--tokenizer", "vocab"], stdout(&output));
    assert_eq!(stdout(&output), "\"one\\ntwo\"\n");
    assert_eq!(stdout(&run(dir.path(), &["encode", "--tokenizer", "vocab"], "")), "");
}

fn golden_dir() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/encoder")).to_owned()
}

/// The reference encoder's ids and steps of thousands of hard texts, byte for byte as it prints them; make_golden.py beside them
/// made them.
#[test]
fn hard_texts_are_encoded_as_by_the_reference() {
    let golden = golden_dir();
    let read = |name: &str| fs_err::read_to_string(golden.join(name)).unwrap();
    let texts = read("texts.jsonl");
    for (args, texts, expected) in [
        (&["encode", "--json", "--tokenizer", "."][..], &texts[..], read("ids.txt")),
        (&["encode", "--json", "--stages", "--tokenizer", "."], &first_lines(&texts, 160), read("stages.jsonl")),
    ] {
        let output = run(&golden, args, texts);
        let found: Vec<&str> = stdout(&output).split('\n').collect();
        let expected: Vec<&str> = expected.split('\n').collect();
        assert_eq!(found.len(), expected.len(), "{args:?}");
        for (text, (found, expected)) in texts.split('\n').zip(found.iter().zip(&expected)) {
            assert_eq!(found, expected, "{args:?} {text}");
        }
    }
    assert!(texts.lines().count() > 3500);
}

fn first_lines(text: &str, n: usize) -> String {
    text.split_inclusive('\n').take(n).collect()
}

/// The steps go through the rules alone, `encode` through its tables.
#[test]
fn steps_end_in_the_ids_of_the_text() {
    let encoder = Encoder::from_dir(golden_dir()).unwrap();
    for line in fs_err::read_to_string(golden_dir().join("texts.jsonl")).unwrap().lines() {
        let text: String = serde_json::from_str(line).unwrap();
        let stages = encoder.stages(&text);
        assert_eq!(stages.ids, encoder.encode(&text), "{text:?}");
        let symbols = stages.bpe.iter().zip(&stages.tokens).filter(|(_, token)| *token != "\n ");
        for (symbols, token) in symbols {
            assert_eq!(symbols.concat(), gpt1_tokenize::spacy::lowercase(token) + "</w>", "{text:?}");
        }
    }
}

#[test]
fn files_are_read_by_line_or_as_one_text() {
    let dir = fresh();
    assert!(train(dir.path(), "vocab", &[]).status.success());
    let (one, two) = ("The cat.\n\nThe old\r\nkeeper", "A harbour\n");
    fs_err::write(dir.path().join("one.txt"), one).unwrap();
    fs_err::write(dir.path().join("two.txt"), two).unwrap();
    let encode = |args: &[&str], input: &str| {
        let output = run(dir.path(), &[&["encode", "--tokenizer", "vocab"], args].concat(), input);
        stdout(&output).to_owned()
    };
    let by_line = encode(&["one.txt", "two.txt"], "");
    assert_eq!(by_line, encode(&[], one) + &encode(&[], two));
    assert_eq!(by_line.lines().count(), 5);
    assert_eq!(by_line, encode(&["-", "two.txt"], one), "- is standard input");
    let whole = encode(&["--whole", "one.txt", "two.txt"], "");
    let as_json = [one, two].map(|text| serde_json::json!(text).to_string() + "\n").concat();
    assert_eq!(whole, encode(&["--json"], &as_json));
    assert_eq!(whole.lines().count(), 2);
    assert_eq!(encode(&["--whole"], one), first_lines(&whole, 1));
    fs_err::write(dir.path().join("ids"), &whole).unwrap();
    let output = run(dir.path(), &["decode", "--tokenizer", "vocab", "ids"], "");
    assert_eq!(stdout(&output), "the cat .\nthe old\nkeeper\na harbour\n");
    let output = run(dir.path(), &["encode", "--tokenizer", "vocab", "one.txt", "absent.txt"], "");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"", "a missing file is told before anything is written");
    assert!(stderr(&output).contains("absent.txt"), "{}", stderr(&output));
    let output = run(dir.path(), &["encode", "--json", "--whole", "--tokenizer", "vocab", "one.txt"], "");
    assert_eq!(output.status.code(), Some(1), "a file is not both");
}

#[test]
fn ready_words_are_learned_from_as_they_are() {
    let dir = fresh();
    fs_err::write(dir.path().join("corpus.txt"), "Don't don't\nDon't").unwrap();
    let args = ["--words", "--set", "tokenizer.min_frequency=1", "--set", "tokenizer.n_merges=100"];
    assert!(train(dir.path(), "words", &args).status.success());
    assert!(train(dir.path(), "text", &args[1..]).status.success());
    let merges = |out: &str| fs_err::read_to_string(dir.path().join(out).join("merges.txt")).unwrap();
    assert!(merges("words").contains("\nD on't</w>\n"), "{}", merges("words"));
    assert!(merges("text").contains("\nd o</w>\n") && !merges("text").contains('D'), "{}", merges("text"));
}

#[test]
fn an_exported_vocabulary_is_the_same_one() {
    let dir = fresh();
    assert!(train(dir.path(), "vocab", &[]).status.success());
    fs_err::create_dir(dir.path().join("released")).unwrap();
    for (ours, released) in [("vocab.json", "encoder_bpe_40000.json"), ("merges.txt", "vocab_40000.bpe")] {
        fs_err::copy(dir.path().join("vocab").join(ours), dir.path().join("released").join(released)).unwrap();
    }
    let output = run(dir.path(), &["export", "--tokenizer", "released", "--out", "exported"], "");
    assert!(output.status.success(), "{}", stderr(&output));
    for name in ["vocab.json", "merges.txt", "tokenizer.json"] {
        let [ours, exported] = ["vocab", "exported"].map(|out| fs_err::read(dir.path().join(out).join(name)).unwrap());
        assert!(ours == exported, "{name}");
    }
    let json: serde_json::Value =
        serde_json::from_slice(&fs_err::read(dir.path().join("vocab/tokenizer.json")).unwrap()).unwrap();
    let vocab: serde_json::Value =
        serde_json::from_slice(&fs_err::read(dir.path().join("vocab/vocab.json")).unwrap()).unwrap();
    assert_eq!(json["model"]["vocab"], vocab);
    let merges: Vec<&str> = json["model"]["merges"].as_array().unwrap().iter().filter_map(|m| m.as_str()).collect();
    let text = fs_err::read_to_string(dir.path().join("vocab/merges.txt")).unwrap();
    assert_eq!(merges, text.lines().skip(1).collect::<Vec<_>>());
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let dir = fresh();
    train(dir.path(), "one", &["--threads", "1"]);
    train(dir.path(), "three", &["--threads", "3"]);
    for name in ["vocab.json", "merges.txt"] {
        let [one, three] = ["one", "three"].map(|out| fs_err::read(dir.path().join(out).join(name)).unwrap());
        assert!(one == three, "{name}");
    }
    let text = CORPUS.repeat(50);
    let [one, two] = ["1", "2"].map(|n| run(dir.path(), &["encode", "--threads", n, "--tokenizer", "one"], &text));
    assert!(stdout(&one) == stdout(&two));
}

#[test]
fn all_kinds_of_corpora_give_the_same_vocabulary() {
    let dir = fresh();
    assert!(train(dir.path(), "from-txt", &[]).status.success());
    let texts: Vec<&str> = CORPUS.split_inclusive('\n').collect();
    let lines: String = texts.iter().map(|text| serde_json::json!({ "text": text }).to_string() + "\n").collect();
    fs_err::create_dir_all(dir.path().join("jsonl")).unwrap();
    fs_err::write(dir.path().join("jsonl/a.jsonl"), lines).unwrap();
    fs_err::write(dir.path().join("jsonl/notes.md"), "not read").unwrap();
    let column: ArrayRef = Arc::new(StringArray::from(texts));
    let batch = RecordBatch::try_from_iter([("text", column)]).unwrap();
    fs_err::create_dir(dir.path().join("parquet")).unwrap();
    let file = fs_err::File::create(dir.path().join("parquet/a.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    for kind in ["jsonl", "parquet"] {
        let out = format!("from-{kind}");
        let args = ["train", "--config", "tiny", "--set", "tokenizer.n_merges=200", "--corpus", kind, "--out", &out];
        let output = run(dir.path(), &args, "");
        assert!(output.status.success(), "{}", stderr(&output));
        let warned = stderr(&output).contains("1 files that are not .txt, .jsonl or .parquet are ignored");
        assert_eq!(warned, kind == "jsonl", "{}", stderr(&output));
        for name in ["vocab.json", "merges.txt"] {
            let [ours, expected] =
                [&*out, "from-txt"].map(|out| fs_err::read(dir.path().join(out).join(name)).unwrap());
            assert!(ours == expected, "{name} of {kind}");
        }
    }
}

#[test]
fn fewer_merges_than_asked_for_are_a_warning() {
    let dir = fresh();
    let output = train(dir.path(), "vocab", &["--set", "tokenizer.n_merges=30000"]);
    assert!(output.status.success());
    assert!(stderr(&output).contains("merges asked for could be learned"), "{}", stderr(&output));
    let merges = fs_err::read_to_string(dir.path().join("vocab/merges.txt")).unwrap();
    assert!((201..30_000).contains(&merges.lines().count()));
}

#[test]
fn bad_input_is_refused_and_an_earlier_result_stays() {
    let dir = fresh();
    assert!(train(dir.path(), "vocab", &[]).status.success());
    let before = fs_err::read(dir.path().join("vocab/vocab.json")).unwrap();
    fs_err::write(dir.path().join("corpus.txt"), b"fine\nbad \xe9\n").unwrap();
    let output = train(dir.path(), "vocab", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("corpus.txt:2: invalid UTF-8 at byte 9 of the file (0xe9)"),
        "{}",
        stderr(&output)
    );
    fs_err::write(dir.path().join("corpus.txt"), "").unwrap();
    let output = train(dir.path(), "vocab", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("the corpus is empty"), "{}", stderr(&output));
    let output = train(dir.path(), "vocab", &["--set", "tokenizer.n_merge=1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("n_merge"), "{}", stderr(&output));
    let output = train(dir.path(), "vocab", &["--merges", "1"]);
    assert_eq!(output.status.code(), Some(1), "wrong usage is the user's input");
    assert!(stderr(&output).contains("--merges"), "{}", stderr(&output));
    assert!(before == fs_err::read(dir.path().join("vocab/vocab.json")).unwrap());
}

#[test]
fn bad_lines_are_named() {
    let dir = fresh();
    assert!(train(dir.path(), "vocab", &[]).status.success());
    for (args, input, expected) in [
        (&["encode"][..], &b"a\nb \xff\n"[..], "standard input:2: invalid UTF-8 at byte 2 of the line (0xff)"),
        (&["encode", "--json"], b"\"a\"\nb\n", "standard input:2:1: expected a JSON string: expected value"),
        (
            &["encode", "--json"],
            b"\"\\ud800\"\n",
            "standard input:1:8: expected a JSON string: unexpected end of hex escape",
        ),
        (&["encode", "--whole"], b"a\nb\xff\n", "standard input:2: invalid UTF-8 at byte 3 of the file (0xff)"),
        (&["decode"], b"1 2\n3 x\n", "standard input:2: expected ids from 0 to "),
        (&["decode"], b"99999\n", "found \"99999\""),
        (&["decode"], b"-1\n", "found \"-1\""),
    ] {
        let output = run(dir.path(), &[args, &["--tokenizer", "vocab"]].concat(), input);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(stderr(&output).contains(expected), "{args:?}: {}", stderr(&output));
    }
    let merges = dir.path().join("vocab/merges.txt");
    let text = fs_err::read_to_string(&merges).unwrap();
    fs_err::write(&merges, &text[..text.len() / 2]).unwrap();
    let output = run(dir.path(), &["encode", "--tokenizer", "vocab"], "a");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("merges.txt"), "{}", stderr(&output));
    let output = run(dir.path(), &["encode", "--tokenizer", "absent"], "a");
    assert!(stderr(&output).contains("absent: no vocabulary here"), "{}", stderr(&output));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error_and_a_closed_pipe_is_none() {
    let dir = fresh();
    assert!(train(dir.path(), "vocab", &[]).status.success());
    let encode = |stdout: Stdio| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_gpt1-tokenize"))
            .args(["encode", "--tokenizer", "vocab"])
            .current_dir(dir.path())
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take()); // the reader goes away, if there is one
        _ = child.stdin.take().unwrap().write_all(CORPUS.repeat(20).as_bytes());
        child.wait_with_output().unwrap()
    };
    let full = encode(fs_err::OpenOptions::new().write(true).open("/dev/full").unwrap().into_parts().0.into());
    assert_eq!(full.status.code(), Some(1));
    assert!(stderr(&full).contains("cannot write to standard output"), "{}", stderr(&full));
    let closed = encode(Stdio::piped());
    assert!(closed.status.success(), "{}", stderr(&closed));
    assert_eq!(stderr(&closed), "");
}
