//! Stages rerun exactly when they must. Through the real binary, with scripts for stage programs.
//!
//! The twelve behaviours of the runner, and their tests:
//!
//! | behaviour | test |
//! |---|---|
//! | 1 a second run does nothing and is fast | `a_second_run_starts_no_process_and_reads_no_file` |
//! | 2 cosmetics do not count | `cosmetics_do_not_count` |
//! | 3 meaning counts, and exactly what depends on it runs | `a_used_parameter_counts_and_an_unused_does_not`, `a_parameter_that_is_no_longer_used_counts`, `another_version_of_a_stage_counts`, `changed_input_reruns_its_dependents_only` |
//! | 4 a stage that came out identical stops the wave | `identical_output_stops_the_wave` |
//! | 5 going back restores without running | `going_back_restores_without_running` |
//! | 6 inputs are recorded before the run and checked after | failure.rs: `an_input_that_changes_under_a_running_stage_spoils_its_result` |
//! | 7 all or nothing under kill -9 | failure.rs: `a_killed_stage_leaves_no_result`; tests/tests/kills with the real stages |
//! | 8 an interrupted stage continues where it was | tests/tests/kills, crates/pretrain/tests/stage.rs |
//! | 9 a lock dies with its owner; a second runner waits, then reuses | failure.rs: `a_lock_outlives_a_killed_runner_only_as_long_as_its_stage`, `a_second_runner_waits_and_reuses` |
//! | 10 it says why, and what a rerun discards | `dry_run_and_status_and_explain_start_nothing`, `force_and_only` |
//! | 11 a deleted or damaged result is noticed | `deleted_and_damaged_results_are_noticed` |
//! | 12 everything wrong with a definition is reported before any work | mistakes.rs |

mod common;

use common::{ALL, World};
use std::path::Path;

const NONE: [&str; 0] = [];

#[test]
fn a_second_run_starts_no_process_and_reads_no_file() {
    let world = World::new();
    assert_eq!(world.pretrain("").started, ALL);
    let second = world.pretrain("");
    assert_eq!(second.started, NONE);
    assert!(second.stderr().contains("nothing to run: 4 stages are up to date ("), "{}", second.stderr());
    assert!(second.stderr().contains(" files checked, 0 read)"), "{}", second.stderr());
    assert!(second.line("skip", "shards").ends_with("(unchanged)"));
}

#[test]
fn cosmetics_do_not_count() {
    let world = World::new();
    world.write("books/a.txt", "a book");
    world.pretrain("--set corpus=books");
    // Touched, commented, other spellings, other order of keys and stages; moved input; copied folder.
    world.write("books/a.txt", "a book");
    world.edit("my.yaml", "pretrain:", "# a comment\npretrain:");
    world.edit("my.yaml", "tokenizer:\n", "tokenizer: # learned\n");
    let preset = world.read("my.yaml");
    let lines: Vec<&str> = preset.lines().collect();
    let shards = lines.iter().position(|l| l.starts_with("shards:")).unwrap();
    let end = shards + lines[shards..].iter().position(|l| l.is_empty()).unwrap();
    let moved = [&lines[..shards], &lines[end..], &[""], &lines[shards..end]].concat().join("\n");
    world.write("my.yaml", &moved);
    fs_err::rename(world.path("books"), world.path("library")).unwrap();
    assert_eq!(world.pretrain("--set corpus=library").started, NONE);

    let copy = World::new();
    fs_err::copy(world.path("my.yaml"), copy.path("my.yaml")).unwrap();
    let status = std::process::Command::new("cp")
        .args(["-r", world.path("artifacts").to_str().unwrap(), world.path("library").to_str().unwrap()])
        .arg(copy.path("").to_str().unwrap())
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(copy.pretrain("--set corpus=library").started, NONE);
}

#[test]
fn a_used_parameter_counts_and_an_unused_does_not() {
    let world = World::new();
    world.pretrain("");
    world.edit("my.yaml", "  warmup_fraction: ", "  warmup_fraction: 0.1 #");
    assert_eq!(world.pretrain("").started, NONE, "finetune's section is not used here");
    let run = world.pretrain("--set shards.seed=7");
    assert_eq!(run.started, ["shard", "pretrain"]);
    assert!(run.line("run", "shards").ends_with("(parameter shards.seed 1 -> 7)"), "{}", run.stderr());
    assert!(run.line("run", "pretrain").ends_with("(input shards changed)"), "{}", run.stderr());
    let log = world.read("log");
    let pretrain = log.lines().find(|l| l.starts_with("pretrain")).unwrap();
    assert!(!pretrain.contains("shards.seed"), "an override goes to the stages that use it: {pretrain}");
    assert!(log.contains("--set shards.seed=7"), "{log}");
}

