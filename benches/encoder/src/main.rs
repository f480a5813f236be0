//! Bytes of text a second, by line: our encoder on one thread and on two, and rust_tokenizers, in one run.
//!
//! ```text
//! gpt1-encoder-bench VOCAB MERGES TEXT... [--repeats 7] [--only PART-OF-A-ROW'S-NAME]
//! ```
//!
//! VOCAB and MERGES are the two files of a vocabulary. Only encoding is timed: the vocabularies are loaded and the texts read before.
//! The rows take turns, and the first round is not counted (the peer remembers words it has seen). MB are 10^6 bytes.

use gpt1_tokenize::Encoder;
use rust_tokenizers::tokenizer::{MultiThreadedTokenizer, OpenAiGptTokenizer, Tokenizer};
use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let n_repeats: usize = option(&mut args, "--repeats").map_or(Ok(7), |n| n.parse())?;
    let only = option(&mut args, "--only").unwrap_or_default();
    let [vocab, merges, paths @ ..] = &args[..] else {
        return Err("usage: gpt1-encoder-bench VOCAB MERGES TEXT... [--repeats 7] [--only PART-OF-A-ROW'S-NAME]".into());
    };
    let text = paths.iter().map(std::fs::read_to_string).collect::<Result<Vec<_>, _>>()?.concat();
    let lines: Vec<&str> = text.split('\n').collect();
    let encoder = Encoder::from_files(Path::new(vocab), Path::new(merges))?;
    let peer = OpenAiGptTokenizer::from_file(vocab, merges, true)?;
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build();
    let (one, two) = (pool(1)?, pool(2)?);

    let ours = || encoder.encode_batch(&lines).iter().map(Vec::len).sum::<usize>();
    let ids_of = |tokens: &Vec<String>| peer.convert_tokens_to_ids(tokens).len();
    let theirs = || lines.iter().map(|line| ids_of(&peer.tokenize(line))).sum::<usize>();
    let theirs_threaded = || MultiThreadedTokenizer::tokenize_list(&peer, &lines).iter().map(ids_of).sum::<usize>();
    let rows: [(&str, &dyn Fn() -> usize); 5] = [
        ("ours, one thread", &|| one.install(ours)),
        ("ours, one thread, encode in a loop", &|| {
            lines.iter().map(|line| black_box(encoder.encode(line)).len()).sum()
        }),
        ("ours, two threads", &|| two.install(ours)),
        ("rust_tokenizers 8.1.1, one thread", &|| one.install(theirs)),
        ("rust_tokenizers 8.1.1, two threads", &|| two.install(theirs_threaded)),
    ];
    let mut times = vec![Vec::new(); rows.len()];
    let mut n_ids = vec![0; rows.len()];
    for round in 0..=n_repeats {
        for (i, (_, encode)) in rows.iter().enumerate().filter(|(_, (name, _))| name.contains(&only)) {
            let start = Instant::now();
            n_ids[i] = black_box(encode());
            if round > 0 {
                times[i].push(start.elapsed().as_secs_f64());
            }
        }
    }
    let mb = text.len() as f64 / 1e6;
    println!("{mb:.2} MB, {} lines; median of {n_repeats} (slowest to fastest)", lines.len());
    let mut medians = Vec::new();
    for ((name, _), (times, n_ids)) in rows.iter().zip(times.iter_mut().zip(n_ids)).filter(|row| !row.1.0.is_empty()) {
        times.sort_by(f64::total_cmp);
        let [best, median, worst] = [0, times.len() / 2, times.len() - 1].map(|i| mb / times[i]);
        println!("{name:36} {median:8.2} MB/s ({worst:.2} to {best:.2}), {n_ids} ids");
        medians.push(median);
    }
    if !only.is_empty() {
        return Ok(());
    }
    println!(
        "one thread: {:.1} times rust_tokenizers; two threads: {:.2} times one, {:.1} times rust_tokenizers",
        medians[0] / medians[3],
        medians[2] / medians[0],
        medians[2] / medians[4]
    );
    Ok(())
}

/// Takes an option and its value out of the arguments.
fn option(args: &mut Vec<String>, name: &str) -> Option<String> {
    let at = args.iter().position(|arg| arg == name).filter(|at| at + 1 < args.len())?;
    args.drain(at..at + 2).nth(1)
}
