//! The step loop on a tiny model: runs that are interrupted, damaged or poisoned.

use gpt1_model::{Batch, Config, Dropout, Model, Params, Workspace, backward, forward, lm_loss};
use gpt1_training::{AdamConfig, Interrupt, Outcome, Schedule, Settings, Step, TrainError, checkpoint, run};
use serde_json::{Value, json};
use std::path::Path;

const N_UPDATES: u64 = 12;

fn config() -> Config {
    Config {
        vocab_size: 31,
        n_positions: 8,
        n_embd: 16,
        n_layer: 2,
        n_head: 2,
        n_units: None,
        embd_pdrop: 0.1,
        resid_pdrop: 0.1,
        attn_pdrop: 0.1,
        layer_norm_epsilon: 1e-5,
        initializer_range: 0.02,
    }
}

fn settings() -> Settings {
    Settings {
        n_updates: N_UPDATES,
        adam: AdamConfig {
            learning_rate: 0.01,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.01,
            max_grad_norm: Some(1.0),
        },
        schedule: Schedule::WarmupCosine { warmup_updates: 2, total: N_UPDATES },
        log_interval: 2,
        checkpoint_interval: 3,
        run_digest: "a run".to_owned(),
        ids_are: "sequences",
    }
}

/// The gradients of update `u` on three sequences that depend on it alone.
fn step(u: u64, model: &Model, grads: &mut Params) -> Step {
    let mut ws = Workspace::new(&model.config);
    let mut batch = Batch::new();
    let ids: Vec<u64> = (3 * u..3 * u + 3).collect();
    let mut targets = Vec::new();
    for id in &ids {
        let tokens: Vec<u32> = (0..8).map(|i| ((id + i * i) % 31) as u32).collect();
        batch.push(id - 3 * u, &tokens[..7]);
        targets.extend_from_slice(&tokens[1..]);
    }
    let weights = vec![1.0 / targets.len() as f32; targets.len()];
    let dropout = Some(Dropout { seed: 9, step: u });
    forward(model, &batch, dropout, &mut ws);
    let loss = lm_loss(model, &targets, &weights, &mut ws, Some(grads));
    backward(model, &batch, dropout, &mut ws, grads);
    Step { loss, parts: vec![("half", loss / 2.0)], n_tokens: targets.len() as u64, ids }
}

/// Runs until the end, or until `stop_before`, where the step panics as a killed process would.
fn train(dir: &Path, stop_before: u64) -> Option<(Model, Value)> {
    let dir = dir.to_owned();
    std::panic::catch_unwind(move || {
        let interrupt = Interrupt::listen().unwrap();
        let mut model = Model::init(config(), 1);
        let mut best = Value::Null;
        let outcome = run(
            &settings(),
            &dir,
            &mut model,
            &mut best,
            &interrupt,
            |u, model, grads| {
                assert!(u < stop_before, "killed");
                Some(step(u, model, grads))
            },
            |n, model, best| {
                if !n.is_multiple_of(4) {
                    return Ok(Vec::new());
                }
                let score = f64::from(model.params.data[0]);
                if best.as_f64().is_none_or(|b| score > b) {
                    *best = json!(score);
                }
                Ok(vec![("score", score), ("best", best.as_f64().unwrap())])
            },
        )
        .unwrap();
        assert_eq!(outcome, Outcome::Finished);
        (model, best)
    })
    .ok()
}

fn metrics(dir: &Path) -> String {
    fs_err::read_to_string(dir.join("metrics.jsonl")).unwrap()
}

#[test]
fn a_run_killed_anywhere_ends_with_the_same_bits() {
    let whole = tempfile::tempdir().unwrap();
    let expected = train(whole.path(), u64::MAX).unwrap();
    let lines = metrics(whole.path());
    assert_eq!(lines.lines().count(), 6 + 4, "{lines}");
    assert!(lines.starts_with("{\"update\":0,\"tokens\":0,\"score\":"), "{lines}");
    assert!(lines.contains("{\"update\":2,\"tokens\":42,\"loss\":"), "{lines}");
    for kills in [vec![0], vec![1], vec![3], vec![5], vec![11], vec![2, 4, 4, 7, 10], vec![3, 6, 9, 12]] {
        let dir = tempfile::tempdir().unwrap();
        for kill in &kills {
            let finished = train(dir.path(), *kill);
            assert_eq!(finished.is_some(), *kill == N_UPDATES);
        }
        assert_eq!(train(dir.path(), u64::MAX).unwrap(), expected, "killed before {kills:?}");
        assert_eq!(metrics(dir.path()), lines, "killed before {kills:?}");
    }
}

