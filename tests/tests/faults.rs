//! A full disk, a disk that cannot be read, a clock that jumps: a clear error, the last good state usable, no damaged result.
//!
//! `tests/faults/faults.c`, preloaded, fails the N-th call of a process in one folder. `GPT1_FAULTS` is how many N are tried for each
//! stage, spread over all (`make test-kills` takes all), `GPT1_SEED` repeats a run.

use gpt1_tests::small::{
    Content, Random, STAGES, World, assert_same, content, faults_library, finish, latest_checkpoint, number, partial,
};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::OnceLock;

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        World::new(
            4,
            &[
                "tokenizer.n_merges=200",
                "shards.tokens_per_shard=30000",
                "pretrain.max_updates=8",
                "finetune.max_train_examples=12",
            ],
        )
    })
}

/// What goes wrong.
#[derive(Debug, Clone, Copy)]
struct Fault<'a> {
    library: &'a Path,
    kind: &'static str,
    /// The folder in which it goes wrong.
    dir: &'a Path,
    /// The first call that fails; 0: none.
    at: u64,
    /// Only that one.
    once: bool,
}

impl Fault<'_> {
    /// Runs a stage with it: its status, what it said, and how many calls of the kind there were.
    fn run(&self, world: &World, stage: &str, out: &Path) -> (ExitStatus, String, u64) {
        let count = out.parent().and_then(Path::parent).expect("the case").join("count");
        let mut command = world.command(stage, out);
        command.env("LD_PRELOAD", self.library).env("GPT1_FAULT_KIND", self.kind).env("GPT1_FAULT_DIR", self.dir);
        command.env("GPT1_FAULT_AT", self.at.to_string()).env("GPT1_FAULT_COUNT", &count);
        if self.once {
            command.env("GPT1_FAULT_ONCE", "1");
        }
        let (status, message) = finish(&mut command, out);
        let n = fs_err::read_to_string(&count).expect("the library writes it").trim().parse().expect("a number");
        (status, message, n)
    }
}

/// Which of `n` calls to fail: all, or some of each part of the run.
fn spread(n: u64, random: &mut Random) -> Vec<u64> {
    let wanted = number("GPT1_FAULTS", 4).min(n);
    (0..wanted).map(|i| 1 + i * n / wanted + random.below((i + 1) * n / wanted - i * n / wanted)).collect()
}

/// How many faults ended in what.
#[derive(Default)]
struct Tally {
    calls: u64,
    tried: u64,
    errors: u64,
    no_matter: u64,
}

impl Tally {
    fn line(&self, stage: &str, what: &str) {
        let Tally { calls, tried, errors, no_matter } = self;
        println!(
            "{stage:<9} {what}: {calls} calls, {tried} faults tried: {errors} errors, {no_matter} that did not matter; then the same bytes"
        );
    }
}

/// What must hold of any fault: a clear error, or success with the result of an undisturbed run.
fn check(
    (status, message): (ExitStatus, &str),
    (stage, out): (&str, &Path),
    (earlier, world): (&Content, &World),
    reason: &str,
    what: &str,
    tally: &mut Tally,
) {
    tally.tried += 1;
    if status.success() {
        world.check(stage, out, what);
        tally.no_matter += 1;
        return;
    }
    tally.errors += 1;
    assert_eq!(status.code(), Some(1), "{what}: {status}\n{message}");
    assert!(message.contains("error: ") && !message.contains("panicked"), "{what}\n{message}");
    let root = world.root.to_str().expect("UTF-8");
    for part in [reason, root, "hint: "] {
        assert!(message.contains(part), "{what}: expected {part:?} in\n{message}");
    }
    let found = content(out);
    if found != *earlier {
        // It went wrong after the new result was in place, which the message must say.
        assert!(message.contains("is complete and in place"), "{what}\n{message}");
        let expected = &world.expected[STAGES.iter().position(|s| *s == stage).expect("a stage")];
        assert_same(&found.into_iter().filter(|(name, _)| !name.starts_with('.')).collect(), expected, what);
    }
}

#[test]
fn a_full_disk_at_any_write_is_an_error_and_the_run_goes_on_after_it() {
    let world = world();
    let Some(library) = faults_library(&world.root) else { return };
    let mut random = Random::new("full disk");
    for stage in STAGES {
        let mut tally = Tally::default();
        let honest = |at, once| {
            let (dir, out) = world.case();
            let earlier = world.earlier(&out);
            let place = out.parent().expect("the place").to_owned();
            let fault = Fault { library: &library, kind: "write", dir: &place, at, once };
            let (status, message, n) = fault.run(world, stage, &out);
            (dir, out, earlier, status, message, n)
        };
        let (_dir, out, _, status, message, n) = honest(0, false);
        assert!(status.success(), "{message}");
        world.check(stage, &out, "with the library preloaded");
        tally.calls = n;
        for at in spread(n, &mut random) {
            // A disk that is full from now on; one on which somebody makes room in the next moment.
            for once in [false, true] {
                let what = format!("{stage}, write {at} of {n}{}", if once { " alone" } else { "" });
                let (_dir, out, earlier, status, message, _) = honest(at, once);
                check(
                    (status, &message),
                    (stage, &out),
                    (&earlier, world),
                    "No space left on device",
                    &what,
                    &mut tally,
                );
                world.succeed(stage, &out);
                world.check(stage, &out, &what);
            }
        }
        tally.line(stage, "full disk");
    }
}

