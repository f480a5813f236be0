//! The corpus: short stories of the village, each a few sentences, made of beats that tell what is true in the world.

use crate::random::Random;
use crate::scene::{Scene, other_value, value_word};
use crate::sentences::{denial, review, same_gender, statement};
use crate::text::{fill, lower_first};
use crate::world::{N_ATTRIBUTES, World};

/// Files of the corpus.
pub const N_FILES: usize = 60;
/// Bytes of a file at which no further story is begun.
const FILE_BYTES: usize = 83_000;

/// The text of one file: stories with a blank line between.
pub fn file(world: &World, seed: u64, number: usize) -> String {
    let mut random = Random::new(seed, &format!("corpus {number}"));
    let mut text = String::new();
    while text.len() < FILE_BYTES {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&story(world, &mut random));
        text.push('\n');
    }
    text
}

/// One story of about 5 to 10 sentences, in one line.
pub fn story(world: &World, random: &mut Random) -> String {
    let scene = Scene::neighbors(world, random);
    match random.weighted(&[18, 7, 22, 4, 30, 13, 3, 3, 16]) {
        0 => tale(&scene, random, false, portrait),
        1 => tale(&scene, random, false, visit),
        2 => tale(&scene, random, true, deed),
        3 => tale(&scene, random, false, transfer),
        4 => tale(&scene, random, true, show),
        5 => tale(&scene, random, false, nature),
        6 => tale(&scene, random, false, activity),
        7 => tale(&scene, random, false, reason),
        _ => tale(&scene, random, false, everyday),
    }
}

/// What a tale keeps to from beginning to end: two sides of whatever its beats tell of, such as the season.
type Mood = [usize; 2];

/// An opening, beats until there are enough sentences, and often a closing.
fn tale(scene: &Scene, random: &mut Random, has_mood: bool, beat: fn(&Scene, Mood, &mut Random) -> String) -> String {
    let mood = [random.below(2), random.below(2)];
    let mut parts = vec![scene.tell("opening", &[], random)];
    let wanted = 4 + random.below(4);
    while n_sentences(&parts) < wanted {
        // A story keeps to its subject, but now and then it says who somebody is.
        let part = if random.percent(12) { portrait(scene, mood, random) } else { beat(scene, mood, random) };
        if !parts.contains(&part) {
            parts.push(part);
        }
        if random.percent(9) {
            parts.push(scene.tell("filler", &[], random));
        }
    }
    // Only tales of shows and deeds, whose mood is good or bad, end in one.
    if has_mood && random.percent(60) {
        parts.push(scene.tell(["closing good", "closing bad"][mood[0]], &[], random));
    } else if random.percent(60) {
        parts.push(scene.tell("closing", &[], random));
    }
    parts.join(" ")
}

fn n_sentences(parts: &[String]) -> usize {
    parts.iter().map(|part| part.matches(['.', '!', '?']).count()).sum()
}

/// What is true of the first villager.
fn portrait(scene: &Scene, _: Mood, random: &mut Random) -> String {
    let what = random.below(N_ATTRIBUTES);
    let attribute = &scene.world.attributes[what];
    match random.weighted(&[24, 14, 26, 8, 10, 6, 8, 12]) {
        0 => statement(&by_trade(scene, 15, random), what, random),
        1 => scene.tell("alias", &[], random),
        2 => event(scene, what, random),
        3 => {
            let first = statement(scene, what, random);
            let second = statement(scene, what, random);
            if first == second { first } else { in_other_words(scene, &first, &second, random) }
        }
        4 => question(scene, what, random),
        5 => said(scene, what, random),
        6 => scene.tell("side", &[], random),
        _ => match denial(scene, what, random) {
            Some(denial) => format!("{denial} {}", statement(scene, what, random)),
            None => scene.say(random.pick(&attribute.unknown), &[]),
        },
    }
}

/// What is true of both villagers.
fn visit(scene: &Scene, _: Mood, random: &mut Random) -> String {
    let scene = if random.percent(50) { scene.clone() } else { scene.swapped() };
    let what = random.below(N_ATTRIBUTES);
    match random.weighted(&[30, 28, 14, 18, 10]) {
        4 => said(&scene, what, random),
        0 => event(&scene, what, random),
        1 => {
            let first = statement(&scene, what, random);
            let second = statement(&scene.swapped(), what, random);
            if random.percent(50) {
                format!("{first} {second}")
            } else {
                format!("{first} But {}", continued(&scene.swapped(), &second))
            }
        }
        2 => statement(&scene, what, random),
        _ => scene.tell("alias", &[], random),
    }
}

