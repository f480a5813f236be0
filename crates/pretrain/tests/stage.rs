//! The real binary in a fresh folder: whole runs, interrupted ones, bad input.

use gpt1_artifacts::preset::{Preset, ShardConfig};
use gpt1_shard::{Corpus, write_shards};
use gpt1_tokenize::{Encoder, Vocabulary, learn};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A model of a few thousand parameters and a run of a second.
const SETTINGS: [&str; 16] = [
    "model.n_layer=1",
    "model.n_head=2",
    "model.n_embd=16",
    "model.n_ctx=16",
    "pretrain.batch_size=6",
    "pretrain.micro_batch_size=4",
    "pretrain.n_epochs=4",
    "pretrain.max_updates=80",
    "pretrain.learning_rate=0.01",
    "pretrain.warmup_updates=5",
    "pretrain.eval_interval=20",
    "pretrain.eval_windows=8",
    "pretrain.checkpoint_interval=7",
    "pretrain.n_snapshots=5",
    "pretrain.log_interval=1",
    "pretrain.sample_length=12",
];

/// Of a run that is interrupted: long enough that the signal comes in time on a busy machine.
const LONG: [&str; 2] = ["--set", "pretrain.max_updates=240"];

/// The other architecture. It has no norms that bring what is small to size: at the width of 16 the preset's initial weights
/// of 0.05 would take it more updates to begin with than the run has.
const LSTM: [&str; 6] =
    ["--set", "model.architecture=lstm", "--set", "model.n_units=20", "--set", "model.initializer_range=0.2"];

/// Files that a run determines.
const RESULT: [&str; 7] =
    ["config.json", "model.safetensors", "vocab.json", "merges.txt", "tokenizer.json", "metrics.jsonl", "samples.txt"];

/// A corpus, its vocabulary and its shards; another vocabulary; shards of a single sentence.
struct Inputs {
    root: PathBuf,
}

fn inputs() -> &'static Inputs {
    static INPUTS: OnceLock<Inputs> = OnceLock::new();
    INPUTS.get_or_init(|| {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("pretrain-{}", std::process::id()));
        let text = story(900);
        tokenizer(&root.join("tokenizer"), &text, 60);
        tokenizer(&root.join("other-tokenizer"), &text, 61);
        shards(&root, "shards", &[story(900), story(901), story(200), story(201)]);
        shards(&root, "short-shards", &["the cat sees the dog .".to_owned(), "the dog runs .".to_owned()]);
        Inputs { root }
    })
}

/// Sentences of a dozen words in an order that has something to learn.
fn story(n_sentences: usize) -> String {
    let (who, does, whom) = (["the cat", "the dog", "a child"], ["sees", "likes", "hears"], ["the moon", "a bird"]);
    let mut text = String::new();
    let mut x = n_sentences;
    for _ in 0..n_sentences {
        x = (x * 1103515245 + 12345) % (1 << 31);
        writeln!(text, "{} {} {} .", who[x / 7 % 3], does[x / 77 % 3], whom[x / 777 % 2]).unwrap();
    }
    text
}

fn tokenizer(dir: &Path, text: &str, n_merges: usize) {
    fs_err::create_dir_all(dir).unwrap();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for word in text.split_whitespace() {
        *counts.entry(word).or_default() += 1;
    }
    let words: Vec<_> = counts.into_iter().map(|(word, n)| (word.into(), n)).collect();
    let alphabet = learn::alphabet(&words, learn::MAX_CHARACTERS);
    let merges = learn::learn(&words, &alphabet, n_merges, 1, |_| {});
    // So that vocabularies of different sizes differ, whatever was there to learn.
    let merges = &merges[..merges.len() - (61 - n_merges)];
    Vocabulary::from_learned(&alphabet, merges).unwrap().write(dir).unwrap();
}

