//! `gpt1-model import`: a model directory of weights that were trained elsewhere.

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use gpt1_artifacts::eprintln;
use gpt1_artifacts::manifest::Manifest;
use gpt1_artifacts::output::OutputDir;
use gpt1_artifacts::version;
use gpt1_model::{Found, Model, SHAPES_FILE, no_weights, quoted, read_released};
use gpt1_tokenize::Encoder;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Heads of the released model (paper 4.1), whose files do not say so.
const N_HEAD: usize = 12;

#[derive(Args)]
pub struct ImportArgs {
    /// Hugging Face's openai-gpt (config.json, model.safetensors), or OpenAI's release (params_0.npy to params_9.npy,
    /// params_shapes.json)
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// The directory of vocab.json and merges.txt, or of OpenAI's two files [default: that of --from]
    #[arg(long, value_name = "DIR")]
    tokenizer: Option<PathBuf>,
    /// Attention heads [default: what config.json says; 12 for OpenAI's release, whose files do not say]
    #[arg(long)]
    n_head: Option<usize>,
    /// The directory to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub fn run(args: &ImportArgs) -> Result<()> {
    let ImportArgs { from, n_head, out, .. } = args;
    if from.is_file() {
        return Err(no_weights(from).into());
    }
    let is_released = from.join(SHAPES_FILE).exists() && !from.join("model.safetensors").exists();
    let (kind, found) = if is_released {
        ("OpenAI's release", read_released(from, n_head.unwrap_or(N_HEAD))?)
    } else {
        ("Hugging Face's openai-gpt", Model::find(from)?)
    };
    let Found { model, files, dtypes, notes } = found;
    ensure!(
        n_head.is_none_or(|n| n == model.config.n_head),
        "--n-head {}: {} says {}\n  hint: leave --n-head out, it is for files that do not say",
        n_head.unwrap_or_default(),
        from.join("config.json").display(),
        model.config.n_head
    );
    let tokenizer = args.tokenizer.as_ref().unwrap_or(from);
    let encoder = Encoder::from_dir(tokenizer)?;
    check_vocabulary(from, model.config.vocab_size, tokenizer, encoder.n_vocab())?;

    let config = json!({"n_head": model.config.n_head, "tokenizer_digest": encoder.digest()});
    let mut manifest = Manifest::start("import", version::IMPORT, &config);
    for path in &files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        manifest.input(&name, path)?;
    }
    let out = OutputDir::begin(out, &manifest.run_key())?;
    model.save(out.path())?;
    encoder.copy_files_to(out.path()).context("cannot write the vocabulary")?;
    manifest.note("n_params", model.params.layout.n_params);
    manifest.note("dtypes", &dtypes);
    let out = out.commit(manifest)?;

    let dtypes: Vec<String> = dtypes.iter().map(|(dtype, n)| format!("{n} tensors of {dtype}")).collect();
    eprintln!("{}: {kind}, {}, {} parameters", from.display(), dtypes.join(", "), model.params.layout.n_params);
    eprintln!("  {}", crate::info::shape(&model.config));
    eprintln!("  vocabulary of {} entries from {}", encoder.n_vocab(), tokenizer.display());
    for note in notes {
        eprintln!("  {note}");
    }
    eprintln!("{}: a model directory, for gpt1-finetune --init and gpt1-pretrain sample --model", out.display());
    Ok(())
}

/// Refuses a vocabulary that is not the model's.
fn check_vocabulary(from: &Path, vocab_size: usize, tokenizer: &Path, n_vocab: usize) -> Result<()> {
    let sizes = format!(
        "{}: the model has {vocab_size} tokens, the vocabulary in {} {n_vocab} entries",
        from.display(),
        tokenizer.display()
    );
    if vocab_size < n_vocab {
        return Err(anyhow!("{sizes}\n  hint: give the vocabulary that the model was trained with as --tokenizer"));
    }
    ensure!(
        vocab_size == n_vocab,
        "{sizes}\n  hint: the last {} are special tokens, added for a task; gpt1-finetune adds its own. Without them:\n  python -c \"import sys; from transformers import OpenAIGPTLMHeadModel as M; m = M.from_pretrained(sys.argv[1]); m.resize_token_embeddings({n_vocab}); m.save_pretrained(sys.argv[2])\" {} NEW_DIR\n  then give NEW_DIR as --from and {} as --tokenizer",
        vocab_size - n_vocab,
        quoted(from),
        quoted(tokenizer),
    );
    Ok(())
}
