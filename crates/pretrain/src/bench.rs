//! `gpt1-pretrain bench`: how fast this machine trains, evaluates and samples.

use crate::batch::{self, Portion, Scratch, own_windows, threads};
use crate::breakdown::{Breakdown, Watch, matrix_ceiling, read_bandwidth};
use anyhow::ensure;
use clap::{Args, ValueEnum};
use gpt1_artifacts::manifest;
use gpt1_artifacts::preset::Preset;
use gpt1_kernels::Precision;
use gpt1_kernels::profile::lap;
use gpt1_model::{Config, Dropout, Model, Sampler, SamplingModel, sample_token};
use gpt1_ranks::Ranks;
use gpt1_training::{Adam, AdamConfig, Gradients, Interrupt, clip_scale};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde_json::json;
use std::num::NonZeroUsize;
use std::time::Instant;

/// Measure the speed of a preset's shape on random tokens. The result goes to stdout.
#[derive(Args, Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct BenchArgs {
    /// A preset (tiny, small, gpt1) or a YAML file like it: the shape.
    #[arg(long, default_value = "gpt1")]
    pub preset: String,
    /// Set one key of the preset, e.g. model.n_ctx=1024.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// What to measure: whole updates, forward and loss, or drawing a token at a time.
    #[arg(long, value_enum, default_value_t = Mode::Train)]
    pub mode: Mode,
    /// Windows of n_ctx tokens at once.
    #[arg(long, value_name = "N", default_value = "4")]
    pub batch: NonZeroUsize,
    /// Entries of the vocabulary [default: 40478 at gpt1, 8192 at small, else 4096].
    #[arg(long, value_name = "N")]
    pub vocab: Option<NonZeroUsize>,
    /// All three dropout rates [default: the preset's].
    #[arg(long, value_name = "P")]
    pub dropout: Option<f32>,
    /// f32, bf16, or auto (what this CPU computes faster).
    #[arg(long, value_name = "PRECISION", default_value = "auto")]
    pub precision: String,
    /// Threads (default: all cores).
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// Micro-batches of a step: the batch is computed in so many parts by each rank.
    #[arg(long, value_name = "N", default_value = "1")]
    pub accumulate: NonZeroUsize,
    /// With several ranks: send gradients when all are there, not while they are made.
    #[arg(long)]
    pub no_overlap: bool,
    /// Steps to measure, after two to warm up; in sampling, runs of 128 tokens.
    #[arg(long, value_name = "N", default_value = "5")]
    pub steps: NonZeroUsize,
    /// One JSON object, the profile included.
    #[arg(long)]
    pub json: bool,
    /// Show where the time of a step goes, piece by piece.
    #[arg(long)]
    pub profile: bool,
    /// Leave out the head of the table: for its further rows.
    #[arg(long)]
    pub no_head: bool,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Forward, loss, backward, clipping and the optimiser's update.
    Train,
    /// Forward and loss; a step is four batches.
    Forward,
    /// One token at a time with kept keys and values (or state), batch 1, after a prompt of 16 tokens.
    Sample,
}

/// Steps before the clock counts.
const WARM_UP: usize = 2;
/// Batches of an evaluation, which sees the same weights throughout.
const EVALUATED: usize = 4;
/// Tokens of the prompt and of a run in sampling.
const PROMPT: usize = 16;
const DRAWN: usize = 128;

