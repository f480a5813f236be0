//! CoLA: is it a sentence of the language? Each good sentence has a bad twin of the same words or of words exchanged between
//! two good ones.

use super::{File, Pair, Split, collect, glue_splits, tsv};
use crate::random::Random;
use crate::scene::Scene;
use crate::text::{fill_plain, finish, is_vowel};
use crate::world::{Part, World};
use std::collections::HashSet;

/// CoLA: train and dev without header: source, label, the author's mark, sentence; test: `index sentence`.
pub fn cola(world: &World, random: &mut Random) -> Vec<File> {
    let mut seen = HashSet::new();
    let mut make = |split: Split| {
        let pairs = collect(split.n, &mut seen, random, |random| match random.weighted(&[40, 15, 15, 15, 15]) {
            0 => prepositions(world, split.part, random),
            1 => agreement(world, split.part, random),
            2 => article(world, split.part, random),
            3 => past(world, split.part, random),
            _ => order(world, random),
        });
        let rows = pairs.iter().enumerate().map(|(i, pair)| match (split.labelled, pair.label) {
            (true, true) => format!("gp01\t1\t\t{}", pair.one),
            (true, false) => format!("gp01\t0\t*\t{}", pair.one),
            (false, _) => format!("{i}\t{}", pair.one),
        });
        tsv(format!("CoLA/{}.tsv", split.file), if split.labelled { "" } else { "index\tsentence" }, rows)
    };
    glue_splits(2000, 400).into_iter().map(&mut make).collect()
}

fn sentence(text: String, good: bool) -> Pair<bool> {
    Pair::new(text, String::new(), good)
}

/// "waited for", "listened to": and the prepositions exchanged.
fn prepositions(world: &World, part: Part, random: &mut Random) -> Vec<Pair<bool>> {
    let rows = world.rows("prepositions", part);
    let nouns = world.rows("nouns", Part::Train);
    let (i, j) = random.two(rows.len());
    if rows[i][1] == rows[j][1] {
        return Vec::new();
    }
    let scene = Scene::random(world, random);
    let other = Scene::random(world, random);
    let template = random.pick(world.stories.lines("preposition"));
    let noun = random.one(&nouns)[1];
    let line = |verb: usize, preposition: usize| {
        let slots = [("w", rows[verb][0]), ("r", rows[preposition][1]), ("n", noun), ("trade", other.first().trade)];
        sentence(scene.say(template, &slots), verb == preposition)
    };
    vec![line(i, i), line(j, j), line(i, j), line(j, i)]
}

/// "the owl was", "the owls were": and the nouns exchanged.
fn agreement(world: &World, part: Part, random: &mut Random) -> Vec<Pair<bool>> {
    let rows = world.rows("nouns", part);
    let row = random.one(&rows);
    let scene = Scene::random(world, random);
    let (one, many) = (world.stories.lines("noun_one"), world.stories.lines("noun_many"));
    let i = random.below(one.len().min(many.len()));
    let line = |template, noun, good| sentence(scene.say(template, &[("n", noun)]), good);
    vec![
        line(one[i], row[0], true),
        line(many[i], row[1], true),
        line(one[i], row[1], false),
        line(many[i], row[0], false),
    ]
}

/// "a ladder", "an owl": and the articles exchanged.
fn article(world: &World, part: Part, random: &mut Random) -> Vec<Pair<bool>> {
    let (vowels, consonants): (Vec<_>, Vec<_>) =
        world.rows("nouns", part).into_iter().map(|row| row[0]).partition(|noun| is_vowel(noun));
    if vowels.is_empty() || consonants.is_empty() {
        return Vec::new();
    }
    let scene = Scene::random(world, random);
    let template = random.pick(world.stories.lines("noun_article"));
    let (x, y) = (random.pick(&vowels), random.pick(&consonants));
    let line = |article, noun: &str, good| sentence(scene.say(&template.replace("a_", article), &[("n", noun)]), good);
    vec![line("an", x, true), line("a", y, true), line("a", x, false), line("an", y, false)]
}

/// "sang", "did not sing": and the forms exchanged.
fn past(world: &World, part: Part, random: &mut Random) -> Vec<Pair<bool>> {
    let rows = world.rows("irregular", part);
    let row = random.one(&rows);
    let scene = Scene::random(world, random);
    let (did, did_not) = (random.pick(world.stories.lines("did")), random.pick(world.stories.lines("did_not")));
    let line = |template, form, good| sentence(scene.say(template, &[("w", form), ("i", form)]), good);
    vec![line(did, row[0], true), line(did_not, row[1], true), line(did, row[1], false), line(did_not, row[0], false)]
}

/// A sentence, and the same one with two neighboring words exchanged.
fn order(world: &World, random: &mut Random) -> Vec<Pair<bool>> {
    let scene = Scene::random(world, random);
    let good = scene.tell("order", &[], random);
    let (first, second) = (scene.first().name, scene.second().name);
    let body = good.trim_end_matches(['.', '?']);
    let mut words: Vec<String> = body.split(' ').map(str::to_owned).collect();
    let i = random.below(words.len() - 1);
    if ![first, second].contains(&words[0].as_str()) {
        words[0] = words[0].to_lowercase();
    }
    words.swap(i, i + 1);
    let bad = finish(&fill_plain(&format!("{}{}", words.join(" "), &good[body.len()..]), &[]));
    vec![sentence(good, true), sentence(bad, false)]
}
