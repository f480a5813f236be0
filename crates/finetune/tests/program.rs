//! The real program: continuing after a kill, bad input, exit codes.

mod common;

use common::{Place, sets};
use gpt1_finetune::TaskModel;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn command(place: &Place, task: &str, out: &str, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gpt1-finetune"));
    command.args(["--config", "tiny", "--task", task, "--init", "scratch"]);
    command.arg("--tokenizer").arg(&place.tokenizer).arg("--data").arg(&place.data).arg("--out").arg(place.join(out));
    for set in sets(more) {
        command.arg("--set").arg(set);
    }
    command
}

fn run(command: &mut Command) -> (i32, String) {
    let Output { status, stderr, .. } = command.output().unwrap();
    (status.code().unwrap(), String::from_utf8(stderr).unwrap())
}

/// Every file but those that say how a run went.
fn content(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let files = gpt1_artifacts::digest::content_files(dir).unwrap();
    files.iter().map(|f| (f.display().to_string(), fs_err::read(dir.join(f)).unwrap())).collect()
}

/// Waits until a checkpoint from update `at` on is there.
fn wait_for_checkpoint(place: &Place, out: &str, at: u64, child: &mut Child) {
    let folder = place.join(&format!(".{out}.partial/.checkpoints"));
    let begin = Instant::now();
    loop {
        let names = fs_err::read_dir(&folder).map(|entries| {
            entries.filter_map(|e| e.ok()?.file_name().to_str()?.strip_prefix("checkpoint-")?.parse::<u64>().ok()).max()
        });
        if names.ok().flatten().is_some_and(|update| update >= at) {
            return;
        }
        assert!(child.try_wait().unwrap().is_none(), "ended before checkpoint {at}");
        assert!(begin.elapsed() < Duration::from_secs(300), "no checkpoint {at}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Dev scores fall into both halves: an epoch has 20 updates, the kills come in the first and the second epoch.
#[test]
fn killed_and_continued_is_the_same_run() {
    let place = Place::new(320);
    let more = ["finetune.n_epochs=4", "finetune.checkpoint_interval=3", "finetune.keep_best=true"];
    let (code, stderr) = run(command(&place, "mrpc", "whole", &more).arg("--threads").arg("1"));
    assert_eq!(code, 0, "{stderr}");

    let interrupted = || command(&place, "mrpc", "killed", &more).stderr(Stdio::piped()).spawn().unwrap();
    let mut child = interrupted();
    wait_for_checkpoint(&place, "killed", 6, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!place.join("killed").exists());

    let mut child = interrupted();
    wait_for_checkpoint(&place, "killed", 24, &mut child);
    let status = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(143), "{stderr}");
    assert!(stderr.contains("continuing after update"), "{stderr}");

    let (code, stderr) = run(&mut command(&place, "mrpc", "killed", &more));
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("continuing after update"), "{stderr}");
    let (whole, killed) = (content(&place.join("whole")), content(&place.join("killed")));
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|f| f.0.clone()).collect::<Vec<_>>();
    assert_eq!(
        names(&whole),
        [
            "best/config.json",
            "best/merges.txt",
            "best/model.safetensors",
            "best/task.json",
            "best/tokenizer.json",
            "best/vocab.json",
            "config.json",
            "merges.txt",
            "metrics.jsonl",
            "model.safetensors",
            "task.json",
            "tokenizer.json",
            "vocab.json"
        ]
    );
    assert_eq!(names(&whole), names(&killed));
    for (a, b) in whole.iter().zip(&killed) {
        assert!(a == b, "{} differs", a.0);
    }
    // The best is a model of the task, of the first epoch with the highest score.
    let task = "mrpc".parse().unwrap();
    let TaskModel { file, model, encoder } = TaskModel::load(&place.join("whole/best"), task).unwrap();
    let dev = gpt1_tasks::read(task, &place.data, gpt1_tasks::Split::Dev).unwrap();
    let encoded = gpt1_finetune::encode(&dev, &encoder, &file.special(), model.config.n_positions).unwrap();
    gpt1_kernels::start(None).unwrap();
    gpt1_kernels::Precision::choose("auto").unwrap();
    let scored = gpt1_finetune::score(&model, &dev, &encoded);
    let (metric, value) = scored.scores.unwrap()[0];
    let epochs = common::metric(&place.join("whole"), &format!("dev_{}", metric.name()));
    let highest = epochs.iter().copied().fold(f64::MIN, f64::max);
    assert_eq!(value, highest, "{epochs:?}");
    let first = epochs.iter().position(|value| *value == highest).unwrap();
    let losses = common::metric(&place.join("whole"), "dev_loss");
    assert_eq!(scored.loss.unwrap(), losses[first], "{losses:?}");
}