/// An event that a fact decides, and what followed.
fn event(scene: &Scene, what: usize, random: &mut Random) -> String {
    let attribute = &scene.world.attributes[what];
    let episode = scene.say(random.pick(&attribute.episodes), &[]);
    let Some(value) = value_word(scene.world, scene.cell(what)) else {
        let open = random.pick(&attribute.unknown);
        return format!("{episode} {}", scene.say(open, &[]));
    };
    let templates = if random.percent(75) { &attribute.conclusions } else { &attribute.facts };
    let template = random.pick(templates);
    let he = scene.first().he;
    let then = |text: &str| scene.say(text, &[("v", value)]);
    match random.below(4) {
        0 => format!("{episode} {}", then(&template.replacen("{a}", he, usize::from(template.starts_with("{a}"))))),
        1 => format!("{episode} So {}", continued(scene, &then(template))),
        2 => format!("{episode} That means that {}", continued(scene, &then(template))),
        _ => format!("{episode} {}", then(template)),
    }
}

fn question(scene: &Scene, what: usize, random: &mut Random) -> String {
    let attribute = &scene.world.attributes[what];
    let scene = by_trade(scene, 20, random);
    let question = scene.say(random.pick(&attribute.questions), &[]);
    match value_word(scene.world, scene.cell(what)) {
        Some(value) if random.percent(50) => {
            format!("{question} {}", fill(random.pick(&attribute.answers), &[("v", value)]))
        }
        _ => format!("{question} {}", statement(&scene, what, random)),
    }
}

/// What the second villager says of the first, rightly or not.
fn said(scene: &Scene, what: usize, random: &mut Random) -> String {
    let attribute = &scene.world.attributes[what];
    let Some(own) = scene.world.value(scene.cell(what)) else { return statement(scene, what, random) };
    let right = random.percent(50);
    let value = if right { attribute.values[own] } else { other_value(attribute, own, random) };
    let line = scene.say(random.pick(&attribute.facts), &[("v", value)]);
    let line = line.trim_end_matches('.');
    scene.tell(if right { "said_right" } else { "said_wrong" }, &[("line", line)], random)
}

fn in_other_words(scene: &Scene, first: &str, second: &str, random: &mut Random) -> String {
    let connective = random.pick(scene.world.stories.lines("connective"));
    format!("{first} {connective} {}", continued(scene, second))
}

/// Who did what, in two ways, and what became of it.
fn deed(scene: &Scene, mood: Mood, random: &mut Random) -> String {
    let [side, house] = mood;
    let verbs = scene.world.sided("verbs");
    let (row, word) = (random.one(&verbs[side]), random.below(2));
    let (v1, v2) = (row[word], row[1 - word]);
    let objects = scene.world.sided("objects");
    let (row, word) = (random.one(&objects[house]), random.below(2));
    let (o1, o2) = (row[word], row[1 - word]);
    let he = scene.first().he;
    match random.weighted(&[24, 14, 12, 18, 10, 22]) {
        0 => {
            let object = random.pick(&[o1, o2]);
            let first = scene.say(&format!("{{a}} {v1} the {o1}."), &[]);
            in_other_words(scene, &first, &format!("{he} {v2} the {object}."), random)
        }
        1 => {
            let first = scene.say(&format!("{{a}} {v1} the {o1}."), &[]);
            in_other_words(scene, &first, &format!("{he} {v1} the {o2}."), random)
        }
        2 => scene.tell(["indoors", "outdoors"][house], &[("o", o1)], random),
        3 => scene.tell("alias_deed", &[("verb", v1), ("o", o1)], random),
        4 => {
            let who = scene.first().the_trade.as_str();
            scene.say(&format!("{{a}} {v1} the {o1}. So {{x}} {v2} the {o2}."), &[("x", who)])
        }
        _ => {
            let done = scene.say(&format!("{{a}} {v1} the {o1}."), &[]);
            format!("{done} {}", scene.tell(["thanks", "blame"][side], &[], random))
        }
    }
}

/// A thing changes hands.
fn transfer(scene: &Scene, _: Mood, random: &mut Random) -> String {
    let (a, b) = (scene.first().name, scene.second().name);
    let given = scene.tell("give", &[], random);
    match random.below(5) {
        0 => format!("{given} {} {b} has it.", scene.tell("has_question", &[], random)),
        1 => format!("{given} {}", scene.tell("has", &[("x", b)], random)),
        2 => format!("{given} {}", scene.tell("lost", &[("x", a)], random)),
        3 => {
            let again = scene.tell("give", &[], random);
            if again == given { given } else { in_other_words(scene, &given, &again, random) }
        }
        _ => format!("{given} {} {}", scene.tell("has", &[("x", b)], random), scene.tell("lost", &[("x", a)], random)),
    }
}

/// A show, a meal or a walk, and how it was liked.
fn show(scene: &Scene, mood: Mood, random: &mut Random) -> String {
    let side = mood[0];
    let (good, effects) = (side == 0, ["good", "bad"][side]);
    let adjectives = scene.world.sided("adjectives");
    let effect = scene.tell(effects, &[], random);
    if random.percent(25) {
        let word = random.one(&adjectives[side])[0];
        let effect = effect.trim_end_matches('.');
        let slots = [("s", random.pick(scene.world.words.lines("shows")))];
        return scene.say(&format!("{effect} because the {{s}} was {word}."), &slots);
    }
    let review = review(scene, good, &adjectives, random);
    match random.below(3) {
        0 => format!("{review} So {}", continued(scene, &effect)),
        1 => {
            let more = scene.tell(effects, &[], random);
            if more == effect { format!("{review} {effect}") } else { format!("{review} {effect} {more}") }
        }
        _ => format!("{review} {effect}"),
    }
}