fn shards(root: &Path, name: &str, documents: &[String]) {
    let corpus = root.join(format!("corpus-of-{name}"));
    fs_err::create_dir_all(&corpus).unwrap();
    for (i, document) in documents.iter().enumerate() {
        fs_err::write(corpus.join(format!("{i}.txt")), document).unwrap();
    }
    let encoder = Encoder::from_dir(root.join("tokenizer")).unwrap();
    let config = ShardConfig { validation_fraction: 0.25, ..Preset::load("tiny", &[]).unwrap().shards };
    let dir = root.join(name);
    fs_err::create_dir_all(&dir).unwrap();
    write_shards(&Corpus::open(&corpus).unwrap(), &encoder, &config, "digest", &dir, &mut |_| {}).unwrap();
}

/// The command of a run into `out`, with further arguments.
fn command(out: &Path, more: &[&str]) -> Command {
    let root = &inputs().root;
    let mut command = Command::new(env!("CARGO_BIN_EXE_gpt1-pretrain"));
    command.args(["--config", "tiny", "--shards"]).arg(root.join("shards"));
    command.arg("--tokenizer").arg(root.join("tokenizer")).arg("--out").arg(out);
    command.args(SETTINGS.iter().flat_map(|set| ["--set", set])).args(more);
    command.stdin(Stdio::null());
    command
}

fn succeed(out: &Path, more: &[&str]) -> Output {
    let output = command(out, more).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    output
}

