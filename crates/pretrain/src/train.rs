//! The stage: shards in, model directory out.

use crate::baseline;
use crate::batch::{Portion, Scratch, consecutive_windows, gradients, loss, n_targets, own_windows, threads};
use crate::breakdown::Watch;
use crate::continuation::{Drawing, draw, prompts};
use crate::snapshots::Snapshots;
use anyhow::{Context, bail, ensure};
use clap::Args;
use gpt1_artifacts::digest;
use gpt1_artifacts::manifest::Manifest;
use gpt1_artifacts::output::{self, OutputDir};
use gpt1_artifacts::preset::{Preset, PretrainConfig};
use gpt1_artifacts::progress::{self, Progress};
use gpt1_artifacts::version;
use gpt1_artifacts::{eprint, eprintln};
use gpt1_kernels::Precision;
use gpt1_kernels::profile::lap;
use gpt1_model::{Config, Dropout, Model, SamplingModel};
use gpt1_ranks::Ranks;
use gpt1_shard::{Split, Tokens, Windows};
use gpt1_tokenize::Encoder;
use gpt1_training::{
    AdamConfig, Criterion, Interrupt, Outcome, Plan, Schedule, Settings, Step, Work, checkpoint, write_best,
};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::f64::consts::LN_2;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// What the stage is told on the command line.
#[derive(Args, Debug, Clone)]
pub struct TrainArgs {
    /// A preset (tiny, small, gpt1) or a YAML file like it; its sections `model` and `pretrain` are used.
    #[arg(long)]
    pub config: String,
    /// Override one setting, such as pretrain.seed=7; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The folder of token shards.
    #[arg(long, value_name = "DIR")]
    pub shards: PathBuf,
    /// The folder of the vocabulary that the shards were made with.
    #[arg(long, value_name = "DIR")]
    pub tokenizer: PathBuf,
    /// The folder to write the model into; appears when it is complete.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Threads (default: all cores). The result does not depend on it.
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// What dense products are rounded to: f32, bf16, or auto (what this CPU computes faster).
    #[arg(long, value_name = "PRECISION", default_value = "auto")]
    pub precision: String,
    /// Show what the run will need and end before it begins; for so many ranks, if it is not as many as there are.
    #[arg(long, value_name = "RANKS", num_args = 0..=1, require_equals = true)]
    pub plan: Option<Option<NonZeroUsize>>,
    /// Show at the end where the time of an update went, on stderr.
    #[arg(long)]
    pub profile: bool,
}

/// Runs the stage, as the rank that this process is.
pub fn run(args: &TrainArgs) -> anyhow::Result<Outcome> {
    // Of several, one that ended while the others still prepare would leave them waiting: signals are noted from the start.
    let interrupt = if gpt1_ranks::are_several() { Some(Interrupt::listen_as_one_of_several()?) } else { None };
    let ranks = Ranks::join()?;
    if !ranks.is_first() {
        progress::silence();
    }
    run_as(args, ranks, interrupt).map_err(|error| ranks.named(error))
}

