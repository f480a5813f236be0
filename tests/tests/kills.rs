//! `kill -9` and signals at random times: the same command again ends with the same bytes as a run that nobody disturbed.
//!
//! `GPT1_KILLS` is the number of kills of the four stages together (20; `make test-kills` takes 200), `GPT1_SEED` repeats a run.

use gpt1_tests::small::{
    Content, Random, STAGES, World, assert_same, content, latest_checkpoint, names, number, partial, said, start, wait,
};
use gpt1_tests::{binary, text};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Each run takes about a second. The corpus is large enough that the two stages without checkpoints take a while.
fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        World::new(
            60,
            &[
                "tokenizer.n_merges=800",
                "shards.tokens_per_shard=20000",
                "pretrain.max_updates=60",
                "finetune.max_train_examples=64",
            ],
        )
    })
}

fn n_kills() -> u64 {
    number("GPT1_KILLS", 20)
}

/// Where kills fell.
#[derive(Default)]
struct Falls {
    n_runs: u64,
    /// Before the run had a folder to write into.
    before: u64,
    /// While it wrote into it.
    during: u64,
    /// Of these: with a file or a numbered folder half written.
    in_a_write: u64,
    /// After the result had appeared, before the process had ended.
    after: u64,
    /// The process had ended.
    missed: u64,
}

impl Falls {
    fn kills(&self) -> u64 {
        self.before + self.during + self.after
    }

    /// Books where a kill fell.
    fn book(&mut self, status: ExitStatus, out: &Path, appeared: bool) {
        if status.signal().is_none() {
            assert!(status.success(), "{status}\n{}", said(out));
            self.missed += 1;
        } else if appeared {
            self.after += 1;
        } else if partial(out).exists() {
            self.during += 1;
            self.in_a_write += u64::from(is_half_written(&partial(out)));
        } else {
            self.before += 1;
        }
    }

    fn head() {
        println!("stage                runs  kills  before  during  (in a write)  after the end  came too late");
    }

    fn line(&self, name: &str) {
        println!(
            "{name:<18} {:>6} {:>6} {:>7} {:>7} {:>13} {:>14} {:>14}   the same bytes",
            self.n_runs,
            self.kills(),
            self.before,
            self.during,
            self.in_a_write,
            self.after,
            self.missed
        );
    }
}

fn is_half_written(dir: &Path) -> bool {
    names(dir).iter().any(|name| {
        let path = dir.join(name);
        is_of_kind(name, "tmp") || name == Path::new(".partial") || path.is_dir() && is_half_written(&path)
    })
}

fn is_of_kind(name: &Path, extension: &str) -> bool {
    name.extension().is_some_and(|found| found == extension)
}

/// Waits a random part of the usual time, or until the process ends.
fn wait_a_part(child: &mut Child, usual: Duration, random: &mut Random) {
    let end = Instant::now() + usual.mul_f64(random.uniform());
    while Instant::now() < end && child.try_wait().expect("a process of ours").is_none() {
        std::thread::sleep((end - Instant::now()).min(Duration::from_millis(5)));
    }
}

/// What stands at `out` is an earlier result or the new one, never a part: what `commit` has left to remove is hidden.
fn check_untouched(out: &Path, earlier: &Content, expected: &Content, what: &str) -> bool {
    let found = content(out);
    let appeared = found != *earlier;
    if appeared {
        let shown = found.into_iter().filter(|(name, _)| !name.starts_with('.')).collect();
        assert_same(&shown, expected, &format!("{what}: what a killed run has put in place"));
    }
    appeared
}

#[test]
fn a_run_killed_anywhere_and_repeated_writes_the_same_bytes() {
    let world = world();
    let mut random = Random::new("kills");
    Falls::head();
    for (i, stage) in STAGES.into_iter().enumerate() {
        // evaluate comes on top of the four.
        let n = if stage == "evaluate" { n_kills() / 10 } else { n_kills() / 4 };
        let mut falls = Falls::default();
        while falls.kills() < n {
            let (_dir, out) = world.case();
            let earlier = if random.below(2) == 0 { world.earlier(&out) } else { content(&out) };
            falls.n_runs += 1;
            // The first attempt of a run is killed, and each one after it as often as not.
            let mut kill = true;
            while kill && falls.kills() < n {
                let mut child = start(&mut world.command(stage, &out), &out);
                wait_a_part(&mut child, world.usual[i], &mut random);
                _ = child.kill();
                let status = wait(&mut child, stage);
                let appeared = check_untouched(&out, &earlier, &world.expected[i], stage);
                falls.book(status, &out, appeared);
                kill = !status.success() && random.below(2) == 0;
            }
            world.succeed(stage, &out);
            world.check(stage, &out, stage);
        }
        falls.line(stage);
    }
}