/// Weather, beasts and plants.
fn nature(scene: &Scene, mood: Mood, random: &mut Random) -> String {
    if random.percent(50) {
        let side = mood[0];
        let causes = scene.world.sided("causes");
        let row = random.one(&causes[side]);
        let slots = [("c", row[0]), ("e", row[1]), ("r", row[2])];
        let season = scene.tell(["winter", "summer"][side], &[], random);
        let told = if random.percent(50) {
            scene.tell("cause_effect", &slots, random)
        } else {
            format!("{} {}", scene.tell("cause", &slots, random), scene.say("{e}.", &slots))
        };
        return match random.below(3) {
            0 => told,
            1 => format!("{season} {told}"),
            _ => format!("{told} {season}"),
        };
    }
    let side = mood[1];
    let kinds = scene.world.sided("kinds");
    let row = random.one(&kinds[side]);
    let slots = [("k", row[0]), ("g", row[1])];
    match random.below(4) {
        0 => scene.tell("kind_is", &slots, random),
        1 => scene.tell(["alive", "lifeless"][side], &[("k", row[random.below(2)])], random),
        _ => {
            let template = random.pick(scene.world.stories.lines("kind_seen"));
            let again = scene.say(template, &[("k", row[1])]);
            format!("{} So {}", scene.say(template, &slots), continued(scene, &again))
        }
    }
}

/// Two villagers busy with different things.
fn activity(scene: &Scene, _: Mood, random: &mut Random) -> String {
    let rows = scene.world.words.rows("activities");
    let (i, j) = random.two(rows.len());
    let (a, b) = (scene.first(), scene.second());
    match random.below(3) {
        0 => scene.say(&format!("{{a}} {}. So {{he}} {}.", rows[i][0], rows[i][1]), &[]),
        1 => {
            let both = format!("{} {} while {} {}.", a.name, rows[i][0], b.name, rows[j][0]);
            format!("{both} {} {}, and {} {}.", a.name, rows[i][1], b.name, rows[j][1])
        }
        _ => {
            let both = format!("{} {} while {} {}.", a.name, rows[i][0], b.name, rows[j][0]);
            let (who, k) = if random.percent(50) { (a, i) } else { (b, j) };
            format!("{both} So {} {}.", who.name, rows[k][1])
        }
    }
}

/// Why something was done, and of whom the reason is true.
fn reason(scene: &Scene, _: Mood, random: &mut Random) -> String {
    let scene = same_gender(scene, random);
    let rows = scene.world.words.rows("winograd");
    let row = random.one(&rows);
    let side = random.below(2);
    let who = [scene.first(), scene.second()][side].name;
    let word = row[1 + side];
    match random.below(3) {
        0 => scene.say(row[0], &[("x", word), ("he", who)]),
        1 => format!("{} {who} was {word}.", scene.say(row[0], &[("x", word)])),
        _ => format!("{} It was {who} who was {word}.", scene.say(row[0], &[("x", word)])),
    }
}

/// Sentences about this and that, in all the forms of the language.
fn everyday(scene: &Scene, _: Mood, random: &mut Random) -> String {
    let words = &scene.world.words;
    let nouns = words.rows("nouns");
    let noun = random.one(&nouns);
    match random.weighted(&[40, 12, 12, 10, 10, 16]) {
        0 => {
            let rows = words.rows("prepositions");
            let row = random.one(&rows);
            let other = Scene::random(scene.world, random);
            let slots = [("w", row[0]), ("r", row[1]), ("n", noun[1]), ("trade", other.first().trade)];
            scene.tell("preposition", &slots, random)
        }
        1 => scene.tell("noun_one", &[("n", noun[0])], random),
        2 => scene.tell("noun_many", &[("n", noun[1])], random),
        3 => scene.tell("noun_article", &[("n", noun[0])], random),
        4 => scene.tell("order", &[], random),
        _ => {
            let rows = words.rows("irregular");
            let row = random.one(&rows);
            if random.percent(50) {
                scene.tell("did", &[("w", row[0])], random)
            } else {
                scene.tell("did_not", &[("i", row[1])], random)
            }
        }
    }
}

/// The sentence as the continuation of another: its first letter small, unless it is a name.
fn continued(scene: &Scene, sentence: &str) -> String {
    let is_name = scene.world.villagers.iter().any(|villager| sentence.starts_with(villager.name));
    if is_name { sentence.to_owned() } else { lower_first(sentence) }
}

/// Now and then (a chance in percent) calls the villager by the trade.
fn by_trade<'w>(scene: &Scene<'w>, chance: usize, random: &mut Random) -> Scene<'w> {
    Scene { by_trade: random.percent(chance), ..scene.clone() }
}
