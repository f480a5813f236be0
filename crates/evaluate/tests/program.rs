//! The real program on models of all forms: scores, predictions, refusals.

#[path = "../../finetune/tests/common/mod.rs"]
mod common;

use common::{Place, finish};
use gpt1_tasks::{Split, Target, Task, majority_scores, read, scores};
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

fn evaluate(task: &str, model: &Path, data: &Path, split: &str, out: &Path) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gpt1-evaluate"));
    command.args(["--task", task, "--split", split]);
    command.arg("--model").arg(model).arg("--data").arg(data).arg("--out").arg(out);
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

/// Predictions as the file gives them.
fn parse(task: Task, text: &str) -> Vec<Target> {
    let separator = if text.starts_with("InputStoryid") { ',' } else { '\t' };
    let target = |line: &str| {
        let answer = line.rsplit_once(separator).unwrap().1;
        match task.labels().iter().position(|label| *label == answer) {
            Some(class) => Target::Class(class),
            None => Target::Score(answer.parse().unwrap()),
        }
    };
    text.lines().skip(1).map(target).collect()
}

#[test]
fn scores_are_those_of_the_predictions() {
    let place = Place::new(240);
    for (task, file, tolerance) in [
        ("sst2", "SST-2.tsv", 1e-12),
        ("rte", "RTE.tsv", 1e-12),
        ("mrpc", "MRPC.tsv", 1e-12),
        ("stsb", "STS-B.tsv", 5e-3),
        ("storycloze", "StoryCloze.csv", 1e-12),
    ] {
        let done = finish(&place.options(task, task, &["finetune.n_epochs=6"]));
        let out = place.join(&format!("{task}-dev"));
        let ran = evaluate(task, &done.out, &place.data, "dev", &out);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let found = json(&out.join("scores.json"));
        let task: Task = task.parse().unwrap();
        let dev = read(task, &place.data, Split::Dev).unwrap();
        let train = read(task, &place.data, Split::Train).unwrap();
        let predictions = fs_err::read_to_string(out.join("predictions.tsv")).unwrap();
        assert_eq!(predictions, fs_err::read_to_string(out.join(file)).unwrap());
        let predictions = parse(task, &predictions);
        assert_eq!(predictions.len(), dev.examples.len());

        let expected = scores(task, &predictions, &dev.examples).unwrap();
        let majority = majority_scores(task, &train.examples, &dev.examples).unwrap();
        assert_eq!(found["metrics"].as_object().unwrap().len(), expected.len());
        for ((metric, value), (_, constant)) in expected.iter().zip(&majority) {
            // Three decimals in the file of STS-B make ties.
            let stated = found["metrics"][metric.name()].as_f64().unwrap();
            assert!((stated - value).abs() < tolerance, "{task} {metric}: {stated}, from the file {value}");
            assert!((found["majority"][metric.name()].as_f64().unwrap() - constant).abs() < 1e-12);
            assert!(
                ran.stdout.contains(&format!("{stated:.4}")) && ran.stdout.contains(metric.name()),
                "{}",
                ran.stdout
            );
        }
        assert!(expected[0].1 > 0.9, "{task}: {}", expected[0].1);
        assert!((expected[0].1 - done.dev[0].1).abs() < tolerance);
        assert_eq!(found["n"], dev.examples.len());
        assert_eq!((found["task"].as_str(), found["split"].as_str()), (Some(task.name()), Some("dev")));
        assert_eq!(found["training"]["init"], "scratch");
        assert_eq!(found["model"], gpt1_artifacts::digest::path(&done.out).unwrap());
        assert!(found["loss"].as_f64().unwrap() > 0.0);
    }
}

/// Writes a file and the folders to it.
fn write(path: &Path, content: &str) {
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, content).unwrap();
}

