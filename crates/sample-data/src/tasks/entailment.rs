//! RTE, QNLI, WNLI and SciTail: does the second text follow from the first, does the line answer the question?

use super::{File, Pair, Split, collect, evenly_shared, glue_splits, tsv};
use crate::claims::{Verdict, review, same_gender};
use crate::random::Random;
use crate::scene::Scene;
use crate::world::{Cell, N_ATTRIBUTES, Part, World};
use std::collections::HashSet;

/// RTE: `index sentence1 sentence2 label`, label `entailment` or `not_entailment`.
pub fn rte(world: &World, random: &mut Random) -> Vec<File> {
    let mut seen = HashSet::new();
    let mut make = |split: Split| {
        let pairs = collect(split.n, &mut seen, random, |random| match random.weighted(&[50, 35, 15]) {
            0 => fact_group(world, split.part, false, random),
            1 => (0..2).flat_map(|_| show_group(world, split.part, random)).collect(),
            _ => (0..4).flat_map(|_| transfer_pair(world, random)).collect(),
        });
        glue_pairs("RTE", &split, "sentence1\tsentence2", &pairs, |verdict| {
            if *verdict == Verdict::True { "entailment" } else { "not_entailment" }
        })
    };
    glue_splits(2000, 400).into_iter().map(&mut make).collect()
}

/// QNLI: `index question sentence label`.
pub fn qnli(world: &World, random: &mut Random) -> Vec<File> {
    let mut seen = HashSet::new();
    let mut make = |split: Split| {
        let pairs = collect(split.n, &mut seen, random, |random| {
            if random.percent(50) {
                question_type_group(world, split.part, random)
            } else {
                question_alias_group(world, split.part, random)
            }
        });
        glue_pairs("QNLI", &split, "question\tsentence", &pairs, |answered| {
            if *answered { "entailment" } else { "not_entailment" }
        })
    };
    glue_splits(1500, 400).into_iter().map(&mut make).collect()
}

/// WNLI: `index sentence1 sentence2 label`, label 1 where the pronoun means the one that the second sentence names.
pub fn wnli(world: &World, random: &mut Random) -> Vec<File> {
    let mut seen = HashSet::new();
    let mut make = |split: Split| {
        let pairs = collect(split.n, &mut seen, random, |random| winograd_group(world, split.part, random));
        glue_pairs("WNLI", &split, "sentence1\tsentence2", &pairs, |holds| if *holds { "1" } else { "0" })
    };
    glue_splits(1600, 400).into_iter().map(&mut make).collect()
}

/// SciTail, `tsv_format`: premise, hypothesis, `entails` or `neutral`, without header; the test is labelled too.
pub fn scitail(world: &World, random: &mut Random) -> Vec<File> {
    let mut seen = HashSet::new();
    let mut make = |split: Split| {
        let pairs = collect(split.n, &mut seen, random, |random| {
            if random.percent(50) {
                cause_group(world, split.part, random)
            } else {
                kind_group(world, split.part, random)
            }
        });
        let row = |pair: &Pair<bool>| {
            format!("{}\t{}\t{}", pair.one, pair.two, if pair.label { "entails" } else { "neutral" })
        };
        tsv(format!("SciTail/tsv_format/scitail_1.0_{}.tsv", split.file), "", pairs.iter().map(row))
    };
    glue_splits(2000, 400).into_iter().map(&mut make).collect()
}

/// A GLUE file with an index, two texts and a label; the test file has no label column.
fn glue_pairs<L>(
    task: &str,
    split: &Split,
    texts: &str,
    pairs: &[Pair<L>],
    label: impl Fn(&L) -> &'static str,
) -> File {
    let header = if split.labelled { format!("index\t{texts}\tlabel") } else { format!("index\t{texts}") };
    let row = |(i, pair): (usize, &Pair<L>)| {
        let text = format!("{i}\t{}\t{}", pair.one, pair.two);
        if split.labelled { format!("{text}\t{}", label(&pair.label)) } else { text }
    };
    tsv(format!("{task}/{}.tsv", split.file), &header, pairs.iter().enumerate().map(row))
}

