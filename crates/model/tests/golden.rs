//! The whole model against PyTorch: logits, losses and every gradient. The values and the scripts that made them are in
//! `tests/golden/model` and, of the LSTM, `tests/golden/lstm`. And the other way round: Hugging Face's implementation opens what
//! we write and agrees.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gpt1_kernels::Precision;
use gpt1_model::{
    Batch, Config, Dropout, Examples, Form, Model, Params, Sampler, SamplingModel, Workspace, backward,
    classifier_loss, forward, lm_loss, log_probabilities, logits,
};
use safetensors::SafeTensors;
use serde::Deserialize;
use serde_json::json;

/// Absolute tolerance of a logit and of a loss.
const LOGIT_TOLERANCE: f32 = 1e-4;
const LOSS_TOLERANCE: f64 = 1e-5;
/// A gradient may be off by this much of itself: a tensor in norm, and each element.
const RELATIVE_TOLERANCE: f64 = 1e-5;
/// The floor below which an element is rounding noise. The reference itself is off by up to 8e-7 (`noise` in
/// golden.json); its gradients have elements of about 0.05.
const ABSOLUTE_FLOOR: f64 = 5e-6;

/// The folders of golden values.
const CASES: [&str; 2] = ["model", "lstm"];

#[derive(Deserialize)]
struct Golden {
    lm_coef: f32,
    lm: LanguageCase,
    classifiers: BTreeMap<String, ClassifierCase>,
}

#[derive(Deserialize)]
struct LanguageCase {
    sequences: Vec<Vec<u32>>,
    targets: Vec<u32>,
    weights: Vec<f32>,
    loss: f64,
}

#[derive(Deserialize)]
struct ClassifierCase {
    n_classes: usize,
    n_choices: usize,
    sequences: Vec<Vec<u32>>,
    targets: Vec<u32>,
    weights: Vec<f32>,
    classes: Vec<Vec<f32>>,
    weight: f32,
    classifier_loss: f64,
    lm_loss: f64,
    loss: f64,
}

/// A training pass, but the rates are 0 ([`model_without_dropout`]). `None` would be a pass for evaluation.
const TRAINING: Option<Dropout> = Some(Dropout { seed: 0, step: 0 });

/// Tensors of a safetensors file by name: shape and elements.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

#[test]
fn logits_of_ragged_sequences() {
    for dir in CASES.map(golden_dir) {
        let case = golden(&dir).lm;
        let model = Model::load(&dir.join("model")).unwrap();
        let batch = batch_of(&case.sequences);
        let mut ws = Workspace::new(&model.config);
        forward(&model, &batch, None, &mut ws);
        let rows: Vec<usize> = (0..batch.n_tokens()).collect();
        let found = logits(&model, &rows, &ws);
        let expected = &read_tensors(&dir.join("lm.safetensors"))["logits"];
        assert_eq!(expected.0, [batch.n_tokens(), model.config.vocab_size]);
        assert_logits(&found, &expected.1, expected.0[1]);

        let targets: Vec<u32> = rows.iter().map(|row| (row * 7) as u32 % expected.0[1] as u32).collect();
        let likelihoods = log_probabilities(&model, &rows, &targets, &mut ws);
        for ((x, target), found) in expected.1.chunks_exact(expected.0[1]).zip(&targets).zip(&likelihoods) {
            let log_sum = x.iter().map(|logit| f64::from(*logit).exp()).sum::<f64>().ln();
            let expected = f64::from(x[*target as usize]) - log_sum;
            assert!((found - expected).abs() < f64::from(2.0 * LOGIT_TOLERANCE), "{found}, not {expected}");
        }

        // Rows asked for out of order are the same rows.
        let rows = [20, 0, 5];
        let v = expected.0[1];
        let picked: Vec<f32> = rows.iter().flat_map(|&r| expected.1[r * v..(r + 1) * v].to_vec()).collect();
        assert_logits(&logits(&model, &rows, &ws), &picked, v);
    }
}

/// The key/value cache or the state, token by token.
#[test]
fn logits_of_the_sampler() {
    for dir in CASES.map(golden_dir) {
        let case = golden(&dir).lm;
        let model = Model::load(&dir.join("model")).unwrap();
        let (_, expected) = &read_tensors(&dir.join("lm.safetensors"))["logits"];
        let mut rows = expected.chunks_exact(model.config.vocab_size);
        for sequence in &case.sequences {
            let ready = SamplingModel::new(&model, Precision::F32);
            let mut sampler = Sampler::new(&ready);
            for &token in sequence {
                assert_logits(sampler.feed(token), rows.next().unwrap(), model.config.vocab_size);
            }
        }
        assert!(rows.next().is_none());
    }
}

