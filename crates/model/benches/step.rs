//! Tokens a second of a training step's forward and backward, and of evaluation, at the presets' sizes.
//!
//! `cargo bench -p gpt1-model --bench step -- [tiny|small|gpt1]... [--batch N] [--steps N] [--bf16]`

use gpt1_artifacts::preset::Preset;
use gpt1_kernels::Precision;
use gpt1_model::{Batch, Config, Dropout, Model, Params, Workspace, backward, forward, lm_loss};
use std::time::Instant;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let number = |flag: &str| {
        let at = arguments.iter().position(|a| a == flag)?;
        arguments.get(at + 1)?.parse::<usize>().ok()
    };
    let named: Vec<&String> = arguments.iter().filter(|a| ["tiny", "small", "gpt1"].contains(&a.as_str())).collect();
    let n_threads = gpt1_kernels::start(None).expect("the arithmetic starts");
    let precision = if arguments.iter().any(|a| a == "--bf16") { Precision::Bf16 } else { Precision::F32 };
    println!("{precision:?}, {n_threads} threads, {:?}", gpt1_kernels::cpu::level());
    for (name, n_vocab, n_sequences) in [("tiny", 4096, 32), ("small", 8192, 32), ("gpt1", 40478, 4)] {
        if named.is_empty() || named.iter().any(|n| *n == name) {
            measure(precision, name, n_vocab, number("--batch").unwrap_or(n_sequences), number("--steps").unwrap_or(5));
        }
    }
}

/// Prints the median of `n_steps` steps after one to warm up.
fn measure(precision: Precision, name: &str, n_vocab: usize, n_sequences: usize, n_steps: usize) {
    let preset = Preset::load(name, &[]).expect("a built-in preset");
    let config = Config::new(&preset.model, n_vocab);
    let model = Model::init(config.clone(), 1);
    let mut grads = Params::zeros(&model.params.layout);
    let mut ws = Workspace::new(&config);
    ws.precision = precision;
    let t = config.n_positions;
    let mut batch = Batch::new();
    for i in 0..n_sequences {
        let tokens: Vec<u32> = (0..t).map(|j| ((i * t + j) * 2_654_435_761 % n_vocab) as u32).collect();
        batch.push(i as u64, &tokens);
    }
    let n = batch.n_tokens();
    let targets: Vec<u32> = batch.tokens.iter().map(|x| (x * 7 + 1) % n_vocab as u32).collect();
    let weights = vec![1.0 / n as f32; n];
    let mut train = || {
        let clock = Instant::now();
        let dropout = Some(Dropout { seed: 1, step: 1 });
        forward(&model, &batch, dropout, &mut ws);
        let forward_seconds = clock.elapsed().as_secs_f64();
        lm_loss(&model, &targets, &weights, &mut ws, Some(&mut grads));
        let with_head = clock.elapsed().as_secs_f64();
        backward(&model, &batch, dropout, &mut ws, &mut grads);
        (clock.elapsed().as_secs_f64(), forward_seconds, with_head - forward_seconds)
    };
    train();
    let mut times: Vec<(f64, f64, f64)> = (0..n_steps).map(|_| train()).collect();
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (step, forward_seconds, head) = times[times.len() / 2];
    let flops = 3.0 * config.flops_per_token(t) * n as f64 / step;
    println!(
        "{name:>6} batch {n_sequences:>3}: {:>8.0} tokens/s, {:>6.1} GFLOP/s, step {step:.3} s (forward {forward_seconds:.3}, head {head:.3}, backward {:.3}), peak {:.2} GiB",
        n as f64 / step,
        flops / 1e9,
        step - forward_seconds - head,
        gpt1_artifacts::manifest::peak_memory_bytes().unwrap_or(0) as f64 / f64::from(1 << 30),
    );
}
