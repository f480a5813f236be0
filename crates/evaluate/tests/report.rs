//! `gpt1-evaluate report` through the real binary, on results written here.

use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};

fn write(dir: &Path, name: &str, value: &Value) {
    fs_err::create_dir_all(dir).unwrap();
    fs_err::write(dir.join(name), value.to_string()).unwrap();
}

/// The folder of an evaluation on a development set of 100 examples.
fn scores(dir: &Path, task: &str, metric: &str, value: f64, training: &Value) -> String {
    let mut all = json!({"init": "pretrained", "seed": 1, "n_train": 50, "lm_coef": 0.5, "n_layer_transferred": null, "architecture": "transformer"});
    all.as_object_mut().unwrap().extend(training.as_object().unwrap().clone());
    let of = |value: f64| json!({metric: value});
    let report = json!({
        "task": task, "split": "dev", "n": 100, "metrics": of(value), "majority": of(0.5), "majority_answer": "entailment",
        "loss": 0.5, "model": format!("{task}{value}{training}"), "training": all,
        "shape": {"n_layer": 2, "n_head": 2, "n_embd": 8, "n_ctx": 16},
    });
    write(dir, "scores.json", &report);
    dir.display().to_string()
}

fn report(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gpt1-evaluate")).arg("report").args(arguments).output().unwrap()
}