#[test]
fn a_read_error_anywhere_is_an_error_and_loses_nothing() {
    let world = world();
    let Some(library) = faults_library(&world.root) else { return };
    let mut random = Random::new("read errors");
    for stage in STAGES {
        let mut tally = Tally::default();
        // A run that was interrupted in its middle: what it left is read too.
        let writes = {
            let (_dir, out) = world.case();
            let place = out.parent().expect("the place").to_owned();
            Fault { library: &library, kind: "write", dir: &place, at: 0, once: false }.run(world, stage, &out).2
        };
        let interrupted = || {
            let (dir, out) = world.case();
            let place = out.parent().expect("the place").to_owned();
            let fault = Fault { library: &library, kind: "write", dir: &place, at: writes * 2 / 3, once: false };
            assert!(!fault.run(world, stage, &out).0.success() && partial(&out).exists());
            (dir, out)
        };
        let reading = |at, once| Fault { library: &library, kind: "read", dir: &world.root, at, once };
        let (_dir, out) = interrupted();
        let (status, message, n) = reading(0, false).run(world, stage, &out);
        assert!(status.success(), "{message}");
        tally.calls = n;
        for at in spread(n, &mut random) {
            for once in [false, true] {
                let what = format!("{stage}, read {at} of {n}{}", if once { " alone" } else { "" });
                let (_dir, out) = interrupted();
                let before = latest_checkpoint(&out);
                let (status, message, _) = reading(at, once).run(world, stage, &out);
                check(
                    (status, &message),
                    (stage, &out),
                    (&Content::new(), world),
                    "Input/output error",
                    &what,
                    &mut tally,
                );
                if !status.success() && partial(&out).exists() {
                    assert!(latest_checkpoint(&out) >= before, "{what}: a checkpoint was lost\n{message}");
                }
                world.succeed(stage, &out);
                world.check(stage, &out, &what);
            }
        }
        tally.line(stage, "read errors");
    }
}

#[test]
fn a_clock_that_jumps_changes_no_result() {
    let world = world();
    let Some(library) = faults_library(&world.root) else { return };
    let mut random = Random::new("clocks");
    for stage in STAGES {
        for _ in 0..3 {
            let (_dir, out) = world.case();
            let place = out.parent().expect("the place").to_owned();
            let at = random.below(1 << 40);
            let (status, message, n) =
                Fault { library: &library, kind: "clock", dir: &place, at, once: false }.run(world, stage, &out);
            assert!(status.success() && !message.contains("panicked"), "{stage}, clock {at}: {status}\n{message}");
            assert!(n > 0, "{stage} does not look at the clock: this test shows nothing");
            world.check(stage, &out, &format!("{stage}, clock {at}"));
        }
    }
}

/// What a program says may be lost, with a log on a full disk or a reader that has gone away; its work is not.
#[test]
fn what_cannot_be_said_stops_nothing() {
    if !Path::new("/dev/full").exists() {
        println!("skipped: this system has no /dev/full");
        return;
    }
    let world = world();
    let full = || fs_err::OpenOptions::new().write(true).open("/dev/full").expect("it can be opened").into_parts().0;
    // The reading end is closed at once.
    let closed = || std::io::pipe().expect("a pipe").1;
    for stage in STAGES {
        for case in ["stderr on a full disk", "stderr to nobody", "stdout to nobody"] {
            let (_dir, out) = world.case();
            let mut command = world.command(stage, &out);
            match case {
                "stderr on a full disk" => command.stderr(full()),
                "stderr to nobody" => command.stderr(closed()),
                _ => command.stdout(closed()).stderr(Stdio::null()),
            };
            assert_eq!(command.status().expect("it starts").code(), Some(0), "{stage}, {case}");
            world.check(stage, &out, case);
        }
        // A result that cannot be printed is an error; tokenize prints none.
        let (_dir, out) = world.case();
        let (status, message) = finish(world.command(stage, &out).stdout(full()), &out);
        let expected = i32::from(stage != "tokenize");
        assert_eq!(status.code(), Some(expected), "{stage}: {message}");
        assert!(expected == 0 || message.contains("cannot write the result to stdout: No space left"), "{message}");
        world.check(stage, &out, "stdout on a full disk");
    }
}
