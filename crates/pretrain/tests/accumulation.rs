//! Gradient accumulation changes nothing but rounding.

use gpt1_model::{Config, Dropout, Model, Params};
use gpt1_pretrain::batch::{Scratch, gradients, loss};

fn model() -> Model {
    let config = Config { initializer_range: 0.1, ..Config::of_paper(61, 16, 24, 2, 3) };
    Model::init(config, 5)
}

/// Windows of 17 tokens, and one that is shorter.
fn windows() -> Vec<Vec<u32>> {
    let window = |i: u32, n: u32| (0..n).map(|j| (i * 31 + j * j * 7 + j) % 61).collect();
    vec![window(0, 17), window(1, 17), window(2, 9), window(3, 17), window(4, 17), window(5, 17)]
}

#[test]
fn micro_batches_change_nothing_but_rounding() {
    let model = model();
    let compute = |micro_batch_size: usize| {
        let mut grads = Params::zeros(&model.params.layout);
        let mut scratch = Scratch::new(&model);
        let dropout = Dropout { seed: 3, step: 7 };
        let loss =
            gradients(&model, &windows(), micro_batch_size, dropout, &mut scratch, &mut grads, || false).unwrap();
        (loss, grads)
    };
    let (whole, expected) = compute(6);
    let largest = expected.data.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
    for micro_batch_size in [1, 2, 4, 100] {
        let (loss, grads) = compute(micro_batch_size);
        assert!((loss - whole).abs() < 1e-5, "micro batches of {micro_batch_size}: loss {loss}, at once {whole}");
        for (i, (a, b)) in grads.data.iter().zip(&expected.data).enumerate() {
            assert!(
                (a - b).abs() < 1e-5 * largest.max(1.0),
                "micro batches of {micro_batch_size}: gradient {i}: {a} {b}"
            );
        }
    }
    // With another step's masks the loss is another one: dropout was at work.
    let mut grads = Params::zeros(&model.params.layout);
    let dropout = Dropout { seed: 3, step: 8 };
    let other = gradients(&model, &windows(), 6, dropout, &mut Scratch::new(&model), &mut grads, || false).unwrap();
    assert!((other - whole).abs() > 1e-4);
}

#[test]
fn evaluation_is_the_mean_over_targets() {
    let model = model();
    let mut scratch = Scratch::new(&model);
    let windows = windows();
    let whole = loss(&model, &windows, 4, &mut scratch);
    let (mut sum, mut n) = (0.0, 0.0);
    for window in &windows {
        let n_targets = (window.len() - 1) as f64;
        sum += n_targets * loss(&model, std::slice::from_ref(window), 1, &mut scratch);
        n += n_targets;
    }
    assert!((whole - sum / n).abs() < 1e-5, "{whole} {}", sum / n);
}

#[test]
fn giving_up_between_micro_batches() {
    let model = model();
    let mut grads = Params::zeros(&model.params.layout);
    let n_asked = std::cell::Cell::new(0);
    let give_up = || {
        n_asked.set(n_asked.get() + 1);
        n_asked.get() == 3
    };
    let dropout = Dropout { seed: 3, step: 7 };
    let loss = gradients(&model, &windows(), 1, dropout, &mut Scratch::new(&model), &mut grads, give_up);
    assert_eq!((loss, n_asked.get()), (None, 3));
}
