//! MRPC, QQP and STS-B: do two texts mean the same, and how nearly?

use super::entailment::cross;
use super::{File, Pair, Split, collect, evenly_shared, glue_splits, tsv};
use crate::random::Random;
use crate::scene::Scene;
use crate::sentences::any_verb;
use crate::text::spaced;
use crate::world::{N_ATTRIBUTES, Part, World};
use std::collections::HashSet;

/// MRPC: `Quality #1 ID #2 ID #1 String #2 String`; train and dev begin with a byte-order mark, as GLUE's do.
pub fn mrpc(world: &World, random: &mut Random) -> Vec<File> {
    let mut seen = HashSet::new();
    let mut make = |split: Split| {
        let pairs = collect(split.n, &mut seen, random, |random| match random.weighted(&[50, 35, 15]) {
            0 => verb_group(world, split.part, random),
            1 => object_group(world, split.part, random),
            _ => transfer_group(world, random),
        });
        let header = if split.labelled { "\u{feff}Quality" } else { "index" };
        let rows = pairs.iter().enumerate().map(|(i, pair)| {
            let first = if split.labelled { usize::from(pair.label) } else { i };
            let id = 100_000 + 2 * i;
            format!("{first}\t{id}\t{}\t{}\t{}", id + 1, spaced(&pair.one), spaced(&pair.two))
        });
        tsv(format!("MRPC/{}.tsv", split.file), &format!("{header}\t#1 ID\t#2 ID\t#1 String\t#2 String"), rows)
    };
    glue_splits(2000, 400).into_iter().map(&mut make).collect()
}

/// QQP: `id qid1 qid2 question1 question2 is_duplicate`; test: `id question1 question2`.
pub fn qqp(world: &World, random: &mut Random) -> Vec<File> {
    let mut seen = HashSet::new();
    let mut make = |split: Split| {
        let pairs = collect(split.n, &mut seen, random, |random| {
            if random.percent(60) {
                question_alias_group(world, split.part, random)
            } else {
                question_form_group(world, split.part, random)
            }
        });
        let header = if split.labelled {
            "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate"
        } else {
            "id\tquestion1\tquestion2"
        };
        let rows = pairs.iter().enumerate().map(|(i, pair)| {
            let (one, two) = (&pair.one, &pair.two);
            if split.labelled {
                format!("{i}\t{}\t{}\t{one}\t{two}\t{}", 2 * i + 1, 2 * i + 2, u8::from(pair.label))
            } else {
                format!("{i}\t{one}\t{two}")
            }
        });
        tsv(format!("QQP/{}.tsv", split.file), header, rows)
    };
    glue_splits(2000, 400).into_iter().map(&mut make).collect()
}

/// STS-B: ten columns, score 0.000 to 5.000; the test has no score.
///
/// Two deeds told in other words: 2 points if the same villager did them, 2 for the same deed, 1 for the same thing. Whatever
/// agrees is said with another word, so that shared words say nothing.
pub fn stsb(world: &World, random: &mut Random) -> Vec<File> {
    let mut seen = HashSet::new();
    let mut make = |split: Split| {
        let pairs = collect(split.n, &mut seen, random, |random| deed_group(world, split.part, random));
        let mut header = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2".to_owned();
        if split.labelled {
            header.push_str("\tscore");
        }
        let rows = pairs.iter().enumerate().map(|(i, pair)| {
            let row = format!("{i}\tmain-stories\tvillage\t2018\t{i:04}\tnone\tnone\t{}\t{}", pair.one, pair.two);
            if split.labelled { format!("{row}\t{}.000", pair.label) } else { row }
        });
        tsv(format!("STS-B/{}.tsv", split.file), &header, rows)
    };
    glue_splits(2000, 400).into_iter().map(&mut make).collect()
}

/// A kind and a rough deed, each with two verbs.
fn verb_group(world: &World, part: Part, random: &mut Random) -> Vec<Pair<bool>> {
    let scene = Scene::random(world, random);
    let (one, two) = line_forms(random);
    let line = |form: &str, verb: &str| scene.say(form, &[("x", verb)]);
    let (x, y) = two_rows(&world.sided_part("verbs", part), random);
    ordered(cross((line(one, x.0), line(two, x.1)), (line(one, y.0), line(two, y.1))), random)
}

