//! `gpt1-model logits`: logits in a file, so that anybody can compare them with another implementation's.

use anyhow::{Context, Result, ensure};
use clap::Args;
use gpt1_artifacts::eprintln;
use gpt1_model::{Batch, Model, Workspace, forward, logits, write_tensors};
use gpt1_tokenize::Encoder;
use std::borrow::Cow;
use std::io::BufRead;
use std::path::PathBuf;

#[derive(Args)]
pub struct LogitsArgs {
    /// The model directory
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Lines are text, which the model's vocabulary encodes [default: lines are token ids with spaces between them]
    #[arg(long)]
    text: bool,
    /// The safetensors file to write: for each line a tensor (tokens, vocabulary) of f32, named by the line's number from 1
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub fn run(args: &LogitsArgs) -> Result<()> {
    let model = Model::load(&args.model)?;
    let config = &model.config;
    let encoder = if args.text { Some(Encoder::from_dir(&args.model)?) } else { None };
    let mut sequences = Vec::new();
    for (i, line) in std::io::stdin().lock().lines().enumerate() {
        let place = || format!("standard input:{}", i + 1);
        let line = line.with_context(|| format!("{}: cannot read the line", place()))?;
        let ids = match &encoder {
            Some(encoder) => encoder.encode(&line),
            None => line
                .split_ascii_whitespace()
                .map(|word| word.parse().with_context(|| format!("{}: expected token ids, found {word:?}", place())))
                .collect::<Result<Vec<u32>>>()?,
        };
        let (n, limit) = (ids.len(), config.n_positions);
        ensure!((1..=limit).contains(&n), "{}: expected 1 to {limit} tokens, found {n}", place());
        let n_vocab = config.vocab_size;
        if let Some(id) = ids.iter().find(|id| **id as usize >= n_vocab) {
            anyhow::bail!("{}: expected ids from 0 to {}, found {id}", place(), n_vocab - 1);
        }
        sequences.push(ids);
    }
    let tensors: Vec<(String, Vec<usize>)> = sequences
        .iter()
        .enumerate()
        .map(|(i, ids)| ((i + 1).to_string(), vec![ids.len(), config.vocab_size]))
        .collect();
    let mut workspace = Workspace::new(config);
    write_tensors(&args.out, &tensors, |i| {
        let mut batch = Batch::new();
        batch.push(0, &sequences[i]);
        forward(&model, &batch, None, &mut workspace);
        let rows: Vec<usize> = (0..batch.n_tokens()).collect();
        Cow::Owned(logits(&model, &rows, &workspace))
    })?;
    eprintln!("{}: the logits of {} lines", args.out.display(), tensors.len());
    Ok(())
}
