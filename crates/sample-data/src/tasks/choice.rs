//! RACE and Story Cloze: which answer, which ending?

use super::File;
use crate::random::Random;
use crate::scene::{Scene, value_word};
use crate::sentences::{review, statement};
use crate::text::fill;
use crate::world::{Cell, N_ATTRIBUTES, Part, World};
use serde_json::json;
use std::collections::HashSet;

/// Answers of a RACE question.
const N_OPTIONS: usize = 4;

/// Names of the two official Story Cloze files.
const CLOZE_FILES: [&str; 2] = [
    "StoryCloze/cloze_test_val__spring2016 - cloze_test_ALL_val.csv",
    "StoryCloze/cloze_test_test__spring2016 - cloze_test_ALL_test.csv",
];

struct Question {
    text: String,
    options: Vec<String>,
    answer: usize,
}

/// RACE: `{train,dev,test}/{middle,high}/N.txt`, each a JSON object with an article and its questions. Middle articles ask what the
/// world says of a villager, high ones also what happened in the article.
pub fn race(world: &World, random: &mut Random) -> Vec<File> {
    let mut files = Vec::new();
    let mut turn = 0;
    for (split, n, part) in [("train", 130, Part::Train), ("dev", 50, Part::HeldOut), ("test", 50, Part::HeldOut)] {
        for level in ["middle", "high"] {
            let mut seen = HashSet::new();
            let mut number = 0;
            while number < n {
                let (article, mut questions) = article(world, part, level == "high", random);
                if !seen.insert(article.clone()) {
                    continue;
                }
                number += 1;
                for question in &mut questions {
                    // The right answer takes each place in turn; questions are in no order, so the places say nothing.
                    place(question, turn % N_OPTIONS);
                    turn += 1;
                }
                let letters = |q: &Question| ["A", "B", "C", "D"][q.answer];
                let text = json!({
                    "answers": questions.iter().map(letters).collect::<Vec<_>>(),
                    "options": questions.iter().map(|q| q.options.clone()).collect::<Vec<_>>(),
                    "questions": questions.iter().map(|q| q.text.clone()).collect::<Vec<_>>(),
                    "article": article,
                    "id": format!("{level}{number}.txt"),
                });
                files.push(File { path: format!("RACE/{split}/{level}/{number}.txt"), content: text.to_string() });
            }
        }
    }
    files
}

fn place(question: &mut Question, to: usize) {
    let from = question.answer;
    question.options.swap(from, to);
    question.answer = to;
}

/// An article about two villagers and two questions.
fn article(world: &World, part: Part, high: bool, random: &mut Random) -> (String, Vec<Question>) {
    let mut cells: Vec<Cell> = (0..N_ATTRIBUTES).flat_map(|what| world.cells(what, part, true)).collect();
    random.shuffle(&mut cells);
    let first = cells[0];
    let scene = Scene::with(world, first.who, random);
    let attribute = &world.attributes[first.what];
    let mut parts = vec![
        scene.tell("opening", &[], random),
        scene.say(random.pick(&attribute.episodes), &[]),
        scene.tell("filler", &[], random),
    ];
    let mut questions = vec![fact_question(world, first, random)];
    if high {
        let given = scene.tell("give", &[], random);
        parts.insert(1 + random.below(2), given);
        questions.push(owner_question(&scene, random));
    } else {
        let second = cells.iter().find(|cell| cell.who == first.who && cell.what != first.what);
        questions.extend(second.map(|&cell| fact_question(world, cell, random)));
    }
    parts.push(scene.tell("closing", &[], random));
    (parts.join(" "), questions)
}

fn fact_question(world: &World, cell: Cell, random: &mut Random) -> Question {
    let attribute = &world.attributes[cell.what];
    let scene = Scene::with(world, cell.who, random);
    let own = world.value(cell).unwrap_or(0);
    // The wrong answers are those of the other side.
    let half = attribute.values.len() / 2;
    let mut others: Vec<usize> = (0..half).map(|i| (1 - own / half) * half + i).collect();
    random.shuffle(&mut others);
    let template = random.pick(&attribute.answers);
    let values = std::iter::once(own).chain(others).take(N_OPTIONS);
    let options = values.map(|v| fill(template, &[("v", attribute.values[v])])).collect();
    Question { text: scene.say(random.pick(&attribute.questions), &[]), options, answer: 0 }
}

fn owner_question(scene: &Scene, random: &mut Random) -> Question {
    let mut others: Vec<&str> = scene.world.villagers.iter().map(|villager| villager.name).collect();
    others.retain(|name| *name != scene.first().name && *name != scene.second().name);
    random.shuffle(&mut others);
    let names = [scene.second().name, scene.first().name].into_iter().chain(others).take(N_OPTIONS);
    let options = names.map(|name| format!("{name}.")).collect();
    Question { text: scene.tell("has_question", &[], random), options, answer: 0 }
}