/// Runs to an error of the user's (exit code 1) and returns its message.
fn fail(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    stderr(&output)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn assert_same_result(found: &Path, expected: &Path) {
    for name in RESULT {
        let [found, expected] = [found, expected].map(|dir| fs_err::read(dir.join(name)).unwrap());
        assert!(found == expected, "{name} differs");
    }
    // Whatever is in the folders, hidden files too.
    let snapshots = |dir: &Path| {
        let files = |dir: &Path| fs_err::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
        let all = files(&dir.join("snapshots")).into_iter().flat_map(|snapshot| files(&snapshot));
        let content = all.map(|path| (path.strip_prefix(dir).unwrap().to_owned(), fs_err::read(&path).unwrap()));
        content.collect::<BTreeMap<_, _>>()
    };
    let (found, expected) = (snapshots(found), snapshots(expected));
    assert!(found.keys().eq(expected.keys()), "{:?}", found.keys());
    for (name, content) in &found {
        assert!(*content == expected[name], "{} differs", name.display());
    }
}

/// The folder in which a run into `dir/model` works.
fn partial(dir: &Path) -> PathBuf {
    dir.join(".model.partial")
}

/// Starts a run with further arguments into `dir/model` and waits until it has logged `n_lines` lines.
fn start_and_wait(dir: &Path, more: &[&str], n_lines: usize) -> Child {
    let mut child = command(&dir.join("model"), more).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begin = Instant::now();
    while n_logged(dir) < n_lines && child.try_wait().unwrap().is_none() {
        assert!(begin.elapsed() < Duration::from_secs(120), "the run does not get on");
        std::thread::sleep(Duration::from_millis(1));
    }
    child
}

fn n_logged(dir: &Path) -> usize {
    fs_err::read_to_string(partial(dir).join("metrics.jsonl")).map_or(0, |text| text.lines().count())
}

fn signal(child: &mut Child, name: &str) -> ExitStatus {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    child.wait().unwrap()
}

#[test]
fn a_whole_run() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("model");
    let output = succeed(&out, &[]);
    for name in RESULT.iter().chain(&["manifest.json", "timing.jsonl", "events.out.tfevents.0.gpt1"]) {
        assert!(out.join(name).exists(), "{name}");
    }
    let hidden: Vec<_> = fs_err::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.') || name.contains("checkpoint"))
        .collect();
    assert!(hidden.is_empty(), "{hidden:?}");

    let metrics: Vec<serde_json::Value> = fs_err::read_to_string(out.join("metrics.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let validations: Vec<f64> = metrics.iter().filter_map(|line| line["perplexity"].as_f64()).collect();
    assert_eq!(validations.len(), 5);
    let unigram = serde_json::from_slice::<serde_json::Value>(&fs_err::read(out.join("manifest.json")).unwrap())
        .unwrap()["extra"]["unigram_perplexity"]
        .as_f64()
        .unwrap();
    assert!(validations[4] < 0.7 * unigram && unigram < validations[0], "{validations:?}, unigram {unigram}");
    let losses = metrics.iter().filter(|line| line.get("loss").is_some());
    assert_eq!(losses.clone().count(), 80);
    for (i, line) in losses.enumerate() {
        assert_eq!(line["update"], i as u64 + 1);
        assert_eq!(line["tokens"], 96 * (i as u64 + 1));
        assert!(line["learning_rate"].is_f64() && line["grad_norm"].is_f64());
    }
    let bits = metrics.last().unwrap()["bits_per_byte"].as_f64().unwrap();
    assert!(bits > 0.0 && bits < 8.0, "{bits}");

    let samples = fs_err::read_to_string(out.join("samples.txt")).unwrap();
    assert_eq!(String::from_utf8(output.stdout.clone()).unwrap(), samples);
    assert_eq!(samples.matches(" ... ").count(), 4, "{samples}");
    let log = stderr(&output);
    for expected in
        ["threads, precision ", "80 updates of 96 tokens (64 at once)", "unigram", "next: gpt1-pretrain sample"]
    {
        assert!(log.contains(expected), "{expected} is not in\n{log}");
    }
}

#[test]
fn snapshots_are_models_of_their_updates() {
    let dir = tempfile::tempdir().unwrap();
    let (out, plain) = (dir.path().join("model"), dir.path().join("plain"));
    let log = stderr(&succeed(&out, &[]));
    assert!(log.contains("snapshots: after 0, 10, 20, 40, 80 updates"), "{log}");
    let found = gpt1_model::snapshots(&out).unwrap();
    assert_eq!(found.iter().map(|(update, _)| *update).collect::<Vec<_>>(), [0, 10, 20, 40, 80]);
    for (_, path) in &found {
        let names: Vec<_> =
            fs_err::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 5, "{names:?}");
        for name in ["config.json", "model.safetensors", "vocab.json", "merges.txt", "tokenizer.json"] {
            assert!(names.iter().any(|found| found == name), "{name} is not among {names:?}");
        }
    }
    // The first is the initial model, the last the one that the run is for, the others are on the way.
    let model = |path: &Path| gpt1_model::Model::load(path).unwrap();
    let last = model(&out);
    assert_eq!(model(&found[4].1), last);
    assert_eq!(model(&found[0].1), gpt1_model::Model::init(last.config.clone(), 1));
    let distance = |other: &gpt1_model::Model| -> f64 {
        let pairs = last.params.data.iter().zip(&other.params.data);
        pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum()
    };
    let distances: Vec<f64> = found.iter().map(|(_, path)| distance(&model(path))).collect();
    assert!(distances.windows(2).all(|pair| pair[0] > pair[1]), "{distances:?}");

    // A run without them is the same run.
    succeed(&plain, &["--set", "pretrain.n_snapshots=0"]);
    assert!(!plain.join("snapshots").exists());
    for name in RESULT {
        assert!(fs_err::read(out.join(name)).unwrap() == fs_err::read(plain.join(name)).unwrap(), "{name} differs");
    }
}

/// Rates that grow until the model is spoilt: the best one is on the way.
const SPOILT: [&str; 8] = [
    "--set",
    "pretrain.learning_rate=0.5",
    "--set",
    "pretrain.warmup_updates=230",
    "--set",
    "pretrain.max_updates=240",
    "--set",
    "pretrain.max_grad_norm=1.0",
];

#[test]
fn the_best_model_is_kept_on_request_whatever_interrupts_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let (plain, whole, killed) = (dir.path().join("plain"), dir.path().join("whole"), dir.path().join("model"));
    let keep_best = [&SPOILT[..], &["--set", "pretrain.keep_best=true", "--set", "pretrain.n_checkpoints=1"]].concat();
    let log = stderr(&succeed(&plain, &SPOILT));
    assert!(
        log.contains("the validation loss was lowest after update ") && log.contains("keep_best=true keeps it"),
        "{log}"
    );
    assert!(!plain.join("best").exists());

    let log = stderr(&succeed(&whole, &keep_best));
    assert!(log.contains(&format!("kept in {}/best", whole.display())), "{log}");
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs_err::read(whole.join("manifest.json")).unwrap()).unwrap();
    let best = &manifest["extra"]["best"];
    let lines = fs_err::read_to_string(whole.join("metrics.jsonl")).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let losses: Vec<(u64, f64)> =
        lines.filter_map(|line| Some((line["update"].as_u64()?, line["validation_loss"].as_f64()?))).collect();
    let lowest = losses[1..].iter().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    assert_eq!((best["update"].as_u64(), best["value"].as_f64()), (Some(lowest.0), Some(lowest.1)));
    assert!(lowest.0 < 240 && lowest.1 < 0.9 * losses.last().unwrap().1, "{losses:?}");
    // A model directory, whose loss is the one recorded.
    let model = gpt1_model::Model::load(&whole.join("best")).unwrap();
    assert_ne!(model, gpt1_model::Model::load(&whole).unwrap());
    let encoder = Encoder::from_dir(whole.join("best")).unwrap();
    let shards = inputs().root.join("shards");
    let tokens = gpt1_shard::Tokens::open(&shards, gpt1_shard::Split::Validation, &encoder.digest()).unwrap();
    gpt1_kernels::start(None).unwrap();
    gpt1_kernels::Precision::choose("auto").unwrap();
    let windows = gpt1_pretrain::batch::consecutive_windows(&tokens, 16, 8);
    let loss = gpt1_pretrain::batch::loss(
        &model,
        &windows,
        4,
        &mut gpt1_pretrain::batch::Scratch::new(&model),
        gpt1_ranks::Ranks::alone(),
    );
    assert_eq!(loss, lowest.1);
    // Nothing else differs from a run that does not keep it.
    for name in RESULT {
        assert!(fs_err::read(plain.join(name)).unwrap() == fs_err::read(whole.join(name)).unwrap(), "{name} differs");
    }

    for n_lines in [10, 60, 130, 220] {
        let mut child = start_and_wait(dir.path(), &keep_best, n_lines);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!killed.exists(), "the run had ended before it could be killed");
    }
    succeed(&killed, &keep_best);
    assert_same_result(&killed, &whole);
    assert_eq!(gpt1_artifacts::digest::path(&killed).unwrap(), gpt1_artifacts::digest::path(&whole).unwrap());
}

