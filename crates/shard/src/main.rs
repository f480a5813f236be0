//! The `gpt1-shard` program.

use anyhow::{Context, ensure};
use clap::Parser;
use gpt1_artifacts::eprintln;
use gpt1_artifacts::manifest::Manifest;
use gpt1_artifacts::output::OutputDir;
use gpt1_artifacts::preset::Preset;
use gpt1_artifacts::progress::Progress;
use gpt1_artifacts::version;
use gpt1_artifacts::{parse_or_exit, run_main};
use gpt1_shard::{Corpus, Report, Summary, write_shards};
use gpt1_tokenize::Encoder;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Encode a corpus into Parquet token shards, split into training and validation by document.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// A preset (tiny, small, gpt1) or a YAML file like it; its section `shards` is used.
    #[arg(long)]
    config: String,
    /// Override one setting, such as shards.seed=7; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// A folder of documents, or one file: .txt (a file is a document), .jsonl (a line, field "text") or .parquet (a row,
    /// column "text").
    #[arg(long, value_name = "PATH")]
    corpus: PathBuf,
    /// The folder of the vocabulary.
    #[arg(long, value_name = "DIR")]
    tokenizer: PathBuf,
    /// The folder to write the shards into; appears when they are complete.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let args: Args = parse_or_exit();
    run_main("shard", || run(&args))
}

fn run(args: &Args) -> anyhow::Result<()> {
    let preset = Preset::load(&args.config, &args.set)?;
    let encoder = Encoder::from_dir(&args.tokenizer)?;
    let corpus = Corpus::open(&args.corpus)?;
    if let Some(warning) = corpus.warning() {
        eprintln!("warning: {warning}");
    }
    check_apart(&args.corpus, &args.out)?;

    let mut manifest = Manifest::start("shard", version::SHARD, &preset.shards);
    let corpus_digest = manifest.input("corpus", &args.corpus)?;
    manifest.input("tokenizer", &args.tokenizer)?;
    let out = OutputDir::begin(&args.out, &manifest.run_key())?;

    let mut progress = Progress::new("checking the corpus", corpus.n_bytes(), "bytes");
    let summary =
        write_shards(&corpus, &encoder, &preset.shards, &corpus_digest, out.path(), &mut |report| match report {
            Report::Checked(n_bytes) | Report::Encoded(n_bytes) => progress.inc(n_bytes),
            Report::ToEncode(n_bytes) => {
                std::mem::replace(&mut progress, Progress::new("encoding", n_bytes, "bytes")).finish();
            }
        })?;
    progress.finish();
    if let Some(remark) = &summary.remark {
        eprintln!("note: {remark}");
    }
    manifest.note("summary", &summary);
    out.commit(manifest)?;
    print_summary(&summary, args.json)
}

/// Shards inside the corpus would be part of it at the next run.
fn check_apart(corpus: &Path, out: &Path) -> anyhow::Result<()> {
    let corpus = fs_err::canonicalize(corpus)?;
    let absolute = std::path::absolute(out).with_context(|| format!("--out {}", out.display()))?;
    let existing = absolute.ancestors().find(|a| a.exists()).unwrap_or(&absolute);
    let inside = fs_err::canonicalize(existing)?.starts_with(&corpus);
    ensure!(
        !inside,
        "--out {}: lies inside the corpus {}\n  hint: name a directory outside of it",
        out.display(),
        corpus.display()
    );
    Ok(())
}

fn print_summary(summary: &Summary, json: bool) -> anyhow::Result<()> {
    let total = summary.train.plus(&summary.validation);
    let rows = [("train", &summary.train), ("validation", &summary.validation), ("total", &total)];
    if json {
        let mut object = serde_json::Map::new();
        for (name, split) in rows {
            let mut fields = serde_json::to_value(split)?;
            fields["bytes_per_token"] = split.bytes_per_token().into();
            fields["unknown_rate"] = split.unknown_rate().into();
            object.insert(name.to_owned(), fields);
        }
        object.insert("remark".to_owned(), serde_json::to_value(&summary.remark)?);
        gpt1_artifacts::print(&format!("{}\n", serde_json::Value::Object(object)))?;
        return Ok(());
    }
    let mut table = "split       documents        tokens         bytes  bytes/token  unknown  shards\n".to_owned();
    for (name, split) in rows {
        _ = writeln!(
            table,
            "{name:<10} {:>10} {:>13} {:>13} {:>12.3} {:>7.3}% {:>7}",
            split.documents,
            split.tokens,
            split.bytes,
            split.bytes_per_token(),
            100.0 * split.unknown_rate(),
            split.shards
        );
    }
    gpt1_artifacts::print(&table)?;
    Ok(())
}