/// Runs the subcommand.
pub fn run(args: &BenchArgs) -> anyhow::Result<()> {
    let preset = Preset::load(&args.preset, &args.sets)?;
    let ranks = Ranks::join()?;
    let n_threads = gpt1_kernels::start(threads(args.threads, ranks))?;
    ensure!(
        ranks.is_alone() || args.mode == Mode::Train,
        "--mode forward and sample measure one process, not {} ranks",
        ranks.n_ranks()
    );
    ensure!(
        args.batch.get() >= ranks.n_ranks(),
        "--batch {}: expected at least one window for each of {} ranks",
        args.batch,
        ranks.n_ranks()
    );
    let precision = match args.mode {
        Mode::Sample => Precision::of_weights(&args.precision)?,
        Mode::Train | Mode::Forward => Precision::choose(&args.precision)?,
    };
    let default_vocab = match args.preset.as_str() {
        "gpt1" => 40478,
        "small" => 8192,
        _ => 4096,
    };
    let mut config = Config::new(&preset.model, args.vocab.map_or(default_vocab, NonZeroUsize::get));
    if let Some(p) = args.dropout {
        ensure!((0.0..1.0).contains(&p), "--dropout {p}: expected a probability from 0 to below 1");
        (config.embd_pdrop, config.resid_pdrop, config.attn_pdrop) = (p, p, p);
    }
    let t = config.n_positions;
    let flops = config.flops_per_token(t) * if args.mode == Mode::Train { 3.0 } else { 1.0 };
    let model = Model::init(config, 1);
    let n_params = model.params.data.len();
    // A drawn token reads every parameter but the rows of the embeddings of other positions (of which an LSTM has none).
    let bytes = if precision == Precision::Bf16 { 2.0 } else { 4.0 };
    let n_unread = if model.config.n_units.is_some() { 0 } else { (t - 1) * model.config.n_embd };
    let weight_bytes = bytes * (n_params - n_unread) as f64;
    let (batch, tokens) = match args.mode {
        Mode::Train => (args.batch.get(), args.batch.get() * t),
        Mode::Forward => (args.batch.get(), EVALUATED * args.batch.get() * t),
        Mode::Sample => (1, DRAWN),
    };
    let (seconds, breakdown) = match args.mode {
        Mode::Train => train(model, &preset, args, n_threads, ranks),
        Mode::Forward => forward(&model, args, n_threads),
        Mode::Sample => {
            ensure!(t >= PROMPT + DRAWN, "--mode sample needs a context of {}, not {t}", PROMPT + DRAWN);
            sample(&model, precision, args, n_threads)
        }
    };
    if !ranks.is_first() {
        return Ok(());
    }
    let peak = manifest::peak_memory_bytes().unwrap_or(0) as f64 / f64::from(1 << 30);
    let ceiling = matrix_ceiling(precision);
    let bandwidth = read_bandwidth();
    let mut rates: Vec<f64> = seconds.iter().map(|s| tokens as f64 / s).collect();
    rates.sort_by(f64::total_cmp);
    let median = if rates.len() % 2 == 1 {
        rates[rates.len() / 2]
    } else {
        f64::midpoint(rates[rates.len() / 2 - 1], rates[rates.len() / 2])
    };
    let (slowest, fastest) = (rates[0], rates[rates.len() - 1]);
    let tflops = median * flops / 1e12;
    let of_ceiling = 1e3 * tflops / ceiling;
    let of_bandwidth = (args.mode == Mode::Sample).then(|| median * weight_bytes / 1e9 / bandwidth);
    let mode = args.mode.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned());
    let precision = precision.name();
    let text = if args.json {
        let object = json!({
            "mode": mode, "preset": args.preset, "batch": batch, "dropout": args.dropout, "precision": precision,
            "threads": n_threads, "ranks": ranks.n_ranks(), "accumulate": args.accumulate, "n_params": n_params, "tokens_per_step": tokens,
            "tokens_per_s": median, "tokens_per_s_min": slowest, "tokens_per_s_max": fastest,
            "n": rates.len(), "tflops": tflops, "ceiling_gflops": ceiling, "share_of_ceiling": of_ceiling,
            "read_gb_per_s": bandwidth, "share_of_bandwidth": of_bandwidth, "peak_rss_gib": peak,
            "profile": breakdown.json(),
        });
        format!("{object}\n")
    } else {
        let limit = match of_bandwidth {
            Some(share) => format!("{:.0} % of {bandwidth:.1} GB/s", 100.0 * share),
            None => format!("{:.0} % of {ceiling:.0} GFLOP/s", 100.0 * of_ceiling),
        };
        let dropout = args.dropout.unwrap_or(preset.model.resid_pdrop);
        let what = format!("{mode} {} {batch} x {t}, {dropout}, {precision}, {n_threads} thr.", args.preset);
        let what = if ranks.is_alone() { what } else { format!("{what} x {}", ranks.n_ranks()) };
        let rates = format!("{median:>9.1} {:>17}", format!("{slowest:.1}-{fastest:.1}"));
        let line = format!("{what:<44} {rates} {tflops:>8.3} {limit:>20} {peak:>5.2}{}\n", breakdown.shares());
        let head = format!(
            "{:<44} {:>9} {:>17} {:>8} {:>20} {:>5}{}\n",
            "mode, preset, batch, dropout, precision",
            "tokens/s",
            "spread",
            "TFLOP/s",
            "of the limit",
            "GiB",
            Breakdown::shares_head()
        );
        let head = if args.no_head { String::new() } else { head };
        if args.profile { format!("{head}{line}\n{breakdown}") } else { head + &line }
    };
    gpt1_artifacts::print(&text)?;
    Ok(())
}