#[test]
fn figures_and_tables_of_what_there_is() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let layers = |n: usize| json!({"n_layer_transferred": n});
    let results = [
        scores(&at("full"), "rte", "accuracy", 0.75, &json!({})),
        scores(&at("full2"), "rte", "accuracy", 0.77, &json!({"seed": 2})),
        scores(&at("scratch"), "rte", "accuracy", 0.55, &json!({"init": "scratch"})),
        scores(&at("without-lm"), "rte", "accuracy", 0.70, &json!({"lm_coef": 0.0})),
        scores(&at("lstm"), "rte", "accuracy", 0.60, &json!({"architecture": "lstm"})),
        scores(&at("l0"), "rte", "accuracy", 0.61, &layers(0)),
        scores(&at("l1"), "rte", "accuracy", 0.66, &layers(1)),
        scores(&at("l2"), "rte", "accuracy", 0.76, &layers(2)),
    ];
    let zero_shot = |architecture: &str, last: f64| {
        let score = |update: u64, raw: f64| {
            json!({"update": update, "task": "race", "metric": "accuracy", "raw": raw, "random": 0.25, "sota": 0.533,
                "relative": (raw - 0.25) / 0.283, "n": 10})
        };
        json!({"model": "m", "architecture": architecture, "split": "dev", "words": {"good": "good", "bad": "bad"},
            "scores": [score(0, 0.25), score(100, last)]})
    };
    write(&at("zero"), "zero_shot.json", &zero_shot("transformer", 0.9));
    write(&at("zero-lstm"), "zero_shot.json", &zero_shot("lstm", 0.4));
    let mut arguments: Vec<String> = results.iter().flat_map(|dir| ["--scores".to_owned(), dir.clone()]).collect();
    for name in ["zero", "zero-lstm"] {
        arguments.extend(["--zero-shot".to_owned(), at(name).display().to_string()]);
    }
    arguments.extend(["--out".to_owned(), at("report").display().to_string()]);
    let output = report(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let data: Value = serde_json::from_slice(&fs_err::read(at("report/report.json")).unwrap()).unwrap();
    let method = |i: usize| data["ablations"][i]["scores"]["rte"].as_f64().unwrap();
    let found: Vec<f64> = (0..4).map(|i| (method(i) * 10.0).round() / 10.0).collect();
    assert_eq!(found, [76.0, 55.0, 70.0, 60.0], "full (the median of two seeds), from scratch, without LM, LSTM");
    assert_eq!(data["ablations"][0]["mean"], Value::Null, "a mean over some of the tasks would be none of the paper's");
    assert_eq!(data["layers_transferred"][0]["layers"], json!([[0.0, 61.0], [1.0, 66.0], [2.0, 76.0]]));
    assert_eq!(data["layers_transferred"][0]["scratch"].as_f64().unwrap().round(), 55.0);
    assert_eq!(data["zero_shot"][1]["model"], "LSTM");

    let page = fs_err::read_to_string(at("report/report.html")).unwrap();
    for wanted in [
        "Layers transferred (figure 2, left)",
        "Zero-shot behaviour (figure 2, right)",
        "Ablations (table 5)",
        "All tasks (tables 2 to 4)",
        "RACE, LSTM",
        "76.0<br><small>56.0</small>",
        "<svg",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
    assert!(!page.contains("Generative pre-training</h2>"), "no section without results");
    for foreign in ["http://", "https://", "<script", "src="] {
        assert!(!page.replace("http://www.w3.org/2000/svg", "").contains(foreign), "self-contained: {foreign}");
    }
}

/// A pre-training alone, and with one task.
#[test]
fn one_pretraining_is_enough_for_a_page_with_its_curves() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name).display().to_string();
    let model = place.path().join("model");
    let config = gpt1_model::Config {
        vocab_size: 9,
        n_positions: 4,
        n_embd: 4,
        n_layer: 1,
        n_head: 1,
        n_units: None,
        embd_pdrop: 0.0,
        resid_pdrop: 0.0,
        attn_pdrop: 0.0,
        layer_norm_epsilon: 1e-5,
        initializer_range: 0.02,
    };
    fs_err::create_dir(&model).unwrap();
    config.write(&model).unwrap();
    let manifest = gpt1_artifacts::manifest::Manifest::start("pretrain", 1, &Value::Null);
    gpt1_artifacts::output::write_json(&model.join("manifest.json"), &manifest).unwrap();
    let lines: Vec<String> = (1..=20)
        .flat_map(|u| {
            let training = json!({"update": u, "tokens": u, "loss": 3.0 / f64::from(u), "learning_rate": 2.5e-4 / f64::from(u), "grad_norm": 1.5});
            let validation = json!({"update": u, "tokens": u, "validation_loss": 4.0 / f64::from(u)});
            [training, validation].map(|line| line.to_string())
        })
        .collect();
    fs_err::write(model.join("metrics.jsonl"), lines.join("\n")).unwrap();
    let task = scores(&place.path().join("rte"), "rte", "accuracy", 0.75, &json!({}));
    for (more, n_sections) in [(&[][..], 1), (&["--scores", &task], 2)] {
        let output = report(&[&["--pretrain", &at("model"), "--out", &at("report")], more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let page = fs_err::read_to_string(place.path().join("report/report.html")).unwrap();
        assert_eq!(page.matches("<section").count(), n_sections);
        assert_eq!(page.matches("<svg").count(), 3, "loss, learning rate, gradient norm");
        for wanted in ["loss (nats a token)", "\nlearning rate\n", "\ngradient norm\n", "\n2e-4\n"] {
            assert!(page.contains(wanted), "{wanted}");
        }
    }
    // What metrics.jsonl lacks is not drawn.
    fs_err::write(model.join("metrics.jsonl"), "{\"update\":1,\"loss\":2.0}\n{\"update\":2,\"loss\":1.0}\n").unwrap();
    assert!(report(&["--pretrain", &at("model"), "--out", &at("report")]).status.success());
    let page = fs_err::read_to_string(place.path().join("report/report.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 1);
}

#[test]
fn folders_without_results_are_named() {
    let place = tempfile::tempdir().unwrap();
    let (out, nothing) = (place.path().join("out"), place.path().join("nothing"));
    let (out, folder) = (out.to_str().unwrap(), nothing.to_str().unwrap());
    let failed = |arguments: &[&str], expected: &str| {
        let output = report(arguments);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains(expected), "{message}");
        assert!(!Path::new(out).exists());
    };
    failed(&["--scores", folder, "--out", out], "nothing");
    fs_err::create_dir(&nothing).unwrap();
    failed(&["--scores", folder, "--out", out], "scores.json");
    failed(&["--pretrain", folder, "--out", out], "config.json");
    failed(&["--out", out], "name results: --scores DIR");
    fs_err::write(nothing.join("scores.json"), "{\"task\": 3}").unwrap();
    failed(&["--scores", folder, "--out", out], "not written by this gpt1-evaluate");
}
