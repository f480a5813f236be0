//! The story world: who lives in it, what is true of each, and which of its facts a task may show in its train set.
//!
//! Word lists and templates are fixed; a seed decides who is in the village, what each villager lives by, likes, fears and
//! wears, and how every list is cut in two. The corpus tells all of it. A task's train set asks about one half of the
//! villagers and words ([`Part::Train`]), its dev and test sets about the other ([`Part::HeldOut`]).
//!
//! Everything has two sides: villagers are hill or lake folk, and so is what they live by and like; deeds are kind or rough,
//! shows pleasant or not, weather of the winter or of the summer. What is told wrongly is always taken from the other side.
//! A side is shared by many words, so that even a small model that reads little learns it, and can tell right from wrong.

use crate::random::Random;
use crate::text::Lists;

/// Villagers in a world: for each part, side and discretion the same number.
pub const N_VILLAGERS: usize = 16;
/// Attributes of a villager besides the trade.
pub const N_ATTRIBUTES: usize = 6;
/// Values of an attribute: the first half is of the hill folk, the second of the lake folk.
pub const N_VALUES: usize = 8;
/// The two sides of the valley.
pub const SIDES: [&str; 2] = ["hill", "lake"];

/// How many lines of a section a world has; the seed decides which. A small world is learned well in minutes.
const SIZES: [(&str, usize); 12] = [
    ("adjectives +", 16),
    ("adjectives -", 16),
    ("causes +", 8),
    ("causes -", 8),
    ("activities", 12),
    ("shows", 10),
    ("prepositions", 24),
    ("irregular", 16),
    ("winograd", 10),
    ("places", 8),
    ("times", 6),
    ("trades", N_VILLAGERS),
];

/// One half of the world's facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What train sets ask about.
    Train,
    /// What dev and test sets ask about.
    HeldOut,
}

/// A person of the village.
#[derive(Debug, Clone)]
pub struct Villager {
    /// Name, one word.
    pub name: &'static str,
    /// "she" or "he".
    pub he: &'static str,
    /// "her" or "him".
    pub him: &'static str,
    /// "her" or "his".
    pub his: &'static str,
    /// Trade, of which the village has one each.
    pub trade: &'static str,
    /// "the" and the trade.
    pub the_trade: String,
    /// 0 for the hill folk, 1 for the lake folk.
    pub side: usize,
    /// The part that asks about this villager.
    pub part: Part,
    /// For each attribute the number of its value, or `None` where the world leaves it open.
    pub values: [Option<usize>; N_ATTRIBUTES],
}

/// A question that the world may answer: what is true of each villager, such as home or food.
#[derive(Debug, Clone)]
pub struct Attribute {
    /// Section of `attributes.txt`.
    pub name: &'static str,
    /// The values.
    pub values: Vec<&'static str>,
    /// Statements of the fact.
    pub facts: Vec<&'static str>,
    /// Events that the fact decides.
    pub episodes: Vec<&'static str>,
    /// What followed in such an event.
    pub conclusions: Vec<&'static str>,
    /// Questions after the value.
    pub questions: Vec<&'static str>,
    /// Short answers.
    pub answers: Vec<&'static str>,
    /// Statements that the world leaves it open.
    pub unknown: Vec<&'static str>,
}

/// A villager and an attribute: both as indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// Villager.
    pub who: usize,
    /// Attribute.
    pub what: usize,
}

/// The world of a seed.
#[derive(Debug, Clone)]
pub struct World {
    /// The villagers.
    pub villagers: Vec<Villager>,
    /// The attributes.
    pub attributes: Vec<Attribute>,
    /// Word lists.
    pub words: Lists,
    /// Sentence templates.
    pub stories: Lists,
    /// Section of `words`, and its row numbers in a random order: the first half is of the train part.
    orders: Vec<(&'static str, Vec<usize>)>,
}

impl World {
    /// The world of a seed.
    pub fn new(seed: u64) -> World {
        let mut random = Random::new(seed, "world");
        let mut words = Lists::parse(include_str!("../../../data/sample/words.txt"));
        for (section, size) in SIZES {
            let mut places: Vec<usize> = (0..words.lines(section).len()).collect();
            random.shuffle(&mut places);
            words.keep(section, &places[..size.min(places.len())]);
        }
        let stories = Lists::parse(include_str!("../../../data/sample/stories.txt"));
        let mut attributes = attributes();
        random.shuffle(&mut attributes);
        attributes.truncate(N_ATTRIBUTES);
        for attribute in &mut attributes {
            random.shuffle(&mut attribute.values);
        }
        let villagers = villagers(&words, &mut random);
        let orders = words
            .sections()
            .map(|section| {
                let mut order: Vec<usize> = (0..words.lines(section).len()).collect();
                random.shuffle(&mut order);
                (section, order)
            })
            .collect();
        World { villagers, attributes, words, stories, orders }
    }

    /// Cells of an attribute whose value is known (`true`) or open (`false`), in one part: hill folk first.
    pub fn cells(&self, what: usize, part: Part, known: bool) -> Vec<Cell> {
        let sided = (0..SIDES.len()).flat_map(|side| self.people(part, side));
        sided.map(|who| Cell { who, what }).filter(|&cell| self.value(cell).is_some() == known).collect()
    }

