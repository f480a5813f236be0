//! Sentences that stories and tasks share.

use crate::random::Random;
use crate::scene::{Scene, other_value};
use crate::text::lower_first;
use crate::world::World;

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

/// A review; its words come from the two lists.
pub fn review(scene: &Scene, good: bool, words: &[Vec<Vec<&'static str>>; 2], random: &mut Random) -> String {
    let form = random.weighted(&[40, 50, 10]);
    let list = &words[usize::from(good == (form == 2))];
    let (x, y) = random.two(list.len());
    let section = ["review", "review_two", "review_not"][form];
    let show = random.pick(scene.world.words.lines("shows"));
    scene.tell(section, &[("x", list[x][0]), ("y", list[y][0]), ("s", show)], random)
}

/// A verb of any kind.
pub fn any_verb(world: &World, random: &mut Random) -> &'static str {
    let side = random.below(2);
    random.one(&world.sided("verbs")[side])[random.below(2)]
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