/// Story Cloze: the labelled validation file (on which models are tuned) and test file.
pub fn story_cloze(world: &World, random: &mut Random) -> Vec<File> {
    let mut seen = HashSet::new();
    let mut files = Vec::new();
    for (name, n, part) in [(CLOZE_FILES[0], 1200, Part::Train), (CLOZE_FILES[1], 400, Part::HeldOut)] {
        let mut content = "InputStoryid,InputSentence1,InputSentence2,InputSentence3,InputSentence4,RandomFifthSentenceQuiz1,RandomFifthSentenceQuiz2,AnswerRightEnding\n".to_owned();
        let mut stories = Vec::new();
        while stories.len() < n {
            let story = match random.weighted(&[45, 25, 20, 10]) {
                0 => fact_story(world, part, random),
                1 => show_story(world, part, random),
                2 => deed_story(world, part, random),
                _ => transfer_story(world, random),
            };
            if seen.insert(story.clone()) {
                stories.push(story);
            }
        }
        for (i, (sentences, right, wrong)) in stories.into_iter().enumerate() {
            // The right ending is first in every second story; stories are in no order, so the place says nothing.
            let (first, second) = if i % 2 == 0 { (right, wrong) } else { (wrong, right) };
            let id = format!("{:08x}-{i:04}", random.below(1 << 32));
            let fields: Vec<String> = [vec![id], sentences, vec![first, second, (1 + i % 2).to_string()]]
                .concat()
                .iter()
                .map(|f| csv(f))
                .collect();
            content.push_str(&fields.join(","));
            content.push('\n');
        }
        files.push(File { path: name.to_owned(), content });
    }
    files
}

type Story = (Vec<String>, String, String);

/// The ending follows from a fact; the wrong one is true of the other villager.
fn fact_story(world: &World, part: Part, random: &mut Random) -> Story {
    let what = random.below(N_ATTRIBUTES);
    let cells = world.cells(what, part, true);
    let half = cells.len() / 2;
    let side = random.below(2);
    let mut of = |side: usize| cells[side * half + random.below(half)];
    let (cell, other) = (of(side), of(1 - side));
    let attribute = &world.attributes[what];
    let scene = Scene::of(world, cell.who, other.who, random);
    let sentences = vec![
        one_sentence(&scene, "opening", random),
        one_sentence(&scene, "filler", random),
        statement(&scene, (what + 1 + random.below(N_ATTRIBUTES - 1)) % N_ATTRIBUTES, random),
        scene.say(random.pick(&attribute.episodes), &[]),
    ];
    let template = random.pick(&attribute.conclusions);
    let ending = |cell| scene.say(template, &[("v", value_word(world, cell).unwrap_or_default())]);
    (sentences, ending(cell), ending(other))
}

/// The ending says who has the thing.
fn transfer_story(world: &World, random: &mut Random) -> Story {
    let scene = Scene::random(world, random);
    let sentences = vec![
        one_sentence(&scene, "opening", random),
        scene.say("{a} and {b} talked about the {o}.", &[]),
        one_sentence(&scene, "filler", random),
        scene.tell("give", &[], random),
    ];
    let has = random.percent(50);
    let template = random.pick(world.stories.lines(if has { "has" } else { "lost" }));
    let ending = |x: &str| scene.say(template, &[("x", x)]);
    let (first, second) = (ending(scene.first().name), ending(scene.second().name));
    if has { (sentences, second, first) } else { (sentences, first, second) }
}

/// The ending says how a show was liked.
fn show_story(world: &World, part: Part, random: &mut Random) -> Story {
    let scene = Scene::random(world, random);
    let good = random.percent(50);
    let review = review(&scene, good, &world.sided_part("adjectives", part), random);
    let sentences = vec![
        one_sentence(&scene, "opening", random),
        scene.say("{a} and {b} wanted to see something new.", &[]),
        one_sentence(&scene, "filler", random),
        review,
    ];
    let (yes, no) = (world.stories.lines("good"), world.stories.lines("bad"));
    let i = random.below(yes.len().min(no.len()));
    let (yes, no) = (scene.say(yes[i], &[]), scene.say(no[i], &[]));
    if good { (sentences, yes, no) } else { (sentences, no, yes) }
}

/// The ending says what became of a deed.
fn deed_story(world: &World, part: Part, random: &mut Random) -> Story {
    let scene = Scene::random(world, random);
    let side = random.below(2);
    let verb = random.one(&world.sided_part("verbs", part)[side])[random.below(2)];
    let sentences = vec![
        one_sentence(&scene, "opening", random),
        scene.say("{a} and {b} talked about the {o}.", &[]),
        one_sentence(&scene, "filler", random),
        scene.say("{a} {x} the {o}.", &[("x", verb)]),
    ];
    let (thanks, blame) = (world.stories.lines("thanks"), world.stories.lines("blame"));
    let i = random.below(thanks.len().min(blame.len()));
    let (thanks, blame) = (scene.say(thanks[i], &[]), scene.say(blame[i], &[]));
    if side == 0 { (sentences, thanks, blame) } else { (sentences, blame, thanks) }
}

fn one_sentence(scene: &Scene, section: &str, random: &mut Random) -> String {
    scene.tell(section, &[], random)
}

/// A CSV field, quoted where it must be (RFC 4180).
fn csv(field: &str) -> String {
    if field.contains([',', '"', '\n']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.to_owned() }
}