#[test]
fn language_model_loss_and_gradients() {
    for dir in CASES.map(golden_dir) {
        let case = golden(&dir).lm;
        let model = model_without_dropout(&dir);
        let batch = batch_of(&case.sequences);
        let mut ws = Workspace::new(&model.config);

        forward(&model, &batch, None, &mut ws);
        let loss = lm_loss(&model, &case.targets, &case.weights, &mut ws, None);
        assert_loss("loss without gradients", loss, case.loss);

        // Twice with one workspace: nothing may be left over from the first time, and gradients accumulate.
        let expected = read_tensors(&dir.join("lm.safetensors"));
        let mut grads = Params::zeros(&model.params.layout);
        for n_passes in 1..=2 {
            forward(&model, &batch, TRAINING, &mut ws);
            let loss = lm_loss(&model, &case.targets, &case.weights, &mut ws, Some(&mut grads));
            assert_loss("loss", loss, case.loss);
            backward(&model, &batch, TRAINING, &mut ws, &mut grads);
            assert_gradients(&format!("pass {n_passes}"), &grads, &expected, f64::from(n_passes));
        }
    }
}

#[test]
fn classifier_of_one_sequence() {
    check_classifier("single", |_| Form::Single);
}

#[test]
fn classifier_of_the_sum_of_two_sequences() {
    check_classifier("sum", |_| Form::Sum);
}

#[test]
fn classifier_that_chooses_among_sequences() {
    check_classifier("choice", |case| Form::Choice(case.n_choices));
}

/// A directory that Hugging Face wrote, loaded and saved by us, holds the same tensors to the bit, and the same
/// configuration.
#[test]
fn saved_model_has_the_tensors_of_hugging_face() {
    let dir = tempfile::tempdir().unwrap();
    Model::load(&golden_dir("model").join("model")).unwrap().save(dir.path()).unwrap();
    let expected = read_tensors(&golden_dir("model").join("model/model.safetensors"));
    let found = read_tensors(&dir.path().join("model.safetensors"));
    let shapes = |t: &Tensors| t.iter().map(|(name, (shape, _))| (name.clone(), shape.clone())).collect::<Vec<_>>();
    assert_eq!(shapes(&found), shapes(&expected));
    for (name, (_, values)) in &expected {
        let same = values.iter().zip(&found[name].1).all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(same, "{name} changed");
    }

    let config = |dir: &Path| -> serde_json::Value {
        serde_json::from_str(&fs_err::read_to_string(dir.join("config.json")).unwrap()).unwrap()
    };
    let (expected, found) = (config(&golden_dir("model").join("model")), config(dir.path()));
    for key in ["model_type", "vocab_size", "n_positions", "n_embd", "n_layer", "n_head", "afn"] {
        assert_eq!(found[key], expected[key], "config.json: {key}");
    }
    for key in ["embd_pdrop", "resid_pdrop", "attn_pdrop", "layer_norm_epsilon", "initializer_range"] {
        let (found, expected) = (found[key].as_f64().unwrap(), expected[key].as_f64().unwrap());
        assert!((found - expected).abs() <= 1e-6 * expected, "config.json: {key} is {found}, was {expected}");
    }
}

#[test]
fn hugging_face_opens_a_new_model() {
    let config = Config {
        vocab_size: 53,
        n_positions: 16,
        n_embd: 24,
        n_layer: 2,
        n_head: 3,
        n_units: None,
        embd_pdrop: 0.1,
        resid_pdrop: 0.1,
        attn_pdrop: 0.1,
        layer_norm_epsilon: 1e-5,
        initializer_range: 0.2,
    };
    check_with_hugging_face(&Model::init(config, 1), &[]);
}

#[test]
fn hugging_face_opens_a_model_with_added_tokens_and_classifier() {
    let model = Model::load(&golden_dir("model").join("model")).unwrap();
    check_with_hugging_face(&model.add_tokens(3, 1).add_classifier(2, 1), &["--allow-unexpected", "classifier."]);
}