#[test]
fn the_last_two_checkpoints_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    train(dir.path(), u64::MAX).unwrap();
    let mut names: Vec<String> = fs_err::read_dir(dir.path().join(checkpoint::FOLDER))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["checkpoint-12", "checkpoint-9"]);
    checkpoint::remove_all(dir.path()).unwrap();
    assert_eq!(checkpoint::latest(dir.path()), None);
}

#[test]
fn of_a_damaged_checkpoint_the_one_before_is_used() {
    let whole = tempfile::tempdir().unwrap();
    let expected = train(whole.path(), u64::MAX).unwrap();
    let expected_metrics = metrics(whole.path());
    for file in ["model.safetensors", "optimizer.safetensors", "state.json", "config.json"] {
        for n_damaged in [1, 2] {
            let dir = tempfile::tempdir().unwrap();
            assert!(train(dir.path(), 7).is_none());
            for checkpoint in ["checkpoint-6", "checkpoint-3"].iter().take(n_damaged) {
                let path = dir.path().join(checkpoint::FOLDER).join(checkpoint).join(file);
                let mut bytes = fs_err::read(&path).unwrap();
                match file {
                    "state.json" | "config.json" => bytes.truncate(bytes.len() / 2),
                    _ => *bytes.last_mut().unwrap() ^= 1,
                }
                fs_err::write(&path, bytes).unwrap();
            }
            assert_eq!(train(dir.path(), u64::MAX).unwrap(), expected, "{n_damaged} damaged {file}");
            assert_eq!(metrics(dir.path()), expected_metrics, "{n_damaged} damaged {file}");
        }
    }
    // Without its metrics a checkpoint cannot be continued exactly.
    let dir = tempfile::tempdir().unwrap();
    assert!(train(dir.path(), 7).is_none());
    fs_err::remove_file(dir.path().join("metrics.jsonl")).unwrap();
    assert_eq!(train(dir.path(), u64::MAX).unwrap(), expected);
    assert_eq!(metrics(dir.path()), expected_metrics);
}

/// Continues the checkpoints in `dir` with other settings or another model, and returns the error.
fn continue_with(dir: &Path, settings: &Settings, config: Config) -> TrainError {
    let interrupt = Interrupt::listen().unwrap();
    let mut model = Model::init(config, 1);
    let before = model.clone();
    let error = run(
        settings,
        dir,
        &mut model,
        &mut Value::Null,
        &interrupt,
        |u, model, grads| Some(step(u, model, grads)),
        |_, _, _| Ok(Vec::new()),
    )
    .unwrap_err();
    assert_eq!(model, before);
    error
}

#[test]
fn a_checkpoint_of_another_shape_or_run_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(train(dir.path(), 7).is_none());
    let error = continue_with(dir.path(), &settings(), Config { vocab_size: 40, ..config() }).to_string();
    assert!(error.contains("a checkpoint of another shape"), "{error}");
    assert!(error.contains("transformer.tokens_embed.weight was expected to be [40, 16], found [31, 16]"), "{error}");
    let error = continue_with(dir.path(), &settings(), Config { n_layer: 3, ..config() }).to_string();
    assert!(error.contains("transformer.h.2.attn.c_attn.weight was expected to be [16, 48], found absent"), "{error}");
    let other = Settings { run_digest: "another".to_owned(), ..settings() };
    let error = continue_with(dir.path(), &other, config()).to_string();
    assert!(error.contains("a checkpoint of another run"), "{error}");
}

#[test]
fn what_is_not_finite_stops_the_run() {
    for poison in [f32::NAN, f32::INFINITY] {
        let dir = tempfile::tempdir().unwrap();
        assert!(train(dir.path(), 7).is_none());
        let interrupt = Interrupt::listen().unwrap();
        let mut model = Model::init(config(), 1);
        let error = run(
            &settings(),
            dir.path(),
            &mut model,
            &mut Value::Null,
            &interrupt,
            |u, model, grads| {
                let mut model = model.clone();
                if u == 7 {
                    model.params.data[31 * 16 + 3] = poison;
                }
                Some(step(u, &model, grads))
            },
            |_, _, _| Ok(Vec::new()),
        )
        .unwrap_err();
        let text = error.to_string();
        let TrainError::NotFinite { update, ids, checkpoint, .. } = error else { panic!("{text}") };
        assert_eq!((update, ids), (8, vec![21, 22, 23]));
        let path = checkpoint.unwrap();
        assert!(path.ends_with(".checkpoints/checkpoint-6") && path.exists());
        for expected in ["update 8: ", "sequences of the batch: 21 22 23", "checkpoint-6"] {
            assert!(text.contains(expected), "{text}");
        }
        assert!(model.params.data.iter().all(|x| x.is_finite()));
    }
}
