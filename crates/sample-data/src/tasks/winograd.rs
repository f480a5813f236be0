//! Winograd schemas in the format of DPR: which of two villagers does the pronoun mean?

use super::{File, Pair, collect};
use crate::random::Random;
use crate::scene::{Scene, value_word};
use crate::sentences::same_gender;
use crate::world::{N_ATTRIBUTES, Part, Villager, World};
use std::collections::HashSet;
use std::fmt::Write;

/// DPR: a record is the sentence, the pronoun, `one,other`, the one that is meant, and an empty line.
pub fn dpr(world: &World, random: &mut Random) -> Vec<File> {
    let mut seen = HashSet::new();
    let mut make = |(split, n, part)| {
        let records = collect(n, &mut seen, random, |random| match random.weighted(&[60, 25, 15]) {
            0 => facts(world, part, random),
            1 => reasons(world, part, random),
            _ => transfers(world, random),
        });
        let mut content = String::new();
        for Pair { one: sentence, two: pronoun_and_candidates, label: is_first } in records {
            let (_, candidates) = pronoun_and_candidates.split_once('\n').unwrap_or_default();
            let (first, second) = candidates.split_once(',').unwrap_or_default();
            let meant = if is_first { first } else { second };
            // Writing to a string cannot fail.
            let _ = writeln!(content, "{sentence}\n{pronoun_and_candidates}\n{meant}\n");
        }
        File { path: format!("Winograd/{split}.c.txt"), content }
    };
    [("train", 400, Part::Train), ("test", 400, Part::HeldOut)].map(&mut make).to_vec()
}

/// A sentence about the scene's two villagers whose pronoun means `who`.
fn record(scene: &Scene, sentence: String, who: &Villager) -> Pair<bool> {
    let (a, b) = (scene.first(), scene.second());
    let (first, second) = if sentence.find(a.name) < sentence.find(b.name) { (a, b) } else { (b, a) };
    Pair::new(sentence, format!("{}\n{},{}", a.he, first.name, second.name), who.name == first.name)
}

/// What is true of one of the two and not of the other, who is of the other side of the valley.
fn facts(world: &World, part: Part, random: &mut Random) -> Vec<Pair<bool>> {
    let what = random.below(N_ATTRIBUTES);
    let attribute = &world.attributes[what];
    let cells = world.cells(what, part, true);
    let (hill, lake) = cells.split_at(cells.len() / 2);
    let own = random.pick(hill);
    let he = world.villagers[own.who].he;
    let Some(&other) = lake.iter().find(|cell| world.villagers[cell.who].he == he) else { return Vec::new() };
    let scene = Scene::of(world, own.who, other.who, random);
    let lead = random.pick(world.stories.lines("schema_lead"));
    let said: Vec<&str> = attribute.facts.iter().chain(&attribute.conclusions).copied().collect();
    let said: Vec<&str> = said.into_iter().filter_map(|template| template.strip_prefix("{a} ")).collect();
    let template = format!("{lead} {{he}} {}", random.pick(&said));
    let mut records = Vec::new();
    for scene in [scene.swapped(), scene] {
        for cell in [own, other] {
            let value = value_word(world, cell).unwrap_or_default();
            records.push(record(&scene, scene.say(&template, &[("v", value)]), &world.villagers[cell.who]));
        }
    }
    records
}

/// Why something was done: the word says of whom the reason is true.
fn reasons(world: &World, part: Part, random: &mut Random) -> Vec<Pair<bool>> {
    let scene = same_gender(&Scene::random(world, random), random);
    let rows = world.rows("winograd", part);
    let row = random.one(&rows);
    let when = if random.percent(50) { "{time} " } else { "" };
    let mut records = Vec::new();
    for scene in [scene.swapped(), scene] {
        for (word, who) in row[1..].iter().zip([scene.first(), scene.second()]) {
            records.push(record(&scene, scene.say(&format!("{when}{}", row[0]), &[("x", *word)]), who));
        }
    }
    records
}

/// A thing changes hands: who has it now, who has it no longer?
fn transfers(world: &World, random: &mut Random) -> Vec<Pair<bool>> {
    let scene = same_gender(&Scene::random(world, random), random);
    let given = random.pick(world.stories.lines("give")).trim_end_matches('.');
    let after = ["has", "lost"].map(|section| {
        let lines = world.stories.lines(section).iter().filter_map(|line| line.strip_prefix("{x} "));
        random.pick(&lines.collect::<Vec<_>>())
    });
    let mut records = Vec::new();
    for scene in [scene.swapped(), scene] {
        for (after, who) in after.iter().zip([scene.second(), scene.first()]) {
            records.push(record(&scene, scene.say(&format!("{given}, and {{he}} {after}"), &[]), who));
        }
    }
    records
}
