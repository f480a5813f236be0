//! From a corpus to the shards of both splits: one thread reads, all cores encode, one thread writes.

use crate::error::ShardError;
use crate::split::{Plan, Scan, Split};
use crate::write::{Facts, SplitSummary, SplitWriter};
use gpt1_artifacts::preset::ShardConfig;
use gpt1_corpus::{Corpus, Gap, PIECE_BYTES, Piece};
use gpt1_tokenize::Encoder;
use serde::Serialize;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Bytes of text for each thread that are encoded at once.
const BATCH_BYTES_PER_THREAD: usize = PIECE_BYTES;
/// Documents that are encoded at once, at most.
const BATCH_PIECES: usize = 1 << 16;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The training split.
    pub train: SplitSummary,
    /// The validation split.
    pub validation: SplitSummary,
    /// The exception made to keep a split from being empty, in words.
    pub remark: Option<String>,
}

type Batch = Vec<(Split, Piece)>;

/// Writes the shards of both splits of a corpus into `dir`: `train-00000.parquet`, ..., `validation-00000.parquet`, ...
///
/// The corpus is read twice: once to check and count all of it, so that its last line cannot spoil a long run, then to
/// encode it; `report` hears how far both are. The shards are the same for any number of threads. Files of the same names
/// are replaced; `dir` should hold no other shards.
pub fn write_shards(
    corpus: &Corpus,
    encoder: &Encoder,
    config: &ShardConfig,
    corpus_digest: &str,
    dir: &Path,
    report: &mut dyn FnMut(Report),
) -> Result<Summary, ShardError> {
    let (plan, scan) = Plan::of(corpus, config, &mut |n_bytes| report(Report::Checked(n_bytes)))?;
    if scan.n_documents == 0 {
        return Err(corpus.empty().into());
    }
    report(Report::ToEncode(scan.n_bytes));
    let facts = Facts {
        tokenizer_digest: encoder.digest(),
        corpus_digest: corpus_digest.to_owned(),
        n_vocab: encoder.n_vocab(),
        seed: config.seed,
        validation_fraction: config.validation_fraction,
        tokens_per_shard: config.tokens_per_shard,
    };
    let gaps = GapTokens::of(encoder);
    let (facts, gaps, plan, scan) = (&facts, &gaps, &plan, &scan);
    std::thread::scope(|scope| {
        let (to_encode, batches) = sync_channel::<Batch>(1);
        let (to_write, rows) = sync_channel::<(Batch, Vec<Vec<u32>>)>(1);
        let reader = scope.spawn(move || read_batches(corpus, plan, scan, &to_encode));
        let writer = scope.spawn(move || write_rows(&rows, gaps, dir, facts));
        for batch in batches {
            let texts: Vec<&str> = batch.iter().map(|(_, piece)| piece.text.as_str()).collect();
            let n_bytes = texts.iter().map(|t| t.len() as u64).sum();
            let ids = encoder.encode_batch(&texts);
            if to_write.send((batch, ids)).is_err() {
                break;
            }
            report(Report::Encoded(n_bytes));
        }
        drop(to_write);
        // A writer that failed has stopped the reader: its error comes first.
        let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let read = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let (train, validation) = written?;
        read?;
        Ok(Summary { train, validation, remark: plan.remark() })
    })
}

/// How far [`write_shards`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// So many bytes of corpus files more have been checked.
    Checked(u64),
    /// All have been checked; so many bytes of text will be encoded.
    ToEncode(u64),
    /// So many bytes of text more have been encoded.
    Encoded(u64),
}

fn read_batches(
    corpus: &Corpus,
    plan: &Plan,
    expected: &Scan,
    to_encode: &SyncSender<Batch>,
) -> Result<(), ShardError> {
    let limit = BATCH_BYTES_PER_THREAD * rayon::current_num_threads().max(4);
    let mut batch = Batch::new();
    let mut batch_bytes = 0;
    let mut n_bytes = 0;
    corpus.read(&mut |_| {}, &mut |piece| {
        n_bytes += piece.text.len() as u64;
        plan.assign(piece, |split, piece| {
            if batch_bytes + piece.text.len() > limit || batch.len() == BATCH_PIECES {
                to_encode.send(std::mem::take(&mut batch)).map_err(|_| ShardError::Stopped)?;
                batch_bytes = 0;
            }
            batch_bytes += piece.text.len();
            batch.push((split, piece));
            Ok(())
        })
    })?;
    if n_bytes != expected.n_bytes {
        let (before, after) = (format!("{} bytes of text", expected.n_bytes), format!("{n_bytes}"));
        return Err(ShardError::CorpusChanged { path: corpus.root.clone(), before, after });
    }
    to_encode.send(batch).map_err(|_| ShardError::Stopped)
}

fn write_rows(
    rows: &Receiver<(Batch, Vec<Vec<u32>>)>,
    gaps: &GapTokens,
    dir: &Path,
    facts: &Facts,
) -> Result<(SplitSummary, SplitSummary), ShardError> {
    let mut train = SplitWriter::create(dir, Split::Train, facts)?;
    let mut validation = SplitWriter::create(dir, Split::Validation, facts)?;
    for (batch, encoded) in rows {
        for ((split, piece), ids) in batch.into_iter().zip(encoded) {
            let writer = match split {
                Split::Train => &mut train,
                Split::Validation => &mut validation,
            };
            let ids = match gaps.ids(piece.gap) {
                [] => ids,
                gap => [gap, &ids].concat(),
            };
            writer.push(&piece.document, piece.index, piece.text.len() as u64, &ids)?;
        }
    }
    Ok((train.finish()?, validation.finish()?))
}

/// The tokens that stand for the white space between two pieces of a document.
struct GapTokens {
    carriage_return: Vec<u32>,
    line_feed: Vec<u32>,
    space: Vec<u32>,
}

impl GapTokens {
    fn of(encoder: &Encoder) -> GapTokens {
        let word = encoder.encode("a");
        let between = |gap: Gap| {
            let ids = encoder.encode(&format!("a{}a", gap.text()));
            let inner = ids.strip_prefix(word.as_slice()).and_then(|ids| ids.strip_suffix(word.as_slice()));
            inner.unwrap_or_default().to_vec()
        };
        GapTokens {
            carriage_return: between(Gap::CarriageReturn),
            line_feed: between(Gap::LineFeed),
            space: between(Gap::Space),
        }
    }

    fn ids(&self, gap: Gap) -> &[u32] {
        match gap {
            Gap::None => &[],
            Gap::Space => &self.space,
            Gap::CarriageReturn => &self.carriage_return,
            Gap::LineFeed => &self.line_feed,
        }
    }
}