#[test]
fn a_signal_at_any_time_leaves_a_run_that_goes_on() {
    let world = world();
    let mut random = Random::new("signals");
    for (i, stage) in STAGES.into_iter().enumerate() {
        for n in 0..2 * (n_kills() / 20).max(1) {
            let (name, number) = [("INT", 2), ("TERM", 15)][n as usize % 2];
            let (_dir, out) = world.case();
            let earlier = world.earlier(&out);
            let mut child = start(&mut world.command(stage, &out), &out);
            wait_a_part(&mut child, world.usual[i], &mut random);
            signal(name, &child.id().to_string());
            let status = wait(&mut child, stage);
            let what = format!("{stage} after SIG{name}: {status}\n{}", said(&out));
            let appeared = check_untouched(&out, &earlier, &world.expected[i], &what);
            // What a shell shows: a stage that keeps nothing on its way, or has nothing yet, simply ends.
            match status.code() {
                None => assert_eq!(status.signal(), Some(number), "{what}"),
                Some(0) => assert!(appeared, "{what}"),
                Some(code) => {
                    assert_eq!(code, 128 + number, "{what}");
                    assert!(appeared || latest_checkpoint(&out).is_some(), "no checkpoint: {what}");
                }
            }
            world.succeed(stage, &out);
            world.check(stage, &out, &what);
        }
    }
}

fn signal(name: &str, process: &str) {
    // A process that has just ended cannot be told; that is no error.
    _ = Command::new("kill").args([&format!("-{name}"), "--", process]).output().expect("kill is there");
}

/// The runner and its stages. What it keeps for itself (records with times, the cache of digests) is not compared.
#[test]
fn a_chain_killed_anywhere_and_repeated_gives_the_same_results() {
    let world = world();
    let mut random = Random::new("chains");
    let chain = |artifacts: &Path| {
        let pipelines = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        let mut command = Command::new(binary("pipeline"));
        command.current_dir(pipelines).args(["run", "pipelines/finetune.yaml"]).args(world.set_arguments());
        for (name, path) in [("corpus", world.root.join("corpus")), ("data", world.root.join("data/tasks"))] {
            command.args(["--set", &format!("{name}={}", text(&path))]);
        }
        command.args(["--set", &format!("out={}", text(artifacts))]);
        command.stdout(std::process::Stdio::null()).process_group(0);
        command
    };
    let succeed = |artifacts: &Path| {
        let mut child = start(&mut chain(artifacts), artifacts);
        let status = wait(&mut child, "the chain");
        assert!(status.success(), "{status}\n{}", said(artifacts));
        let mut results = content(artifacts);
        results.retain(|name, _| !name.starts_with(".cache/") && !is_record(name));
        results
    };
    let (_dir, whole) = world.case();
    let begin = Instant::now();
    let expected = succeed(&whole);
    let usual = begin.elapsed();
    assert!(expected.keys().any(|name| name.ends_with("scores.json")), "{:?}", expected.keys());
    for (alone, name) in [(false, "chain, all killed"), (true, "chain, the runner")] {
        let n = (n_kills() / 10).max(1);
        let mut falls = Falls::default();
        while falls.kills() < n {
            let (_dir, artifacts) = world.case();
            falls.n_runs += 1;
            let mut kill = true;
            while kill && falls.kills() < n {
                let mut child = start(&mut chain(&artifacts), &artifacts);
                wait_a_part(&mut child, usual, &mut random);
                let process = child.id().to_string();
                signal("KILL", &if alone { process } else { format!("-{process}") });
                let status = wait(&mut child, "the chain");
                match status.signal() {
                    None => falls.missed += 1,
                    Some(_) if artifacts.exists() => falls.during += 1,
                    Some(_) => falls.before += 1,
                }
                falls.in_a_write += u64::from(is_half_written(&artifacts));
                kill = !status.success() && random.below(2) == 0;
            }
            assert_same(&succeed(&artifacts), &expected, name);
        }
        falls.line(name);
    }
}

/// A record of the store: `store/<program>/<key>.json`.
fn is_record(name: &str) -> bool {
    name.starts_with("store/") && name.matches('/').count() == 2 && is_of_kind(Path::new(name), "json")
}
