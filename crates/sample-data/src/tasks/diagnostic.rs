//! AX, GLUE's diagnostic set: pairs as MNLI's and SNLI's that nobody trains on, by what decides them.

use super::inference::{activity_group, fact_group, label};
use super::{File, collect, tsv};
use crate::random::Random;
use crate::world::{Part, World};
use std::collections::HashSet;

/// `AX.tsv` without labels and `diagnostic-full.tsv` with them, the same pairs in the same order.
pub fn ax(world: &World, random: &mut Random) -> Vec<File> {
    let mut seen = HashSet::new();
    let facts = collect(240, &mut seen, random, |random| fact_group(world, Part::HeldOut, random));
    let activities = collect(120, &mut seen, random, |random| activity_group(world, Part::HeldOut, random));
    let kinds = [(&facts, "\t\t\tWorld knowledge"), (&activities, "\tCore args\t\t")];
    let pairs = || kinds.iter().flat_map(|(pairs, kind)| pairs.iter().map(move |pair| (pair, kind)));
    let unlabelled = pairs().enumerate().map(|(i, (pair, _))| format!("{i}\t{}\t{}", pair.one, pair.two));
    let labelled =
        pairs().map(|(pair, kind)| format!("{kind}\tArtificial\t{}\t{}\t{}", pair.one, pair.two, label(pair.label)));
    let columns =
        "Lexical Semantics\tPredicate-Argument Structure\tLogic\tKnowledge\tDomain\tPremise\tHypothesis\tLabel";
    vec![
        tsv("AX/AX.tsv".to_owned(), "index\tsentence1\tsentence2", unlabelled),
        tsv("AX/diagnostic-full.tsv".to_owned(), columns, labelled),
    ]
}