#[test]
fn an_lstm_learns_in_the_same_stage() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("model");
    let log = stderr(&succeed(&out, &LSTM));
    assert!(log.contains("(64 at once)"), "{log}");
    let read = |name: &str| fs_err::read_to_string(out.join(name)).unwrap();
    assert!(read("config.json").contains("\"model_type\": \"gpt1-lstm\""), "{}", read("config.json"));
    let manifest: serde_json::Value = serde_json::from_str(&read("manifest.json")).unwrap();
    let (unigram, validation) = (&manifest["extra"]["unigram_perplexity"], &manifest["extra"]["validation"]);
    let perplexity = validation["perplexity"].as_f64().unwrap();
    assert!(perplexity < 0.7 * unigram.as_f64().unwrap(), "{perplexity}, unigram {unigram}");
    assert_eq!(read("samples.txt").matches(" ... ").count(), 4);
}

#[test]
fn threads_do_not_change_the_result() {
    for more in [&[][..], &LSTM] {
        let dir = tempfile::tempdir().unwrap();
        let [one, three] = ["1", "3"].map(|n| {
            let out = dir.path().join(n);
            succeed(&out, &[&["--threads", n], more].concat());
            out
        });
        assert_same_result(&one, &three);
    }
}

#[test]
fn a_profile_shows_where_the_time_went_and_changes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let (plain, profiled) = (place.path().join("plain"), place.path().join("profiled"));
    let without = stderr(&succeed(&plain, &[]));
    let with = stderr(&succeed(&profiled, &["--profile"]));
    assert_same_result(&profiled, &plain);
    for name in ["of a step", "attention backward", "head, logits", "optimiser, update", "evaluation", "checkpoints"] {
        assert!(with.contains(&format!("\n{name} ")) && !without.contains(&format!("\n{name} ")), "{name}: {with}");
    }
}