#[test]
fn bad_input_is_named_and_leaves_the_earlier_result() {
    let place = Place::new(32);
    let (code, stderr) = run(&mut command(&place, "rte", "out", &["finetune.n_epochs=1"]));
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("RTE train: 32 examples") && stderr.contains("plan"), "{stderr}");
    let before = content(&place.join("out"));

    let train = place.data.join("RTE/train.tsv");
    let good = fs_err::read_to_string(&train).unwrap();
    let damages: [(&str, String, &[&str]); 4] = [
        (
            "label",
            good.replacen("\tentailment\n", "\tentailmant\n", 1),
            &["train.tsv:", "`entailmant`", "not_entailment"],
        ),
        ("column", good.replacen("sentence2", "sentence_2", 1), &["train.tsv:1:", "no column `sentence2`"]),
        ("row", good.replacen("\tentailment\n", "\n", 1), &["train.tsv:", "3 columns, expected 4"]),
        ("empty", "index\tsentence1\tsentence2\tlabel\n".to_owned(), &["train.tsv", "no example"]),
    ];
    for (what, text, expected) in damages {
        fs_err::write(&train, text).unwrap();
        let (code, stderr) = run(&mut command(&place, "rte", "out", &[]));
        assert_eq!(code, 1, "{what}: {stderr}");
        for part in expected {
            assert!(stderr.contains(part), "{what}: expected {part:?} in\n{stderr}");
        }
    }
    fs_err::write(&train, [good.as_bytes(), b"99\tab\xff\tc\tentailment\n"].concat()).unwrap();
    let (code, stderr) = run(&mut command(&place, "rte", "out", &[]));
    assert!(code == 1 && stderr.contains("UTF-8"), "{stderr}");
    fs_err::remove_file(&train).unwrap();
    let (code, stderr) = run(&mut command(&place, "rte", "out", &[]));
    assert!(code == 1 && stderr.contains("looked for") && stderr.contains("hint"), "{stderr}");
    assert_eq!(content(&place.join("out")), before);
}

#[test]
fn bad_options_are_the_users_input() {
    let place = Place::new(16);
    let (code, stderr) = run(&mut command(&place, "rtf", "out", &[]));
    assert!(code == 1 && stderr.contains("no task `rtf`"), "{stderr}");
    let (code, stderr) = run(&mut command(&place, "rte", "out", &["finetune.n_epoch=1"]));
    assert!(code == 1 && stderr.contains("did you mean n_epochs?"), "{stderr}");
    let config = place.join("mine.yaml");
    fs_err::write(&config, "model:\n  n_layer: 1\n  n_heads: 1\n").unwrap();
    let program = || Command::new(env!("CARGO_BIN_EXE_gpt1-finetune"));
    let with = |config: &Path, init: &Path, out: &str| {
        let mut command = program();
        command.arg("--config").arg(config).args(["--task", "rte"]).arg("--init").arg(init);
        command.arg("--data").arg(&place.data).arg("--out").arg(place.join(out));
        run(&mut command)
    };
    let (code, stderr) = with(&config, Path::new("scratch"), "out");
    assert!(code == 1 && stderr.contains("mine.yaml:3:3") && stderr.contains("n_heads"), "{stderr}");
    let tiny = Path::new("tiny");
    let (code, stderr) = with(tiny, Path::new("scratch"), "out");
    assert!(code == 1 && stderr.contains("add --tokenizer"), "{stderr}");
    let (code, stderr) = with(tiny, &place.join("nowhere"), "out");
    assert!(code == 1 && stderr.contains("nowhere"), "{stderr}");

    let (code, stderr) = run(&mut command(&place, "rte", "out", &["finetune.n_epochs=1"]));
    assert_eq!(code, 0, "{stderr}");
    let (code, stderr) = with(tiny, &place.join("out"), "other");
    assert!(code == 1 && stderr.contains("fine-tuned on rte already"), "{stderr}");
    // Without its task.json it is a model of another vocabulary.
    fs_err::remove_file(place.join("out/task.json")).unwrap();
    let (code, stderr) = with(tiny, &place.join("out"), "other");
    assert!(code == 1 && stderr.contains("of the vocabulary in"), "{stderr}");
    let (code, _) = run(program().arg("--help"));
    assert_eq!(code, 0);
}

#[test]
fn values_that_are_not_finite_stop_the_run() {
    let place = Place::new(32);
    let more = ["finetune.learning_rate=1.0e+30", "finetune.warmup_fraction=0.0"];
    let (code, stderr) = run(&mut command(&place, "rte", "out", &more));
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("no finite number") && stderr.contains("examples"), "{stderr}");
    assert!(!place.join("out").exists());
}