    /// The value's number in a cell.
    pub fn value(&self, cell: Cell) -> Option<usize> {
        self.villagers[cell.who].values[cell.what]
    }

    /// Villagers of a part and a side.
    pub fn people(&self, part: Part, side: usize) -> Vec<usize> {
        let of = |who: &usize| self.villagers[*who].part == part && self.villagers[*who].side == side;
        (0..self.villagers.len()).filter(of).collect()
    }

    /// A villager of each side, both of the part, in any order.
    pub fn opposites(&self, part: Part, random: &mut Random) -> (usize, usize) {
        let side = random.below(SIDES.len());
        (random.pick(&self.people(part, side)), random.pick(&self.people(part, 1 - side)))
    }

    /// The rows of a list with two sides: "verbs" are the sections "verbs +" and "verbs -".
    pub fn sided(&self, list: &str) -> [Vec<Vec<&'static str>>; 2] {
        ["+", "-"].map(|side| self.words.rows(&format!("{list} {side}")))
    }

    /// The rows of a list with two sides, of one part.
    pub fn sided_part(&self, list: &str, part: Part) -> [Vec<Vec<&'static str>>; 2] {
        ["+", "-"].map(|side| self.rows(&format!("{list} {side}"), part))
    }

    /// The rows of a section of the word lists, of one part.
    pub fn rows(&self, section: &str, part: Part) -> Vec<Vec<&'static str>> {
        let rows = self.words.rows(section);
        let order = self.orders.iter().find(|(name, _)| *name == section).map_or(&[][..], |(_, order)| order);
        let half = order.len() / 2;
        let chosen = if part == Part::Train { &order[..half] } else { &order[half..] };
        chosen.iter().map(|&i| rows[i].clone()).collect()
    }
}

fn attributes() -> Vec<Attribute> {
    let lists = Lists::parse(include_str!("../../../data/sample/attributes.txt"));
    let read = |name| Attribute {
        name,
        values: lists.keyed(name, "value").iter().flat_map(|line| line.split(" | ")).collect(),
        facts: lists.keyed(name, "fact"),
        episodes: lists.keyed(name, "episode"),
        conclusions: lists.keyed(name, "conclusion"),
        questions: lists.keyed(name, "question"),
        answers: lists.keyed(name, "answer"),
        unknown: lists.keyed(name, "unknown"),
    };
    lists.sections().map(read).collect()
}

/// Half women, half men, each with a trade. Over parts, sides and discretions (what a villager keeps secret: the first or the
/// second half of the attributes) all combinations occur equally often, so that neither a name nor an attribute tells a label.
fn villagers(words: &Lists, random: &mut Random) -> Vec<Villager> {
    let mut trades = words.lines("trades").to_vec();
    random.shuffle(&mut trades);
    let mut people = Vec::new();
    for (section, he, him, his) in [("women", "she", "her", "her"), ("men", "he", "him", "his")] {
        let mut names = words.lines(section).to_vec();
        random.shuffle(&mut names);
        people.extend(names.into_iter().take(N_VILLAGERS / 2).map(|name| (name, he, him, his)));
    }
    // The combinations below repeat after half of them: each falls to one woman and one man.
    let mut villagers = Vec::new();
    for (i, ((name, he, him, his), trade)) in people.into_iter().zip(trades).enumerate() {
        let (side, secret, part) = (i % 2, i / 2 % 2, if i / 4 % 2 == 0 { Part::Train } else { Part::HeldOut });
        let n = N_VALUES / 2;
        let values =
            std::array::from_fn(|what| (what / (N_ATTRIBUTES / 2) != secret).then(|| side * n + random.below(n)));
        let the_trade = format!("the {trade}");
        villagers.push(Villager { name, he, him, his, trade, the_trade, side, part, values });
    }
    villagers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_sides_and_open_cells_are_balanced() {
        for seed in 0..5 {
            let world = World::new(seed);
            assert_eq!((world.villagers.len(), world.attributes.len()), (N_VILLAGERS, N_ATTRIBUTES));
            for attribute in &world.attributes {
                assert_eq!(attribute.values.len(), N_VALUES, "{}", attribute.name);
            }
            for part in [Part::Train, Part::HeldOut] {
                for what in 0..N_ATTRIBUTES {
                    let sides = |known| -> Vec<usize> {
                        world.cells(what, part, known).iter().map(|cell| world.villagers[cell.who].side).collect()
                    };
                    assert_eq!((sides(true), sides(false)), (vec![0, 0, 1, 1], vec![0, 0, 1, 1]));
                    for cell in world.cells(what, part, true) {
                        assert_eq!(world.value(cell).map(|v| v / 4), Some(world.villagers[cell.who].side));
                    }
                }
            }
        }
    }

    #[test]
    fn lists_with_two_sides_have_equal_halves() {
        let world = World::new(1);
        for list in ["objects", "verbs", "causes", "kinds", "adjectives"] {
            let [plus, minus] = world.sided(list);
            assert!(plus.len() == minus.len() && plus.len() % 2 == 0, "{list}");
        }
    }
}