#[test]
fn a_killed_run_continues_and_ends_with_the_same_bytes() {
    for more in [&LONG[..], &[&LONG[..], &LSTM].concat()] {
        let whole = tempfile::tempdir().unwrap();
        succeed(&whole.path().join("model"), more);
        let dir = tempfile::tempdir().unwrap();
        for n_lines in [3, 40, 90] {
            let mut child = start_and_wait(dir.path(), more, n_lines);
            child.kill().unwrap();
            child.wait().unwrap();
            assert!(!dir.path().join("model").exists(), "the run had ended before it could be killed");
        }
        let output = succeed(&dir.path().join("model"), more);
        assert!(stderr(&output).contains("continuing after update "), "{}", stderr(&output));
        assert_same_result(&dir.path().join("model"), &whole.path().join("model"));
    }
}

#[test]
fn signals_write_a_checkpoint() {
    let whole = tempfile::tempdir().unwrap();
    succeed(&whole.path().join("model"), &LONG);
    let dir = tempfile::tempdir().unwrap();
    for (name, code, n_lines) in [("INT", 130, 10), ("TERM", 143, 90)] {
        let mut child = start_and_wait(dir.path(), &LONG, n_lines);
        assert_eq!(signal(&mut child, name).code(), Some(code));
        // The checkpoint is that of the last update that was logged.
        let text = fs_err::read_to_string(partial(dir.path()).join("metrics.jsonl")).unwrap();
        let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        let checkpoint = format!(".checkpoints/checkpoint-{}", last["update"]);
        assert!(partial(dir.path()).join(&checkpoint).exists(), "{checkpoint}");
    }
    succeed(&dir.path().join("model"), &LONG);
    assert_same_result(&dir.path().join("model"), &whole.path().join("model"));
}

#[test]
fn another_configuration_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = start_and_wait(dir.path(), &LONG, 20);
    child.kill().unwrap();
    child.wait().unwrap();
    let output = succeed(&dir.path().join("model"), &["--set", "model.n_embd=8"]);
    assert!(!stderr(&output).contains("continuing"), "{}", stderr(&output));
}

