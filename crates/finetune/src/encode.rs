//! From a split's texts to the sequences that the model reads.

use crate::FinetuneError;
use gpt1_artifacts::progress::Progress;
use gpt1_model::{Batch, Form};
use gpt1_tasks::{Dataset, Special, Task};
use gpt1_tokenize::Encoder;

/// A split of a task as the model reads it: E examples of S sequences, K outputs.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// How the sequences of an example make its outputs; gives S.
    pub form: Form,
    /// (E * S) token ids of each sequence, example after example; each ends in the extract token.
    pub sequences: Vec<Vec<u32>>,
    /// (E, K) target distributions; empty if any example has no label.
    pub targets: Vec<f32>,
    /// K: numbers of a target distribution.
    pub n_outputs: usize,
    /// Examples of which something was cut off to fit the context.
    pub n_truncated: usize,
}

/// Enough for all cores, few enough that progress can be seen.
const TEXTS_AT_ONCE: usize = 4096;

/// Encodes all texts of a split on all cores and applies the task's input transformation (paper 3.3), at most `n_ctx` tokens
/// a sequence.
pub fn encode(dataset: &Dataset, encoder: &Encoder, special: &Special, n_ctx: usize) -> Result<Encoded, FinetuneError> {
    let task = dataset.task;
    let texts: Vec<&str> = dataset.examples.iter().flat_map(|e| e.texts.iter().map(String::as_str)).collect();
    let progress =
        Progress::brief(&format!("encoding {} {}", task.title(), dataset.split), texts.len() as u64, "texts");
    let mut ids = Vec::with_capacity(texts.len());
    for some in texts.chunks(TEXTS_AT_ONCE) {
        ids.extend(encoder.encode_batch(some));
        progress.inc(some.len() as u64);
    }
    let mut ids = ids.into_iter();
    let n_outputs = task.n_outputs();
    let mut encoded =
        Encoded { form: form(task), sequences: Vec::new(), targets: Vec::new(), n_outputs, n_truncated: 0 };
    let mut n_labelled = 0;
    for example in &dataset.examples {
        let texts: Vec<Vec<u32>> = ids.by_ref().take(example.texts.len()).collect();
        let inputs = gpt1_tasks::inputs(task, &texts, special, n_ctx)?;
        encoded.n_truncated += usize::from(inputs.n_cut > 0);
        encoded.sequences.extend(inputs.sequences);
        let targets = task.targets(&example.target);
        n_labelled += usize::from(!targets.is_empty());
        encoded.targets.extend(targets);
    }
    if n_labelled < dataset.examples.len() {
        encoded.targets.clear();
    }
    Ok(encoded)
}

impl Encoded {
    /// E.
    pub fn n_examples(&self) -> usize {
        self.sequences.len() / self.form.n_sequences()
    }

    /// Tokens of an example, all its sequences together.
    pub fn n_tokens_of(&self, example: u32) -> usize {
        self.sequences_of(example).iter().map(Vec::len).sum()
    }

    /// Tokens of all examples.
    pub fn n_tokens(&self) -> usize {
        self.sequences.iter().map(Vec::len).sum()
    }

    /// The sequences of an example.
    pub fn sequences_of(&self, example: u32) -> &[Vec<u32>] {
        let n = self.form.n_sequences();
        &self.sequences[example as usize * n..(example as usize + 1) * n]
    }

    /// The target distribution of an example; empty if the split has no labels.
    pub fn targets_of(&self, example: u32) -> &[f32] {
        let n = if self.targets.is_empty() { 0 } else { self.n_outputs };
        &self.targets[example as usize * n..(example as usize + 1) * n]
    }
}

/// What the model computes at once of a split.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// The sequences.
    pub batch: Batch,
    /// The row of each sequence's extract token.
    pub rows: Vec<u32>,
    /// Each example's number within the update.
    pub example_ids: Vec<u64>,
    /// Target distributions, if there are.
    pub targets: Vec<f32>,
}

impl Run {
    /// Fills in `examples`, whose numbers within the update count from `first_id`.
    pub fn fill(&mut self, data: &Encoded, examples: &[u32], first_id: u64) {
        self.batch.clear();
        self.rows.clear();
        self.targets.clear();
        self.example_ids.clear();
        let per_example = data.form.n_sequences() as u64;
        for (id, &example) in (first_id..).zip(examples) {
            for (j, sequence) in data.sequences_of(example).iter().enumerate() {
                self.batch.push(id * per_example + j as u64, sequence);
                self.rows.push(self.batch.n_tokens() as u32 - 1);
            }
            self.example_ids.push(id);
            self.targets.extend(data.targets_of(example));
        }
    }
}

/// The model's word for the task's form.
fn form(task: Task) -> Form {
    match task.form() {
        gpt1_tasks::Form::Single => Form::Single,
        gpt1_tasks::Form::Sum => Form::Sum,
        gpt1_tasks::Form::Choice(n) => Form::Choice(n),
    }
}
