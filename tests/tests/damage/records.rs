//! What the programs write for themselves and for each other: checkpoints, task.json, manifests, scores, the runner's records.

use crate::harness::{Damaged, damage, folder, isolated, same};
use gpt1_artifacts::digest;
use gpt1_artifacts::manifest::Manifest;
use gpt1_evaluate::page::{self, ReportArgs};
use gpt1_evaluate::results;
use gpt1_evaluate::table::Table;
use gpt1_finetune::{TaskFile, Training};
use gpt1_model::{Config, Model};
use gpt1_pipeline::definition;
use gpt1_pipeline::digests::Digests;
use gpt1_pipeline::key::Entered;
use gpt1_pipeline::plan;
use gpt1_pipeline::scope::Settings;
use gpt1_pipeline::store::{Found, Store};
use gpt1_ranks::Ranks;
use gpt1_tasks::Target;
use gpt1_training::checkpoint::{self, Loaded, State};
use gpt1_training::{Adam, Gradients, Interrupt, Share};
use serde_json::{Value, json};
use std::path::Path;

fn model() -> Model {
    let config = Config::of_paper(20, 8, 8, 1, 2);
    Model::init(config, 1)
}

/// A checkpoint is whole, or the run begins anew and says so.
#[test]
fn checkpoints() {
    isolated("records::checkpoints", || {
        let out = folder();
        let model = model();
        let mut adam = Adam::new(Share::whole(model.params.data.len()));
        adam.m.iter_mut().zip(&model.params.data).for_each(|(m, x)| *m = 0.5 * x);
        adam.n_updates = 12;
        let state = State {
            update: 12,
            n_tokens: 3456,
            run_digest: "c".repeat(64),
            best: None,
            events_bytes: 0,
            metrics_bytes: 789,
            stage: json!({"best": 0.8125, "update": 8}),
            files: [].into(),
        };
        let mut gradients = Gradients::new(&model.params.layout, Ranks::alone(), &Interrupt::default());
        let dir = checkpoint::save(out.path(), &model, &adam, &mut gradients, state.clone(), 2).unwrap();
        let fresh = Model::init(model.config.clone(), 2);
        for name in ["state.json", "state.json.blake3", "optimizer.safetensors", "model.safetensors", "config.json"] {
            let path = dir.join(name);
            let read = || {
                let mut model = fresh.clone();
                let found = checkpoint::load_latest(out.path(), &state.run_digest, 789, false, &mut model);
                let found = found.map_err(|error| error.to_string())?;
                // What is wrong stands on stderr.
                found.map(|found| (found, model)).ok_or(format!("{}: passed over", dir.display()))
            };
            let check = |_: &[u8], (found, read): (Loaded, Model)| {
                same("state", &State { files: [].into(), ..found.state }, &state)?;
                same("parameters", &(read.params == model.params), &true)?;
                same("moments", &(found.moments == [&adam.m[..], &adam.v]), &true)
            };
            let header = 0..if name.ends_with("safetensors") { 400 } else { 0 };
            let lengths = if header.is_empty() { &[][..] } else { std::slice::from_ref(&header) };
            damage(&Damaged { named: out.path().to_owned(), lengths, ..Damaged::text(&path) }, read, check);
        }
    });
}

fn training() -> Training {
    Training {
        init: "pretrained".to_owned(),
        seed: 3,
        n_train: 100,
        lm_coef: 0.5,
        n_layer_transferred: None,
        architecture: "transformer".to_owned(),
    }
}

/// Every field that was read, as the file has it; numbers to the precision of f32, where that is what they are read to.
fn fields(bytes: &[u8], read: &impl serde::Serialize) -> Result<(), String> {
    let file: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let read: Value = serde_json::from_str(&serde_json::to_string(read).unwrap()).unwrap();
    compare("", &read, &file)
}

fn compare(at: &str, read: &Value, file: &Value) -> Result<(), String> {
    match (read, file) {
        (Value::Object(fields), Value::Object(_)) => {
            fields.iter().try_for_each(|(key, value)| compare(&format!("{at}.{key}"), value, &file[key]))
        }
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => {
            let mut pairs = items.iter().zip(others);
            pairs.try_for_each(|(item, other)| compare(&format!("{at}[]"), item, other))
        }
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            same(at, &(a == b || a as f32 == b as f32), &true)
        }
        _ => same(at, read, file),
    }
}