#[test]
fn bad_input_is_refused_and_earlier_results_stay() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("model");
    succeed(&out, &["--set", "pretrain.max_updates=2"]);
    let before = gpt1_artifacts::digest::path(&out).unwrap();
    let root = &inputs().root;
    let with = |flag: &str, name: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gpt1-pretrain"));
        for (known, value) in [("--shards", "shards"), ("--tokenizer", "tokenizer")] {
            command.arg(known).arg(root.join(if known == flag { name } else { value }));
        }
        command.arg("--config").arg(if flag == "--config" { name } else { "tiny" }).arg("--out").arg(&out);
        command
    };
    let misspelt = dir.path().join("preset.yaml");
    fs_err::write(&misspelt, "model:\n  n_layers: 3\n").unwrap();
    let cases: [(Command, &[&str]); 9] = [
        (with("--tokenizer", "other-tokenizer"), &["train-00000.parquet", "another vocabulary"]),
        (with("--tokenizer", "nowhere"), &["nowhere"]),
        (with("--shards", "nowhere"), &["nowhere"]),
        (with("--shards", "tokenizer"), &["tokenizer", "train-00000"]),
        (with("--shards", "short-shards"), &["short-shards", "too few for windows of 128"]),
        (with("--config", misspelt.to_str().unwrap()), &["preset.yaml:2:3", "n_layers"]),
        (command(&out, &["--set", "pretrain.batch_size=0"]), &["pretrain.batch_size = 0", "at least 1"]),
        (command(&out, &["--set", "model.n_layers=2"]), &["did you mean n_layer?"]),
        (
            command(
                &out,
                &[
                    "--set",
                    "model.n_ctx=4096",
                    "--set",
                    "pretrain.micro_batch_size=100000",
                    "--set",
                    "pretrain.batch_size=100000",
                ],
            ),
            &["GB", "micro_batch_size"],
        ),
    ];
    for (mut command, expected) in cases {
        let message = fail(&mut command);
        for part in expected {
            assert!(message.contains(part), "{part} is not in\n{message}");
        }
        assert!(!message.contains("panicked"), "{message}");
        assert_eq!(gpt1_artifacts::digest::path(&out).unwrap(), before);
    }
    // What the command line lacks is the user's to give.
    fail(Command::new(env!("CARGO_BIN_EXE_gpt1-pretrain")).args(["--config", "tiny"]));
}

#[test]
fn a_loss_that_is_not_finite_stops_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let more = ["--set", "pretrain.learning_rate=1e30", "--set", "pretrain.max_grad_norm=null"];
    let message = fail(&mut command(&dir.path().join("model"), &more));
    for part in ["no finite number", "windows (by their first token) of the batch: ", "last good checkpoint: "] {
        assert!(message.contains(part), "{part} is not in\n{message}");
    }
    assert!(!dir.path().join("model").exists());
}

#[test]
fn a_full_disk_is_an_error_and_the_run_continues_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("model");
    // A limit on the size of files, with its signal ignored, makes writes fail as a full disk does.
    let whole = command(&out, &[]);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$@\"", "sh"])
        .arg(whole.get_program())
        .args(whole.get_args());
    let message = fail(&mut limited);
    assert!(message.contains(".model.partial") && message.contains("hint: "), "{message}");
    assert!(!out.exists());
    succeed(&out, &[]);
}

#[test]
fn sampling() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("model");
    succeed(&model, &[]);
    let sample = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gpt1-pretrain"));
        command.args(["sample", "--model"]).arg(&model).args(more);
        command
    };
    let text = |more: &[&str]| {
        let output = sample(more).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let first = text(&["--prompt", "The cat", "--length", "10", "--n", "3"]);
    assert!(first.matches("the cat ").count() >= 3, "{first}");
    assert_eq!(first, text(&["--prompt", "The cat", "--length", "10", "--n", "3"]));
    assert_ne!(first, text(&["--prompt", "The cat", "--length", "10", "--n", "3", "--seed", "2"]));
    // Longer than the context of 16.
    assert!(text(&["--length", "40", "--temperature", "0"]).split_whitespace().count() > 16);
    assert!(fail(&mut sample(&["--prompt", " "])).contains("no word in it"));
    assert!(fail(&mut sample(&["--temperature", "-1"])).contains("--temperature"));

    // A checkpoint of another shape: each tensor that does not fit is named.
    let config = fs_err::read_to_string(model.join("config.json")).unwrap();
    fs_err::write(model.join("config.json"), config.replace("\"n_embd\": 16", "\"n_embd\": 32")).unwrap();
    let message = fail(&mut sample(&[]));
    assert!(message.contains("transformer.h.0.attn.c_attn.weight has shape [16, 48], expected [32, 96]"), "{message}");
    fs_err::write(model.join("config.json"), config).unwrap();
    let weights = fs_err::read(model.join("model.safetensors")).unwrap();
    fs_err::write(model.join("model.safetensors"), &weights[..weights.len() / 2]).unwrap();
    assert!(fail(&mut sample(&[])).contains("model.safetensors"));
}
