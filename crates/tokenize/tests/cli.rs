//! The real program in a fresh folder.

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use std::io::Write;
use std::path::Path;
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
        (&["encode", "--json"], b"\"a\"\nb\n", "standard input:2:1: expected a JSON string"),
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
