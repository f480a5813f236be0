//! Pre-training as several processes under MPI, by the real `mpirun`: `make test-mpi`.
//!
//! `GPT1_MPI` says which implementation the binaries were built for, `openmpi` or `mpich`; without it these tests are skipped. The
//! number of random kills of each kind is `GPT1_KILLS` (3):
//!
//! ```sh
//! GPT1_MPI=openmpi GPT1_KILLS=50 cargo test --release -p gpt1-tests --test ranks kill -- --nocapture
//! ```

use gpt1_tests::small::{Random, faults_library, finish, number, partial, said, start, wait};
use gpt1_tests::{Chain, QUICK, binary, quick, text};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// With dropout, accumulation, clipping, evaluations and checkpoints; 100 updates.
const SETS: [&str; 10] = [
    "pretrain.max_updates=100",
    "pretrain.n_epochs=100",
    "pretrain.batch_size=9",
    "pretrain.micro_batch_size=2",
    "pretrain.log_interval=1",
    "pretrain.eval_interval=20",
    "pretrain.checkpoint_interval=7",
    "pretrain.n_snapshots=3",
    "model.resid_pdrop=0.1",
    "model.attn_pdrop=0.1",
];

/// After a fault, how long the ranks may take to end.
const AT_MOST: Duration = Duration::from_secs(10);

