//! Table 5 of the paper; the other tables' numbers stand with their tasks.

/// A row of table 5: the scores of the test sets, by the metric of the other tables.
#[derive(Debug)]
pub struct Ablation {
    /// What the paper calls it.
    pub name: &'static str,
    /// The mean that the paper gives.
    pub average: f64,
    /// By task, in the paper's order.
    pub scores: [(&'static str, f64); 8],
}

const fn row(name: &'static str, average: f64, s: [f64; 8]) -> Ablation {
    let scores = [
        ("cola", s[0]),
        ("sst2", s[1]),
        ("mrpc", s[2]),
        ("stsb", s[3]),
        ("qqp", s[4]),
        ("mnli", s[5]),
        ("qnli", s[6]),
        ("rte", s[7]),
    ];
    Ablation { name, average, scores }
}

/// Radford et al. 2018, table 5.
pub const TABLE_5: [Ablation; 4] = [
    row("Transformer w/ aux LM (full)", 74.7, [45.4, 91.3, 82.3, 82.0, 70.3, 81.8, 88.1, 56.0]),
    row("Transformer w/o pre-training", 59.9, [18.9, 84.0, 79.4, 30.9, 65.5, 75.7, 71.2, 53.8]),
    row("Transformer w/o aux LM", 75.0, [47.9, 92.0, 84.9, 83.2, 69.8, 81.1, 86.9, 54.4]),
    row("LSTM w/ aux LM", 69.1, [30.3, 90.5, 83.2, 71.8, 68.1, 73.7, 81.1, 54.6]),
];