fn run_as(args: &TrainArgs, ranks: Ranks, interrupt: Option<Interrupt>) -> anyhow::Result<Outcome> {
    let preset = Preset::load(&args.config, &args.set)?;
    let pretrain = &preset.pretrain;
    let n_threads = gpt1_kernels::start(threads(args.threads, ranks))?;
    let precision = Precision::choose(&args.precision)?.name();
    let resolved = json!({"model": preset.model, "pretrain": pretrain, "precision": precision});
    let mut manifest = Manifest::start("pretrain", version::PRETRAIN, &resolved);
    let encoder = Encoder::from_dir(&args.tokenizer)?;
    let train = Tokens::open(&args.shards, Split::Train, &encoder.digest())?;
    let validation = Tokens::open(&args.shards, Split::Validation, &encoder.digest())?;
    let n_ctx = preset.model.n_ctx;
    let mut windows = Windows::new(train.len(), n_ctx, pretrain.seed)
        .with_context(|| format!("the training split in {} cannot be used", args.shards.display()))?;

    let config = Config::new(&preset.model, encoder.n_vocab());
    let n_updates = n_updates(pretrain, windows.n_windows());
    let mut work = work(pretrain, n_ctx, n_updates, windows.n_windows(), n_threads);
    (work.n_ranks, work.n_here) = match args.plan {
        Some(Some(n)) => (n.get(), 1),
        _ => (ranks.n_ranks(), ranks.n_here()),
    };
    ensure!(
        work.n_ranks <= pretrain.batch_size,
        "{} ranks, but an update has {} windows (pretrain.batch_size): some would have nothing to do\n  hint: fewer ranks, or a larger batch",
        work.n_ranks,
        pretrain.batch_size
    );
    work.micro_batch_tokens = work.micro_batch_tokens.min(pretrain.batch_size.div_ceil(work.n_ranks) * n_ctx);
    let plan = Plan::new(&config, work);
    if ranks.is_first() {
        eprintln!(
            "training split: {} tokens in {} documents, {} windows of {n_ctx} an epoch",
            train.len(),
            train.n_documents(),
            windows.n_windows()
        );
        eprintln!("{plan}");
    }
    if args.plan.is_some() {
        return Ok(Outcome::Finished);
    }
    plan.check_memory()?;
    let held_out = HeldOut::new(&train, &validation, encoder.n_vocab(), n_ctx, pretrain.eval_windows, ranks);
    if ranks.is_first() {
        held_out.announce();
    }
    if pretrain.keep_best && held_out.windows.is_empty() {
        bail!(
            "pretrain.keep_best: there is no text to judge models by\n  hint: make shards with shards.validation_fraction above 0, or leave keep_best out"
        );
    }
    let snapshots = Snapshots::new(pretrain.n_snapshots, n_updates);
    if ranks.is_first() {
        snapshots.announce();
    }

    manifest.n_threads = n_threads;
    manifest.input("shards", &args.shards)?;
    manifest.input("tokenizer", &args.tokenizer)?;
    let run_key = manifest.run_key();
    if !ranks.is_alone() {
        manifest.note("n_ranks", ranks.n_ranks());
        let program = std::env::current_exe().and_then(|path| digest::file(&path))?;
        ranks.agree(&json!({"program": program, "run": run_key, "precision": args.precision}))?;
    }
    // The first rank alone writes.
    let out = if ranks.is_first() { Some(OutputDir::begin(&args.out, &run_key)?) } else { None };
    let folder = out.as_ref().map_or(&*args.out, OutputDir::path);

    let settings = settings(pretrain, n_updates, digest::bytes(run_key.to_string().as_bytes()), ranks);
    let mut model = Model::init(config, pretrain.seed);
    let scratch = RefCell::new(Scratch::new(&model));
    let interrupt = interrupt.map_or_else(Interrupt::listen, Ok)?;
    let mut last_evaluation = Value::Null;
    let watch = (args.profile && ranks.is_first()).then(Watch::begin);
    let mut n_steps = 0;
    let own = own_windows(pretrain.batch_size, ranks);
    let most = pretrain.batch_size.div_ceil(ranks.n_ranks());
    let (outcome, best) = gpt1_training::run(
        &settings,
        folder,
        &mut model,
        &mut last_evaluation,
        &interrupt,
        |u, model, grads| {
            let first = u * pretrain.batch_size as u64;
            let starts: Vec<usize> = (0..pretrain.batch_size as u64).map(|i| windows.start(first + i)).collect();
            let text = |start: &usize| train.window(*start, n_ctx + 1).collect();
            let texts: Vec<Vec<u32>> = starts[own.clone()].iter().map(text).collect();
            lap("batch");
            n_steps += 1;
            let portion = Portion {
                windows: &texts,
                first: own.start,
                n_targets: pretrain.batch_size * n_ctx,
                n_micro_batches: most.div_ceil(pretrain.micro_batch_size),
            };
            let dropout = Dropout { seed: pretrain.seed, step: u };
            let scratch = &mut scratch.borrow_mut();
            let loss = gradients(model, &portion, pretrain.micro_batch_size, dropout, scratch, grads)?;
            let ids = starts.iter().map(|start| *start as u64).collect();
            Some(Step { loss, parts: Vec::new(), n_tokens: n_targets(&texts) as u64, ids })
        },
        |finished, model, last_evaluation| {
            if ranks.is_first() {
                snapshots.save_if_due(folder, finished, model, &encoder)?;
            }
            if held_out.windows.is_empty()
                || !(finished.is_multiple_of(pretrain.eval_interval) || finished == n_updates)
            {
                return Ok(Vec::new());
            }
            let loss = loss(model, &held_out.windows, pretrain.micro_batch_size, &mut scratch.borrow_mut(), ranks);
            let values = held_out.values(loss);
            *last_evaluation = values.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            Ok(values)
        },
    )?;
    if let Some(watch) = watch {
        eprint!("{}", watch.end(n_steps, n_threads));
    }
    let Some(out) = out.filter(|_| outcome == Outcome::Finished) else { return Ok(outcome) };

    let prompts = if validation.is_empty() { &train } else { &validation };
    let samples = draw_samples(&model, &encoder, prompts, pretrain);
    output::write_atomic(&out.join("samples.txt"), |w| w.write_all(samples.as_bytes()))?;
    model.save(out.path()).context("cannot write the model")?;
    encoder.copy_files_to(out.path())?;
    if pretrain.keep_best {
        let best = write_best(out.path(), best.map_or(n_updates, |best| best.update))?;
        encoder.copy_files_to(&best)?;
    }
    manifest.note("best", best);
    manifest.note("n_updates", n_updates);
    manifest.note("n_params", model.params.layout.n_params);
    manifest.note("validation", &last_evaluation);
    manifest.note("unigram_perplexity", held_out.unigram_loss.map(f64::exp));
    let result = out.commit(manifest)?;
    checkpoint::remove_all(&result)?;

    gpt1_artifacts::print(&samples)?;
    held_out.compare(&last_evaluation);
    let dir = result.display();
    eprintln!("model: {dir}");
    if let Some(best) = best.filter(|best| best.update < n_updates) {
        let kept = if pretrain.keep_best {
            format!("kept in {dir}/best")
        } else {
            "pretrain.keep_best=true keeps it".to_owned()
        };
        eprintln!("the validation loss was lowest after update {}: {:.4}; {kept}", best.update, best.value);
    }
    eprintln!("next: gpt1-pretrain sample --model {dir} --prompt \"once upon a time\"");
    eprintln!(
        "  or: gpt1-finetune --config {} --task rte --init {dir} --data DIR --out DIR (make finetune TASK=rte)",
        args.config
    );
    Ok(outcome)
}

