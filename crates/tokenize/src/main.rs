//! `gpt1-tokenize`: learn a byte-pair vocabulary, encode text with it, decode ids.

mod code;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use code::{EncodeArgs, InputArgs};
use gpt1_artifacts::eprintln;
use gpt1_artifacts::manifest::Manifest;
use gpt1_artifacts::output::OutputDir;
use gpt1_artifacts::preset::{Preset, TokenizerConfig};
use gpt1_artifacts::progress::Progress;
use gpt1_artifacts::version;
use gpt1_artifacts::{parse_or_exit, run_main};
use gpt1_corpus::Corpus;
use gpt1_tokenize::count::{WordCount, count_words};
use gpt1_tokenize::{Encoder, Vocabulary, learn, words};
use serde::Serialize;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{SyncSender, sync_channel};

/// Bytes of texts that one thread counts at a time, about.
const COUNT_BYTES: usize = 1 << 20;

/// GPT-1's text encoder.
#[derive(Parser)]
#[command(name = "gpt1-tokenize", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Threads [default: one for each core]; the result is the same for any number
    #[arg(long, global = true)]
    threads: Option<std::num::NonZeroUsize>,
}

#[derive(Subcommand)]
enum Command {
    /// Learn a vocabulary: writes vocab.json, merges.txt and, for Hugging Face's tokenizers, tokenizer.json
    Train(TrainArgs),
    /// Write the same three files for a vocabulary that is there already, such as OpenAI's
    Export(ExportArgs),
    /// Turn each line of text into a line of ids
    Encode(EncodeArgs),
    /// Turn each line of ids back into text
    Decode(InputArgs),
}

#[derive(Args)]
struct TrainArgs {
    /// A preset's name (tiny, small, gpt1) or file; its section "tokenizer" is used
    #[arg(long)]
    config: String,
    /// Set one key of the configuration, e.g. tokenizer.n_merges=8000
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// A .txt, .jsonl (field "text") or .parquet (column "text") file, or a folder of them
    #[arg(long)]
    corpus: PathBuf,
    /// The corpus is words with white space between them: they are taken as they are, not cleaned, split or lower-cased
    #[arg(long)]
    words: bool,
    /// The directory to write
    #[arg(long)]
    out: PathBuf,
}

/// What decides the vocabulary beside the corpus.
#[derive(Serialize)]
struct TrainConfig<'a> {
    #[serde(flatten)]
    tokenizer: &'a TokenizerConfig,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    words: bool,
}

#[derive(Args)]
struct ExportArgs {
    /// The directory of vocab.json and merges.txt, or of OpenAI's two files
    #[arg(long)]
    tokenizer: PathBuf,
    /// The directory to write
    #[arg(long)]
    out: PathBuf,
}

fn main() -> ExitCode {
    let cli: Cli = parse_or_exit();
    run_main("tokenize", || run(&cli))
}

fn run(cli: &Cli) -> Result<()> {
    if let Some(n) = cli.threads {
        rayon::ThreadPoolBuilder::new().num_threads(n.get()).build_global().context("cannot start the threads")?;
    }
    match &cli.command {
        Command::Train(args) => train(args),
        Command::Export(args) => export(args),
        Command::Encode(args) => unless_closed(code::encode(args)),
        Command::Decode(args) => unless_closed(code::decode(args)),
    }
}

