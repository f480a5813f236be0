//! The real binary in a fresh folder.

mod common;

use common::Place;
use gpt1_shard::{Split, Tokens};
use std::process::{Command, Output};

fn gpt1_shard(place: &Place, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gpt1-shard"));
    command.current_dir(place.dir.path());
    command.args(["--config", "tiny", "--corpus", "corpus", "--tokenizer", "tokenizer", "--out", "out"]).args(more);
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn place() -> Place {
    let place = Place::new();
    for i in 0..50 {
        place.corpus_file(&format!("{i:02}.txt"), format!("the cat {i}\n").repeat(50 + i));
    }
    place
}

#[test]
fn shards_manifest_and_summary() {
    let place = place();
    place.corpus_file("notes.csv", "1");
    let output = gpt1_shard(&place, &["--json", "--set", "shards.validation_fraction=0.2"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("warning: 1 files that are not .txt, .jsonl or .parquet are ignored"));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["total"]["documents"], 50);
    assert_eq!(summary["total"]["unknown_rate"], 0.0);
    let out = place.path("out");
    for split in Split::ALL {
        let tokens = Tokens::open(&out, split, &place.encoder.digest()).unwrap();
        assert_eq!(summary[split.name()]["tokens"], tokens.len());
        assert_eq!(summary[split.name()]["bytes"], tokens.n_bytes());
    }
    let manifest = gpt1_artifacts::manifest::Manifest::read(&out).unwrap();
    assert_eq!((manifest.stage.as_str(), manifest.config["validation_fraction"].as_f64()), ("shard", Some(0.2)));
    let found = common::metadata(&out.join("train-00000.parquet"));
    assert_eq!(found.corpus_digest, manifest.inputs["corpus"].digest);

    let output = gpt1_shard(&place, &[]).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("bytes/token") && table.lines().count() == 4, "{table}");
}

#[test]
fn faults_exit_with_1_and_leave_the_earlier_result() {
    let place = place();
    assert!(gpt1_shard(&place, &[]).output().unwrap().status.success());
    let digest = || gpt1_artifacts::digest::path(&place.path("out")).unwrap();
    let before = digest();
    let refused = |output: Output, expected: &str| {
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(output.stdout.is_empty());
        assert!(text.contains("error: ") && text.contains(expected), "{text}");
        assert_eq!(digest(), before);
    };
    refused(gpt1_shard(&place, &["--set", "shards.sed=1"]).output().unwrap(), "sed");
    refused(gpt1_shard(&place, &["--set", "shards.validation_fraction=1.5"]).output().unwrap(), "validation_fraction");
    let bad = place.corpus_file("zz.txt", b"a\xffb");
    refused(gpt1_shard(&place, &[]).output().unwrap(), "zz.txt:1: invalid UTF-8 at byte 1 of the file (0xff)");
    fs_err::remove_file(bad).unwrap();
    refused(gpt1_shard(&place, &["--seed", "1"]).output().unwrap(), "--seed");
    let inside = ["--set", "shards.seed=9"];
    let mut command = gpt1_shard(&place, &inside);
    let mut arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    *arguments.iter_mut().find(|a| *a == "out").unwrap() = "corpus/out".into();
    command = Command::new(env!("CARGO_BIN_EXE_gpt1-shard"));
    command.current_dir(place.dir.path()).args(arguments);
    refused(command.output().unwrap(), "lies inside the corpus");
}

#[test]
fn a_full_disk_leaves_the_earlier_result() {
    if !std::path::Path::new("/bin/sh").exists() {
        eprintln!("skipped: no /bin/sh to limit the size of files with");
        return;
    }
    let place = place();
    assert!(gpt1_shard(&place, &[]).output().unwrap().status.success());
    let digest = || gpt1_artifacts::digest::path(&place.path("out")).unwrap();
    let before = digest();
    // A limit on the size of files (in blocks of 512 bytes) stands for a full disk: writes fail half-way.
    let command = gpt1_shard(&place, &["--set", "shards.seed=99"]);
    let mut limited = Command::new("/bin/sh");
    limited.current_dir(place.dir.path()).arg("-c").arg("trap '' XFSZ; ulimit -f 2; exec \"$@\"").arg("sh");
    limited.arg(command.get_program()).args(command.get_args());
    let output = limited.output().unwrap();
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("cannot write") && text.contains(".parquet") && text.contains("hint"), "{text}");
    assert_eq!(digest(), before);
    assert!(gpt1_shard(&place, &["--set", "shards.seed=99"]).output().unwrap().status.success());
    assert_ne!(digest(), before);
}