/// Events that a fact decides, and what followed: for one attribute, each villager with the true value and with the value of
/// one of the other side, so that each name and each value stands equally often under both labels. With `open`, the villagers
/// whose value the world leaves open as well, with the same values.
pub(super) fn fact_group(world: &World, part: Part, open: bool, random: &mut Random) -> Vec<Pair<Verdict>> {
    let what = random.below(N_ATTRIBUTES);
    let attribute = &world.attributes[what];
    let mut pairs = Vec::new();
    // Hill folk first, as many as lake folk.
    let cells = world.cells(what, part, true);
    let mut values: Vec<usize> = cells.iter().filter_map(|&cell| world.value(cell)).collect();
    let half = cells.len() / 2;
    let turn = random.below(half);
    for (i, &cell) in cells.iter().enumerate() {
        let other = (1 - i / half) * half + (i + turn) % half;
        let (premise, line) = fact_lines(world, cell, random);
        pairs.push(Pair::new(premise.clone(), line(attribute.values[values[i]]), Verdict::True));
        pairs.push(Pair::new(premise, line(attribute.values[values[other]]), Verdict::False));
    }
    if open {
        random.shuffle(&mut values);
        for (cell, value) in world.cells(what, part, false).into_iter().zip(values) {
            let (premise, line) = fact_lines(world, cell, random);
            pairs.push(Pair::new(premise, line(attribute.values[value]), Verdict::Open));
        }
    }
    pairs
}

/// A pleasant and an unpleasant show, each with a glad and with a sad consequence.
fn show_group(world: &World, part: Part, random: &mut Random) -> Vec<Pair<Verdict>> {
    let scene = Scene::random(world, random);
    let adjectives = world.sided_part("adjectives", part);
    let mut reviews = Vec::new();
    for good in [true, false] {
        // The same choices with the words of either side.
        reviews.push(review(&scene, good, &adjectives, &mut random.clone()));
    }
    random.below(2);
    let (yes, no) = (world.stories.lines("good"), world.stories.lines("bad"));
    let i = random.below(yes.len().min(no.len()));
    let pairs =
        cross((reviews.swap_remove(0), scene.say(yes[i], &[])), (reviews.swap_remove(0), scene.say(no[i], &[])));
    pairs.into_iter().map(|p| Pair::new(p.one, p.two, if p.label { Verdict::True } else { Verdict::False })).collect()
}

/// A premise about the cell's villager, and the hypothesis that it makes of a value.
fn fact_lines<'w>(world: &'w World, cell: Cell, random: &mut Random) -> (String, impl Fn(&str) -> String + 'w) {
    let attribute = &world.attributes[cell.what];
    let scene = Scene::with(world, cell.who, random);
    let mut premise = scene.say(random.pick(&attribute.episodes), &[]);
    if random.percent(60) {
        premise = format!("{premise} {}", scene.tell("filler", &[], random));
    }
    let templates = if random.percent(60) { &attribute.conclusions } else { &attribute.facts };
    let template = random.pick(templates);
    (premise, move |value: &str| scene.say(template, &[("v", value)]))
}

/// A thing changes hands; the same hypothesis of either villager.
fn transfer_pair(world: &World, random: &mut Random) -> Vec<Pair<Verdict>> {
    let scene = Scene::random(world, random);
    let mut premise = scene.tell("give", &[], random);
    if random.percent(40) {
        premise = format!("{} {premise}", scene.say("{a} and {b} were at the {p}.", &[]));
    }
    let has = random.percent(50);
    let template = random.pick(world.stories.lines(if has { "has" } else { "lost" }));
    let line = |first: bool| {
        let x = if first { scene.first().name } else { scene.second().name };
        let verdict = if first == has { Verdict::False } else { Verdict::True };
        Pair::new(premise.clone(), scene.say(template, &[("x", x)]), verdict)
    };
    vec![line(true), line(false)]
}