/// Logits of the classifier, its loss with soft targets, the whole loss L3 = L2 + lm_coef * L1 and all its gradients.
fn check_classifier(name: &str, form: fn(&ClassifierCase) -> Form) {
    for dir in CASES.map(golden_dir) {
        check_classifier_of(&dir, name, form);
    }
}

fn check_classifier_of(dir: &Path, name: &str, form: fn(&ClassifierCase) -> Form) {
    let golden = golden(dir);
    let case = &golden.classifiers[name];
    let form = form(case);
    let expected = read_tensors(&dir.join(format!("{name}.safetensors")));
    let mut model = model_without_dropout(dir).add_classifier(case.n_classes, 1);
    for name in ["classifier.weight", "classifier.bias"] {
        let tensor = model.params.layout.tensors.iter().find(|t| t.name == name).unwrap();
        assert_eq!(tensor.shape, expected[name].0, "shape of {name}");
        let range = tensor.range.clone();
        model.params.data[range].copy_from_slice(&expected[name].1);
    }

    let batch = batch_of(&case.sequences);
    let rows: Vec<u32> = batch.starts[1..].iter().map(|end| end - 1).collect();
    let targets = case.classes.concat();
    let example_ids: Vec<u64> = (0..case.classes.len() as u64).collect();
    let examples =
        Examples { form, rows: &rows, example_ids: &example_ids, targets: &targets, weight: case.weight, pdrop: 0.0 };
    let lm_weights: Vec<f32> = case.weights.iter().map(|w| golden.lm_coef * w).collect();
    let mut ws = Workspace::new(&model.config);

    // Evaluation: no targets, no gradients.
    forward(&model, &batch, None, &mut ws);
    let evaluated = classifier_loss(&model, &Examples { targets: &[], ..examples }, None, &mut ws, None);
    assert_logits(&evaluated.logits, &expected["logits"].1, expected["logits"].0[1]);
    assert_eq!(evaluated.loss, 0.0);

    let mut grads = Params::zeros(&model.params.layout);
    forward(&model, &batch, TRAINING, &mut ws);
    let lm = lm_loss(&model, &case.targets, &lm_weights, &mut ws, Some(&mut grads));
    let classified = classifier_loss(&model, &examples, TRAINING, &mut ws, Some(&mut grads));
    backward(&model, &batch, TRAINING, &mut ws, &mut grads);
    assert_logits(&classified.logits, &expected["logits"].1, expected["logits"].0[1]);
    assert_loss("classifier loss", classified.loss, case.classifier_loss);
    assert_loss("language-model loss", lm, f64::from(golden.lm_coef) * case.lm_loss);
    assert_loss("whole loss", lm + classified.loss, case.loss);
    assert_gradients(name, &grads, &expected, 1.0);
}

/// Saves the model and our logits, and lets check_hf.py compare. `GPT1_PYTHON` names the interpreter (else python3);
/// without torch and transformers there is nothing to compare with, and the test says so.
fn check_with_hugging_face(model: &Model, options: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    model.save(dir.path()).unwrap();
    let (v, n_ctx) = (model.config.vocab_size as u32, model.config.n_positions as u32);
    let sequences: Vec<Vec<u32>> =
        [1, 4, n_ctx].iter().map(|&n| (0..n).map(|i| (7 * i + n) % v).collect()).chain([vec![v - 1, 0]]).collect();
    let batch = batch_of(&sequences);
    let mut ws = Workspace::new(&model.config);
    forward(model, &batch, None, &mut ws);
    let logits_of = |s: usize| -> Vec<Vec<f32>> {
        let rows: Vec<usize> = (batch.starts[s] as usize..batch.starts[s + 1] as usize).collect();
        logits(model, &rows, &ws).chunks(v as usize).map(<[f32]>::to_vec).collect()
    };
    let cases = json!({"sequences": sequences, "logits": (0..sequences.len()).map(logits_of).collect::<Vec<_>>()});
    let cases_file = dir.path().join("cases.json");
    fs_err::write(&cases_file, cases.to_string()).unwrap();

    let chosen = std::env::var_os("GPT1_PYTHON");
    let python = chosen.clone().unwrap_or_else(|| "python3".into());
    let output = Command::new(&python)
        .arg(golden_dir("model").join("check_hf.py"))
        .args([dir.path(), &cases_file])
        .args(["--tolerance", &LOGIT_TOLERANCE.to_string()])
        .args(options)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) if chosen.is_none() => return say(&format!("skipped: cannot run python3: {error}")),
        Err(error) => panic!("GPT1_PYTHON={}: {error}", python.display()),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    match output.status.code() {
        Some(0) => say(&format!("Hugging Face: {}", text.trim())),
        Some(77) => {
            say(&format!("skipped: {}; GPT1_PYTHON can name a Python with torch and transformers", text.trim()));
        }
        _ => panic!("{}: {text}{}", output.status, String::from_utf8_lossy(&output.stderr)),
    }
}