/// Windows of random tokens.
fn windows(n: usize, length: usize, vocab_size: usize, random: &mut ChaCha8Rng) -> Vec<Vec<u32>> {
    (0..n).map(|_| (0..length).map(|_| random.next_u32() % vocab_size as u32).collect()).collect()
}

/// Seconds of each measured step, and where they went.
fn clock(steps: NonZeroUsize, warm_up: usize, n_threads: usize, mut step: impl FnMut()) -> (Vec<f64>, Breakdown) {
    (0..warm_up).for_each(|_| step());
    let watch = Watch::begin();
    let seconds = (0..steps.get()).map(|_| {
        let start = Instant::now();
        step();
        start.elapsed().as_secs_f64()
    });
    let seconds = seconds.collect();
    (seconds, watch.end(steps.get(), n_threads))
}

fn train(mut model: Model, preset: &Preset, args: &BenchArgs, n_threads: usize, ranks: Ranks) -> (Vec<f64>, Breakdown) {
    let p = &preset.pretrain;
    let adam = AdamConfig {
        learning_rate: p.learning_rate,
        beta1: p.beta1,
        beta2: p.beta2,
        epsilon: p.epsilon,
        weight_decay: p.weight_decay,
        max_grad_norm: Some(1.0),
    };
    let mut grads = Gradients::new(&model.params.layout, ranks, &Interrupt::default());
    grads.exchange.overlap = !args.no_overlap;
    let mut state = Adam::new(grads.exchange.share());
    let mut scratch = Scratch::new(&model);
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut update = 0;
    let own = own_windows(args.batch.get(), ranks);
    let most = args.batch.get().div_ceil(ranks.n_ranks());
    let micro_batch_size = most.div_ceil(args.accumulate.get());
    clock(args.steps, WARM_UP, n_threads, || {
        let windows = windows(args.batch.get(), model.config.n_positions + 1, model.config.vocab_size, &mut random);
        let portion = Portion {
            windows: &windows[own.clone()],
            first: own.start,
            n_targets: batch::n_targets(&windows),
            n_micro_batches: most.div_ceil(micro_batch_size),
        };
        let dropout = Dropout { seed: 1, step: update };
        lap("batch");
        grads.clear();
        batch::gradients(&model, &portion, micro_batch_size, dropout, &mut scratch, &mut grads);
        let (norm, _) = grads.finish(&[]);
        grads.update(&mut state, &mut model.params, &adam, 1.0, clip_scale(norm, adam.max_grad_norm));
        update += 1;
    })
}

fn forward(model: &Model, args: &BenchArgs, n_threads: usize) -> (Vec<f64>, Breakdown) {
    let mut scratch = Scratch::new(model);
    let mut random = ChaCha8Rng::seed_from_u64(1);
    clock(args.steps, WARM_UP, n_threads, || {
        let (n, length) = (EVALUATED * args.batch.get(), model.config.n_positions + 1);
        let windows = windows(n, length, model.config.vocab_size, &mut random);
        batch::loss(model, &windows, args.batch.get(), &mut scratch, Ranks::alone());
    })
}

fn sample(model: &Model, precision: Precision, args: &BenchArgs, n_threads: usize) -> (Vec<f64>, Breakdown) {
    let ready = SamplingModel::new(model, precision);
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut seconds = Vec::new();
    let (_, breakdown) = clock(args.steps, 1, n_threads, || {
        let mut sampler = Sampler::new(&ready);
        let mut logits = Vec::new();
        for _ in 0..PROMPT {
            logits = sampler.feed(random.next_u32() % model.config.vocab_size as u32).to_vec();
        }
        lap("prompt");
        let start = Instant::now();
        for _ in 0..DRAWN {
            let token = sample_token(&logits, 1.0, 0, &mut random);
            lap("drawing");
            logits.copy_from_slice(sampler.feed(token));
            lap("model");
        }
        seconds.push(start.elapsed().as_secs_f64());
    });
    (seconds.split_off(1), breakdown)
}
