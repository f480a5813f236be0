//! Twenty updates against PyTorch: the loss before each, the norm of its gradient, the parameters at the end. The values
//! and the scripts that made them, with OpenAI's optimiser written out, are in `tests/golden/model` and, of the LSTM,
//! `tests/golden/lstm`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gpt1_kernels::Precision;
use gpt1_model::{Batch, Dropout, Model, Params, Workspace, backward, forward, lm_loss};
use gpt1_training::{Adam, AdamConfig, Share, clip_scale, gradient_norm};
use safetensors::SafeTensors;
use serde::Deserialize;

/// Absolute tolerance of a loss. The reference itself is off by 4e-7 (f32 against f64; `noise` in golden.json).
const LOSS_TOLERANCE: f64 = 1e-5;
/// Relative tolerance of a gradient's norm.
const NORM_TOLERANCE: f64 = 1e-4;
/// Tolerance of the final parameters: of a tensor's error in norm, relative; of an element, absolute. A wrong place for
/// the epsilon, the decay or the clipping shifts the "clipped" curve's by 1e-2.
const TENSOR_TOLERANCE: f64 = 2e-5;
const ELEMENT_TOLERANCE: f64 = 2e-5;

#[derive(Deserialize)]
struct Golden {
    /// By update ("0", "1", ...): windows of `n_ctx` + 1 tokens.
    batches: BTreeMap<String, Vec<Vec<u32>>>,
    curves: BTreeMap<String, Curve>,
}

impl Golden {
    fn read(path: &Path) -> Golden {
        serde_json::from_str(&fs_err::read_to_string(path).unwrap()).unwrap()
    }
}

#[derive(Deserialize)]
struct Curve {
    learning_rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    weight_decay: f64,
    max_grad_norm: Option<f64>,
    /// The schedule's factor of each update.
    factors: Vec<f64>,
    losses: Vec<f64>,
    grad_norms: Vec<f64>,
    /// By parameter, after the last update: sum and Euclidean norm.
    final_sum_and_norm: BTreeMap<String, [f64; 2]>,
}

/// The paper's constants, without clipping.
#[test]
fn plain_curve() {
    check_curve("model", "plain");
    check_curve("lstm", "plain");
}

/// Constants of which each shows within 20 updates, with the gradient's norm clipped to 1 (which that of the LSTM never is).
#[test]
fn clipped_curve() {
    check_curve("model", "clipped");
    check_curve("lstm", "clipped");
}

/// The losses of `tests/loss_curve.py`'s run in f32 and in bf16, written beside its curve.json for it to compare.
#[test]
#[ignore = "tests/loss_curve.py makes its input and calls it"]
fn loss_curve() {
    let dir = PathBuf::from(std::env::var("GPT1_CURVE_DIR").unwrap());
    let golden = Golden::read(&dir.join("curve.json"));
    let losses = |precision| -> Vec<f64> {
        train(&dir.join("model"), &golden, "curve", precision).0.iter().map(|(loss, _)| *loss).collect()
    };
    let losses: BTreeMap<&str, Vec<f64>> =
        [Precision::F32, Precision::Bf16].into_iter().map(|precision| (precision.name(), losses(precision))).collect();
    fs_err::write(dir.join("losses.json"), serde_json::to_string(&losses).unwrap()).unwrap();
}

