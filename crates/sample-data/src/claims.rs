//! Claims with a verdict: the games of the stories ("Tom lives by the mill. True."), in which the corpus says what follows
//! from what, which lines mean the same, and which line answers a question.

use crate::random::Random;
use crate::scene::{Scene, other_value};
use crate::text::lower_first;
use crate::world::{N_ATTRIBUTES, World};

/// Whether a statement holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It follows.
    True,
    /// Its contrary follows.
    False,
    /// Neither follows.
    Open,
}

/// The words in which a game gives its verdicts: true, false, open.
pub const VERDICTS: [[&str; 3]; 2] = [["True.", "False.", "Maybe."], ["True.", "False.", "Maybe."]];
/// The words of the game of two lines: the same, not the same.
pub const TWINS: [&str; 2] = ["The same.", "Different."];
/// The words of the game of question and answer.
pub const ANSWERS: [&str; 2] = ["Answered.", "Unanswered."];

/// A claim about the world or about a sentence told just before, with its verdict.
pub fn claim(world: &World, random: &mut Random) -> (String, Verdict) {
    let scene = Scene::random(world, random);
    match random.weighted(&[40, 20, 16, 8, 8, 4, 2, 2]) {
        0 => fact(&scene, random),
        1 => show(&scene, random),
        2 => cause(&scene, random),
        3 => kind(&scene, random),
        4 => alias(&scene, random),
        5 => transfer(&scene, random),
        6 => activity(&scene, random),
        _ => winograd(&scene, random),
    }
}

/// "In the evening Mara went home. Mara came to the mill."
pub fn fact(scene: &Scene, random: &mut Random) -> (String, Verdict) {
    let what = random.below(N_ATTRIBUTES);
    let attribute = &scene.world.attributes[what];
    let (value, verdict) = match scene.world.value(scene.cell(what)) {
        Some(v) if random.percent(50) => (attribute.values[v], Verdict::True),
        Some(v) => (other_value(attribute, v, random), Verdict::False),
        None => (random.pick(&attribute.values), Verdict::Open),
    };
    let text = if random.percent(50) {
        let mut text = scene.say(random.pick(&attribute.episodes), &[]);
        if random.percent(30) {
            text = format!("{text} {}", scene.tell("filler", &[], random));
        }
        let then = if random.percent(60) { &attribute.conclusions } else { &attribute.facts };
        format!("{text} {}", scene.say(random.pick(then), &[("v", value)]))
    } else {
        scene.say(random.pick(&attribute.facts), &[("v", value)])
    };
    (text, verdict)
}

/// "Mara gave the lamp to Tom. Tom has the lamp."
pub fn transfer(scene: &Scene, random: &mut Random) -> (String, Verdict) {
    let given = scene.tell("give", &[], random);
    let (first, has) = (random.percent(50), random.percent(60));
    let x = if first { scene.first() } else { scene.second() };
    let then = scene.tell(if has { "has" } else { "lost" }, &[("x", x.name)], random);
    (format!("{given} {then}"), if first == has { Verdict::False } else { Verdict::True })
}

/// "Mara slept under a tree while Tom sang a ballad. Tom made music."
pub fn activity(scene: &Scene, random: &mut Random) -> (String, Verdict) {
    let rows = scene.world.words.rows("activities");
    let (i, j) = random.two(rows.len());
    let mut k = random.below(rows.len());
    let premise = format!("{} {} while {} {}.", scene.first().name, rows[i][0], scene.second().name, rows[j][0]);
    let first = random.percent(50);
    let verdict = match random.below(3) {
        0 => Verdict::True,
        1 => Verdict::False,
        _ => Verdict::Open,
    };
    match verdict {
        Verdict::True => k = if first { i } else { j },
        Verdict::False => k = if first { j } else { i },
        Verdict::Open => {
            while k == i || k == j {
                k = random.below(rows.len());
            }
        }
    }
    let x = if first { scene.first() } else { scene.second() };
    (format!("{premise} {} {}.", x.name, rows[k][1]), verdict)
}

/// "The play was splendid. Mara was glad."
pub fn show(scene: &Scene, random: &mut Random) -> (String, Verdict) {
    let (good, holds) = (random.percent(50), random.percent(50));
    let premise = review(scene, good, &scene.world.sided("adjectives"), random);
    let then = scene.tell(if good == holds { "good" } else { "bad" }, &[], random);
    (format!("{premise} {then}"), truth(holds))
}

