//! SST-2: was the show liked? The adjectives of dev and test do not occur in train.

use super::{File, Pair, Split, collect, glue_splits, tsv};
use crate::random::Random;
use crate::scene::Scene;
use crate::sentences::review;
use crate::text::{lower_first, spaced};
use crate::world::World;
use std::collections::HashSet;

/// SST-2: `sentence label`; the text is tokenized, in small letters where no name begins it, and ends with a space.
pub fn sst2(world: &World, random: &mut Random) -> Vec<File> {
    let mut seen = HashSet::new();
    let mut make = |split: Split| {
        let adjectives = world.sided_part("adjectives", split.part);
        let pairs = collect(split.n, &mut seen, random, |random| {
            // The same choices with good and with bad words: only the adjectives differ.
            let scene = Scene::random(world, random);
            let mut again = random.clone();
            let good = review(&scene, true, &adjectives, random);
            let bad = review(&scene, false, &adjectives, &mut again);
            vec![Pair::new(small(&good), String::new(), true), Pair::new(small(&bad), String::new(), false)]
        });
        let rows = pairs.iter().enumerate().map(|(i, pair)| {
            if split.labelled {
                format!("{} \t{}", pair.one, u8::from(pair.label))
            } else {
                format!("{i}\t{}", pair.one)
            }
        });
        tsv(
            format!("SST-2/{}.tsv", split.file),
            if split.labelled { "sentence\tlabel" } else { "index\tsentence" },
            rows,
        )
    };
    glue_splits(1600, 400).into_iter().map(&mut make).collect()
}

fn small(text: &str) -> String {
    spaced(&lower_first(text)).to_lowercase()
}