/// The implementation to test, or why there is none; one test at a time.
fn mpi() -> Option<(String, MutexGuard<'static, ()>)> {
    static ONE: Mutex<()> = Mutex::new(());
    let Ok(name) = std::env::var("GPT1_MPI") else {
        println!("skipped: make test-mpi builds with MPI and says so in GPT1_MPI");
        return None;
    };
    Some((name, ONE.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// The name of an implementation's launcher; Debian has both side by side.
fn launcher(mpi: &str) -> String {
    let own = format!("mpirun.{mpi}");
    let is_there = Command::new(&own).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if is_there { own } else { "mpirun".to_owned() }
}

/// The launcher of an implementation.
fn mpirun(mpi: &str) -> Command {
    let mut command = Command::new(launcher(mpi));
    as_root_on_few_cores(&mut command);
    command
}

fn as_root_on_few_cores(command: &mut Command) {
    for (name, value) in [
        ("OMPI_ALLOW_RUN_AS_ROOT", "1"),
        ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"),
        ("OMPI_MCA_hwloc_base_binding_policy", "none"),
        ("OMPI_MCA_rmaps_base_oversubscribe", "1"),
        ("OMPI_MCA_orte_execute_quiet", "1"),
    ] {
        command.env(name, value);
    }
}

/// One rank's words: the program, its inputs and settings, and these, which come in place of others for the same.
fn rank(out: &Path, more: &[&str]) -> Vec<String> {
    let chain = Chain::get();
    let (shards, vocabulary) = (chain.arg("shards"), chain.arg("vocabulary"));
    let sets = SETS.iter().flat_map(|set| ["--set", set]);
    let own =
        ["--shards", &shards, "--tokenizer", &vocabulary, "--out", text(out), "--threads", "1", "--precision", "f32"];
    let own: Vec<&str> = own.chunks(2).filter(|pair| !more.contains(&pair[0])).flatten().copied().collect();
    let words = quick(&own);
    let words = words.into_iter().chain(sets).chain(more.iter().copied()).map(str::to_owned);
    std::iter::once(text(&binary("pretrain")).to_owned()).chain(words).collect()
}

/// `n` ranks that train into `out`.
fn ranks(mpi: &str, n: usize, out: &Path) -> Command {
    let mut command = mpirun(mpi);
    command.args(["-n", &n.to_string()]).args(rank(out, &[])).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().join("place/result");
    fs_err::create_dir(dir.path().join("place")).expect("a new folder");
    (dir, out)
}

fn train(mpi: &str, n: usize, out: &Path) -> String {
    let (status, message) = finish(&mut ranks(mpi, n, out), out);
    assert!(status.success(), "{n} ranks: {status}\n{message}");
    message
}

fn lines(out: &Path) -> Vec<Value> {
    let text = fs_err::read_to_string(out.join("metrics.jsonl")).expect("metrics");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Every value of every line within 1e-5.
fn assert_agree(found: &Path, expected: &Path, what: &str) {
    let (found, expected) = (lines(found), lines(expected));
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, line) in found.iter().zip(&expected) {
        for (name, b) in line.as_object().expect("an object") {
            let (a, b) = (found[name].as_f64().expect("a number"), b.as_f64().expect("a number"));
            assert!((a - b).abs() <= 1e-5 * b.abs(), "{what}: {name} at update {}: {a}, expected {b}", line["update"]);
        }
    }
}

/// The same bytes.
fn assert_same(found: &Path, expected: &Path, what: &str) {
    for name in ["metrics.jsonl", "model.safetensors"] {
        let read = |out: &Path| fs_err::read(out.join(name)).expect("a file");
        assert!(read(found) == read(expected), "{what}: {name}");
    }
}

/// The processes of the ranks that train into `out`.
fn processes(out: &Path) -> Vec<u32> {
    let program = text(&binary("pretrain")).to_owned();
    let entries = fs_err::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_ours = |id: &u32| {
        let words = fs_err::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = words.split(|b| *b == 0).collect();
        words[0] == program.as_bytes() && words.contains(&text(out).as_bytes())
    };
    ids.filter(is_ours).collect()
}

fn send(signal: &str, process: u32) {
    _ = Command::new("kill").args([signal, &process.to_string()]).stderr(Stdio::null()).status();
}

/// Waits until a run has a checkpoint; false if it ended first.
fn has_checkpoint(child: &mut Child, out: &Path) -> bool {
    let folder = partial(out).join(".checkpoints");
    while !folder.exists() {
        if child.try_wait().expect("a process of ours").is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

/// Waits until the ranks know each other, or their launcher has ended.
fn have_met(child: &mut Child, out: &Path) -> Instant {
    while !said(out).contains("plan") && child.try_wait().expect("a process of ours").is_none() {
        std::thread::sleep(Duration::from_millis(2));
    }
    Instant::now()
}

/// The ranks must be gone soon.
fn assert_gone(out: &Path, since: Instant, what: &str) {
    while !processes(out).is_empty() {
        assert!(since.elapsed() < AT_MOST, "{what}: ranks hang\n{}", said(out));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The launcher must end soon, and all that it has started.
fn assert_ends(child: &mut Child, out: &Path, since: Instant, what: &str) -> ExitStatus {
    loop {
        let status = child.try_wait().expect("a process of ours");
        match status.filter(|_| processes(out).is_empty()) {
            Some(status) => return status,
            None => assert!(since.elapsed() < AT_MOST, "{what}: hangs, mpirun: {status:?}\n{}", said(out)),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The parent of a process.
fn parent(process: u32) -> Option<u32> {
    let status = fs_err::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

#[test]
fn any_number_of_ranks_learns_the_same() {
    let Some((mpi, _one)) = mpi() else { return };
    let (_dir, alone) = place();
    let words = rank(&alone, &[]);
    let (status, message) = finish(Command::new(&words[0]).args(&words[1..]).stdout(Stdio::null()), &alone);
    assert!(status.success(), "alone: {message}");
    for n in 1..=4 {
        let (_dir, first) = place();
        let (_again_dir, again) = place();
        let message = train(&mpi, n, &first);
        train(&mpi, n, &again);
        assert_agree(&first, &alone, &format!("{n} ranks"));
        for name in ["metrics.jsonl", "model.safetensors", "samples.txt"] {
            let read = |out: &Path| fs_err::read(out.join(name)).expect("a file");
            assert!(read(&first) == read(&again), "{n} ranks twice: {name}");
            assert!(n > 1 || read(&first) == read(&alone), "one rank is as none: {name}");
        }
        assert_eq!(message.matches("update 20: validation loss").count(), 1, "one rank speaks: {message}");
    }
}

#[test]
fn stopped_ranks_continue_as_any_other_number() {
    let Some((mpi, _one)) = mpi() else { return };
    let (_dir, whole) = place();
    train(&mpi, 4, &whole);
    for (signal, after) in [("-USR1", 1), ("-TERM", 3), ("-TERM", 4), ("-USR1", 8)] {
        let (_dir, out) = place();
        let mut child = start(&mut ranks(&mpi, 4, &out), &out);
        if has_checkpoint(&mut child, &out) {
            let begin = Instant::now();
            send(signal, child.id());
            let status = wait(&mut child, "mpirun");
            assert_gone(&out, begin, signal);
            let message = said(&out);
            assert!(!message.contains("error: "), "{signal}: {message}");
            assert_eq!(message.matches("the same command continues from here").count(), 1, "{signal}: {message}");
            // After SIGTERM Open MPI's mpirun ends with a code of its own, after SIGUSR1 MPICH's now and then with 0.
            let own = if mpi == "openmpi" { ("-TERM", 1) } else { ("-USR1", 0) };
            let code = status.code();
            assert!(code == Some(143) || (signal == own.0 && code == Some(own.1)), "{signal}: {status}");
            assert!(!out.exists(), "{signal}: {message}");
            println!("{signal} to mpirun: {status} after {:.1} s", begin.elapsed().as_secs_f64());
        }
        let message = train(&mpi, after, &out);
        assert!(message.contains("continuing after update"), "{message}");
        assert_agree(&out, &whole, &format!("4 ranks, then {after}"));
    }
}

#[test]
fn a_killed_rank_ends_the_run_and_nothing_is_lost() {
    let Some((mpi, _one)) = mpi() else { return };
    let mut random = Random::new("killed ranks");
    let (_dir, whole) = place();
    train(&mpi, 3, &whole);
    let (_again_dir, again) = place();
    let mut child = start(&mut ranks(&mpi, 3, &again), &again);
    let begin = have_met(&mut child, &again);
    wait(&mut child, "mpirun");
    let usual = begin.elapsed();
    let (mut n_ended, mut n_said, mut slowest) = (0, 0, Duration::ZERO);
    for i in 0..number("GPT1_KILLS", 3) {
        let (_dir, out) = place();
        let mut child = start(&mut ranks(&mpi, 3, &out), &out);
        have_met(&mut child, &out);
        std::thread::sleep(usual.mul_f64(random.uniform()));
        let all = processes(&out);
        let begin = Instant::now();
        // A rank, or the guard of one.
        if !all.is_empty() {
            send("-KILL", all[random.below(all.len() as u64) as usize]);
        }
        let status = assert_ends(&mut child, &out, begin, &format!("kill {i}"));
        if !all.is_empty() {
            let message = said(&out);
            assert!(!status.success() || out.exists(), "kill {i}: {status}\n{message}");
            // After a rank has ended, a kill needs no words.
            if all.len() == 6 && !out.exists() {
                assert_eq!(message.matches("error: ").count(), 1, "kill {i}: {message}");
                assert!(message.contains("SIGKILL (9): somebody killed it") || message.contains("the guard of rank "));
                assert!(
                    message.contains(" of 3 (") && message.contains("continues from the last checkpoint"),
                    "{message}"
                );
                n_said += 1;
            }
            n_ended += 1;
            slowest = slowest.max(begin.elapsed());
        }
        train(&mpi, 3, &out);
        assert_same(&out, &whole, &format!("kill {i}"));
    }
    assert!(n_said > 0, "every kill came too late");
    println!(
        "{n_ended} runs lost a rank and ended within {:.1} s, {n_said} had to say so and did",
        slowest.as_secs_f64()
    );
}

#[test]
fn a_kill_in_the_first_moment_ends_the_run() {
    let Some((mpi, _one)) = mpi() else { return };
    let mut random = Random::new("early kills");
    let (_dir, whole) = place();
    train(&mpi, 3, &whole);
    let mut slowest = Duration::ZERO;
    for i in 0..number("GPT1_KILLS", 3) {
        let (_dir, out) = place();
        let mut child = start(&mut ranks(&mpi, 3, &out), &out);
        while processes(&out).is_empty() && child.try_wait().expect("a process of ours").is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        // Half of them in the time in which programs are loaded.
        let within = [0.05, 0.5][random.below(2) as usize];
        std::thread::sleep(Duration::from_secs_f64(within * random.uniform()));
        let all = processes(&out);
        let signal = ["-KILL", "-USR1", "-TERM"][random.below(3) as usize];
        let begin = Instant::now();
        if !all.is_empty() {
            send(signal, all[random.below(all.len() as u64) as usize]);
        }
        assert_ends(&mut child, &out, begin, &format!("kill {i}, {signal} to one of {}", all.len()));
        slowest = slowest.max(begin.elapsed());
        train(&mpi, 3, &out);
        assert_same(&out, &whole, &format!("kill {i}"));
    }
    println!("all ended within {:.1} s", slowest.as_secs_f64());
}

#[test]
fn a_killed_launcher_leaves_nothing_behind() {
    let Some((mpi, _one)) = mpi() else { return };
    let mut random = Random::new("killed launchers");
    let (_dir, whole) = place();
    train(&mpi, 3, &whole);
    for i in 0..number("GPT1_KILLS", 3) {
        let (_dir, out) = place();
        let mut child = start(&mut ranks(&mpi, 3, &out), &out);
        if !has_checkpoint(&mut child, &out) {
            continue;
        }
        std::thread::sleep(Duration::from_millis(random.below(300)));
        // Of MPICH, also the one below it.
        let above = processes(&out).into_iter().filter_map(parent).find(|id| !processes(&out).contains(id));
        let victim = if i % 2 == 0 { child.id() } else { above.unwrap_or(child.id()) };
        let begin = Instant::now();
        send("-KILL", victim);
        assert_ends(&mut child, &out, begin, "a killed launcher");
        train(&mpi, 3, &out);
        assert_same(&out, &whole, &format!("kill {i}"));
    }
}

#[test]
fn a_launcher_that_hangs_is_killed() {
    let Some((mpi, _one)) = mpi() else { return };
    let (_dir, whole) = place();
    train(&mpi, 3, &whole);
    for of_guard in [false, true] {
        let (_dir, out) = place();
        let mut child = start(&mut ranks(&mpi, 3, &out), &out);
        assert!(has_checkpoint(&mut child, &out), "{}", said(&out));
        let all = processes(&out);
        let (ranks, guards): (Vec<u32>, Vec<u32>) =
            all.iter().partition(|id| parent(**id).is_some_and(|id| all.contains(&id)));
        send("-STOP", parent(guards[0]).expect("its launcher"));
        let begin = Instant::now();
        send("-KILL", if of_guard { guards[0] } else { ranks[0] });
        let status = assert_ends(&mut child, &out, begin, "a launcher that hangs");
        let message = said(&out);
        assert!(!status.success() && !out.exists(), "{status}: {message}");
        assert!(message.contains("goes on: it is killed"), "{message}");
        println!("ended {:.1} s after the kill", begin.elapsed().as_secs_f64());
        train(&mpi, 3, &out);
        assert_same(&out, &whole, "after a launcher that hung");
    }
}

#[test]
fn a_rank_that_panics_ends_the_run() {
    let Some((mpi, _one)) = mpi() else { return };
    let (_dir, out) = place();
    let (whole_dir, whole) = place();
    let Some(library) = faults_library(whole_dir.path()) else { return };
    train(&mpi, 3, &whole);
    let mut command = mpirun(&mpi);
    // The clock fails the first rank once it has written its second checkpoint.
    command.args(["-n", "1", "env", "GPT1_FAULT_KIND=panic", "GPT1_FAULT_AT=1", "GPT1_FAULT_ONCE=1"]);
    command.arg(format!("GPT1_FAULT_DIR={}", text(&partial(&out).join(".checkpoints/checkpoint-14"))));
    command.arg(format!("LD_PRELOAD={}", text(&library))).args(rank(&out, &[]));
    command.args([":", "-n", "2"]).args(rank(&out, &[])).stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = start(&mut command, &out);
    while !said(&out).contains("panicked at") && child.try_wait().expect("a process of ours").is_none() {
        std::thread::sleep(Duration::from_millis(2));
    }
    let begin = Instant::now();
    let status = wait(&mut child, "mpirun");
    assert_gone(&out, begin, "a panic");
    let message = said(&out);
    assert!(!status.success() && !out.exists(), "{status}: {message}");
    for once in ["error: ", "panicked at", "rank 0 of 3 (", "continues from the last checkpoint"] {
        assert_eq!(message.matches(once).count(), 1, "{once}: {message}");
    }
    println!("ended {:.1} s after the panic: {status}", begin.elapsed().as_secs_f64());
    let message = train(&mpi, 3, &out);
    assert!(message.contains("continuing after update"), "{message}");
    assert_same(&out, &whole, "after a panic");
}

#[test]
fn what_one_rank_cannot_do_none_does() {
    let Some((mpi, _one)) = mpi() else { return };
    let chain = Chain::get();
    let (_dir, out) = place();
    let refused = |others: &[&str], expected: &[&str]| {
        let mut command = mpirun(&mpi);
        command.args(["-n", "2"]).args(rank(&out, &[])).arg(":").args(["-n", "1"]).args(rank(&out, others));
        let begin = Instant::now();
        let (status, message) = finish(command.stdin(Stdio::null()).stdout(Stdio::null()), &out);
        assert!(!status.success(), "{message}");
        assert_gone(&out, begin, "a refusal");
        assert_eq!(message.matches("error: ").count(), 1, "{message}");
        for part in expected {
            assert!(message.contains(part), "expected {part:?} in:\n{message}");
        }
        assert!(!out.exists());
    };
    refused(
        &["--set", "pretrain.seed=77"],
        &["rank 2 would not do the same", "pretrain.seed: 1 on rank 0, 77 on rank 2"],
    );
    refused(&["--precision", "auto"], &["precision: \"f32\" on rank 0, \"auto\" on rank 2"]);
    let other = chain.path("other-shards");
    if !other.exists() {
        let (corpus, vocabulary) = (chain.arg("data") + "/corpus", chain.arg("vocabulary"));
        let words = quick(&["--corpus", &corpus, "--tokenizer", &vocabulary, "--out", text(&other)]);
        gpt1_tests::succeed("shard", &words);
    }
    refused(&["--shards", text(&other)], &["inputs.shards"]);
    refused(&["--shards", "/nowhere"], &["rank 2 of 3", "/nowhere"]);

    let (status, message) = finish(&mut ranks(&mpi, 10, &out), &out);
    assert!(!status.success() && message.matches("error: ").count() == 1, "{message}");
    assert!(message.contains("10 ranks, but an update has 9 windows"), "{message}");
}

#[test]
fn without_mpi_one_of_several_is_refused() {
    if std::env::var_os("GPT1_MPI").is_some() {
        println!("skipped: the programs were built with MPI");
        return;
    }
    let launchers: [(&[(&str, &str)], &str); 4] = [
        (&[("OMPI_COMM_WORLD_RANK", "0"), ("OMPI_COMM_WORLD_SIZE", "2")], "one of 2 by Open MPI"),
        (&[("PMI_RANK", "0"), ("PMI_SIZE", "3")], "one of 3 by MPICH"),
        (&[("PMIX_RANK", "0"), ("SLURM_STEP_NUM_TASKS", "4")], "one of 4 by a launcher with PMIx"),
        (&[("SLURM_PROCID", "0"), ("SLURM_STEP_NUM_TASKS", "5")], "srun started 5 tasks"),
    ];
    for (variables, expected) in launchers {
        let (_dir, out) = place();
        let words = quick(&["--shards", "/nowhere", "--tokenizer", "/nowhere", "--out", text(&out)]);
        let (status, message) =
            finish(Command::new(binary("pretrain")).args(words).envs(variables.iter().copied()), &out);
        if message.contains("MPI finds 1") {
            println!("skipped: the programs were built with MPI (make test-mpi); make build builds them without");
            return;
        }
        assert!(status.code() == Some(1) && message.contains(expected), "{status}: {message}");
        assert!(message.contains("hint: "), "{message}");
    }
}

#[test]
fn ranks_of_another_mpi_are_refused() {
    let Some((mpi, _one)) = mpi() else { return };
    let other = if mpi == "openmpi" { "mpich" } else { "openmpi" };
    if !launcher(other).ends_with(other) {
        println!("skipped: there is no mpirun.{other}");
        return;
    }
    let (_dir, out) = place();
    let (status, message) = finish(&mut ranks(other, 2, &out), &out);
    assert!(!status.success() && !out.exists(), "{message}");
    assert_eq!(message.matches("error: ").count(), 1, "{message}");
    assert!(message.contains("started 2 processes, but MPI finds 1") && message.contains("hint: "), "{message}");
}

#[test]
fn the_runner_starts_ranks_and_stops_them() {
    let Some((mpi, _one)) = mpi() else { return };
    let chain = Chain::get();
    let (dir, _) = place();
    // Where `start` keeps what is said of an output.
    let pretrained = dir.path().join("artifacts/tiny/pretrain");
    fs_err::create_dir_all(dir.path().join("artifacts/tiny")).expect("a new folder");
    let run = |launcher: &str| {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        let mut command = Command::new(binary("pipeline"));
        as_root_on_few_cores(&mut command);
        command.current_dir(workspace).env("GPT1_MPIRUN", launcher).env("RAYON_NUM_THREADS", "1");
        command.args(["run", "pipelines/pretrain.yaml", "--ranks", "2"]);
        // The runner refuses what no stage takes.
        command.args(QUICK.chunks(2).filter(|pair| !pair[1].starts_with("finetune")).flatten());
        command.args(SETS.iter().flat_map(|set| ["--set", set]));
        let (corpus, out) = (chain.arg("corpus"), dir.path().join("artifacts"));
        command.args(["--set", &format!("corpus={corpus}"), "--set", &format!("out={}", text(&out))]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    };
    let mut child = start(&mut run(&launcher(&mpi)), &pretrained);
    let begin = Instant::now();
    while !said(&pretrained).contains("update 20: ") {
        assert!(child.try_wait().expect("a process of ours").is_none(), "{}", said(&pretrained));
        assert!(begin.elapsed() < Duration::from_secs(60), "{}", said(&pretrained));
        std::thread::sleep(Duration::from_millis(2));
    }
    send("-TERM", child.id());
    let status = wait(&mut child, "gpt1-pipeline");
    let message = said(&pretrained);
    assert_eq!(status.code(), Some(143), "{message}");
    assert_eq!(message.matches("the same command continues from here").count(), 1, "{message}");
    let (status, message) = finish(&mut run(&launcher(&mpi)), &pretrained);
    assert!(status.success() && message.contains("continuing after update"), "{message}");
    assert!(message.contains("2 ranks of 1 threads"), "{message}");
    assert_eq!(lines(&pretrained).last().expect("a line")["update"], 100);
    // Made by two ranks or by one, it is up to date.
    let (status, message) = finish(&mut run("no-launcher"), &pretrained);
    assert!(status.success(), "{message}");
}

#[test]
fn the_plan_says_what_ranks_need() {
    let Some(_mpi) = mpi() else { return };
    let (_dir, out) = place();
    let plan = |n: usize| {
        let words = rank(&out, &[&format!("--plan={n}")]);
        let (status, message) = finish(Command::new(&words[0]).args(&words[1..]), &out);
        assert!(status.success() && !out.exists() && !partial(&out).exists(), "{message}");
        message
    };
    assert!(!plan(1).contains("network"));
    let message = plan(4);
    assert!(message.contains("4 ranks of 1 threads") && message.contains("a rank sends"), "{message}");
}