/// A thing of the house and one of the yard, each with two names.
fn object_group(world: &World, part: Part, random: &mut Random) -> Vec<Pair<bool>> {
    let scene = Scene::random(world, random);
    let verb = any_verb(world, random);
    let (one, two) = line_forms(random);
    let line = |form: &str, object: &str| scene.say(form, &[("x", verb), ("o", object)]);
    let (x, y) = two_rows(&world.sided_part("objects", part), random);
    ordered(cross((line(one, x.0), line(two, x.1)), (line(one, y.0), line(two, y.1))), random)
}

/// A thing changes hands one way and the other.
fn transfer_group(world: &World, random: &mut Random) -> Vec<Pair<bool>> {
    let scene = Scene::random(world, random);
    let gives = world.stories.lines("give");
    let (i, j) = random.two(gives.len());
    let both = |scene: &Scene| (scene.say(gives[i], &[]), scene.say(gives[j], &[]));
    cross(both(&scene), both(&scene.swapped()))
}

/// A question after two villagers by name and by trade.
fn question_alias_group(world: &World, part: Part, random: &mut Random) -> Vec<Pair<bool>> {
    let (x, y) = world.opposites(part, random);
    let scene = Scene::random(world, random);
    let template = random.pick(world.stories.lines("question_alias"));
    let both = |who: usize| {
        let villager = &world.villagers[who];
        let line = |name: &str| scene.say(template, &[("a", name)]);
        (line(villager.name), line(&villager.the_trade))
    };
    ordered(cross(both(x), both(y)), random)
}

/// Two questions about a villager, each in two forms; dev asks about other attributes than train.
fn question_form_group(world: &World, part: Part, random: &mut Random) -> Vec<Pair<bool>> {
    let half = N_ATTRIBUTES / 2;
    let first = if part == Part::Train { 0 } else { half };
    let (i, j) = random.two(half);
    let scene = Scene::random(world, random);
    let mut both = |what: usize| {
        let questions = &world.attributes[what].questions;
        let (f, g) = random.two(questions.len());
        (scene.say(questions[f], &[]), scene.say(questions[g], &[]))
    };
    let pairs = evenly_shared(cross(both(first + i), both(first + j)));
    ordered(pairs, random)
}

/// All eight ways in which doer, deed and thing agree or not, told of one deed.
fn deed_group(world: &World, part: Part, random: &mut Random) -> Vec<Pair<u32>> {
    let (x, y) = world.opposites(part, random);
    let (same, other) = (&world.villagers[x], &world.villagers[y]);
    let verb = two_rows(&world.sided_part("verbs", part), random);
    let object = two_rows(&world.sided_part("objects", part), random);
    let scene = Scene::random(world, random);
    let (one, two) = line_forms(random);
    let named_first = random.percent(50);
    let line = |form: &str, who: &str, verb, object| scene.say(form, &[("a", who), ("x", verb), ("o", object)]);
    let first = line(one, if named_first { same.name } else { &same.the_trade }, verb.0.0, object.0.0);
    let mut pairs = Vec::new();
    for agree in 0..8_u32 {
        let (who, deed, thing) = (agree & 1 > 0, agree & 2 > 0, agree & 4 > 0);
        let villager = if who { same } else { other };
        let name = if named_first { villager.the_trade.as_str() } else { villager.name };
        let second =
            line(two, name, if deed { verb.0.1 } else { verb.1.1 }, if thing { object.0.1 } else { object.1.1 });
        let score = 2 * u32::from(who) + 2 * u32::from(deed) + u32::from(thing);
        pairs.push(Pair::new(first.clone(), second, score));
    }
    ordered(pairs, random)
}

/// A word and its twin.
type Twins = (&'static str, &'static str);

/// A row of each side, in any order.
fn two_rows(sides: &[Vec<Vec<&'static str>>; 2], random: &mut Random) -> (Twins, Twins) {
    let side = random.below(2);
    let mut twins = |side: usize| {
        let (row, word) = (random.one(&sides[side]), random.below(2));
        (row[word], row[1 - word])
    };
    (twins(side), twins(1 - side))
}

/// Where the time stands in the first and in the second line.
fn line_forms(random: &mut Random) -> (&'static str, &'static str) {
    const FORMS: [&str; 3] = ["{a} {x} the {o}.", "{a} {x} the {o} {time}.", "{time} {a} {x} the {o}."];
    (random.pick(&FORMS), random.pick(&FORMS))
}

/// The group as it is, or with the two texts exchanged.
fn ordered<L>(mut pairs: Vec<Pair<L>>, random: &mut Random) -> Vec<Pair<L>> {
    if random.percent(50) {
        for pair in &mut pairs {
            std::mem::swap(&mut pair.one, &mut pair.two);
        }
    }
    pairs
}