/// A review; its words come from the two lists.
pub fn review(scene: &Scene, good: bool, words: &[Vec<Vec<&'static str>>; 2], random: &mut Random) -> String {
    let form = random.weighted(&[50, 35, 15]);
    let list = &words[usize::from(good == (form == 2))];
    let (x, y) = random.two(list.len());
    let section = ["review", "review_two", "review_not"][form];
    let show = random.pick(scene.world.words.lines("shows"));
    scene.tell(section, &[("x", list[x][0]), ("y", list[y][0]), ("s", show)], random)
}

/// "There was frost in the evening. The pond froze."
pub fn cause(scene: &Scene, random: &mut Random) -> (String, Verdict) {
    let rows = scene.world.sided("causes");
    let (side, holds) = (random.below(2), random.percent(50));
    let row = random.one(&rows[side]);
    let other = if holds { row } else { random.one(&rows[1 - side]) };
    let premise = scene.tell("cause", &[("c", row[0])], random);
    (format!("{premise} {}", scene.say("{e}.", &[("e", other[1])])), truth(holds))
}

/// "Mara saw a robin. Mara saw a bird."
pub fn kind(scene: &Scene, random: &mut Random) -> (String, Verdict) {
    let rows = scene.world.sided("kinds");
    let (side, holds) = (random.below(2), random.percent(50));
    let row = random.one(&rows[side]);
    let other = if holds { row } else { random.one(&rows[1 - side]) };
    let template = random.pick(scene.world.stories.lines("kind_seen"));
    let line = |k| scene.say(template, &[("k", k)]);
    (format!("{} {}", line(row[0]), line(other[1])), truth(holds))
}

/// "Mara could not lift Nora because she was too weak. Mara was weak."
pub fn winograd(scene: &Scene, random: &mut Random) -> (String, Verdict) {
    let scene = same_gender(scene, random);
    let rows = scene.world.words.rows("winograd");
    let row = random.one(&rows);
    let (word, person) = (random.below(2), random.below(2));
    let x = [scene.first(), scene.second()][person];
    let premise = scene.say(row[0], &[("x", row[1 + word])]);
    (format!("{premise} {} was {}.", x.name, row[1 + word]), truth(word == person))
}

/// "The baker fixed the lamp. Mara fixed the lamp."
pub fn alias(scene: &Scene, random: &mut Random) -> (String, Verdict) {
    let scene = scene.opposite(random);
    let verb = any_verb(scene.world, random);
    let holds = random.percent(50);
    let x = if holds { scene.first() } else { scene.second() };
    let rest = format!("{verb} the {}.", scene.object);
    let text = if random.percent(50) {
        scene.say(&format!("{} {rest} {} {rest}", scene.first().the_trade, x.name), &[])
    } else {
        scene.say(&format!("{} {rest} {} {rest}", scene.first().name, x.the_trade), &[])
    };
    (text, truth(holds))
}

/// Two lines that mean the same or do not.
pub fn twins(world: &World, random: &mut Random) -> (String, bool) {
    let scene = Scene::random(world, random).opposite(random);
    let same = random.percent(50);
    let (one, two) = match random.weighted(&[24, 16, 6, 18, 16, 20]) {
        0 => {
            let (first, second) = pair(&world.sided("verbs"), same, random);
            (scene.say("{a} {x} the {o}.", &[("x", first)]), scene.say("{a} {x} the {o}.", &[("x", second)]))
        }
        1 => {
            let (first, second) = pair(&world.sided("objects"), same, random);
            let verb = any_verb(world, random);
            let line = |object| scene.say("{a} {x} the {o}.", &[("x", verb), ("o", object)]);
            (line(first), line(second))
        }
        2 => {
            let gives = world.stories.lines("give");
            let other = if same { scene.clone() } else { scene.swapped() };
            let (i, j) = random.two(gives.len());
            (scene.say(gives[i], &[]), other.say(gives[j], &[]))
        }
        3 => {
            let template = random.pick(world.stories.lines("question_alias"));
            let x = if same { scene.first() } else { scene.second() };
            (scene.say(template, &[]), scene.say(template, &[("a", x.the_trade.as_str())]))
        }
        4 => {
            let (i, j) = random.two(N_ATTRIBUTES);
            let (f, g) = random.two(world.attributes[i].questions.len());
            let question = |what: usize, form: usize| scene.say(world.attributes[what].questions[form], &[]);
            (question(i, f), question(if same { i } else { j }, g))
        }
        _ => deed_twins(&scene, same, random),
    };
    if random.percent(50) { (format!("{one} {two}"), same) } else { (format!("{two} {one}"), same) }
}

/// "Mara fixed the lamp. The baker repaired the lantern."
fn deed_twins(scene: &Scene, same: bool, random: &mut Random) -> (String, String) {
    let differs = if same { 3 } else { random.below(3) };
    let (v1, v2) = pair(&scene.world.sided("verbs"), differs != 0, random);
    let (o1, o2) = pair(&scene.world.sided("objects"), differs != 1, random);
    let x = if differs == 2 { scene.second() } else { scene.first() };
    let line = |who: &str, verb, object| scene.say("{x} {verb} the {o}.", &[("x", who), ("verb", verb), ("o", object)]);
    (line(scene.first().name, v1, o1), line(&x.the_trade, v2, o2))
}

/// A verb of any kind.
pub fn any_verb(world: &World, random: &mut Random) -> &'static str {
    let side = random.below(2);
    random.one(&world.sided("verbs")[side])[random.below(2)]
}

