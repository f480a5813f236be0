//! `gpt1-tokenize`: learn a byte-pair vocabulary, encode text with it, decode ids.

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use gpt1_artifacts::manifest::Manifest;
use gpt1_artifacts::output::OutputDir;
use gpt1_artifacts::preset::Preset;
use gpt1_artifacts::progress::Progress;
use gpt1_artifacts::{parse_or_exit, run_main};
use gpt1_corpus::Corpus;
use gpt1_tokenize::count::{WordCount, count_words};
use gpt1_tokenize::{Encoder, Vocabulary, learn};
use rayon::prelude::*;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufWriter, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{SyncSender, sync_channel};

/// Raised when the same inputs give another output.
const STAGE_VERSION: u32 = 1;

/// Bytes of texts that one thread counts at a time, about.
const COUNT_BYTES: usize = 1 << 20;

/// Bytes of lines encoded at a time.
const BATCH_BYTES: usize = 4 << 20;

const CANNOT_WRITE: &str = "cannot write to standard output";

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
    /// Learn a vocabulary: writes vocab.json and merges.txt
    Train(TrainArgs),
    /// Turn each line of standard input into a line of ids
    Encode(CodeArgs),
    /// Turn each line of ids on standard input back into text
    Decode(CodeArgs),
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
    /// The directory to write
    #[arg(long)]
    out: PathBuf,
}

#[derive(Args)]
struct CodeArgs {
    /// The directory of vocab.json and merges.txt, or of OpenAI's two files
    #[arg(long)]
    tokenizer: PathBuf,
    /// Each line of text is a JSON string, which can hold line breaks
    #[arg(long)]
    json: bool,
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
        Command::Encode(args) => unless_closed(encode(args)),
        Command::Decode(args) => unless_closed(decode(args)),
    }
}

fn train(args: &TrainArgs) -> Result<()> {
    let config = Preset::load(&args.config, &args.sets)?.tokenizer;
    let corpus = Corpus::open(&args.corpus)?;
    if let Some(warning) = corpus.warning() {
        eprintln!("warning: {warning}");
    }
    let mut manifest = Manifest::start("tokenize", STAGE_VERSION, &config);
    manifest.input("corpus", &args.corpus)?;
    let out = OutputDir::begin(&args.out, &manifest.run_key())?;

    let progress = Progress::new("counting words", corpus.n_bytes(), "bytes");
    let words = count_corpus(&corpus, &progress)?;
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

/// The distinct words of a corpus and their counts: one thread reads, all cores count.
fn count_corpus(corpus: &Corpus, progress: &Progress) -> Result<Vec<WordCount>> {
    let (to_count, batches) = sync_channel(rayon::current_num_threads());
    let words = std::thread::scope(|scope| {
        let reader = scope.spawn(move || read_batches(corpus, progress, &to_count));
        let words = count_words(batches.into_iter());
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

fn encode(args: &CodeArgs) -> Result<()> {
    let encoder = Encoder::from_dir(&args.tokenizer)?;
    let mut out = BufWriter::new(io::stdout().lock());
    for_each_batch(|first_line, lines| {
        let decoded: Vec<String>;
        let texts: Vec<&str> = if args.json {
            let parse = |(i, line): (usize, &String)| {
                serde_json::from_str(line).map_err(|error| {
                    let (number, column) = (first_line + i as u64, error.column());
                    anyhow::anyhow!("standard input:{number}:{column}: expected a JSON string")
                })
            };
            decoded = lines.iter().enumerate().map(parse).collect::<Result<_>>()?;
            decoded.iter().map(String::as_str).collect()
        } else {
            lines.iter().map(String::as_str).collect()
        };
        let text: Vec<String> = texts.par_iter().map(|text| line_of(&encoder.encode(text))).collect();
        out.write_all(text.concat().as_bytes()).context(CANNOT_WRITE)?;
        Ok(())
    })?;
    out.flush().context(CANNOT_WRITE)
}

fn decode(args: &CodeArgs) -> Result<()> {
    let encoder = Encoder::from_dir(&args.tokenizer)?;
    let last = encoder.n_vocab() - 1;
    let mut out = BufWriter::new(io::stdout().lock());
    for_each_batch(|first_line, lines| {
        for (number, line) in (first_line..).zip(lines) {
            let mut ids = Vec::new();
            for word in line.split_ascii_whitespace() {
                match word.parse() {
                    Ok(id) if id as usize <= last => ids.push(id),
                    _ => bail!("standard input:{number}: expected ids from 0 to {last}; found {word:?}"),
                }
            }
            let text = encoder.decode(&ids);
            let text = if args.json { serde_json::Value::String(text).to_string() } else { text };
            writeln!(out, "{text}").context(CANNOT_WRITE)?;
        }
        Ok(())
    })?;
    out.flush().context(CANNOT_WRITE)
}

/// Ids with one space between them and `\n` at the end.
fn line_of(ids: &[u32]) -> String {
    let mut line = String::with_capacity(6 * ids.len() + 1);
    for (i, id) in ids.iter().enumerate() {
        let space = if i == 0 { "" } else { " " };
        _ = write!(line, "{space}{id}");
    }
    line.push('\n');
    line
}

/// Reads standard input; calls `work` with some lines at a time (without their `\n`) and the number of the first, from 1.
fn for_each_batch(mut work: impl FnMut(u64, &[String]) -> Result<()>) -> Result<()> {
    let mut input = io::stdin().lock();
    let mut first_line = 1;
    loop {
        let mut lines = Vec::new();
        let mut n_bytes = 0;
        while n_bytes < BATCH_BYTES {
            let mut line = Vec::new();
            n_bytes += match input.read_until(b'\n', &mut line).context("cannot read standard input")? {
                0 => break,
                n => n,
            };
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            let line = String::from_utf8(line).map_err(|error| {
                let (number, byte) = (first_line + lines.len() as u64, error.utf8_error().valid_up_to());
                anyhow::anyhow!(
                    "standard input:{number}: invalid UTF-8 at byte {byte} of the line (0x{:02x})",
                    error.as_bytes()[byte]
                )
            })?;
            lines.push(line);
        }
        if lines.is_empty() {
            return Ok(());
        }
        work(first_line, &lines)?;
        first_line += lines.len() as u64;
    }
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
