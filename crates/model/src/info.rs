//! `gpt1-model info`: what a model directory holds.

use anyhow::Result;
use clap::Args;
use gpt1_artifacts::manifest::Manifest;
use gpt1_model::{Config, Found, Model};
use gpt1_tokenize::Encoder;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::PathBuf;

#[derive(Args)]
pub struct InfoArgs {
    /// The model directory
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The parts of a model, and what their tensors' names contain; all others are the task's.
const PARTS: [(&str, &str); 5] = [
    ("token embedding", ".tokens_embed."),
    ("position embedding", ".positions_embed."),
    ("attention", ".attn."),
    ("feed-forward", ".mlp."),
    ("norms", ".ln_"),
];

pub fn run(args: &InfoArgs) -> Result<()> {
    let dir = &args.model;
    let Found { model, dtypes, notes, .. } = Model::find(dir)?;
    let mut parts: Map<String, Value> = Map::new();
    for tensor in &model.params.layout.tensors {
        let part = PARTS.iter().find(|(_, within)| tensor.name.contains(within)).map_or("classifier", |(part, _)| part);
        let n = parts.get(part).and_then(Value::as_u64).unwrap_or_default();
        parts.insert(part.to_owned(), json!(n + tensor.range.len() as u64));
    }
    let encoder = Encoder::from_dir(dir);
    let manifest = Manifest::read(dir).ok();
    let json = json!({
        "config": model.config,
        "n_params": model.params.layout.n_params,
        "parts": parts,
        "dtypes": dtypes,
        "n_vocab": encoder.as_ref().ok().map(Encoder::n_vocab),
        "made_by": manifest.as_ref().map(|m| json!({"stage": m.stage, "version": m.version, "started_at": m.started_at})),
    });
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{json}")?;
        return Ok(());
    }
    writeln!(out, "shape       {}", shape(&model.config))?;
    writeln!(out, "parameters  {}", model.params.layout.n_params)?;
    for (part, n) in &parts {
        writeln!(out, "  {part:<20}{:>12}", n.as_u64().unwrap_or_default())?;
    }
    let dtypes: Vec<String> = dtypes.iter().map(|(dtype, n)| format!("{n} tensors of {dtype}")).collect();
    writeln!(out, "weights     {}", dtypes.join(", "))?;
    match encoder {
        Ok(encoder) => writeln!(out, "vocabulary  {} entries", encoder.n_vocab())?,
        Err(error) => writeln!(out, "vocabulary  none: {error}")?,
    }
    if let Some(Manifest { stage, version, .. }) = manifest {
        writeln!(out, "made by     {stage} of gpt1 {version}")?;
    }
    for note in notes {
        writeln!(out, "besides     {note}")?;
    }
    Ok(())
}

/// A model's shape in a line.
pub fn shape(config: &Config) -> String {
    let Config { n_layer, n_head, n_embd, n_positions, vocab_size, .. } = config;
    format!("{n_layer} layers, {n_head} heads, {n_embd} channels, {n_positions} positions, {vocab_size} tokens")
}