#[test]
fn ax_is_scored_with_a_model_of_mnli() {
    let place = Place::new(48);
    let labels = ["entailment", "neutral", "contradiction"];
    let pairs = (0..60).map(|i| (format!("the mill {}", ["bright", "old", "gloomy"][i % 3]), labels[i % 3]));
    let (mut mnli, mut ax, mut full) = (
        "index\tsentence1\tsentence2\tlabel1\tgold_label\n".to_owned(),
        "index\tsentence1\tsentence2\n".to_owned(),
        "Logic\tDomain\tPremise\tHypothesis\tLabel\n".to_owned(),
    );
    for (i, (text, label)) in pairs.enumerate() {
        writeln!(mnli, "{i}\tanna\t{text}\t{label}\t{label}").unwrap();
        writeln!(ax, "{i}\tanna\t{text}").unwrap();
        writeln!(full, "\tNews\tanna\t{text}\t{label}").unwrap();
    }
    for (name, content) in [("MNLI/train.tsv", &mnli), ("MNLI/dev_matched.tsv", &mnli), ("AX/AX.tsv", &ax)] {
        write(&place.data.join(name), content);
    }
    let refused = gpt1_finetune::run(&place.options("ax", "ax", &[])).unwrap_err().to_string();
    assert!(refused.contains("AX has no training set") && refused.contains("--task mnli"), "{refused}");
    let model = finish(&place.options("mnli", "model", &["finetune.n_epochs=12"])).out;

    let out = place.join("ax-unlabelled");
    let ran = evaluate("ax", &model, &place.data, "dev", &out);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let predictions = fs_err::read_to_string(out.join("AX.tsv")).unwrap();
    assert!(predictions.starts_with("index\tprediction\n0\t"), "{predictions}");
    assert!(json(&out.join("scores.json"))["metrics"].is_null());
    write(&place.data.join("AX/diagnostic-full.tsv"), &full);
    let out = place.join("ax-labelled");
    let ran = evaluate("ax", &model, &place.data, "dev", &out);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(fs_err::read_to_string(out.join("AX.tsv")).unwrap(), predictions);
    let ax: Task = "ax".parse().unwrap();
    let dev = read(ax, &place.data, Split::Dev).unwrap();
    let expected = scores(ax, &parse(ax, &predictions), &dev.examples).unwrap()[0].1;
    let found = json(&out.join("scores.json"));
    assert!((found["metrics"]["matthews"].as_f64().unwrap() - expected).abs() < 1e-12);
    assert!(expected > 0.9, "{expected}");
    assert_eq!((found["task"].as_str(), found["shape"]["n_embd"].as_u64()), (Some("ax"), Some(32)));

    // No other model will do.
    let rte = finish(&place.options("rte", "rte", &["finetune.n_epochs=1"])).out;
    let ran = evaluate("ax", &rte, &place.data, "dev", &place.join("none"));
    assert!(ran.code == 1 && ran.stderr.contains("fine-tuned on rte, not on mnli"), "{}", ran.stderr);
}

#[test]
fn race_is_scored_by_school_too() {
    let place = Place::new(48);
    let answers = [["A", "B", "C", "D"], ["B", "B", "B", "B"]];
    for split in ["train", "dev"] {
        for (school, answers) in ["middle", "high"].into_iter().zip(answers) {
            for (i, answer) in answers.into_iter().enumerate() {
                let article = serde_json::json!({
                    "article": "anna walks to the mill", "questions": ["bob sees a _"],
                    "options": [["boat", "old mill", "grey", "anna"]], "answers": [answer], "id": "1",
                });
                write(&place.data.join(format!("RACE/{split}/{school}/{i}.txt")), &article.to_string());
            }
        }
    }
    let model = finish(&place.options("race", "model", &["finetune.n_epochs=1"])).out;
    let out = place.join("scores");
    let ran = evaluate("race", &model, &place.data, "dev", &out);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let found = json(&out.join("scores.json"));
    let predictions = fs_err::read_to_string(out.join("RACE.tsv")).unwrap();
    for (school, answers) in ["middle", "high"].into_iter().zip(answers) {
        let right =
            (0..4).filter(|i| predictions.contains(&format!("\n{school}/{i}.txt:0\t{}\n", answers[*i]))).count();
        let accuracy = right as f64 / 4.0;
        let group = &found["groups"][school];
        assert_eq!((group["n"].as_u64(), group["metrics"]["accuracy"].as_f64()), (Some(4), Some(accuracy)), "{found}");
        // The majority answer of training is B.
        let majority = answers.iter().filter(|answer| **answer == "B").count() as f64 / 4.0;
        assert_eq!(group["majority"]["accuracy"].as_f64(), Some(majority));
        let line = format!("{:<10} {accuracy:>8.4} {majority:>9.4}\n", format!("  {school}"));
        assert!(ran.stdout.contains(&line), "{}", ran.stdout);
    }
    assert!(found["metrics"]["accuracy"].is_number());
}