/// The text to evaluate on.
struct HeldOut {
    windows: Vec<Vec<u32>>,
    /// Mean loss of the unigram model; none without text, or on a rank that does not speak.
    unigram_loss: Option<f64>,
    /// Tokens of the split for each byte of its text.
    tokens_per_byte: f64,
}

impl HeldOut {
    fn new(
        train: &Tokens,
        validation: &Tokens,
        n_vocab: usize,
        n_ctx: usize,
        n_windows: usize,
        ranks: Ranks,
    ) -> HeldOut {
        let windows = consecutive_windows(validation, n_ctx, n_windows);
        let unigram_loss =
            (ranks.is_first() && !windows.is_empty()).then(|| baseline::unigram_loss(train, n_vocab, &windows));
        let tokens_per_byte = validation.len() as f64 / validation.n_bytes().max(1) as f64;
        HeldOut { windows, unigram_loss, tokens_per_byte }
    }

    /// What is logged of a validation loss in nats a token.
    fn values(&self, loss: f64) -> Vec<(&'static str, f64)> {
        let bits_per_byte = loss / LN_2 * self.tokens_per_byte;
        vec![("validation_loss", loss), ("perplexity", loss.exp()), ("bits_per_byte", bits_per_byte)]
    }

    fn announce(&self) {
        match self.unigram_loss {
            Some(loss) => eprintln!(
                "validation: {} tokens; a unigram model's perplexity on them is {:.2}",
                n_targets(&self.windows),
                loss.exp()
            ),
            None => eprintln!("validation: no text was set aside (shards.validation_fraction = 0), so there is none"),
        }
    }

