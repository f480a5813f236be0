//! Bytes of text a second, by line: our encoder on one thread and on two, and its peers, in one run. Then how the time of ours
//! grows with texts that are made to be slow.
//!
//! ```text
//! gpt1-encoder-bench TOKENIZER TEXT... [--repeats 7] [--only PART-OF-A-ROW'S-NAME]
//! ```
//!
//! TOKENIZER is the directory of a vocabulary. The clock runs while all lines are encoded, until all their ids are there; the
//! vocabularies are loaded and the texts read before, and the ids are freed after. The rows take turns, and the first round is
//! not counted (the peer remembers words it has seen). MB are 10^6 bytes.

use gpt1_tokenize::Encoder;
use rayon::prelude::*;
use rust_tokenizers::tokenizer::{MultiThreadedTokenizer, OpenAiGptTokenizer, Tokenizer};
use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let n_repeats: usize = option(&mut args, "--repeats").map_or(Ok(7), |n| n.parse())?;
    let only = option(&mut args, "--only").unwrap_or_default();
    let [tokenizer, paths @ ..] = &args[..] else {
        return Err("usage: gpt1-encoder-bench TOKENIZER TEXT... [--repeats 7] [--only PART-OF-A-ROW'S-NAME]".into());
    };
    let text = paths.iter().map(std::fs::read_to_string).collect::<Result<Vec<_>, _>>()?.concat();
    let lines: Vec<&str> = text.split('\n').collect();
    let encoder = Encoder::from_dir(Path::new(tokenizer))?;
    let dir = tempfile::tempdir()?; // where the two files have the names that the peer is told
    encoder.copy_files_to(dir.path())?;
    let peer = OpenAiGptTokenizer::from_file(dir.path().join("vocab.json"), dir.path().join("merges.txt"), true)?;
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build();
    let (one, two) = (pool(1)?, pool(2)?);

    let ours = || Ids::Ours(encoder.encode_batch(&lines));
    let ids_of = |tokens: Vec<String>| peer.convert_tokens_to_ids(&tokens);
    let theirs = || Ids::Theirs(lines.iter().map(|line| ids_of(peer.tokenize(line))).collect());
    let theirs_threaded =
        || Ids::Theirs(MultiThreadedTokenizer::tokenize_list(&peer, &lines).into_par_iter().map(ids_of).collect());
    let rows: [(&str, &dyn Fn() -> Ids); 4] = [
        ("ours, one thread", &|| one.install(ours)),
        ("ours, two threads", &|| two.install(ours)),
        ("rust_tokenizers 8.1.1, one thread", &|| one.install(theirs)),
        ("rust_tokenizers 8.1.1, two threads", &|| two.install(theirs_threaded)),
    ];
    let mut times = vec![Vec::new(); rows.len()];
    let mut n_ids = vec![0; rows.len()];
    for round in 0..=n_repeats {
        for (i, (_, encode)) in rows.iter().enumerate().filter(|(_, (name, _))| name.contains(&only)) {
            let start = Instant::now();
            let ids = black_box(encode());
            if round > 0 {
                times[i].push(start.elapsed().as_secs_f64());
            }
            n_ids[i] = ids.len();
        }
    }
    let mb = text.len() as f64 / 1e6;
    println!("{mb:.2} MB, {} lines; median of {n_repeats} rounds (slowest to fastest)", lines.len());
    for ((name, _), (times, n_ids)) in rows.iter().zip(times.iter().zip(n_ids)).filter(|row| !row.1.0.is_empty()) {
        let [worst, median, best] = spread(times.iter().map(|time| mb / time));
        println!("{name:36} {median:8.2} MB/s ({worst:.2} to {best:.2}), {n_ids} ids");
    }
    for (fast, slow) in [(0, 2), (1, 0), (1, 3)].into_iter().filter(|&(a, b)| times[a].len().min(times[b].len()) > 0) {
        let [worst, median, best] = spread(times[slow].iter().zip(&times[fast]).map(|(slow, fast)| slow / fast));
        println!("{} / {}: {median:.2} ({worst:.2} to {best:.2})", rows[fast].0, rows[slow].0);
    }
    if only.is_empty() {
        python_peers(dir.path(), paths)?;
        growth(&encoder, &text);
    }
    Ok(())
}

/// Runs peers.py on one thread and on two, where there is a Python that has what it needs (`GPT1_PYTHON` names one).
fn python_peers(tokenizer: &Path, texts: &[String]) -> std::io::Result<()> {
    let python = std::env::var("GPT1_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let probe = Command::new(&python).args(["-c", "import tokenizers"]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        println!("skipped: {python} with tokenizers is not there (GPT1_PYTHON names another Python)");
        return Ok(());
    }
    for n_threads in ["1", "2"] {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers.py");
        let mut command = Command::new(&python);
        command.env("RAYON_NUM_THREADS", n_threads).arg(script).arg(tokenizer).arg("3").args(texts);
        if !command.status()?.success() {
            return Err(std::io::Error::other("peers.py failed"));
        }
    }
    Ok(())
}

/// Nanoseconds a byte for texts of each kind as they grow: the same where the time is linear.
fn growth(encoder: &Encoder, text: &str) {
    let line = text.replace(['\n', '\r'], " ");
    println!("one text, nanoseconds a byte at a quarter, half and all of its size");
    for (name, piece, n_bytes) in [
        ("a line", &*line, 50_000_000),
        ("a word", "hapax", 1_000_000),
        ("combining marks", "\u{301}", 2_000_000),
        ("combining marks of two classes", "\u{301}\u{323}", 4_000_000),
        ("<", "<", 1_000_000),
        ("&lt;", "&lt;", 4_000_000),
        ("apostrophes", "'", 1_000_000),
        ("n't", "n't", 3_000_000),
        ("a.b.", "a.b.", 4_000_000),
        ("http://", "http://", 7_000_000),
        ("mojibake", "Ã©", 4_000_000),
    ] {
        let costs = [4, 2, 1].map(|share| {
            let mut text = piece.repeat(n_bytes / share / piece.len() + 1);
            while !text.is_char_boundary(text.len().min(n_bytes / share)) {
                text.pop();
            }
            text.truncate(n_bytes / share);
            let times = (0..3).map(|_| {
                let start = Instant::now();
                black_box(encoder.encode(&text));
                start.elapsed().as_secs_f64()
            });
            1e9 * spread(times)[1] / text.len() as f64
        });
        let [quarter, half, all] = costs.map(|cost| format!("{cost:.1}"));
        println!("{name:36} {:5.1} MB  {quarter:>8} {half:>8} {all:>8}", n_bytes as f64 / 1e6);
    }
}

/// The smallest, the median and the largest.
fn spread(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    [0, values.len() / 2, values.len() - 1].map(|i| values[i])
}

/// The ids of each line.
enum Ids {
    Ours(Vec<Vec<u32>>),
    Theirs(Vec<Vec<i64>>),
}

impl Ids {
    fn len(&self) -> usize {
        match self {
            Ids::Ours(ids) => ids.iter().map(Vec::len).sum(),
            Ids::Theirs(ids) => ids.iter().map(Vec::len).sum(),
        }
    }
}

/// Takes an option and its value out of the arguments.
fn option(args: &mut Vec<String>, name: &str) -> Option<String> {
    let at = args.iter().position(|arg| arg == name).filter(|at| at + 1 < args.len())?;
    args.drain(at..at + 2).nth(1)
}