#[test]
fn without_labels_there_are_predictions_only() {
    let place = Place::new(48);
    let done = finish(&place.options("rte", "model", &["finetune.n_epochs=1"]));
    let out = place.join("test");
    let ran = evaluate("rte", &done.out, &place.data, "test", &out);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
    let found = json(&out.join("scores.json"));
    for key in ["metrics", "majority", "loss"] {
        assert!(found[key].is_null(), "{key}");
    }
    assert!(found["reason"].as_str().unwrap().contains("no labels"));
    let predictions = fs_err::read_to_string(out.join("predictions.tsv")).unwrap();
    assert_eq!(predictions.lines().count(), 21);
    assert!(predictions.starts_with("index\tprediction\n0\t"), "{predictions}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let place = Place::new(48);
    let model = finish(&place.options("rte", "model", &["finetune.n_epochs=1"])).out;
    let out = place.join("out");
    let refused = |task: &str, data: &Path, split: &str, expected: &[&str]| {
        let ran = evaluate(task, &model, data, split, &out);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        for part in expected {
            assert!(ran.stderr.contains(part), "expected {part:?} in\n{}", ran.stderr);
        }
        assert!(!out.exists());
    };
    refused("sst2", &place.data, "dev", &["fine-tuned on rte, not on sst2"]);
    refused("rte", &place.join("nothing"), "dev", &["looked for", "nothing/RTE/dev.tsv", "hint"]);
    refused("rte", &place.data, "deu", &["no split `deu`"]);
    refused("rte", &place.data, "dev_mismatched", &["dev_mismatched"]);
    let dev = place.data.join("RTE/dev.tsv");
    let good = fs_err::read_to_string(&dev).unwrap();
    fs_err::write(&dev, good.replacen("entailment", "entails", 1)).unwrap();
    refused("rte", &place.data, "dev", &["dev.tsv:2", "`entails`", "not_entailment"]);
    fs_err::write(&dev, good.replacen("label", "answer", 1)).unwrap();
    refused("rte", &place.data, "dev", &["dev.tsv:1", "no column `label`"]);
    fs_err::write(&dev, &good).unwrap();

    let task_file = fs_err::read_to_string(model.join("task.json")).unwrap();
    fs_err::write(model.join("task.json"), task_file.replace("\"n_outputs\": 2", "\"n_outputs\": 3")).unwrap();
    refused("rte", &place.data, "dev", &["n_outputs", "expected 2"]);
    fs_err::write(model.join("task.json"), "{\"task\": 3}").unwrap();
    refused("rte", &place.data, "dev", &["task.json:1:"]);
    fs_err::remove_file(model.join("task.json")).unwrap();
    refused("rte", &place.data, "dev", &["no task.json", "fine-tune it first"]);
    fs_err::write(model.join("task.json"), &task_file).unwrap();
    let weights = model.join("model.safetensors");
    let whole = fs_err::read(&weights).unwrap();
    fs_err::write(&weights, &whole[..whole.len() / 2]).unwrap();
    refused("rte", &place.data, "dev", &["model.safetensors", "truncated or damaged"]);
    fs_err::write(&weights, &whole).unwrap();
    // Several runs later the same command still works, twice into the same place.
    for _ in 0..2 {
        assert_eq!(evaluate("rte", &model, &place.data, "dev", &out).code, 0);
    }
}
