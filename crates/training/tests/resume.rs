//! The step loop on a tiny model: runs that are interrupted, damaged or poisoned.

use gpt1_model::{Batch, Config, Dropout, Model, Params, Workspace, backward, forward, lm_loss};
use gpt1_ranks::Ranks;
use gpt1_training::{
    AdamConfig, Best, Criterion, Interrupt, Outcome, Schedule, Settings, Step, TrainError, checkpoint, run, write_best,
};
use serde_json::{Value, json};
use std::panic::AssertUnwindSafe;
use std::path::Path;

const N_UPDATES: u64 = 12;

fn config() -> Config {
    Config::of_paper(31, 8, 16, 2, 2)
}

fn settings() -> Settings {
    Settings {
        ranks: Ranks::alone(),
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
        n_checkpoints: 2,
        evaluated_on: "validation",
        best: Criterion { name: "validation_loss", lower_is_better: true },
        keep_best: false,
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
    train_as(&settings(), dir, stop_before, |_| f64::NAN).map(|(model, stage, _)| (model, stage))
}

/// As [`train`], with the losses that validation after some updates is to give.
fn train_as(
    settings: &Settings,
    dir: &Path,
    stop_before: u64,
    validation_loss: impl Fn(u64) -> f64,
) -> Option<(Model, Value, Option<Best>)> {
    std::panic::catch_unwind(AssertUnwindSafe(|| {
        let interrupt = Interrupt::listen().unwrap();
        let mut model = Model::init(config(), 1);
        let mut stage = Value::Null;
        let (outcome, best) = run(
            settings,
            dir,
            &mut model,
            &mut stage,
            &interrupt,
            |u, model, grads| {
                assert!(u < stop_before, "killed");
                Some(step(u, model, &mut grads.sum))
            },
            |n, model, stage| {
                if !n.is_multiple_of(4) {
                    return Ok(Vec::new());
                }
                let score = f64::from(model.params.data[0]);
                if stage.as_f64().is_none_or(|b| score > b) {
                    *stage = json!(score);
                }
                let losses = [("validation_loss", validation_loss(n))].into_iter().filter(|(_, loss)| loss.is_finite());
                Ok(losses.chain([("score", score), ("best", stage.as_f64().unwrap())]).collect())
            },
        )
        .unwrap();
        assert_eq!(outcome, Outcome::Finished);
        (model, stage, best)
    }))
    .ok()
}

/// The updates of the checkpoints in an output, ascending.
fn checkpoints(dir: &Path) -> Vec<u64> {
    let names = fs_err::read_dir(dir.join(checkpoint::FOLDER)).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut updates: Vec<u64> = names.map(|name| name.strip_prefix("checkpoint-").unwrap().parse().unwrap()).collect();
    updates.sort_unstable();
    updates
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
fn the_last_few_checkpoints_are_kept() {
    for (n_checkpoints, expected) in [(1, &[12][..]), (2, &[9, 12]), (3, &[6, 9, 12]), (9, &[3, 6, 9, 12])] {
        let dir = tempfile::tempdir().unwrap();
        train_as(&Settings { n_checkpoints, ..settings() }, dir.path(), u64::MAX, |_| f64::NAN).unwrap();
        assert_eq!(checkpoints(dir.path()), expected);
        checkpoint::remove_all(dir.path()).unwrap();
        assert_eq!(checkpoint::latest(dir.path()), None);
    }
}

/// Of three validations the first is the best.
fn losses(update: u64) -> f64 {
    [9.0, 1.0, 3.0, 2.0][update as usize / 4]
}

/// The model that [`write_best`] gives.
fn best_model(dir: &Path, best: Option<Best>) -> Model {
    Model::load(&write_best(dir, best.unwrap().update).unwrap()).unwrap()
}

#[test]
fn the_best_checkpoint_is_kept_beside_the_last() {
    let whole = tempfile::tempdir().unwrap();
    let keeping = Settings { keep_best: true, ..settings() };
    let (last, stage, best) = train_as(&keeping, whole.path(), u64::MAX, losses).unwrap();
    assert_eq!(checkpoints(whole.path()), [4, 9, 12]);
    assert_eq!(best, Some(Best { update: 4, value: 1.0 }));
    let expected = best_model(whole.path(), best);
    assert_ne!(expected, last);
    // What update 4 left, by a run that ends there.
    let short = tempfile::tempdir().unwrap();
    assert!(train_as(&Settings { checkpoint_interval: 4, ..settings() }, short.path(), 5, losses).is_none());
    assert_eq!(checkpoint::model(short.path(), 4).unwrap(), expected);

    // The best is the last, or one in the middle whose predecessor was the best until then.
    for (values, expected) in [([9.0, 3.0, 2.0, 1.0], &[9, 12][..]), ([9.0, 3.0, 1.0, 2.0], &[8, 9, 12])] {
        let dir = tempfile::tempdir().unwrap();
        let (_, _, best) = train_as(&settings(), dir.path(), u64::MAX, |n| values[n as usize / 4]).unwrap();
        assert_eq!(checkpoints(dir.path()), expected);
        assert_eq!(best.unwrap().value, 1.0);
    }

    // Killed anywhere: the same models.
    for kills in [vec![1], vec![4], vec![5], vec![11], vec![2, 4, 4, 7, 10], vec![3, 6, 9, 12]] {
        let dir = tempfile::tempdir().unwrap();
        for kill in &kills {
            train_as(&keeping, dir.path(), *kill, losses);
        }
        let again = train_as(&keeping, dir.path(), u64::MAX, losses).unwrap();
        assert_eq!(again, (last.clone(), stage.clone(), best), "killed before {kills:?}");
        assert_eq!(best_model(dir.path(), best), expected, "killed before {kills:?}");
    }
}

fn damage(dir: &Path, update: u64, file: &str) {
    let path = dir.join(checkpoint::FOLDER).join(format!("checkpoint-{update}")).join(file);
    let mut bytes = fs_err::read(&path).unwrap();
    if Path::new(file).extension().is_some_and(|extension| extension == "json") {
        bytes.truncate(bytes.len() / 2);
    } else {
        *bytes.last_mut().unwrap() ^= 1;
    }
    fs_err::write(&path, bytes).unwrap();
}

#[test]
fn damage_falls_back_to_the_best_at_last_and_what_is_later_goes() {
    let whole = tempfile::tempdir().unwrap();
    let (last, _, best) = train_as(&settings(), whole.path(), u64::MAX, losses).unwrap();
    let expected = best_model(whole.path(), best);
    let dir = tempfile::tempdir().unwrap();
    assert!(train_as(&settings(), dir.path(), 11, losses).is_none());
    assert_eq!(checkpoints(dir.path()), [4, 6, 9]);
    for update in [6, 9] {
        damage(dir.path(), update, "model.safetensors");
    }
    // From 4; the checkpoint of 5 is not crowded out by the damaged ones of 6 and 9.
    let every = Settings { checkpoint_interval: 1, ..settings() };
    assert!(train_as(&every, dir.path(), 6, losses).is_none());
    assert_eq!(checkpoints(dir.path()), [4, 5, 6]);
    let (again, _, _) = train_as(&settings(), dir.path(), u64::MAX, losses).unwrap();
    assert_eq!(again, last);
    assert_eq!(metrics(dir.path()), metrics(whole.path()));

    // A damaged best one matters to a run that is to give it, which then makes it anew.
    for keep_best in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings { keep_best, ..settings() };
        assert!(train_as(&settings, dir.path(), 11, losses).is_none());
        damage(dir.path(), 4, "model.safetensors");
        let (again, _, best) = train_as(&settings, dir.path(), u64::MAX, losses).unwrap();
        assert_eq!(again, last);
        match write_best(dir.path(), best.unwrap().update) {
            Ok(path) => assert!(keep_best && Model::load(&path).unwrap() == expected),
            Err(error) => assert!(!keep_best && error.to_string().contains("damaged checkpoint"), "{error}"),
        }
    }
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
            for checkpoint in [6, 3].iter().take(n_damaged) {
                damage(dir.path(), *checkpoint, file);
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
        |u, model, grads| Some(step(u, model, &mut grads.sum)),
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
                Some(step(u, &model, &mut grads.sum))
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