#[test]
fn a_parameter_that_is_no_longer_used_counts() {
    let world = World::new();
    world.pretrain("");
    world.edit("pipelines/pretrain.yaml", "    params: [model, pretrain]", "    params: [pretrain]");
    let run = world.pretrain("");
    assert_eq!(run.started, ["pretrain"]);
    assert!(
        run.line("run", "pretrain").contains("(parameter model.architecture transformer -> none, "),
        "{}",
        run.stderr()
    );
}

#[test]
fn another_version_of_a_stage_counts() {
    let world = World::new();
    world.pretrain("");
    // As an earlier version would have left it: another key, and its number in the record.
    let result = fs_err::canonicalize(world.path("artifacts/my/shards")).unwrap();
    let record = fs_err::read_to_string(result.with_extension("json")).unwrap();
    let mut record: serde_json::Value = serde_json::from_str(&record).unwrap();
    (record["entered"]["version"], record["key"]) = (0.into(), "0".repeat(64).into());
    let older = result.with_file_name("0".repeat(16));
    fs_err::write(older.with_extension("json"), record.to_string()).unwrap();
    fs_err::remove_file(result.with_extension("json")).unwrap();
    fs_err::rename(&result, &older).unwrap();
    world.remove("artifacts/my/shards");
    let target = Path::new("../store/shard").join("0".repeat(16));
    fs_err::os::unix::fs::symlink(target, world.path("artifacts/my/shards")).unwrap();
    let run = world.pretrain("");
    assert_eq!(run.started, ["shard"], "it came out the same: pretrain need not run");
    let version = gpt1_artifacts::version::SHARD;
    let why = format!("(the program's version 0 -> {version})");
    assert!(run.line("run", "shards").ends_with(&why), "{}", run.stderr());
}

#[test]
fn a_variable_sets_a_parameter() {
    let world = World::new();
    world.pretrain("");
    let run = world.pretrain("--set seed=5");
    assert_eq!(run.started, ["pretrain"]);
    assert!(world.read("log").contains("--set pretrain.seed=5"));
    assert_eq!(world.pretrain("--set seed=").started, NONE, "no value: the preset's seed, whose result is kept");
}

#[test]
fn changed_input_reruns_its_dependents_only() {
    let world = World::new();
    world.write("books/a.txt", "a book");
    world.pretrain("--set corpus=books");
    world.write("books/a.txt", "another book");
    let run = world.pretrain("--set corpus=books");
    assert_eq!(run.started, ["tokenize", "shard", "pretrain"]);
    assert!(run.line("run", "vocabulary").ends_with("(input corpus changed)"), "{}", run.stderr());
}

#[test]
fn identical_output_stops_the_wave() {
    let world = World::new();
    world.write("books/a.txt", "a book");
    world.write("constant-tokenize", "");
    world.write("constant-shard", "");
    world.pretrain("--set corpus=books");
    world.write("books/a.txt", "another book");
    let run = world.pretrain("--set corpus=books");
    assert_eq!(run.started, ["tokenize", "shard"]);
    assert!(run.line("skip", "pretrain").ends_with("(unchanged)"));
}

#[test]
fn going_back_restores_without_running() {
    let world = World::new();
    world.pretrain("");
    let first = world.read("artifacts/my/pretrain/result.txt");
    world.pretrain("--set tokenizer.n_merges=77");
    assert_ne!(world.read("artifacts/my/pretrain/result.txt"), first);
    let back = world.pretrain("");
    assert_eq!(back.started, NONE);
    let line = back.line("restore", "vocabulary");
    assert!(line.contains("parameter tokenizer.n_merges 77 -> ") && line.ends_with("; its result is kept)"), "{line}");
    assert_eq!(world.read("artifacts/my/pretrain/result.txt"), first);
}

