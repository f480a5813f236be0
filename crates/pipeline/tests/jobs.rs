//! Several stages at once (`--jobs`). Through the real binary, with scripts for stage programs.

mod common;

use common::World;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Two stages that need nothing of each other, and one that needs both.
const DEFINITION: &str = "\
config: my.yaml
artifacts: out
target: both
stages:
  left:
    run: sample-data
    args: {seed: 1}
    out: left
  right:
    run: tokenize train
    params: [tokenizer]
    deps: {corpus: book.txt}
    out: right
  both:
    run: shard
    params: [shards]
    deps: {corpus: \"${left.out}\", tokenizer: \"${right.out}\"}
    out: both
";

fn world() -> World {
    let world = World::new();
    world.write("p.yaml", DEFINITION);
    world.write("book.txt", "once");
    world
}

fn start(world: &World, arguments: &str) -> Child {
    world.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn independent_stages_run_at_once_and_give_the_same() {
    let world = world();
    for name in ["sample-data", "tokenize"] {
        world.write(&format!("slow-{name}"), "");
    }
    let child = start(&world, "run p.yaml --jobs 2");
    wait_until("both have started", || world.started().len() == 2);
    for name in ["sample-data", "tokenize"] {
        world.remove(&format!("slow-{name}"));
    }
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    assert_eq!(world.started()[2..], ["shard"], "which needs both");
    assert!(stderr.contains("left           | "), "its words stand behind its name: {stderr}");
    let alone = self::world();
    assert_eq!(alone.go("run p.yaml").code(), 0);
    assert_eq!(world.read("out/both/result.txt"), alone.read("out/both/result.txt"));
    assert!(world.go("run p.yaml --jobs 3").started.is_empty());
    let wrong = world.go("run p.yaml --jobs 0");
    assert!(wrong.code() == 1 && wrong.stderr().contains("--jobs"), "{}", wrong.stderr());
}

#[test]
fn one_that_fails_lets_the_others_end_and_begins_no_more() {
    let world = world();
    world.write("slow-sample-data", "");
    world.write("fail-tokenize", "");
    let mut child = start(&world, "run p.yaml --jobs 2");
    // It says that it failed while the other still runs.
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap())).map(Result::unwrap);
    let failed = lines.by_ref().find(|line| line.starts_with("fail ")).unwrap();
    assert!(failed.ends_with("(no other stage is begun; those under way end)"), "{failed}");
    world.remove("slow-sample-data");
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(3), "{rest:?}");
    assert!(rest.iter().any(|line| line.starts_with("error: the stage right failed (exit code 3)")), "{rest:?}");
    world.remove("fail-tokenize");
    assert_eq!(world.go("run p.yaml --jobs 2").started, ["tokenize", "shard"], "what ended is kept");
}

#[test]
fn a_signal_reaches_all() {
    let world = world();
    for name in ["sample-data", "tokenize"] {
        world.write(&format!("slow-{name}"), "");
    }
    let mut child = start(&world, "run p.yaml --jobs 2");
    wait_until("both have started", || {
        ["sample-data", "tokenize"].iter().all(|n| world.path(&format!("started-{n}")).exists())
    });
    Command::new("sh").args(["-c", &format!("kill -TERM {}", child.id())]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(128 + 15));
    assert!(!world.path("out/left").exists() && !world.path("out/right").exists());
}