fn train(args: &TrainArgs) -> Result<()> {
    let config = Preset::load(&args.config, &args.sets)?.tokenizer;
    let corpus = Corpus::open(&args.corpus)?;
    if let Some(warning) = corpus.warning() {
        eprintln!("warning: {warning}");
    }
    let mut manifest =
        Manifest::start("tokenize", version::TOKENIZE, &TrainConfig { tokenizer: &config, words: args.words });
    manifest.input("corpus", &args.corpus)?;
    let out = OutputDir::begin(&args.out, &manifest.run_key())?;

    let progress = Progress::new("counting words", corpus.n_bytes(), "bytes");
    let each_word = if args.words { words::each_ready_word } else { words::each_word };
    let words = count_corpus(&corpus, each_word, &progress)?;
    progress.finish();

    let alphabet = learn::alphabet(&words, learn::MAX_CHARACTERS);
    let progress = Progress::new("learning merges", config.n_merges as u64, "merges");
    let merges = learn::learn(&words, &alphabet, config.n_merges, config.min_frequency, |n| progress.set(n as u64));
    progress.finish();
    if merges.len() < config.n_merges {
        eprintln!(
            "warning: only {} of the {} merges asked for could be learned: no other pair occurs {} times in {} distinct words\n  hint: give more text, or set tokenizer.n_merges or tokenizer.min_frequency lower",
            merges.len(),
            config.n_merges,
            config.min_frequency,
            words.len(),
        );
    }
    let encoder = Encoder::new(Vocabulary::from_learned(&alphabet, &merges)?);
    encoder.copy_files_to(out.path()).context("cannot write the vocabulary")?;

    let n_words: u64 = words.iter().map(|(_, count)| count).sum();
    manifest.note("n_files", corpus.files.len());
    manifest.note("n_bytes", corpus.n_bytes());
    manifest.note("n_words", n_words);
    manifest.note("n_distinct_words", words.len());
    manifest.note("n_characters", alphabet.len());
    manifest.note("n_merges", merges.len());
    manifest.note("n_vocab", encoder.n_vocab());
    manifest.note("tokenizer_digest", encoder.digest());
    let out = out.commit(manifest)?;
    eprintln!(
        "{}: {} entries ({} characters, {} merges) from {n_words} words, {} distinct",
        out.display(),
        encoder.n_vocab(),
        alphabet.len(),
        merges.len(),
        words.len(),
    );
    Ok(())
}

fn export(args: &ExportArgs) -> Result<()> {
    let mut manifest = Manifest::start("tokenize export", version::TOKENIZE, &());
    let encoder = Encoder::from_dir(&args.tokenizer)?;
    manifest.input("tokenizer", &args.tokenizer)?;
    let out = OutputDir::begin(&args.out, &manifest.run_key())?;
    encoder.copy_files_to(out.path()).context("cannot write the vocabulary")?;
    manifest.note("n_vocab", encoder.n_vocab());
    manifest.note("tokenizer_digest", encoder.digest());
    eprintln!("{}: {} entries", out.commit(manifest)?.display(), encoder.n_vocab());
    Ok(())
}

/// The distinct words of a corpus and their counts: one thread reads, all cores count.
fn count_corpus(corpus: &Corpus, each_word: words::EachWord, progress: &Progress) -> Result<Vec<WordCount>> {
    let (to_count, batches) = sync_channel(rayon::current_num_threads());
    let words = std::thread::scope(|scope| {
        let reader = scope.spawn(move || read_batches(corpus, progress, &to_count));
        let words = count_words(batches.into_iter(), each_word);
        reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).map(|()| words)
    })?;
    if words.is_empty() {
        return Err(corpus.empty().into());
    }
    Ok(words)
}

fn read_batches(corpus: &Corpus, progress: &Progress, to_count: &SyncSender<Vec<String>>) -> Result<()> {
    let mut batch = Vec::new();
    let mut n_bytes = 0;
    corpus.read(&mut |n_read| progress.inc(n_read), &mut |piece| {
        n_bytes += piece.text.len() + size_of::<String>();
        batch.push(piece.text);
        if n_bytes >= COUNT_BYTES {
            n_bytes = 0;
            to_count.send(std::mem::take(&mut batch))?;
        }
        anyhow::Ok(())
    })?;
    Ok(to_count.send(batch)?)
}

/// A reader that has seen enough (`| head`) is no error.
fn unless_closed(result: Result<()>) -> Result<()> {
    match result {
        Err(error)
            if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) =>
        {
            Ok(())
        }
        other => other,
    }
}
