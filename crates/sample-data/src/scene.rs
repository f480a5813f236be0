//! Two villagers, a thing, a place and a time: what most sentences are about.

use crate::random::Random;
use crate::text::{Slots, fill};
use crate::world::{Attribute, Cell, SIDES, Villager, World};

/// What the slots of a template are filled with.
#[derive(Debug, Clone)]
pub struct Scene<'w> {
    /// The world.
    pub world: &'w World,
    /// First villager, by number.
    pub a: usize,
    /// Second villager, another one.
    pub b: usize,
    /// Whether the first villager is called by the trade ("the baker") instead of the name.
    pub by_trade: bool,
    /// A thing.
    pub object: &'static str,
    /// A place.
    pub place: &'static str,
    /// A time.
    pub time: &'static str,
}

impl<'w> Scene<'w> {
    /// A scene with two villagers of the world.
    pub fn random(world: &'w World, random: &mut Random) -> Scene<'w> {
        let (a, b) = random.two(world.villagers.len());
        Scene::of(world, a, b, random)
    }

    /// A scene of the corpus: both villagers and the place are of the same side of the valley.
    pub fn neighbors(world: &'w World, random: &mut Random) -> Scene<'w> {
        let side = random.below(SIDES.len());
        let of = |who: &usize| world.villagers[*who].side == side;
        let people: Vec<usize> = (0..world.villagers.len()).filter(of).collect();
        let (i, j) = random.two(people.len());
        let places = world.words.lines("places");
        let half = places.len() / 2;
        let place = places[side * half + random.below(half)];
        Scene { place, ..Scene::of(world, people[i], people[j], random) }
    }

    /// A scene with the given villagers.
    pub fn of(world: &'w World, a: usize, b: usize, random: &mut Random) -> Scene<'w> {
        let side = random.below(2);
        let objects = world.sided("objects");
        Scene {
            world,
            a,
            b,
            by_trade: false,
            object: random.one(&objects[side])[random.below(2)],
            place: random.pick(world.words.lines("places")),
            time: random.pick(world.words.lines("times")),
        }
    }

    /// A scene with villager `a` and somebody else.
    pub fn with(world: &'w World, a: usize, random: &mut Random) -> Scene<'w> {
        let n = world.villagers.len();
        let b = (a + 1 + random.below(n - 1)) % n;
        Scene::of(world, a, b, random)
    }

    /// First villager.
    pub fn first(&self) -> &'w Villager {
        &self.world.villagers[self.a]
    }

    /// Second villager.
    pub fn second(&self) -> &'w Villager {
        &self.world.villagers[self.b]
    }

    /// The scene with a second villager of the other side.
    #[must_use]
    pub fn opposite(&self, random: &mut Random) -> Scene<'w> {
        let people = &self.world.villagers;
        let others: Vec<usize> = (0..people.len()).filter(|&who| people[who].side != people[self.a].side).collect();
        Scene { b: random.pick(&others), ..self.clone() }
    }

    /// The same scene with the villagers exchanged.
    #[must_use]
    pub fn swapped(&self) -> Scene<'w> {
        Scene { a: self.b, b: self.a, by_trade: false, ..self.clone() }
    }

    /// A sentence from a template; `extra` comes before the scene's own slots.
    pub fn say(&self, template: &str, extra: &Slots) -> String {
        let (a, b) = (self.first(), self.second());
        let mut slots = extra.to_vec();
        slots.extend([
            ("a", if self.by_trade { a.the_trade.as_str() } else { a.name }),
            ("b", b.name),
            ("he", a.he),
            ("him", a.him),
            ("his", a.his),
            ("the_a", a.the_trade.as_str()),
            ("the_b", b.the_trade.as_str()),
            ("trade", a.trade),
            ("side", SIDES[a.side]),
            ("o", self.object),
            ("p", self.place),
            ("time", self.time),
        ]);
        fill(template, &slots)
    }

    /// A sentence from a random line of a section of `stories.txt`.
    pub fn tell(&self, section: &str, extra: &Slots, random: &mut Random) -> String {
        self.say(random.pick(self.world.stories.lines(section)), extra)
    }

    /// The first villager's cell of an attribute.
    pub fn cell(&self, what: usize) -> Cell {
        Cell { who: self.a, what }
    }
}

/// The true value's word in a cell, where the world knows it.
pub fn value_word(world: &World, cell: Cell) -> Option<&'static str> {
    world.value(cell).map(|v| world.attributes[cell.what].values[v])
}

/// A value's word of the other side than number `value`.
pub fn other_value(attribute: &Attribute, value: usize, random: &mut Random) -> &'static str {
    let half = attribute.values.len() / 2;
    attribute.values[(1 - value / half) * half + random.below(half)]
}