/// On stderr itself: what `eprintln!` writes is shown for a failed test only.
fn say(text: &str) {
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}

fn golden_dir(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(case)
}

fn golden(dir: &Path) -> Golden {
    serde_json::from_str(&fs_err::read_to_string(dir.join("golden.json")).unwrap()).unwrap()
}

fn read_tensors(path: &Path) -> Tensors {
    let bytes = fs_err::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let values = |data: &[u8]| data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    file.tensors().into_iter().map(|(name, t)| (name, (t.shape().to_vec(), values(t.data())))).collect()
}

/// The golden model with dropout rates of 0, so that a training pass is one without dropout.
fn model_without_dropout(dir: &Path) -> Model {
    let mut model = Model::load(&dir.join("model")).unwrap();
    let Config { embd_pdrop, resid_pdrop, attn_pdrop, .. } = &mut model.config;
    (*embd_pdrop, *resid_pdrop, *attn_pdrop) = (0.0, 0.0, 0.0);
    model
}

fn batch_of(sequences: &[Vec<u32>]) -> Batch {
    let mut batch = Batch::new();
    for (id, sequence) in sequences.iter().enumerate() {
        batch.push(id as u64, sequence);
    }
    batch
}

fn assert_loss(what: &str, found: f64, expected: f64) {
    let difference = (found - expected).abs();
    assert!(difference <= LOSS_TOLERANCE, "{what} is {found}, expected {expected}, off by {difference:.3e}");
}

/// Logits of shape (rows, `n_columns`).
fn assert_logits(found: &[f32], expected: &[f32], n_columns: usize) {
    assert_eq!(found.len(), expected.len(), "number of logits");
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        let (row, column) = (i / n_columns, i % n_columns);
        let off = (f - e).abs();
        assert!(off <= LOGIT_TOLERANCE, "logit of row {row}, column {column} is {f}, expected {e}, off by {off:.3e}");
    }
}

/// Every gradient of the layout against `grad.<name>` times `factor`; reports all that are wrong.
fn assert_gradients(what: &str, grads: &Params, expected: &Tensors, factor: f64) {
    let n_expected = expected.keys().filter(|name| name.starts_with("grad.")).count();
    assert_eq!(grads.layout.tensors.len(), n_expected, "number of tensors");
    let mut wrong = Vec::new();
    for tensor in &grads.layout.tensors {
        let (shape, values) = &expected[&format!("grad.{}", tensor.name)];
        assert_eq!(&tensor.shape, shape, "shape of {}", tensor.name);
        let (mut d2, mut e2, mut worst) = (0.0, 0.0, (0.0, 0));
        for (i, (&f, &e)) in grads.data[tensor.range.clone()].iter().zip(values).enumerate() {
            let e = factor * f64::from(e);
            let d = (f64::from(f) - e).abs();
            d2 += d * d;
            e2 += e * e;
            let excess = d / (RELATIVE_TOLERANCE * e.abs() + factor * ABSOLUTE_FLOOR);
            if excess.is_nan() || excess > worst.0 {
                worst = (excess, i);
            }
        }
        let (norm_off, norm): (f64, f64) = (f64::sqrt(d2), f64::sqrt(e2));
        let norm_limit = RELATIVE_TOLERANCE * norm + factor * ABSOLUTE_FLOOR;
        if !(worst.0 <= 1.0 && norm_off <= norm_limit) {
            let i = worst.1;
            let (f, e) = (grads.data[tensor.range.start + i], factor * f64::from(values[i]));
            wrong.push(format!(
                "{} {shape:?}: off by {norm_off:.3e} in norm, of {norm:.3e}; worst element {i} is {f:.6e}, expected {e:.6e}",
                tensor.name
            ));
        }
    }
    assert!(wrong.is_empty(), "{what}: {} gradients are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