fn check_curve(case: &str, name: &str) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(case);
    let golden = Golden::read(&dir.join("golden.json"));
    let curve = &golden.curves[name];
    let (updates, model) = train(&dir.join("model"), &golden, name, Precision::F32);
    let mut wrong = Vec::new();
    for (update, (loss, norm)) in updates.into_iter().enumerate() {
        let (expected_loss, expected_norm) = (curve.losses[update], curve.grad_norms[update]);
        let (loss_off, norm_off) = ((loss - expected_loss).abs(), (norm / expected_norm - 1.0).abs());
        if !(loss_off <= LOSS_TOLERANCE && norm_off <= NORM_TOLERANCE) {
            wrong.push(format!(
                "update {update}: loss {loss:.7}, expected {expected_loss:.7}, off by {loss_off:.2e}; \
                 gradient norm {norm:.7}, expected {expected_norm:.7}, relatively off by {norm_off:.2e}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{case}, {name}: {} updates are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_final_parameters(&dir, name, &model, &curve.final_sum_and_norm);
}

/// Loss and gradient norm of each update of a curve, and the model at the end.
fn train(model: &Path, golden: &Golden, name: &str, precision: Precision) -> (Vec<(f64, f64)>, Model) {
    let curve = &golden.curves[name];
    let mut model = Model::load(model).unwrap();
    // A training pass (Some), but with dropout rates of 0.
    let dropout = Some(Dropout { seed: 0, step: 0 });
    (model.config.embd_pdrop, model.config.resid_pdrop, model.config.attn_pdrop) = (0.0, 0.0, 0.0);
    let mut adam = Adam::new(Share::whole(model.params.data.len()));
    let config = AdamConfig {
        learning_rate: curve.learning_rate,
        beta1: curve.beta1,
        beta2: curve.beta2,
        epsilon: curve.epsilon,
        weight_decay: curve.weight_decay,
        max_grad_norm: curve.max_grad_norm,
    };
    let mut ws = Workspace::new(&model.config);
    ws.precision = precision;
    assert_eq!(golden.batches.len(), curve.factors.len());
    let mut updates = Vec::new();
    for (update, &factor) in curve.factors.iter().enumerate() {
        let (batch, targets) = batch_of(&golden.batches[&update.to_string()]);
        let weights = vec![1.0 / targets.len() as f32; targets.len()];
        let mut grads = Params::zeros(&model.params.layout);
        forward(&model, &batch, dropout, &mut ws);
        let loss = lm_loss(&model, &targets, &weights, &mut ws, Some(&mut grads));
        backward(&model, &batch, dropout, &mut ws, &mut grads);
        let norm = gradient_norm(&grads.data);
        adam.update(&mut model.params, &grads.data, &config, factor, clip_scale(norm, config.max_grad_norm));
        updates.push((loss, norm));
    }
    (updates, model)
}

/// All parameters by sum and norm, those in curve.safetensors element by element.
fn assert_final_parameters(dir: &Path, name: &str, model: &Model, sum_and_norm: &BTreeMap<String, [f64; 2]>) {
    let bytes = fs_err::read(dir.join("curve.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let n_embd = model.config.n_embd;
    let mut n_compared = 0;
    let mut wrong = Vec::new();
    assert_eq!(model.params.layout.tensors.len(), sum_and_norm.len(), "number of tensors");
    for tensor in &model.params.layout.tensors {
        let values = &model.params.data[tensor.range.clone()];
        // The bias of the keys (the middle third) has a gradient of 0 but for rounding noise, of which Adam makes steps
        // of any size; the softmax does not see them.
        let is_key_bias = |i: usize| tensor.name.ends_with("c_attn.bias") && (n_embd..2 * n_embd).contains(&i);
        if !tensor.name.ends_with("c_attn.bias") {
            let [expected_sum, expected_norm] = sum_and_norm[&tensor.name];
            let sum: f64 = values.iter().map(|&x| f64::from(x)).sum();
            let norm = values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            let n = values.len() as f64;
            if !((norm - expected_norm).abs() <= TENSOR_TOLERANCE * expected_norm
                && (sum - expected_sum).abs() <= ELEMENT_TOLERANCE * n)
            {
                wrong.push(format!(
                    "{}: sum {sum:.7}, expected {expected_sum:.7}; norm {norm:.7}, expected {expected_norm:.7}",
                    tensor.name
                ));
            }
        }
        let Ok(expected) = file.tensor(&format!("{name}.{}", tensor.name)) else { continue };
        n_compared += 1;
        assert_eq!(tensor.shape, expected.shape(), "shape of {}", tensor.name);
        let (mut d2, mut e2, mut worst) = (0.0_f64, 0.0_f64, 0.0_f64);
        for (i, (&value, expected)) in values.iter().zip(expected.data().chunks_exact(4)).enumerate() {
            let expected = f64::from(f32::from_le_bytes(expected.try_into().unwrap()));
            let off = (f64::from(value) - expected).abs();
            if !is_key_bias(i) {
                d2 += off * off;
                e2 += expected * expected;
                worst = worst.max(off);
            }
        }
        if !(d2.sqrt() <= TENSOR_TOLERANCE * e2.sqrt() && worst <= ELEMENT_TOLERANCE) {
            wrong.push(format!(
                "{}: off by {:.2e} in norm, of {:.2e}; worst element off by {worst:.2e}",
                tensor.name,
                d2.sqrt(),
                e2.sqrt()
            ));
        }
    }
    assert_eq!(n_compared, file.names().iter().filter(|n| n.starts_with(&format!("{name}."))).count());
    assert!(wrong.is_empty(), "{name}: {} final parameters are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Of each window all tokens but the last are read, and all but the first are to be predicted.
fn batch_of(windows: &[Vec<u32>]) -> (Batch, Vec<u32>) {
    let mut batch = Batch::new();
    let mut targets = Vec::new();
    for (id, window) in windows.iter().enumerate() {
        batch.push(id as u64, &window[..window.len() - 1]);
        targets.extend_from_slice(&window[1..]);
    }
    (batch, targets)
}