#[test]
fn deleted_and_damaged_results_are_noticed() {
    let world = World::new();
    world.pretrain("");
    let whole = world.read("artifacts/my/shards/result.txt");
    world.write("artifacts/my/shards/result.txt", &whole.to_uppercase());
    let run = world.pretrain("");
    assert_eq!(run.started, ["shard"], "rebuilt as it was, so that pretrain need not run");
    assert!(
        run.line("run", "shards")
            .ends_with("(result.txt of its result was changed; this discards a result that took 9 h 12 m)"),
        "{}",
        run.stderr()
    );
    assert_eq!(world.read("artifacts/my/shards/result.txt"), whole);

    world.remove("artifacts/my/shards/result.txt");
    assert!(world.pretrain("").line("run", "shards").contains("result.txt of its result was deleted"));
    fs_err::remove_dir_all(fs_err::canonicalize(world.path("artifacts/my/shards")).unwrap()).unwrap();
    assert!(world.pretrain("").line("run", "shards").contains("its result was deleted"));
    world.remove("artifacts/my/shards/manifest.json");
    assert!(world.pretrain("").line("run", "shards").contains("manifest.json of its result was deleted"));
    world.remove("artifacts/my/shards");
    let run = world.pretrain("");
    assert_eq!(run.started, NONE, "only the readable name was gone");
    assert!(world.path("artifacts/my/shards/result.txt").is_file());
}

#[test]
fn a_stage_of_one_definition_is_not_run_again_by_another() {
    let world = World::new();
    world.pretrain("");
    let run = world.go("run pipelines/finetune.yaml --set preset=my.yaml --set task=rte");
    assert_eq!(run.started, ["finetune", "evaluate"], "{}", run.stderr());
    assert!(world.path("artifacts/my/rte-from-pretrain/evaluate-dev/scores.json").is_file());
    let again = world.go("run pipelines/finetune.yaml --set preset=my.yaml --set task=rte");
    assert_eq!(again.started, NONE);
    assert!(again.stdout().contains("\"accuracy\": 0.75"), "scores are shown again: {}", again.stdout());
    let other = world.go("run pipelines/finetune.yaml --set preset=my.yaml --set task=cola");
    assert_eq!(other.started, ["finetune", "evaluate"]);
    let scratch = world.go("run pipelines/finetune.yaml --set preset=my.yaml --set init=scratch");
    assert_eq!(scratch.started, ["finetune", "evaluate"]);
    let log = world.read("log");
    assert!(log.contains("--init scratch") && log.contains("--tokenizer "), "{log}");
    assert!(world.path("artifacts/my/rte-from-scratch/finetune").is_dir());
    assert_eq!(scratch.line("skip", "vocabulary").split('(').next_back().unwrap(), "unchanged)");
    assert!(!scratch.stderr().contains("pretrain  "), "a model from scratch needs no language model");
}

#[test]
fn only_what_the_target_needs_runs() {
    let world = World::new();
    assert_eq!(world.pretrain("vocabulary").started, ["sample-data", "tokenize"]);
    world.write("books/a.txt", "a book");
    let run = world.pretrain("--set corpus=books");
    assert_eq!(run.started, ["tokenize", "shard", "pretrain"], "sample-data is not needed");
}

#[test]
fn force_and_only() {
    let world = World::new();
    let missing = world.go("run pipelines/pretrain.yaml --set preset=my.yaml --only shards");
    assert_eq!((missing.code(), missing.started.len()), (1, 0));
    let stderr = missing.stderr();
    assert!(stderr.contains("shards cannot run alone: there is no result of "), "{stderr}");
    assert!(stderr.contains("(no result yet)") && stderr.contains("hint: run without --only"), "{stderr}");

    world.pretrain("");
    let forced = world.pretrain("--force shards");
    assert_eq!(forced.started, ["shard"], "its result came out identical");
    let line = forced.line("run", "shards");
    assert!(line.ends_with("(asked for; this discards a result that took 9 h 12 m)"), "{line}");
    assert_eq!(world.pretrain("--only shards").started, ["shard"]);
    assert_eq!(world.pretrain("--only shards --set shards.seed=3").started, ["shard"]);
    let stale = world.go("run pipelines/pretrain.yaml --set preset=my.yaml --only shards --set tokenizer.n_merges=9");
    assert!(stale.stderr().contains("no result of vocabulary for these settings (parameter tokenizer.n_merges"));
    let unknown = world.go("run pipelines/pretrain.yaml --force shard");
    assert!(unknown.stderr().contains("--force shard: unknown stage shard (did you mean shards?)"));
}

