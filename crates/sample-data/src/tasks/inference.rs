//! MNLI and SNLI: entailment, contradiction, or neither.

use super::entailment::fact_lines;
use super::{File, Pair, collect, tsv};
use crate::random::Random;
use crate::scene::Scene;
use crate::world::{N_ATTRIBUTES, Part, World};
use serde_json::json;
use std::collections::HashSet;
use std::fmt::Write;

/// How the hypothesis stands to the premise.
#[derive(Clone, Copy)]
pub(super) enum Verdict {
    /// It follows.
    True,
    /// Its contrary follows.
    False,
    /// Neither follows.
    Open,
}

/// Columns of MNLI before the labels.
const MNLI_COLUMNS: &str = "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2";
const GENRES: [[&str; 3]; 2] = [["village", "letters", "evening"], ["market", "school", "travel"]];

/// MNLI with its matched and mismatched sets; the mismatched ones open with a sentence of other genres.
pub fn mnli(world: &World, random: &mut Random) -> Vec<File> {
    let mut seen = HashSet::new();
    let splits = [
        ("train", 1944, Part::Train, 1, false),
        ("dev_matched", 400, Part::HeldOut, 5, false),
        ("dev_mismatched", 400, Part::HeldOut, 5, true),
        ("test_matched", 400, Part::HeldOut, 0, false),
        ("test_mismatched", 400, Part::HeldOut, 0, true),
    ];
    let mut make = |(name, n, part, n_labels, mismatched): (&str, usize, Part, usize, bool)| {
        let pairs = collect(n, &mut seen, random, |random| {
            let mut group = fact_group(world, part, random);
            if mismatched {
                for pair in &mut group {
                    pair.one = format!("{} {}", random.pick(world.stories.lines("elsewhere")), pair.one);
                }
            }
            group
        });
        let mut header = MNLI_COLUMNS.to_owned();
        for i in 0..n_labels {
            let _ = write!(header, "\tlabel{}", i + 1);
        }
        if n_labels > 0 {
            header.push_str("\tgold_label");
        }
        let rows = pairs.iter().enumerate().map(|(i, pair)| {
            let genre = random.pick(&GENRES[usize::from(mismatched)]);
            let (one, two) = (&pair.one, &pair.two);
            let parses = [binary_parse(one), binary_parse(two), parse(one), parse(two)].join("\t");
            let labels =
                if n_labels > 0 { format!("\t{}", label(pair.label)).repeat(n_labels + 1) } else { String::new() };
            let letter = pair_letter(pair.label, n_labels == 0);
            format!("{i}\t{prompt}\t{prompt}{letter}\t{genre}\t{parses}\t{one}\t{two}{labels}", prompt = 1000 + i)
        });
        tsv(format!("MNLI/{name}.tsv"), &header, rows)
    };
    splits.into_iter().map(&mut make).collect()
}

/// SNLI: `snli_1.0_{train,dev,test}.jsonl` with the ten official fields.
pub fn snli(world: &World, random: &mut Random) -> Vec<File> {
    let mut seen = HashSet::new();
    let splits = [("train", 1980, Part::Train, 1), ("dev", 396, Part::HeldOut, 5), ("test", 396, Part::HeldOut, 5)];
    let mut make = |(name, n, part, n_annotators): (&str, usize, Part, usize)| {
        let pairs = collect(n, &mut seen, random, |random| activity_group(world, part, random));
        let rows = pairs.iter().enumerate().map(|(i, pair)| {
            let caption = format!("{}.jpg#{}", 10000 + i, i % 5);
            json!({
                "annotator_labels": vec![label(pair.label); n_annotators],
                "captionID": caption,
                "gold_label": label(pair.label),
                "pairID": format!("{caption}r1{}", pair_letter(pair.label, false)),
                "sentence1": pair.one,
                "sentence1_binary_parse": binary_parse(&pair.one),
                "sentence1_parse": parse(&pair.one),
                "sentence2": pair.two,
                "sentence2_binary_parse": binary_parse(&pair.two),
                "sentence2_parse": parse(&pair.two),
            })
            .to_string()
        });
        tsv(format!("SNLI/snli_1.0_{name}.jsonl"), "", rows)
    };
    splits.into_iter().map(&mut make).collect()
}

