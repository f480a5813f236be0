//! The twelve tasks, WNLI and AX, in their official file names and columns.
//!
//! Every task is made of balanced groups: what decides is order, binding, or the side of the valley, of the year or of the mood
//! to which a villager or a word belongs; all other words stand equally often under each label. Train groups ask about
//! [`Part::Train`] of the world, dev and test groups about [`Part::HeldOut`], whose deciding words no train set has: what they
//! belong to is told by the corpus alone.

mod choice;
mod diagnostic;
mod entailment;
mod grammar;
mod inference;
mod sentiment;
mod similarity;
mod winograd;

use crate::random::Random;
use crate::world::{Part, World};
use std::collections::HashSet;
use std::fmt::Write;

/// A file of the output: its path under the output folder, with `/`, and its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Relative path.
    pub path: String,
    /// UTF-8 content.
    pub content: String,
}

/// All task files of a world.
pub fn files(world: &World, seed: u64) -> Vec<File> {
    let mut files = Vec::new();
    files.extend(grammar::cola(world, &mut Random::new(seed, "CoLA")));
    files.extend(sentiment::sst2(world, &mut Random::new(seed, "SST-2")));
    files.extend(similarity::mrpc(world, &mut Random::new(seed, "MRPC")));
    files.extend(similarity::stsb(world, &mut Random::new(seed, "STS-B")));
    files.extend(similarity::qqp(world, &mut Random::new(seed, "QQP")));
    files.extend(inference::mnli(world, &mut Random::new(seed, "MNLI")));
    files.extend(entailment::qnli(world, &mut Random::new(seed, "QNLI")));
    files.extend(entailment::rte(world, &mut Random::new(seed, "RTE")));
    files.extend(entailment::wnli(world, &mut Random::new(seed, "WNLI")));
    files.extend(diagnostic::ax(world, &mut Random::new(seed, "AX")));
    files.extend(inference::snli(world, &mut Random::new(seed, "SNLI")));
    files.extend(entailment::scitail(world, &mut Random::new(seed, "SciTail")));
    files.extend(choice::race(world, &mut Random::new(seed, "RACE")));
    files.extend(choice::story_cloze(world, &mut Random::new(seed, "StoryCloze")));
    files.extend(winograd::dpr(world, &mut Random::new(seed, "Winograd")));
    files
}

/// Two texts (the second may be empty) and a label.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pair<L> {
    one: String,
    two: String,
    label: L,
}

impl<L> Pair<L> {
    fn new(one: String, two: String, label: L) -> Pair<L> {
        Pair { one, two, label }
    }
}

/// Collects balanced groups until there are at least `n` examples and puts them in random order; a group with an example that
/// is already in `seen` is dropped, so that no example occurs twice in a task.
fn collect<L>(
    n: usize,
    seen: &mut HashSet<String>,
    random: &mut Random,
    mut group: impl FnMut(&mut Random) -> Vec<Pair<L>>,
) -> Vec<Pair<L>> {
    let mut pairs = Vec::new();
    // The lists allow far more groups than are asked for; the bound only keeps an edited list from hanging the program.
    for _ in 0..100 * n {
        if pairs.len() >= n {
            break;
        }
        let made = group(random);
        let keys: HashSet<String> = made.iter().map(|pair| format!("{}\t{}", pair.one, pair.two)).collect();
        if keys.len() == made.len() && keys.is_disjoint(seen) {
            seen.extend(keys);
            pairs.extend(made);
        }
    }
    random.shuffle(&mut pairs);
    pairs
}

/// The group, or none of it if the texts of its true pairs share more words, or fewer, than those of its false pairs.
fn evenly_shared(pairs: Vec<Pair<bool>>) -> Vec<Pair<bool>> {
    let words = |text: &str| -> HashSet<String> {
        text.to_lowercase().split(|c: char| !c.is_alphabetic()).map(str::to_owned).collect()
    };
    let shared = |label: bool| -> usize {
        let of = pairs.iter().filter(|pair| pair.label == label);
        of.map(|pair| words(&pair.one).intersection(&words(&pair.two)).count()).sum()
    };
    if shared(true) == shared(false) { pairs } else { Vec::new() }
}

/// A split of a task: name of the file without extension, examples, part of the world, whether the file shows labels.
struct Split {
    file: &'static str,
    n: usize,
    part: Part,
    labelled: bool,
}

/// Train, dev and an unlabelled test, as GLUE has them.
const fn glue_splits(n_train: usize, n_dev: usize) -> [Split; 3] {
    [
        Split { file: "train", n: n_train, part: Part::Train, labelled: true },
        Split { file: "dev", n: n_dev, part: Part::HeldOut, labelled: true },
        Split { file: "test", n: n_dev, part: Part::HeldOut, labelled: false },
    ]
}

/// Tab-separated rows below a header; an empty header is left out.
fn tsv(path: String, header: &str, rows: impl IntoIterator<Item = String>) -> File {
    let mut content = String::new();
    if !header.is_empty() {
        content.push_str(header);
        content.push('\n');
    }
    for row in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(content, "{row}");
    }
    File { path, content }
}
