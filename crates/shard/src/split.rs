//! Which document goes where: training or validation.
//!
//! A document is in the validation split if a keyed hash of its name, read as a number in 0..1, is below
//! `validation_fraction`. So the split depends on the seed and the document's name alone: adding documents moves none of
//! the others. Three exceptions keep a split from being empty when the fraction is above 0:
//!
//! - all documents fell to training: the one with the smallest hash goes to validation,
//! - all fell to validation: the one with the largest hash goes to training,
//! - there is one document only: it is cut at the line that leaves nearest to the fraction of its bytes at its end, and
//!   that end is the validation split.

use crate::error::ShardError;
use gpt1_artifacts::preset::ShardConfig;
use gpt1_corpus::{Corpus, Gap, Piece};
use std::fmt;
use std::sync::Arc;

/// One of the two parts of a corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Split {
    /// What the model learns from.
    Train,
    /// What it is measured on while it learns.
    Validation,
}

impl Split {
    /// Both, in the order of reports.
    pub const ALL: [Split; 2] = [Split::Train, Split::Validation];

    /// The name in file names and metadata: `train`, `validation`.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Validation => "validation",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a first reading of the whole corpus found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Scan {
    /// Documents that hold text.
    pub n_documents: u64,
    /// UTF-8 bytes of their pieces.
    pub n_bytes: u64,
    n_validation: u64,
    smallest: Option<Candidate>,
    largest: Option<Candidate>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    hash: u64,
    index: u64,
    name: Arc<str>,
}

/// Where each document goes.
#[derive(Debug)]
pub(crate) struct Plan {
    key: [u8; 32],
    fraction: f64,
    exception: Option<Exception>,
}

#[derive(Debug)]
enum Exception {
    Moved { document: Candidate, to: Split },
    Cut { at: u64, of: u64 },
}

impl Plan {
    /// Reads the corpus once: checks all of it, counts it, and decides on the exceptions.
    pub(crate) fn of(
        corpus: &Corpus,
        config: &ShardConfig,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(Plan, Scan), ShardError> {
        let mut key_material = blake3::Hasher::new_derive_key("gpt1-shard: split of a corpus by document");
        key_material.update(&config.seed.to_le_bytes());
        let key = *key_material.finalize().as_bytes();
        let mut plan = Plan { key, fraction: config.validation_fraction, exception: None };
        let mut scan = Scan::default();
        let mut last_index = None;
        corpus.read::<ShardError>(progress, &mut |piece| {
            scan.n_bytes += piece.text.len() as u64;
            if last_index != Some(piece.index) {
                last_index = Some(piece.index);
                scan.n_documents += 1;
                scan.n_validation += u64::from(plan.by_hash(&piece.document) == Split::Validation);
                let candidate =
                    Candidate { hash: plan.hash(&piece.document), index: piece.index, name: piece.document };
                if scan.smallest.as_ref().is_none_or(|s| candidate.hash < s.hash) {
                    scan.smallest = Some(candidate.clone());
                }
                if scan.largest.as_ref().is_none_or(|l| candidate.hash > l.hash) {
                    scan.largest = Some(candidate);
                }
            }
            Ok(())
        })?;
        if plan.fraction > 0.0 {
            plan.exception = match scan.n_documents {
                0 => None,
                1 => Some(Exception::Cut { at: find_cut(corpus, scan.n_bytes, plan.fraction)?, of: scan.n_bytes }),
                _ if scan.n_validation == 0 => {
                    scan.smallest.clone().map(|document| Exception::Moved { document, to: Split::Validation })
                }
                n if scan.n_validation == n => {
                    scan.largest.clone().map(|document| Exception::Moved { document, to: Split::Train })
                }
                _ => None,
            };
        }
        Ok((plan, scan))
    }

    /// The exception made for this corpus, in words.
    pub(crate) fn remark(&self) -> Option<String> {
        match self.exception.as_ref()? {
            Exception::Moved { document, to } => Some(format!(
                "with validation_fraction {} no document fell to the {to} split; {} was put there",
                self.fraction, document.name
            )),
            Exception::Cut { at, of } => {
                Some(format!("the corpus is one document: its last {} of {of} bytes are the validation split", of - at))
            }
        }
    }

    /// The split of a piece; a piece that the cut of an only document goes through becomes two.
    pub(crate) fn assign(
        &self,
        mut piece: Piece,
        mut give: impl FnMut(Split, Piece) -> Result<(), ShardError>,
    ) -> Result<(), ShardError> {
        match &self.exception {
            Some(Exception::Cut { at, .. }) => {
                if piece.offset >= *at {
                    if piece.offset == *at {
                        piece.gap = Gap::None;
                    }
                    return give(Split::Validation, piece);
                }
                let kept = usize::try_from(at - piece.offset).unwrap_or(usize::MAX);
                if kept < piece.text.len() && piece.text.is_char_boundary(kept) {
                    let rest = Piece {
                        document: Arc::clone(&piece.document),
                        index: piece.index,
                        offset: *at,
                        text: piece.text.split_off(kept),
                        gap: Gap::None,
                    };
                    give(Split::Train, piece)?;
                    return give(Split::Validation, rest);
                }
                give(Split::Train, piece)
            }
            Some(Exception::Moved { document, to }) if document.index == piece.index => give(*to, piece),
            _ => give(self.by_hash(&piece.document), piece),
        }
    }

    fn by_hash(&self, document: &str) -> Split {
        let unit = (self.hash(document) >> 11) as f64 / (1u64 << 53) as f64;
        if unit < self.fraction { Split::Validation } else { Split::Train }
    }

    fn hash(&self, document: &str) -> u64 {
        let hash = blake3::keyed_hash(&self.key, document.as_bytes());
        u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("8 of 32 bytes"))
    }
}

/// The line start of the only document that is nearest to `1 - fraction` of its `n_bytes`, with text before and after it.
fn find_cut(corpus: &Corpus, n_bytes: u64, fraction: f64) -> Result<u64, ShardError> {
    let target = ((1.0 - fraction) * n_bytes as f64).round() as u64;
    let mut best: Option<u64> = None;
    let mut text_before = false;
    corpus.read::<ShardError>(&mut |_| {}, &mut |piece| {
        let mut offset = piece.offset;
        let mut at_line_start = piece.gap == Gap::LineFeed;
        for line in piece.text.split_inclusive('\n') {
            if !line.trim().is_empty() {
                if text_before && at_line_start && best.is_none_or(|b| offset.abs_diff(target) < b.abs_diff(target)) {
                    best = Some(offset);
                }
                text_before = true;
            }
            offset += line.len() as u64;
            at_line_start = true;
        }
        Ok(())
    })?;
    best.ok_or_else(|| ShardError::Indivisible(corpus.root.clone()))
}
