//! `RUST_LOG` through the real binaries, and what stays on stderr without it.

use gpt1_tests::{Chain, binary, quick, stderr};
use std::process::{Command, Output};

/// Runs a stage with `RUST_LOG`, none for an empty one.
fn run(stage: &str, log: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary(stage));
    command.args(arguments).env_remove("RUST_LOG");
    if !log.is_empty() {
        command.env("RUST_LOG", log);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    output
}

/// Pre-trains on the chain's shards; returns stdout and stderr.
fn pretrain(log: &str) -> (String, String) {
    let (chain, dir) = (Chain::get(), tempfile::tempdir().unwrap());
    let (shards, vocabulary) = (chain.arg("shards"), chain.arg("vocabulary"));
    let out = dir.path().join("model");
    let arguments = quick(&["--shards", &shards, "--tokenizer", &vocabulary, "--out", out.to_str().unwrap()]);
    let output = run("pretrain", log, &arguments);
    let errors = stderr(&output);
    (String::from_utf8(output.stdout).unwrap(), errors)
}

/// The log lines of a level.
fn lines<'a>(text: &'a str, level: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.starts_with(&format!("[{level}"))).collect()
}

#[test]
fn levels_say_more_and_more_and_change_no_result() {
    let (samples, plain) = pretrain("");
    assert!(!plain.contains("\n["), "{plain}");
    let mut said = 0;
    for (log, expected) in [
        (
            "info",
            &[
                "gpt1_training::checkpoint",
                "checkpoint-3: written in ",
                "CPU path",
                "shards of the train split, read in",
            ][..],
        ),
        ("debug", &["BLAS: a product", "wrote ", "model.safetensors: ", "evaluated in"]),
        ("trace", &["update 3: loss ", "micro batch 0: 4 windows, 256 tokens"]),
    ] {
        let (found, log_text) = pretrain(log);
        assert_eq!(found, samples, "{log}: stdout carries results alone");
        for part in expected {
            assert!(log_text.contains(part), "{log}: no {part:?} in\n{log_text}");
        }
        let n = log_text.lines().count();
        assert!(n > said, "{log}: {n} lines, one level above {said}");
        said = n;
    }
    let (_, one) = pretrain("gpt1_training=trace");
    assert!(
        !lines(&one, "trace").is_empty() && lines(&one, "info").iter().all(|l| l.contains("gpt1_training")),
        "{one}"
    );
}

#[test]
fn warnings_are_there_without_being_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = dir.path().join("corpus");
    fs_err::create_dir(&corpus).unwrap();
    fs_err::write(corpus.join("a.txt"), "The cat saw the dog. The dog saw the cat.").unwrap();
    fs_err::write(corpus.join("b.pdf"), "?").unwrap();
    let out = dir.path().join("vocabulary");
    let arguments =
        [&["train"][..], &quick(&["--corpus", corpus.to_str().unwrap(), "--out", out.to_str().unwrap()])].concat();
    let warnings = ["\nwarning: only ", "\n  hint: give more text"];
    for (log, expected) in [("", true), ("gpt1_training=debug", true), ("error", false), ("off", false)] {
        let text = format!("\n{}", stderr(&run("tokenize", log, &arguments)));
        for warning in warnings.iter().chain(&["\nwarning: 1 files that are not .txt"]) {
            assert_eq!(text.contains(warning), expected, "RUST_LOG={log}: {warning:?}\n{text}");
        }
    }
}

#[test]
fn a_wrong_variable_is_named_and_the_program_goes_on() {
    for (log, expected) in
        [("inof", "RUST_LOG: inof is no level"), ("gpt1_training=loud", "invalid logging spec 'loud'")]
    {
        let (_, text) = pretrain(log);
        assert!(text.contains("warning: ") && text.contains(expected) && text.contains("model: "), "{log}: {text}");
    }
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_no_panic() {
    use std::os::unix::ffi::OsStrExt;
    let wrong = std::ffi::OsStr::from_bytes(b"info,\xff");
    let output = Command::new(binary("model")).args(["info", "nowhere"]).env("RUST_LOG", wrong).output().unwrap();
    let text = stderr(&output);
    assert!(output.status.code() == Some(1) && text.contains("nowhere") && !text.contains("panicked"), "{text}");
}