/// Events that a fact decides, and what followed: for one attribute, each villager with the true value and with the value of
/// one of the other side, and as many villagers whose value the world leaves open with the same values, so that each value
/// stands equally often under each label.
pub(super) fn fact_group(world: &World, part: Part, random: &mut Random) -> Vec<Pair<Verdict>> {
    let what = random.below(N_ATTRIBUTES);
    let attribute = &world.attributes[what];
    // Hill folk first, as many as lake folk.
    let (known, open) = (world.cells(what, part, true), world.cells(what, part, false));
    let values: Vec<usize> = known.iter().filter_map(|&cell| world.value(cell)).collect();
    let mut given = values.clone();
    random.shuffle(&mut given);
    let half = known.len() / 2;
    let turn = random.below(half);
    let mut pairs = Vec::new();
    for i in 0..known.len() {
        let other = (1 - i / half) * half + (i + turn) % half;
        // The same choices for both villagers.
        let mut again = random.clone();
        let (premise, line) = fact_lines(world, known[i], random);
        pairs.push(Pair::new(premise.clone(), line(attribute.values[values[i]]), Verdict::True));
        pairs.push(Pair::new(premise, line(attribute.values[values[other]]), Verdict::False));
        let (premise, line) = fact_lines(world, open[i], &mut again);
        pairs.push(Pair::new(premise, line(attribute.values[given[i]]), Verdict::Open));
    }
    pairs
}

/// Scenes in which one villager does one thing and another does another. Over the group each deed and what follows of it stands
/// equally often under each label: true of the one who did it, false of the other, open where nobody did it.
pub(super) fn activity_group(world: &World, part: Part, random: &mut Random) -> Vec<Pair<Verdict>> {
    let mut rows = world.rows("activities", part);
    random.shuffle(&mut rows);
    let n = rows.len();
    let mut pairs = Vec::new();
    for i in 0..n {
        let (deed, other, third) = (&rows[i], &rows[(i + 1) % n], &rows[(i + 2) % n]);
        let scene = Scene::random(world, random);
        let (a, b) = (scene.first().name, scene.second().name);
        let premise = scene.say(&format!("{a} {} while {b} {}.", deed[0], other[0]), &[]);
        let mut add = |who: &str, what: &str, verdict| {
            pairs.push(Pair::new(premise.clone(), format!("{who} {what}."), verdict));
        };
        add(a, deed[1], Verdict::True);
        add(b, deed[1], Verdict::False);
        add(b, other[1], Verdict::True);
        add(a, other[1], Verdict::False);
        add(a, third[1], Verdict::Open);
        add(b, third[1], Verdict::Open);
    }
    pairs
}

pub(super) fn label(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::True => "entailment",
        Verdict::False => "contradiction",
        Verdict::Open => "neutral",
    }
}

/// The letter that ends a pair's id: e, c or n; in an unlabelled file it must not tell.
fn pair_letter(verdict: Verdict, hidden: bool) -> char {
    if hidden { 'x' } else { label(verdict).chars().next().unwrap_or('x') }
}

/// Words and punctuation, each by itself.
fn tokens(text: &str) -> Vec<String> {
    crate::text::spaced(text).split_whitespace().map(str::to_owned).collect()
}

/// A right-branching bracketing: the official files have a parser's, ours only has its form.
fn binary_parse(text: &str) -> String {
    let tokens = tokens(text);
    let Some((last, first)) = tokens.split_last() else { return String::new() };
    first.iter().rfold(last.clone(), |tree, token| format!("( {token} {tree} )"))
}

/// A flat bracketing in the form of the Penn treebank.
fn parse(text: &str) -> String {
    let leaves: Vec<String> = tokens(text)
        .iter()
        .map(|token| if token == "." { "(. .)".to_owned() } else { format!("(X {token})") })
        .collect();
    format!("(ROOT (S {}))", leaves.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_have_the_official_form() {
        assert_eq!(binary_parse("Tom sang."), "( Tom ( sang . ) )");
        assert_eq!(parse("Tom sang."), "(ROOT (S (X Tom) (X sang) (. .)))");
    }
}