#[test]
fn task_json() {
    isolated("records::task_json", || {
        let dir = folder();
        let file = TaskFile::new("rte".parse().unwrap(), 50, training(), Some("d".repeat(64)), Target::Class(1));
        file.write(dir.path()).unwrap();
        let path = dir.path().join("task.json");
        let read = || TaskFile::read(dir.path()).map(Option::unwrap);
        damage(&Damaged { has_lines: true, ..Damaged::text(&path) }, read, |bytes, file| fields(bytes, &file));
    });
}

fn write_json(path: &Path, value: &impl serde::Serialize) {
    fs_err::write(path, serde_json::to_vec_pretty(value).unwrap()).unwrap();
}

#[test]
fn manifest() {
    isolated("records::manifest", || {
        let dir = folder();
        let path = dir.path().join("manifest.json");
        let mut manifest = Manifest::start("shard", 3, &json!({"a": {"b": [1, 2.5, null]}}));
        manifest.note("n_params", 17);
        write_json(&path, &manifest);
        damage(&Damaged::text(&path), || Manifest::read(dir.path()), |bytes, manifest| fields(bytes, &manifest));
    });
}

fn scores() -> Value {
    json!({
        "task": "race", "split": "dev", "n": 300, "metrics": {"accuracy": 0.625}, "majority": {"accuracy": 0.25},
        "majority_answer": "B", "groups": {
            "middle": {"n": 100, "metrics": {"accuracy": 0.7}, "majority": {"accuracy": 0.25}},
            "high": {"n": 200, "metrics": {"accuracy": 0.5875}, "majority": {"accuracy": 0.25}},
        },
        "loss": 1.25, "model": "e".repeat(64), "training": training(),
        "shape": {"n_layer": 2, "n_head": 2, "n_embd": 16, "n_ctx": 32},
    })
}

/// Files that are none of ours are left out of the table, and named.
#[test]
fn scores_in_a_table() {
    isolated("records::scores_in_a_table", || {
        let dir = folder();
        let path = dir.path().join("scores.json");
        write_json(&path, &scores());
        let read = || {
            let found = results::find(&[dir.path().to_owned()]).map_err(|error| error.to_string())?;
            if found.runs.is_empty() {
                return Err(found.notes.join("\n").replace("left out: results", &path.display().to_string()));
            }
            let run = found.runs[0].clone();
            Ok((run, gpt1_evaluate::markdown(&Table::new(found))))
        };
        let check = |bytes: &[u8], (run, table): (results::Run, String)| {
            let file: Value = serde_json::from_slice(bytes).unwrap();
            same("n", &json!(run.parts[&None].n), &file["n"])?;
            same("metrics", &Value::from(run.parts[&None].metrics.clone()), &file["metrics"])?;
            same("task", &json!(run.task.name()), &file["task"])?;
            same("a table", &table.contains("RACE"), &true)
        };
        damage(&Damaged::text(&path), read, check);
    });
}