/// Two questions about a villager, and a statement for each: it answers one of them.
fn question_type_group(world: &World, part: Part, random: &mut Random) -> Vec<Pair<bool>> {
    let half = N_ATTRIBUTES / 2;
    let first = if part == Part::Train { 0 } else { half };
    let (i, j) = random.two(half);
    let who = random.below(world.villagers.len());
    let known = |what| world.value(Cell { who, what });
    let (Some(v), Some(w)) = (known(first + i), known(first + j)) else { return Vec::new() };
    let scene = Scene::with(world, who, random);
    let mut both = |what: usize, value: usize| {
        let attribute = &world.attributes[what];
        let question = scene.say(random.pick(&attribute.questions), &[]);
        (question, scene.say(random.pick(&attribute.facts), &[("v", attribute.values[value])]))
    };
    evenly_shared(cross(both(first + i, v), both(first + j, w)))
}

/// A question after two villagers by their trades, and a statement about each by name.
fn question_alias_group(world: &World, part: Part, random: &mut Random) -> Vec<Pair<bool>> {
    let (x, y) = world.opposites(part, random);
    let what = random.below(N_ATTRIBUTES);
    let attribute = &world.attributes[what];
    let known = |who| world.value(Cell { who, what });
    let (Some(v), Some(w)) = (known(x), known(y)) else { return Vec::new() };
    let (question, fact) = (random.pick(&attribute.questions), random.pick(&attribute.facts));
    let mut both = |who, value: usize| {
        let scene = Scene::with(world, who, random);
        let question = scene.say(question, &[("a", &scene.first().the_trade)]);
        (question, scene.say(fact, &[("v", attribute.values[value])]))
    };
    evenly_shared(cross(both(x, v), both(y, w)))
}

/// Someone did something to someone because he was so: four hypotheses of two sentences.
fn winograd_group(world: &World, part: Part, random: &mut Random) -> Vec<Pair<bool>> {
    let scene = same_gender(&Scene::random(world, random), random);
    let rows = world.rows("winograd", part);
    let row = random.one(&rows);
    let when = if random.percent(50) { "{time} " } else { "" };
    let mut pairs = Vec::new();
    for word in 0..2 {
        for (person, x) in [scene.first(), scene.second()].into_iter().enumerate() {
            let premise = scene.say(&format!("{when}{}", row[0]), &[("x", row[1 + word])]);
            pairs.push(Pair::new(premise, format!("{} was {}.", x.name, row[1 + word]), word == person));
        }
    }
    pairs
}

/// A cause of the winter and one of the summer, and their effects.
fn cause_group(world: &World, part: Part, random: &mut Random) -> Vec<Pair<bool>> {
    let rows = world.sided_part("causes", part);
    let scene = Scene::random(world, random);
    let template = random.pick(world.stories.lines("cause"));
    let both = |row: &Vec<&str>| (scene.say(template, &[("c", row[0])]), scene.say("{e}.", &[("e", row[1])]));
    cross(both(random.one(&rows[0])), both(random.one(&rows[1])))
}

/// A living and a dead thing, and their kinds.
fn kind_group(world: &World, part: Part, random: &mut Random) -> Vec<Pair<bool>> {
    let rows = world.sided_part("kinds", part);
    let scene = Scene::random(world, random);
    let template = random.pick(world.stories.lines("kind_seen"));
    let both = |row: &Vec<&str>| (scene.say(template, &[("k", row[0])]), scene.say(template, &[("k", row[1])]));
    cross(both(random.one(&rows[0])), both(random.one(&rows[1])))
}

/// From two true pairs the four combinations: each text stands once under each label.
pub(super) fn cross(x: (String, String), y: (String, String)) -> Vec<Pair<bool>> {
    vec![
        Pair::new(x.0.clone(), x.1.clone(), true),
        Pair::new(y.0.clone(), y.1.clone(), true),
        Pair::new(x.0, y.1, false),
        Pair::new(y.0, x.1, false),
    ]
}
