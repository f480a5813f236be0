//! Failing, killed and competing stages. Through the real binary, with scripts for stage programs.

mod common;

use common::{ALL, World};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const RUN: &str = "run pipelines/pretrain.yaml --set preset=my.yaml";

/// Waits until a file is there.
fn wait_for(path: &Path) {
    while !path.exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn signal(process: u32, name: &str) {
    let status = Command::new("sh").args(["-c", &format!("kill -{name} {process}")]).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_failing_stage_gives_its_exit_code_and_its_command() {
    let world = World::new();
    world.write("fail-shard", "");
    let run = world.go(RUN);
    assert_eq!(run.code(), 3);
    let stderr = run.stderr();
    assert!(stderr.contains("error: shard was told to fail\n"), "the stage's own words: {stderr}");
    assert!(stderr.contains("error: the stage shards failed (exit code 3)"), "{stderr}");
    assert!(stderr.contains("bin/gpt1-shard --config my.yaml --corpus artifacts/store/sample-data/"), "{stderr}");
    assert_eq!(run.started, ["sample-data", "tokenize", "shard"]);
    world.remove("fail-shard");
    assert_eq!(world.go(RUN).started, ["shard", "pretrain"], "what was done is kept");
}

#[test]
fn an_earlier_result_stays_when_a_rerun_fails() {
    let world = World::new();
    world.pretrain("");
    let before = world.read("artifacts/my/pretrain/result.txt");
    world.write("fail-pretrain", "");
    assert_eq!(world.go(&format!("{RUN} --set pretrain.seed=2")).code(), 3);
    assert_eq!(world.go(&format!("{RUN} --force pretrain")).code(), 3);
    assert_eq!(world.read("artifacts/my/pretrain/result.txt"), before);
    assert_eq!(world.go(RUN).started.len(), 0);
}

#[test]
fn a_killed_stage_leaves_no_result() {
    let world = World::new();
    world.write("die-tokenize", "");
    let run = world.go(RUN);
    assert_eq!(run.code(), 128 + 9);
    assert!(run.stderr().contains("the stage vocabulary failed (signal 9)"), "{}", run.stderr());
    assert!(!world.path("artifacts/my/vocabulary").exists());
    let status = world.go("status pipelines/pretrain.yaml --set preset=my.yaml").stdout();
    assert!(status.contains("run       vocabulary"), "{status}");
    world.remove("die-tokenize");
    assert_eq!(world.go(RUN).started, ["tokenize", "shard", "pretrain"]);
}

#[test]
fn a_program_that_makes_nothing_is_an_error() {
    let world = World::new();
    world.write("no-result-sample-data", "");
    let run = world.go(RUN);
    assert_eq!(run.code(), 1);
    assert!(run.stderr().contains("gpt1-sample-data ended without an error, but there is no "), "{}", run.stderr());
}

#[test]
fn a_missing_program_is_found_before_any_work() {
    let world = World::new();
    world.remove("bin/gpt1-pretrain");
    let run = world.go(RUN);
    assert_eq!((run.code(), run.started.len()), (1, 0));
    assert!(run.stderr().contains("there is no gpt1-pretrain in "), "{}", run.stderr());
}

#[test]
fn an_input_that_changes_under_a_running_stage_spoils_its_result() {
    let world = World::new();
    world.write("books/a.txt", "a book");
    world.write("slow-tokenize", "");
    let child = world.command(&format!("{RUN} --set corpus=books")).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&world.path("started-tokenize"));
    world.write("books/a.txt", "another");
    world.remove("slow-tokenize");
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("the input corpus of vocabulary (books) was changed while vocabulary was running"),
        "{stderr}"
    );
    world.write("books/a.txt", "a book");
    let again = world.go(&format!("{RUN} --set corpus=books"));
    assert_eq!(again.started, ["tokenize", "shard", "pretrain"], "the spoilt result is not used");
}

#[test]
fn a_signal_reaches_the_stage_and_gives_the_exit_code() {
    let world = World::new();
    world.write("slow-tokenize", "");
    let mut child = world.command(RUN).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&world.path("started-tokenize"));
    signal(child.id(), "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(128 + 15));
    assert!(!world.path("artifacts/my/vocabulary").exists());
    world.remove("slow-tokenize");
    assert_eq!(world.go(RUN).started, ["tokenize", "shard", "pretrain"]);
}

#[test]
fn a_second_runner_waits_and_reuses() {
    let world = World::new();
    world.write("slow-tokenize", "");
    let first = world.command(RUN).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&world.path("started-tokenize"));
    let mut second = world.command(RUN).stderr(Stdio::piped()).spawn().unwrap();
    // It says that it waits before it does.
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(second.stderr.take().unwrap()));
    let waits = lines.by_ref().map(Result::unwrap).find(|l| l.starts_with("wait      vocabulary"));
    assert!(waits.unwrap().ends_with("(another run is making this result)"));
    world.remove("slow-tokenize");
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(second.wait().unwrap().success(), "{rest:?}");
    assert!(first.wait_with_output().unwrap().status.success());
    assert_eq!(world.started(), ALL, "each stage ran once");
}

#[test]
fn a_lock_outlives_a_killed_runner_only_as_long_as_its_stage() {
    let world = World::new();
    world.write("slow-sample-data", "");
    let mut first = world.command(RUN).stderr(Stdio::null()).spawn().unwrap();
    wait_for(&world.path("started-sample-data"));
    signal(first.id(), "KILL");
    first.wait().unwrap();
    let second = world.command(RUN).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(world.started(), ["sample-data"], "the orphan still works; nobody starts it a second time");
    world.remove("slow-sample-data");
    let output = second.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    assert_eq!(world.started(), ALL, "what the orphan made is used: {stderr}");
}
