//! Ragged batches.

/// Sequences laid end to end. N tokens in all, B sequences.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// (N) token ids.
    pub tokens: Vec<u32>,
    /// (N) position of each token in its sequence.
    pub positions: Vec<u32>,
    /// (B + 1) first row of each sequence, and N at the end.
    pub starts: Vec<u32>,
    /// (B) each sequence's number within the update: with the position it names a row to the dropout masks, so that neither
    /// micro-batches nor threads nor ranks change them.
    pub sequence_ids: Vec<u64>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Batch {
        Batch { starts: vec![0], ..Batch::default() }
    }

    /// Removes all sequences, keeping the memory.
    pub fn clear(&mut self) {
        self.tokens.clear();
        self.positions.clear();
        self.starts.clear();
        self.starts.push(0);
        self.sequence_ids.clear();
    }

    /// Adds a sequence with the number `id`.
    pub fn push(&mut self, id: u64, tokens: &[u32]) {
        self.tokens.extend_from_slice(tokens);
        self.positions.extend(0..tokens.len() as u32);
        self.starts.push(self.tokens.len() as u32);
        self.sequence_ids.push(id);
    }

    /// N.
    pub fn n_tokens(&self) -> usize {
        self.tokens.len()
    }

    /// B.
    pub fn n_sequences(&self) -> usize {
        self.sequence_ids.len()
    }

    /// The name of each row to the dropout masks.
    pub(crate) fn row_ids(&self, n_positions: usize, into: &mut Vec<u64>) {
        into.clear();
        for (window, id) in self.starts.windows(2).zip(&self.sequence_ids) {
            let rows = window[0] as usize..window[1] as usize;
            into.extend(self.positions[rows].iter().map(|p| id * n_positions as u64 + u64::from(*p)));
        }
    }
}

/// What names the dropout masks of one update; absent in evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropout {
    /// The run's seed.
    pub seed: u64,
    /// The update's number.
    pub step: u64,
}

/// The places where dropout happens; the number of a site within a layer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Site {
    Embedding,
    Attention,
    AttentionBranch,
    MlpBranch,
    Classifier,
    /// What the heads read of an LSTM.
    LstmOutput,
}

impl Dropout {
    /// The mask of a site with rate `p`; none without dropout or where the rate is 0.
    pub(crate) fn mask(
        dropout: Option<Dropout>,
        layer: usize,
        site: Site,
        p: f32,
    ) -> Option<gpt1_kernels::dropout::Mask> {
        let Dropout { seed, step } = dropout?;
        gpt1_kernels::dropout::Mask::new(seed, step, (layer as u32) << 8 | site as u32, p)
    }
}
