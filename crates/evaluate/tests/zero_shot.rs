//! `gpt1-evaluate zero-shot` on small random models: its scores against the heuristics computed another way, token by token
//! from the logits of a prefix; snapshots; refusals.

#[path = "../../finetune/tests/common/mod.rs"]
mod common;

use common::{sets, write_tokenizer};
use gpt1_artifacts::preset::Preset;
use gpt1_evaluate::zero_shot::{Question, likelihoods};
use gpt1_kernels::Precision;
use gpt1_model::{Batch, Config, Model, Workspace, forward, logits};
use gpt1_tasks::metrics;
use gpt1_tokenize::Encoder;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Shorter than some articles and sentences below.
const N_POSITIONS: usize = 24;

const WORDS: [&str; 9] = ["anna", "walks", "to", "the", "old", "mill", "sees", "grey", "boat"];

/// `n` words that `i` determines.
fn words(i: usize, n: usize) -> String {
    (0..n).map(|j| WORDS[(i * 5 + j * (i % 4 + 1) + j * j) % WORDS.len()]).collect::<Vec<_>>().join(" ")
}

/// A sentence of CoLA or a text of SST-2, no two the same; every seventh is too long.
fn text(i: usize) -> String {
    let number = [81, 9, 1].map(|digit| WORDS[i / digit % 9]).join(" ");
    format!("{number} {}", words(i, if i % 7 == 6 { 40 } else { 1 + i % 6 }))
}

fn class(i: usize) -> usize {
    (i * i + i / 3) % 7 % 2
}

/// Article, questions, answers to each, which is right.
fn article(i: usize) -> (String, [String; 2], [Vec<String>; 2], [usize; 2]) {
    let answers =
        |from: usize| (0..4).map(|j| format!("{} {}", WORDS[j], words(from + 3 * j, (from + j) % 3))).collect();
    (words(i, 3 + 9 * (i % 5)), [words(i + 1, 3), words(i + 2, 4)], [answers(i), answers(i + 40)], [i % 4, (i + 1) % 4])
}

/// Sentence before and after the pronoun, which of the candidates bob and anna is right.
fn schema(i: usize) -> (String, String, usize) {
    (format!("bob sees anna {} and ", words(i, i % 3)), format!(" {}", words(i + 7, 1 + i % 5)), class(i))
}

struct Place {
    root: tempfile::TempDir,
    model: Model,
    encoder: Encoder,
}

impl Place {
    /// A model and a task's files in a fresh folder.
    fn new() -> Place {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("model");
        write_tokenizer(&dir);
        let encoder = Encoder::from_dir(&dir).unwrap();
        let mut shape = Preset::load("tiny", &sets(&[])).unwrap().model;
        shape.n_ctx = N_POSITIONS;
        // Large weights, so that no two alternatives are about as likely.
        shape.initializer_range = 0.4;
        let model = Model::init(Config::new(&shape, encoder.n_vocab()), 7);
        model.save(&dir).unwrap();
        let place = Place { root, model, encoder };
        place.write_data();
        place
    }

    fn join(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.join("data").join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }

    fn write_data(&self) {
        for (split, range) in [("train", 0..60), ("dev", 100..140)] {
            let (mut cola, mut sst2) = (String::new(), String::from("sentence\tlabel\n"));
            for i in range {
                writeln!(cola, "x\t{}\t\t{}", class(i), text(i)).unwrap();
                writeln!(sst2, "{} \t{}", text(i), class(i)).unwrap();
            }
            self.write(&format!("CoLA/{split}.tsv"), &cola);
            self.write(&format!("SST-2/{split}.tsv"), &sst2);
        }
        self.write("CoLA/test.tsv", "index\tsentence\n0\tanna walks\n");
        for i in 0..15 {
            let (article, questions, options, right) = article(i);
            let answers = right.map(|right| ["A", "B", "C", "D"][right]);
            let json = json!({"article": article, "questions": questions, "options": options, "answers": answers});
            self.write(&format!("RACE/dev/high/{i}.txt"), &json.to_string());
        }
        let mut schemas = String::new();
        for i in 0..40 {
            let (before, after, answer) = schema(i);
            writeln!(schemas, "{before}he{after}\nhe\nBob,Anna\n{}\n", ["bob", "Anna"][answer]).unwrap();
        }
        self.write("Winograd/test.c.txt", &schemas);
    }

