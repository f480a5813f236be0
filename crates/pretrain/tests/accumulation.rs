//! Gradient accumulation changes nothing but rounding.

use gpt1_model::{Config, Dropout, Model};
use gpt1_pretrain::batch::{Portion, Scratch, gradients, loss};
use gpt1_ranks::Ranks;
use gpt1_training::{Gradients, Interrupt};

fn model() -> Model {
    let config = Config { initializer_range: 0.1, ..Config::of_paper(61, 16, 24, 2, 3) };
    Model::init(config, 5)
}

fn zeros(model: &Model, interrupt: &Interrupt) -> Gradients {
    Gradients::new(&model.params.layout, Ranks::alone(), interrupt)
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
        let mut grads = zeros(&model, &Interrupt::default());
        let mut scratch = Scratch::new(&model);
        let (windows, dropout) = (windows(), Dropout { seed: 3, step: 7 });
        let portion = Portion::whole(&windows, micro_batch_size);
        let loss = gradients(&model, &portion, micro_batch_size, dropout, &mut scratch, &mut grads).unwrap();
        (loss, grads.sum)
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
    let mut grads = zeros(&model, &Interrupt::default());
    let (windows, dropout) = (windows(), Dropout { seed: 3, step: 8 });
    let portion = Portion::whole(&windows, 6);
    let other = gradients(&model, &portion, 6, dropout, &mut Scratch::new(&model), &mut grads).unwrap();
    assert!((other - whole).abs() > 1e-4);
}

#[test]
fn evaluation_is_the_mean_over_targets() {
    let model = model();
    let mut scratch = Scratch::new(&model);
    let windows = windows();
    let whole = loss(&model, &windows, 4, &mut scratch, Ranks::alone());
    let (mut sum, mut n) = (0.0, 0.0);
    for window in &windows {
        let n_targets = (window.len() - 1) as f64;
        sum += n_targets * loss(&model, std::slice::from_ref(window), 1, &mut scratch, Ranks::alone());
        n += n_targets;
    }
    assert!((whole - sum / n).abs() < 1e-5, "{whole} {}", sum / n);
}

#[test]
fn giving_up_between_micro_batches() {
    let (model, interrupt) = (model(), Interrupt::default());
    let mut grads = zeros(&model, &interrupt);
    let (windows, dropout, mut scratch) = (windows(), Dropout { seed: 3, step: 7 }, Scratch::new(&model));
    let mut compute = |n| gradients(&model, &Portion::whole(&windows, n), n, dropout, &mut scratch, &mut grads);
    interrupt.note(15);
    assert_eq!(compute(1), None);
    // One micro-batch is one that has begun.
    assert!(compute(6).is_some());
}