    fn compare(&self, last_evaluation: &Value) {
        if let (Some(unigram), Some(perplexity)) = (self.unigram_loss, last_evaluation["perplexity"].as_f64()) {
            let bits_per_byte = last_evaluation["bits_per_byte"].as_f64().unwrap_or(f64::NAN);
            eprintln!(
                "validation perplexity {perplexity:.2} ({bits_per_byte:.3} bits per byte); unigram model {:.2}",
                unigram.exp()
            );
        }
    }
}

/// ceil(n_epochs * n_windows / batch_size), or max_updates if that is smaller; at least 1.
fn n_updates(pretrain: &PretrainConfig, n_windows: usize) -> u64 {
    let wanted = (pretrain.n_epochs * n_windows as f64 / pretrain.batch_size as f64).ceil() as u64;
    wanted.min(pretrain.max_updates.unwrap_or(u64::MAX)).max(1)
}

fn work(pretrain: &PretrainConfig, n_ctx: usize, n_updates: u64, n_windows: usize, n_threads: usize) -> Work {
    Work {
        micro_batch_tokens: pretrain.micro_batch_size.min(pretrain.batch_size).saturating_mul(n_ctx),
        tokens_per_update: pretrain.batch_size as f64 * n_ctx as f64,
        n_updates,
        n_epochs: n_updates as f64 * pretrain.batch_size as f64 / n_windows as f64,
        n_threads,
        n_ranks: 1,
        n_here: 1,
    }
}

fn settings(pretrain: &PretrainConfig, n_updates: u64, run_digest: String, ranks: Ranks) -> Settings {
    Settings {
        ranks,
        n_updates,
        adam: AdamConfig {
            learning_rate: pretrain.learning_rate,
            beta1: pretrain.beta1,
            beta2: pretrain.beta2,
            epsilon: pretrain.epsilon,
            weight_decay: pretrain.weight_decay,
            max_grad_norm: pretrain.max_grad_norm,
        },
        schedule: Schedule::WarmupCosine { warmup_updates: pretrain.warmup_updates, total: n_updates },
        log_interval: pretrain.log_interval,
        checkpoint_interval: pretrain.checkpoint_interval,
        n_checkpoints: pretrain.n_checkpoints,
        evaluated_on: "validation",
        best: Criterion { name: "validation_loss", lower_is_better: true },
        keep_best: pretrain.keep_best,
        run_digest,
        ids_are: "windows (by their first token)",
    }
}

/// Continuations of held-out text: the prompt, three dots, what the model adds.
fn draw_samples(model: &Model, encoder: &Encoder, tokens: &Tokens, pretrain: &PretrainConfig) -> String {
    let drawing = Drawing {
        length: pretrain.sample_length,
        temperature: pretrain.temperature,
        top_k: pretrain.top_k,
        seed: pretrain.seed,
    };
    let prompts = prompts(encoder, tokens, pretrain.n_samples);
    let model = SamplingModel::new(model, Precision::F32);
    let progress = Progress::brief("sampling", prompts.len() as u64, "continuations");
    let sample = |(number, prompt): (usize, &Vec<u32>)| {
        let drawn = draw(&model, encoder.n_vocab(), prompt, &drawing, number as u64);
        progress.inc(1);
        let (prompt, drawn) = (encoder.decode(prompt), encoder.decode(&drawn));
        format!("[{}] {} ... {}\n\n", number + 1, prompt.trim(), drawn.trim())
    };
    prompts.iter().enumerate().map(sample).collect()
}