#[test]
fn dry_run_and_status_and_explain_start_nothing() {
    let world = World::new();
    let dry = world.go("run pipelines/pretrain.yaml --set preset=my.yaml --dry-run");
    assert_eq!((dry.code(), dry.started.len()), (0, 0));
    assert!(dry.line("run", "sample-data").ends_with("(no result yet)"));
    assert!(dry.line("wait", "shards").ends_with("(for sample-data, vocabulary)"), "{}", dry.stderr());
    assert!(dry.stderr().contains("bin/gpt1-sample-data --seed 1 --out artifacts/store/sample-data/"));
    assert!(dry.stderr().ends_with("to run: at most 4 of 4 stages: nothing is known of earlier runs\n"));
    assert!(!world.path("artifacts").exists());

    world.pretrain("");
    let status = world.go("status pipelines/pretrain.yaml --set preset=my.yaml --set shards.seed=9 --json");
    let value: serde_json::Value = serde_json::from_str(&status.stdout()).unwrap();
    let states: Vec<&str> = value["stages"].as_array().unwrap().iter().map(|s| s["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["skip", "skip", "run", "wait"]);
    assert_eq!(value["stages"][2]["changes"][0]["new"], "9");

    let explain = world.go("explain pipelines/pretrain.yaml shards --set preset=my.yaml --set shards.seed=9");
    let text = explain.stdout();
    assert!(text.starts_with("shards      run (parameter shards.seed 1 -> 9)\n"), "{text}");
    assert!(text.contains("parameter   shards.seed = 9\n"), "{text}");
    assert!(text.contains("input       tokenizer = result of vocabulary, digest "), "{text}");
    assert!(text.contains("command     gpt1-shard --config my.yaml --set shards.seed=9 --corpus "), "{text}");
    let json = world.go("explain pipelines/pretrain.yaml shards --set preset=my.yaml --set shards.seed=9 --json");
    let value: serde_json::Value = serde_json::from_str(&json.stdout()).unwrap();
    assert_eq!(value["recorded"]["params"]["shards.seed"], 1);
    assert_eq!(value["entered"]["params"]["shards.seed"], 9);
    assert_eq!(json.started, NONE);

    let graph = world.go("graph pipelines/pretrain.yaml --set corpus=my.yaml").stdout();
    assert!(graph.starts_with("flowchart TD\n") && graph.contains("  vocabulary -->|tokenizer| shards\n"), "{graph}");
    let dot = world.go("graph pipelines/pretrain.yaml --set corpus=my.yaml --format dot").stdout();
    assert!(dot.contains("  \"vocabulary\" -> \"shards\" [label=\"tokenizer\"];\n"), "{dot}");
    assert_eq!(dot.matches("[label=\"my.yaml\", shape=note]").count(), 1, "an input of two stages stands once: {dot}");
}

#[test]
fn a_dry_run_says_what_earlier_runs_took() {
    let world = World::new();
    world.pretrain("");
    world.pretrain("--set pretrain.seed=2 --set pretrain.top_k=3");
    let dry = world.pretrain("--dry-run --set pretrain.seed=3 --set pretrain.top_k=3");
    let line = dry.line("run", "pretrain");
    assert!(line.ends_with("(parameter pretrain.seed 2 -> 3; about 9 h 12 m, as with pretrain.seed 2)"), "{line}");
    assert!(dry.stderr().ends_with("to run: at most 1 of 4 stages: about 9 h 12 m\n"), "{}", dry.stderr());
    let two = world.pretrain("--dry-run --set shards.seed=3 --set pretrain.top_k=3 --set pretrain.seed=2");
    assert!(
        two.line("wait", "pretrain").ends_with("(for shards; about 9 h 12 m, as the last time)"),
        "{}",
        two.stderr()
    );
    assert!(two.stderr().ends_with("to run: at most 2 of 4 stages: about 18 h 24 m\n"), "{}", two.stderr());
    let forced = world.pretrain("--dry-run --force pretrain --set pretrain.seed=2 --set pretrain.top_k=3");
    assert!(forced.line("run", "pretrain").ends_with("(asked for; about 9 h 12 m, as the last time)"));
    assert_eq!(forced.started, NONE);
}

#[test]
fn results_stand_under_readable_names() {
    let world = World::new();
    world.pretrain("");
    for name in ["sample-data", "my/vocabulary", "my/shards", "my/pretrain"] {
        let target = fs_err::read_link(world.path("artifacts").join(name)).unwrap();
        assert!(target.is_relative() && target.to_string_lossy().contains("store/"), "{}", target.display());
    }
    world.remove("artifacts/my/pretrain");
    world.write("artifacts/my/pretrain/mine.txt", "mine");
    let run = world.go("run pipelines/pretrain.yaml --set preset=my.yaml");
    assert_eq!(run.code(), 1);
    assert!(run.stderr().contains("artifacts/my/pretrain is in the way"), "{}", run.stderr());
    assert!(Path::new(&world.path("artifacts/my/pretrain/mine.txt")).is_file());
}