/// All results on one page; its numbers are those of the files.
#[test]
fn report() {
    isolated("records::report", || {
        let dir = folder();
        let in_dir = |name: &str| dir.path().join(name);
        model().config.write(dir.path()).unwrap();
        let mut manifest = Manifest::start("pretrain", 1, &Value::Null);
        manifest.note("n_params", 4321);
        manifest.note("validation", json!({"perplexity": 12.5}));
        write_json(&in_dir("manifest.json"), &manifest);
        write_json(&in_dir("scores.json"), &scores());
        let score = |update: u64, raw: f64| {
            json!({"update": update, "task": "cola", "metric": "matthews", "raw": raw, "random": 0.0, "sota": 0.5,
                "relative": 2.0 * raw, "n": 50, "threshold": -3.5})
        };
        write_json(
            &in_dir("zero_shot.json"),
            &json!({"model": "f", "architecture": "transformer", "split": "dev", "words": {"good": "good", "bad": "bad"},
                "scores": [score(0, 0.0), score(10, 0.1), score(20, 0.3)]}),
        );
        let lines = (1..=12).map(|i| match i % 4 {
            0 => format!("{{\"update\":{i},\"tokens\":{},\"validation_loss\":{}}}\n", 8 * i, 6.5 - 0.25 * f64::from(i)),
            _ => format!("{{\"update\":{i},\"tokens\":{},\"loss\":{}}}\n", 8 * i, 7.0 - 0.25 * f64::from(i)),
        });
        fs_err::write(in_dir("metrics.jsonl"), lines.collect::<String>()).unwrap();

        let out = folder();
        let args = ReportArgs {
            scores: vec![dir.path().to_owned()],
            pretrain: vec![dir.path().to_owned()],
            zero_shot: vec![dir.path().to_owned()],
            out: out.path().join("report"),
        };
        let read = || {
            page::run(&args).map_err(|error| format!("{error:#}"))?;
            let json: Value = serde_json::from_slice(&fs_err::read(args.out.join("report.json")).unwrap()).unwrap();
            Ok::<Value, String>(json)
        };
        let check = |_: &[u8], report: Value| {
            let text = fs_err::read_to_string(in_dir("metrics.jsonl")).unwrap();
            let points = text.lines().filter_map(|line| {
                let line: Value = serde_json::from_str(line).unwrap();
                Some(json!([line["update"].as_f64()?, line["validation_loss"].as_f64()?]))
            });
            let points = Value::Array(points.collect());
            if let Some(found) = report.get("pretraining") {
                same("losses of validation", &found[0]["validation"], &points)?;
            }
            let zero_shot: Value = serde_json::from_slice(&fs_err::read(in_dir("zero_shot.json")).unwrap()).unwrap();
            if let Some(found) = report.get("zero_shot") {
                compare("zero_shot", &found[0]["scores"], &zero_shot["scores"])?;
            }
            Ok(())
        };
        for name in ["metrics.jsonl", "zero_shot.json", "scores.json"] {
            damage(&Damaged::text(&in_dir(name)), read, check);
        }
    });
}

/// The runner takes a result for whole only if it is.
#[test]
fn runner() {
    isolated("records::runner", || {
        let artifacts = folder();
        let definition = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines/pretrain.yaml");
        let plan = plan::build(&definition::load(&definition).unwrap(), &Settings::default(), None).unwrap();
        let step = &plan.steps[0];
        let store = Store { artifacts: artifacts.path().to_owned() };
        let mut entered = Entered::new(step);
        let key = entered.key().unwrap();
        let result = store.result(step, &key);
        fs_err::create_dir_all(result.join("corpus")).unwrap();
        for (name, text) in [("corpus/a.txt", "the cat"), ("b.txt", "the dog"), ("c.txt", "")] {
            fs_err::write(result.join(name), text).unwrap();
        }
        let manifest = Manifest::start("sample-data", entered.version, &Value::Null);
        write_json(&result.join("manifest.json"), &manifest);
        let mut digests = Digests::open(artifacts.path());
        entered.args.insert("seed".to_owned(), "1".to_owned());
        store.write_record(step, &key, &entered, &mut digests).unwrap();
        let record = result.with_extension("json");
        let read = || {
            let record = store.record(step, &key);
            match store.find(step, &key, &entered, &mut Digests::open(artifacts.path())) {
                Ok(Found::Whole | Found::Unrecorded) => Ok(record),
                Ok(other) => Err(format!("{}: made anew: {other:?}", result.with_extension("json").display())),
                Err(error) => Err(error.to_string()),
            }
        };
        let check = |_: &[u8], record: Option<gpt1_pipeline::store::Record>| {
            let Some(record) = record else { return Ok(()) };
            for (name, digest) in record.files {
                same(&name, &digest, &digest::file(&result.join(&name)).unwrap())?;
            }
            Ok(())
        };
        damage(&Damaged::text(&record), read, check);

        let file = artifacts.path().join("file");
        fs_err::write(&file, "content").unwrap();
        let mut digests = Digests::open(artifacts.path());
        digests.path(&file).unwrap();
        digests.save().unwrap();
        let cache = artifacts.path().join(".cache/digests.json");
        let honest = digest::file(&file).unwrap();
        let check = |bytes: &[u8], found: String| {
            // The cache has no checksum; a wrong digest is no other file's, so that it costs a run and spoils none.
            let cache: Value = serde_json::from_slice(bytes).unwrap_or_default();
            let mut entries = cache.as_object().into_iter().flatten();
            let stands_there = entries.any(|(_, entry)| entry["digest"] == found);
            same("digest", &(found == honest || stands_there), &true)
        };
        damage(&Damaged::text(&cache), || Digests::open(artifacts.path()).path(&file), check);
    });
}