/// A question, a line, and whether the line answers it: it may be about another attribute, or about another villager than the
/// one whom the question calls by the trade.
pub fn question_and_line(world: &World, random: &mut Random) -> (String, bool) {
    let answered = random.percent(50);
    let (asked, scene) = loop {
        let (scene, what) = (Scene::random(world, random), random.below(N_ATTRIBUTES));
        if world.value(scene.cell(what)).is_some() {
            break (what, scene);
        }
    };
    let by_trade = random.percent(40);
    let question = Scene { by_trade, ..scene.clone() }.say(random.pick(&world.attributes[asked].questions), &[]);
    let others = |known: &dyn Fn(usize, usize) -> bool| -> Vec<(usize, usize)> {
        let all = (0..world.villagers.len()).flat_map(|who| (0..N_ATTRIBUTES).map(move |what| (who, what)));
        all.filter(|&(who, what)| known(who, what) && world.villagers[who].values[what].is_some()).collect()
    };
    let (who, what) = match (answered, by_trade) {
        (true, _) => (scene.a, asked),
        (false, true) => {
            random.pick(&others(&|who, what| world.villagers[who].side != scene.first().side && what == asked))
        }
        (false, false) => random.pick(&others(&|who, what| who == scene.a && what != asked)),
    };
    let line = statement(&Scene::with(world, who, random), what, random);
    (format!("{question} {line}"), answered)
}

/// A true statement of the first villager's attribute, or that the world leaves it open.
pub fn statement(scene: &Scene, what: usize, random: &mut Random) -> String {
    let attribute = &scene.world.attributes[what];
    match scene.world.value(scene.cell(what)) {
        Some(v) => scene.say(random.pick(&attribute.facts), &[("v", attribute.values[v])]),
        None => scene.say(random.pick(&attribute.unknown), &[]),
    }
}

/// "It is not true that Mara lives by the bridge." Only where the world knows the value.
pub fn denial(scene: &Scene, what: usize, random: &mut Random) -> Option<String> {
    let attribute = &scene.world.attributes[what];
    let value = scene.world.value(scene.cell(what))?;
    let template = random.pick(&attribute.facts);
    let template = if template.starts_with('{') { template.to_owned() } else { lower_first(template) };
    let wrong = other_value(attribute, value, random);
    Some(scene.say(&format!("It is not true that {template}"), &[("v", wrong)]))
}

/// The two words of a row, in any order; or a word each of two rows, one of each side.
pub fn pair(sides: &[Vec<Vec<&'static str>>; 2], same: bool, random: &mut Random) -> (&'static str, &'static str) {
    let (side, word) = (random.below(2), random.below(2));
    let row = random.one(&sides[side]);
    if same { (row[word], row[1 - word]) } else { (row[word], random.one(&sides[1 - side])[random.below(2)]) }
}

/// The scene with a second villager whose pronoun is the first one's.
pub fn same_gender<'w>(scene: &Scene<'w>, random: &mut Random) -> Scene<'w> {
    let people = &scene.world.villagers;
    let like: Vec<usize> =
        (0..people.len()).filter(|&who| who != scene.a && people[who].he == people[scene.a].he).collect();
    Scene { b: random.pick(&like), ..scene.clone() }
}

fn truth(holds: bool) -> Verdict {
    if holds { Verdict::True } else { Verdict::False }
}
