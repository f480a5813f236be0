//! `gpt1-pretrain sample`: continue a text.

use crate::continuation::{Drawing, draw};
use anyhow::ensure;
use clap::Args;
use gpt1_kernels::Precision;
use gpt1_model::{Model, SamplingModel};
use gpt1_tokenize::Encoder;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Draw continuations of a text from a model. The text goes to stdout.
#[derive(Args, Debug, Clone)]
pub struct SampleArgs {
    /// The model directory: config.json, model.safetensors and the vocabulary.
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// The text to continue; without one, a new sentence is begun.
    #[arg(long, value_name = "TEXT")]
    pub prompt: Option<String>,
    /// How many continuations.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub n: u64,
    /// Tokens of each.
    #[arg(long, value_name = "L", default_value_t = 60)]
    pub length: usize,
    /// 0 takes the likeliest token; higher is more varied.
    #[arg(long, value_name = "T", default_value_t = 0.8, allow_negative_numbers = true)]
    pub temperature: f64,
    /// Draw among the K likeliest tokens; 0: among all.
    #[arg(long, value_name = "K", default_value_t = 40)]
    pub top_k: usize,
    /// Seed.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// What the weights are rounded to: f32 (not at all), bf16 (half the bytes to read, so nearly twice as fast), or auto (bf16
    /// where the CPU computes it).
    #[arg(long, value_name = "PRECISION", default_value = "auto")]
    pub precision: String,
    /// Threads (default: all cores).
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
}

/// Runs the subcommand.
pub fn run(args: &SampleArgs) -> anyhow::Result<()> {
    ensure!(
        args.temperature.is_finite() && args.temperature >= 0.0,
        "--temperature {}: expected a number of at least 0",
        args.temperature
    );
    let precision = Precision::of_weights(&args.precision)?;
    gpt1_kernels::start(args.threads.map(NonZeroUsize::get))?;
    let encoder = Encoder::from_dir(&args.model)?;
    let model = Model::load(&args.model)?;
    ensure!(
        model.config.vocab_size >= encoder.n_vocab(),
        "{}: the model has {} tokens, but the vocabulary beside it {}\n  hint: copy the vocabulary that the model was trained with",
        args.model.display(),
        model.config.vocab_size,
        encoder.n_vocab()
    );
    let prompt = encoder.encode(args.prompt.as_deref().unwrap_or_default());
    ensure!(
        args.prompt.is_none() || !prompt.is_empty(),
        "--prompt: no word in it\n  hint: leave --prompt out to begin a new sentence"
    );
    // GPT-1 has no start token: what follows a full stop is the beginning of a sentence.
    let context = if prompt.is_empty() { encoder.encode(".") } else { prompt.clone() };
    let drawing = Drawing { length: args.length, temperature: args.temperature, top_k: args.top_k, seed: args.seed };
    let model = SamplingModel::new(&model, precision);
    for number in 0..args.n {
        let drawn = draw(&model, encoder.n_vocab(), &context, &drawing, number);
        let text = encoder.decode(&[prompt.clone(), drawn].concat());
        let gap = if number == 0 { "" } else { "\n" };
        if !gpt1_artifacts::print(&format!("{gap}{}\n", text.trim()))? {
            break;
        }
    }
    Ok(())
}