    fn run(&self, more: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gpt1-evaluate"));
        command.args(["zero-shot", "--precision", "f32", "--model"]).arg(self.join("model"));
        command.arg("--data").arg(self.join("data")).arg("--out").arg(self.join("out")).args(more);
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The scores of a run that must succeed.
    fn scores(&self, more: &[&str]) -> Vec<Value> {
        let ran = self.run(more);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let found: Value = serde_json::from_slice(&fs_err::read(self.join("out/zero_shot.json")).unwrap()).unwrap();
        found["scores"].as_array().unwrap().clone()
    }

    fn refused(&self, more: &[&str], expected: &[&str]) {
        let ran = self.run(more);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        for part in expected {
            assert!(ran.stderr.contains(part), "expected {part:?} in\n{}", ran.stderr);
        }
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    }

    /// ln p of each token after the tokens before it, from `start` on: a forward pass for each.
    fn ln_p(&self, tokens: &[u32], start: usize, first: usize) -> Vec<f64> {
        let at = |i: usize| {
            let mut ws = Workspace::new(&self.model.config);
            ws.precision = Precision::F32;
            let mut batch = Batch::new();
            batch.push(0, &tokens[start..i]);
            forward(&self.model, &batch, None, &mut ws);
            let x = logits(&self.model, &[i - start - 1], &ws);
            f64::from(x[tokens[i] as usize]) - x.iter().map(|logit| f64::from(*logit).exp()).sum::<f64>().ln()
        };
        (first..tokens.len()).map(at).collect()
    }

    fn ids(&self, texts: &[&str]) -> Vec<u32> {
        texts.iter().flat_map(|text| self.encoder.encode(text)).collect()
    }

    /// The mean ln p of `continuation` after `context`, whose first tokens make room for one of `longest` tokens.
    fn mean(&self, context: &[&str], continuation: &str, longest: usize) -> f64 {
        let (context, continuation) = (self.ids(context), self.ids(&[continuation]));
        let start = (context.len() + longest).saturating_sub(N_POSITIONS + 1);
        mean(&self.ln_p(&[&context[..], &continuation].concat(), start, context.len()))
    }

    fn cola(&self, i: usize) -> f64 {
        let tokens = self.ids(&[".", &text(i)]);
        let n_stop = self.ids(&["."]).len();
        mean(&self.ln_p(&tokens[..tokens.len().min(N_POSITIONS + n_stop)], 0, n_stop))
    }
}

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn best(values: &[f64]) -> usize {
    (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap()
}

fn assert_near(found: &Value, expected: f64) {
    assert!((found.as_f64().unwrap() - expected).abs() < 1e-9, "{found}, not {expected}");
}

#[test]
fn scores_are_those_of_the_heuristics() {
    let place = Place::new();
    assert_eq!(place.ids(&["."]).len(), 1);
    let scores = place.scores(&["--words", "bright,gloomy"]);
    let names: Vec<&str> = scores.iter().map(|score| score["task"].as_str().unwrap()).collect();
    assert_eq!(names, ["cola", "sst2", "race", "dprd"]);
    let [cola, sst2, race, dprd] = &scores[..] else { panic!() };

    // CoLA: every threshold that makes a difference is tried on the training set.
    let (train, dev): (Vec<f64>, Vec<f64>) =
        ((0..60).map(|i| place.cola(i)).collect(), (100..140).map(|i| place.cola(i)).collect());
    let judge = |values: &[f64], classes: &[usize], threshold: f64| {
        let predictions: Vec<usize> = values.iter().map(|value| usize::from(*value > threshold)).collect();
        metrics::matthews(&predictions, classes)
    };
    let (train_classes, dev_classes): (Vec<usize>, Vec<usize>) =
        ((0..60).map(class).collect(), (100..140).map(class).collect());
    let threshold = cola["threshold"].as_f64().unwrap();
    let chosen = judge(&train, &train_classes, threshold);
    assert!(chosen > 0.1 && train.iter().all(|t| judge(&train, &train_classes, *t) < chosen + 1e-12), "{chosen}");
    assert_near(&cola["raw"], judge(&dev, &dev_classes, threshold));
    assert_near(&cola["relative"], cola["raw"].as_f64().unwrap() / 0.35);
    assert_eq!((&cola["n"], &cola["metric"], &cola["random"]), (&json!(40), &json!("matthews"), &json!(0.0)));

    // SST-2: the two words are tokens here, so their logits can be compared.
    let answer = |i: usize| {
        let tokens = place.ids(&[&text(i), "very"]);
        let tokens = &tokens[tokens.len().saturating_sub(N_POSITIONS)..];
        let mut ws = Workspace::new(&place.model.config);
        ws.precision = Precision::F32;
        let mut batch = Batch::new();
        batch.push(0, tokens);
        forward(&place.model, &batch, None, &mut ws);
        let x = logits(&place.model, &[tokens.len() - 1], &ws);
        let [good, bad] = ["bright", "gloomy"].map(|word| {
            let [token] = place.ids(&[word])[..] else { panic!("{word} is no token") };
            x[token as usize]
        });
        usize::from(good > bad)
    };
    let answers: Vec<usize> = (100..140).map(answer).collect();
    assert!(answers.contains(&0) && answers.contains(&1), "nothing is tested: {answers:?}");
    assert_near(&sst2["raw"], metrics::accuracy(&answers, &dev_classes));

    let (mut answers, mut right, mut n_cut) = (Vec::new(), Vec::new(), 0);
    for i in 0..15 {
        let (article, questions, options, of_article) = article(i);
        for ((question, options), right_one) in questions.iter().zip(&options).zip(of_article) {
            let longest = options.iter().map(|option| place.ids(&[option]).len()).max().unwrap();
            n_cut += usize::from(place.ids(&[".", &article, question]).len() + longest > N_POSITIONS + 1);
            let means: Vec<f64> =
                options.iter().map(|option| place.mean(&[".", &article, question], option, longest)).collect();
            answers.push(best(&means));
            right.push(right_one);
        }
    }
    assert!((1..30).contains(&n_cut), "{n_cut} articles are cut");
    assert_near(&race["raw"], metrics::accuracy(&answers, &right));
    assert_near(&race["relative"], (race["raw"].as_f64().unwrap() - 0.25) / (0.533 - 0.25));
    assert_eq!(race["n"], 30);

    let answers: Vec<usize> = (0..40)
        .map(|i| {
            let (before, after, _) = schema(i);
            best(&["bob", "anna"].map(|name| place.mean(&[".", &before, name], &after, 0)))
        })
        .collect();
    assert!(answers.contains(&0) && answers.contains(&1), "nothing is tested: {answers:?}");
    assert_near(&dprd["raw"], metrics::accuracy(&answers, &(0..40).map(class).collect::<Vec<_>>()));
    assert_near(&dprd["relative"], (dprd["raw"].as_f64().unwrap() - 0.5) / (0.764 - 0.5));

    let few = place.scores(&["--max-examples", "3", "--tasks", "dprd,sst2", "--words", "bright,gloomy"]);
    assert_eq!(few.iter().map(|score| score["n"].as_u64().unwrap()).collect::<Vec<_>>(), [3, 3]);
    assert_near(&few[0]["raw"], metrics::accuracy(&answers[..3], &(0..3).map(class).collect::<Vec<_>>()));
}

#[test]
fn likelihoods_are_those_of_each_token() {
    gpt1_kernels::start(None).unwrap();
    let place = Place::new();
    let question = |i: usize| Question {
        context: place.ids(&[".", &words(i, i % 30)]),
        continuation: place.ids(&[&words(i + 1, i % 40)]),
    };
    let questions: Vec<Question> = (0..120).map(question).collect();
    let found = likelihoods(&place.model, &questions, 1, "test");
    for (Question { context, continuation }, found) in questions.iter().zip(found) {
        let kept = &continuation[..continuation.len().min(N_POSITIONS)];
        let start = (context.len() + kept.len().max(1)).saturating_sub(N_POSITIONS + 1);
        let expected = place.ln_p(&[context, kept].concat(), start, context.len());
        let sum: f64 = expected.iter().sum();
        // The program may compute in bf16 here.
        assert!((found.sum - sum).abs() < 1e-3 + 0.03 * sum.abs(), "{found:?}, not {sum}");
        assert_eq!(found.n_tokens, kept.len());
    }
    assert!(likelihoods(&place.model, &[], 4, "test").is_empty());
}

#[test]
fn all_snapshots_are_scored() {
    let place = Place::new();
    let tasks = ["--tasks", "sst2,dprd"];
    place.refused(&["--snapshots"], &["no snapshots here", "pretrain.n_snapshots=8"]);
    let alone = place.scores(&tasks);
    assert!(alone.iter().all(|score| score["update"].is_null()), "{alone:?}");
    let other = Model::init(place.model.config.clone(), 8);
    for (model, update) in [(&place.model, 12), (&other, 0)] {
        model.save_snapshot(&place.join("model"), update, |_| Ok(())).unwrap();
    }
    for flag in [&["--snapshots"][..], &["--snapshots", "true"]] {
        let scores = place.scores(&[&tasks[..], flag].concat());
        let key = |score: &Value| (score["update"].as_u64().unwrap(), score["task"].as_str().unwrap().to_owned());
        let keys: Vec<_> = scores.iter().map(key).collect();
        let expected = [(0, "sst2"), (0, "dprd"), (12, "sst2"), (12, "dprd")];
        assert_eq!(keys, expected.map(|(update, task)| (update, task.to_owned())));
        // The last one is the model itself.
        for (score, alone) in scores[2..].iter().zip(&alone) {
            assert_eq!(score["raw"], alone["raw"]);
        }
    }
    let ran = place.run(&[&tasks[..], &["--snapshots"]].concat());
    for row in ["| updates | SST-2 (accuracy) | DPRD (accuracy) |", "\n| 0 | ", "\n| 12 | "] {
        assert!(ran.stdout.contains(row), "{}", ran.stdout);
    }

    // A damaged one is named, and the earlier result stays.
    let before = fs_err::read(place.join("out/zero_shot.json")).unwrap();
    let weights = place.join("model/snapshots/update-000000/model.safetensors");
    let whole = fs_err::read(&weights).unwrap();
    fs_err::write(&weights, &whole[..whole.len() / 2]).unwrap();
    place.refused(&["--snapshots"], &["update-000000/model.safetensors", "truncated or damaged"]);
    let mut nan = other.clone();
    nan.params.data[100] = f32::NAN;
    nan.save_snapshot(&place.join("model"), 0, |_| Ok(())).unwrap();
    place.refused(&["--snapshots"], &["update-000000/model.safetensors", "holds NaN"]);
    fs_err::write(weights.with_file_name("config.json"), "{}").unwrap();
    place.refused(&["--snapshots"], &["update-000000/config.json"]);
    assert_eq!(fs_err::read(place.join("out/zero_shot.json")).unwrap(), before);
}

#[test]
fn what_does_not_fit_is_refused() {
    let place = Place::new();
    place.refused(&["--tasks", "cola,rte"], &["no heuristic for `rte`", "cola, sst2, race, dprd, wsc"]);
    place.refused(&["--words", "good"], &["two words with a comma between"]);
    place.refused(&["--tasks", "cola", "--split", "test"], &["CoLA: example 0 of the test split has no label", "dev"]);
    place.refused(&["--tasks", "race", "--split", "train"], &["RACE", "looked for"]);
    place.refused(&["--tasks", "dprd", "--split", "train"], &["DPRD", "Winograd/train.c.txt"]);
    place.refused(&["--tasks", "wsc"], &["WSC", "Winograd/WSCollection.xml"]);
    place.refused(&["--max-examples", "0"], &["--max-examples"]);
    let edit = |name: &str, from: &str, to: &str| {
        let path = place.join("data").join(name);
        let text = fs_err::read_to_string(&path).unwrap();
        fs_err::write(path, text.replacen(from, to, 1)).unwrap();
    };
    edit("Winograd/test.c.txt", "\nhe\n", "\n");
    place.refused(&["--tasks", "dprd"], &["test.c.txt:1: a record of 3 lines"]);
    edit("CoLA/train.tsv", "\t0\t", "\tno\t");
    place.refused(&["--tasks", "cola"], &["CoLA/train.tsv:", "label `no`"]);
    assert!(!place.join("out").exists());

    // A fine-tuned model still is a language model: it knows three tokens more.
    let more = place.model.clone().add_tokens(3, 1).add_classifier(2, 1);
    more.save(&place.join("model")).unwrap();
    assert_eq!(place.scores(&["--tasks", "sst2"])[0]["n"], 40);
    // One that knows fewer than the vocabulary has does not belong to it.
    let fewer = Config { vocab_size: 5, ..place.model.config.clone() };
    Model::init(fewer, 1).save(&place.join("model")).unwrap();
    place.refused(&["--tasks", "sst2"], &["the model has 5 tokens, but the vocabulary in", "hint"]);
    fs_err::remove_file(place.join("model/vocab.json")).unwrap();
    place.refused(&["--tasks", "sst2"], &["vocab.json"]);
    assert!(Path::new(&place.join("out/manifest.json")).exists());
}
