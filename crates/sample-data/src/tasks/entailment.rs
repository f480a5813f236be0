//! RTE, QNLI, WNLI and SciTail: does the second text follow from the first, does the line answer the question?

use super::{File, Pair, Split, collect, evenly_shared, glue_splits, tsv};
use crate::random::Random;
use crate::scene::Scene;
use crate::sentences::{review, same_gender};
use crate::world::{Cell, N_ATTRIBUTES, Part, World};
use std::collections::HashSet;

/// RTE: `index sentence1 sentence2 label`, label `entailment` or `not_entailment`.
pub fn rte(world: &World, random: &mut Random) -> Vec<File> {
    let mut seen = HashSet::new();
    let mut make = |split: Split| {
        let pairs = collect(split.n, &mut seen, random, |random| match random.weighted(&[50, 40, 10]) {
            0 => fact_group(world, split.part, random),
            1 => show_group(world, split.part, random),
            _ => transfer_pair(world, random),
        });
        glue_pairs("RTE", &split, "sentence1\tsentence2", &pairs, |follows| {
            if *follows { "entailment" } else { "not_entailment" }
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

/// Events that a fact decides, and what followed: one of the hill folk, and one of the lake folk with the same value, who has
/// another. What is said is always of the hill folk, so that the villager decides and the hypothesis says nothing.
fn fact_group(world: &World, part: Part, random: &mut Random) -> Vec<Pair<bool>> {
    let what = random.below(N_ATTRIBUTES);
    let attribute = &world.attributes[what];
    let cells = world.cells(what, part, true);
    let (hill, lake) = cells.split_at(cells.len() / 2);
    let (own, other) = (random.pick(hill), random.pick(lake));
    let value = world.value(own).map_or("", |v| attribute.values[v]);
    // The same choices for both.
    let mut again = random.clone();
    let ((premise, line), (premise_other, line_other)) =
        (fact_lines(world, own, random), fact_lines(world, other, &mut again));
    vec![Pair::new(premise, line(value), true), Pair::new(premise_other, line_other(value), false)]
}

/// A pleasant and an unpleasant show with the same glad consequence.
fn show_group(world: &World, part: Part, random: &mut Random) -> Vec<Pair<bool>> {
    let scene = Scene::random(world, random);
    let adjectives = world.sided_part("adjectives", part);
    let glad = scene.tell("good", &[], random);
    // The same choices with the words of either side.
    let bad = review(&scene, false, &adjectives, &mut random.clone());
    let good = review(&scene, true, &adjectives, random);
    vec![Pair::new(good, glad.clone(), true), Pair::new(bad, glad, false)]
}

/// A premise about the cell's villager, and the hypothesis that it makes of a value.
pub(super) fn fact_lines<'w>(
    world: &'w World,
    cell: Cell,
    random: &mut Random,
) -> (String, impl Fn(&str) -> String + 'w) {
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
fn transfer_pair(world: &World, random: &mut Random) -> Vec<Pair<bool>> {
    let scene = Scene::random(world, random);
    let mut premise = scene.tell("give", &[], random);
    if random.percent(40) {
        premise = format!("{} {premise}", scene.say("{a} and {b} were at the {p}.", &[]));
    }
    let has = random.percent(50);
    let template = random.pick(world.stories.lines(if has { "has" } else { "lost" }));
    let line = |first: bool| {
        let x = if first { scene.first().name } else { scene.second().name };
        Pair::new(premise.clone(), scene.say(template, &[("x", x)]), first != has)
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

/// A cause of the winter, its effect, and a cause of the summer, which has another.
fn cause_group(world: &World, part: Part, random: &mut Random) -> Vec<Pair<bool>> {
    let [winter, summer] = world.sided_part("causes", part);
    let (own, other) = (random.one(&winter), random.one(&summer));
    let scene = Scene::random(world, random);
    let template = random.pick(world.stories.lines("cause"));
    let pair = |row: &[&str], follows| {
        Pair::new(scene.say(template, &[("c", row[0])]), scene.say("{e}.", &[("e", own[1])]), follows)
    };
    vec![pair(own, true), pair(other, false)]
}

/// A living thing, its kind, and a dead thing, which is of another.
fn kind_group(world: &World, part: Part, random: &mut Random) -> Vec<Pair<bool>> {
    let [living, dead] = world.sided_part("kinds", part);
    let (own, other) = (random.one(&living), random.one(&dead));
    let scene = Scene::random(world, random);
    let template = random.pick(world.stories.lines("kind_seen"));
    let line = |k| scene.say(template, &[("k", k)]);
    vec![Pair::new(line(own[0]), line(own[1]), true), Pair::new(line(other[0]), line(own[1]), false)]
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
