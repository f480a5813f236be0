//! Presets: one YAML file holds every hyper-parameter of a size.
//!
//! `pipelines/presets/{tiny,small,gpt1}.yaml` are built in under their names; a stage reads its own sections.

use crate::config::{self, ConfigError};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The built-in presets: name and text.
const BUILT_IN: [(&str, &str); 3] = [
    ("tiny", include_str!("../../../pipelines/presets/tiny.yaml")),
    ("small", include_str!("../../../pipelines/presets/small.yaml")),
    ("gpt1", include_str!("../../../pipelines/presets/gpt1.yaml")),
];

/// Every hyper-parameter of a size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// Section `tokenizer`.
    pub tokenizer: TokenizerConfig,
    /// Section `shards`.
    pub shards: ShardConfig,
    /// Section `model`.
    pub model: ModelConfig,
    /// Section `pretrain`.
    pub pretrain: PretrainConfig,
    /// Section `finetune`.
    pub finetune: FinetuneConfig,
}

/// How the byte-pair vocabulary is learned (paper 4.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenizerConfig {
    /// Merges to learn.
    pub n_merges: usize,
    /// A pair seen less often is never merged.
    pub min_frequency: u64,
}

/// How the corpus becomes shards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardConfig {
    /// Share of the documents set aside for validation, 0 to below 1.
    pub validation_fraction: f64,
    /// Tokens of one Parquet file, about.
    pub tokens_per_shard: usize,
    /// Seed of the split by document.
    pub seed: u64,
}

/// What computes the hidden states.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// The paper's model (3.1).
    #[default]
    Transformer,
    /// What section 5 compares it with: a single layer of LSTM units.
    Lstm,
}

/// The decoder's shape and regularisation (paper 4.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Transformer, or LSTM: then `n_layer`, `n_head`, `attn_pdrop` and `layer_norm_epsilon` mean nothing. A preset without
    /// the key means the Transformer.
    #[serde(default)]
    pub architecture: Architecture,
    /// Units of the LSTM; the Transformer has none. A preset without the key means the paper's 2048 (section 5).
    #[serde(default = "units_of_the_paper")]
    pub n_units: usize,
    /// Blocks.
    pub n_layer: usize,
    /// Attention heads; divides `n_embd`.
    pub n_head: usize,
    /// Width of the hidden states.
    pub n_embd: usize,
    /// Longest sequence, in tokens.
    pub n_ctx: usize,
    /// Dropout rate after the embeddings.
    pub embd_pdrop: f32,
    /// Dropout rate on both residual branches.
    pub resid_pdrop: f32,
    /// Dropout rate on the attention weights.
    pub attn_pdrop: f32,
    /// Added to the variance in LayerNorm.
    pub layer_norm_epsilon: f32,
    /// Standard deviation of the initial weights.
    pub initializer_range: f32,
}

/// Generative pre-training (paper 4.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PretrainConfig {
    /// Seed of initial weights, order of windows and dropout.
    pub seed: u64,
    /// Windows of `n_ctx` tokens an update.
    pub batch_size: usize,
    /// Windows computed at once: bounds the memory, changes nothing else.
    pub micro_batch_size: usize,
    /// Passes over the training tokens.
    pub n_epochs: f64,
    /// Stop after so many updates if `n_epochs` would take more.
    pub max_updates: Option<u64>,
    /// Largest learning rate.
    pub learning_rate: f64,
    /// Updates of linear warm-up.
    pub warmup_updates: u64,
    /// Decoupled weight decay, not on biases and gains.
    pub weight_decay: f64,
    /// Adam's decay of the mean.
    pub beta1: f64,
    /// Adam's decay of the square.
    pub beta2: f64,
    /// Adam's epsilon.
    pub epsilon: f64,
    /// Clip the global gradient norm; null: never.
    pub max_grad_norm: Option<f64>,
    /// Updates between validations.
    pub eval_interval: u64,
    /// Windows of the validation split to evaluate, at most.
    pub eval_windows: usize,
    /// Updates between checkpoints.
    pub checkpoint_interval: u64,
    /// The last so many checkpoints are kept while training, and the best. It never changes a result, so it is not recorded and
    /// enters no key.
    #[serde(default = "two", skip_serializing)]
    pub n_checkpoints: usize,
    /// Keep the model of the lowest validation loss, too, in `best/`. Recorded if true, so that the keys of results from before
    /// this setting hold.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_best: bool,
    /// Models to keep in `snapshots/`: the last, that of half its updates, of a quarter ..., and the initial one; 0: none.
    #[serde(default)]
    pub n_snapshots: usize,
    /// Updates between lines of metrics.jsonl.
    pub log_interval: u64,
    /// Continuations to sample at the end.
    pub n_samples: usize,
    /// Tokens of each continuation.
    pub sample_length: usize,
    /// Sampling temperature; 0 takes the likeliest token.
    pub temperature: f64,
    /// Sample from the k likeliest tokens; 0: from all.
    pub top_k: usize,
}

/// Discriminative fine-tuning (paper 3.2, 4.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinetuneConfig {
    /// Seed of new weights, order of examples and dropout.
    pub seed: u64,
    /// Examples an update.
    pub batch_size: usize,
    /// Passes over the examples.
    pub n_epochs: usize,
    /// Largest learning rate.
    pub learning_rate: f64,
    /// Share of training in linear warm-up.
    pub warmup_fraction: f64,
    /// Decoupled weight decay, not on biases and gains.
    pub weight_decay: f64,
    /// Adam's decay of the mean.
    pub beta1: f64,
    /// Adam's decay of the square.
    pub beta2: f64,
    /// Adam's epsilon.
    pub epsilon: f64,
    /// Clip the global gradient norm.
    pub max_grad_norm: f64,
    /// Weight of the auxiliary language-modelling loss (paper equation 5).
    pub lm_coef: f32,
    /// Dropout rate before the classifier.
    pub clf_pdrop: f32,
    /// Use only the first so many training examples; null: all.
    pub max_train_examples: Option<usize>,
    /// Of a pre-trained model use the embeddings and the first so many blocks, the others begin with random weights
    /// (paper section 5, figure 2 left); null: all.
    #[serde(default)]
    pub n_layer_transferred: Option<usize>,
    /// Updates between checkpoints.
    pub checkpoint_interval: u64,
    /// The last so many checkpoints are kept while training, and the best; as in pre-training.
    #[serde(default = "two", skip_serializing)]
    pub n_checkpoints: usize,
    /// Keep the model of the best score on the development set after an epoch, too, in `best/`; recorded if true.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_best: bool,
    /// Updates between lines of metrics.jsonl.
    pub log_interval: u64,
}

fn two() -> usize {
    2
}

fn units_of_the_paper() -> usize {
    2048
}

impl Preset {
    /// A built-in preset by its name, else the file of that path; with overrides `section.key=value`, ranges checked.
    pub fn load(path_or_name: &str, sets: &[String]) -> Result<Preset, ConfigError> {
        let path = Path::new(path_or_name);
        let preset: Preset = match BUILT_IN.iter().find(|(name, _)| *name == path_or_name) {
            Some((_, text)) => config::from_text(path, text, sets)?,
            None => config::load(path, sets)?,
        };
        preset.check(path)?;
        Ok(preset)
    }

    /// Refuses values outside their range, naming the key.
    fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let Preset { tokenizer, shards, model: m, pretrain: p, finetune: f } = self;
        let probability = "a probability from 0 to below 1";
        let positive = "a number above 0";
        let count = "at least 1";
        let checks: &[(&str, f64, bool, &str)] = &[
            ("tokenizer.n_merges", tokenizer.n_merges as f64, tokenizer.n_merges <= 1 << 24, "at most 16777216"),
            ("tokenizer.min_frequency", tokenizer.min_frequency as f64, tokenizer.min_frequency >= 1, count),
            (
                "shards.validation_fraction",
                shards.validation_fraction,
                is_probability(shards.validation_fraction),
                probability,
            ),
            ("shards.tokens_per_shard", shards.tokens_per_shard as f64, shards.tokens_per_shard >= 1, count),
            ("model.n_units", m.n_units as f64, (1..=65536).contains(&m.n_units), "1 to 65536"),
            ("model.n_layer", m.n_layer as f64, (1..=1024).contains(&m.n_layer), "1 to 1024"),
            ("model.n_embd", m.n_embd as f64, (1..=65536).contains(&m.n_embd), "1 to 65536"),
            ("model.n_head", m.n_head as f64, m.n_head >= 1 && m.n_embd % m.n_head == 0, "a divisor of model.n_embd"),
            ("model.n_ctx", m.n_ctx as f64, (2..=65536).contains(&m.n_ctx), "2 to 65536"),
            ("model.embd_pdrop", f64::from(m.embd_pdrop), is_probability(f64::from(m.embd_pdrop)), probability),
            ("model.resid_pdrop", f64::from(m.resid_pdrop), is_probability(f64::from(m.resid_pdrop)), probability),
            ("model.attn_pdrop", f64::from(m.attn_pdrop), is_probability(f64::from(m.attn_pdrop)), probability),
            (
                "model.layer_norm_epsilon",
                f64::from(m.layer_norm_epsilon),
                is_positive(f64::from(m.layer_norm_epsilon)),
                positive,
            ),
            (
                "model.initializer_range",
                f64::from(m.initializer_range),
                is_positive(f64::from(m.initializer_range)),
                positive,
            ),
            ("pretrain.batch_size", p.batch_size as f64, p.batch_size >= 1, count),
            ("pretrain.micro_batch_size", p.micro_batch_size as f64, p.micro_batch_size >= 1, count),
            ("pretrain.n_epochs", p.n_epochs, is_positive(p.n_epochs), positive),
            ("pretrain.max_updates", p.max_updates.unwrap_or(1) as f64, p.max_updates != Some(0), count),
            ("pretrain.learning_rate", p.learning_rate, is_positive(p.learning_rate), positive),
            ("pretrain.weight_decay", p.weight_decay, is_non_negative(p.weight_decay), "0 or above"),
            ("pretrain.beta1", p.beta1, is_probability(p.beta1), probability),
            ("pretrain.beta2", p.beta2, is_probability(p.beta2), probability),
            ("pretrain.epsilon", p.epsilon, is_positive(p.epsilon), positive),
            (
                "pretrain.max_grad_norm",
                p.max_grad_norm.unwrap_or(1.0),
                is_positive(p.max_grad_norm.unwrap_or(1.0)),
                "null, or a number above 0",
            ),
            ("pretrain.eval_interval", p.eval_interval as f64, p.eval_interval >= 1, count),
            ("pretrain.eval_windows", p.eval_windows as f64, p.eval_windows >= 1, count),
            ("pretrain.checkpoint_interval", p.checkpoint_interval as f64, p.checkpoint_interval >= 1, count),
            ("pretrain.n_checkpoints", p.n_checkpoints as f64, p.n_checkpoints >= 1, count),
            ("pretrain.log_interval", p.log_interval as f64, p.log_interval >= 1, count),
            ("pretrain.temperature", p.temperature, is_non_negative(p.temperature), "0 or above"),
            ("finetune.batch_size", f.batch_size as f64, f.batch_size >= 1, count),
            ("finetune.n_epochs", f.n_epochs as f64, f.n_epochs >= 1, count),
            ("finetune.learning_rate", f.learning_rate, is_positive(f.learning_rate), positive),
            (
                "finetune.warmup_fraction",
                f.warmup_fraction,
                is_probability(f.warmup_fraction),
                "a share from 0 to below 1",
            ),
            ("finetune.weight_decay", f.weight_decay, is_non_negative(f.weight_decay), "0 or above"),
            ("finetune.beta1", f.beta1, is_probability(f.beta1), probability),
            ("finetune.beta2", f.beta2, is_probability(f.beta2), probability),
            ("finetune.epsilon", f.epsilon, is_positive(f.epsilon), positive),
            ("finetune.max_grad_norm", f.max_grad_norm, is_positive(f.max_grad_norm), positive),
            ("finetune.lm_coef", f64::from(f.lm_coef), is_non_negative(f64::from(f.lm_coef)), "0 or above"),
            ("finetune.clf_pdrop", f64::from(f.clf_pdrop), is_probability(f64::from(f.clf_pdrop)), probability),
            (
                "finetune.max_train_examples",
                f.max_train_examples.unwrap_or(1) as f64,
                f.max_train_examples != Some(0),
                "null, or at least 1",
            ),
            ("finetune.checkpoint_interval", f.checkpoint_interval as f64, f.checkpoint_interval >= 1, count),
            ("finetune.n_checkpoints", f.n_checkpoints as f64, f.n_checkpoints >= 1, count),
            ("finetune.log_interval", f.log_interval as f64, f.log_interval >= 1, count),
        ];
        match checks.iter().find(|(_, _, fits, _)| !fits) {
            None => Ok(()),
            Some((key, value, _, expected)) => Err(ConfigError::Range {
                path: path.to_owned(),
                key: (*key).to_owned(),
                value: value.to_string(),
                expected: (*expected).to_owned(),
            }),
        }
    }
}

fn is_probability(x: f64) -> bool {
    (0.0..1.0).contains(&x)
}

fn is_positive(x: f64) -> bool {
    x > 0.0 && x.is_finite()
}

fn is_non_negative(x: f64) -> bool {
    x >= 0.0 && x.is_finite()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_presets_hold() {
        for (name, _) in BUILT_IN {
            Preset::load(name, &[]).unwrap();
        }
    }

    #[test]
    fn paper_values_of_gpt1() {
        let preset = Preset::load("gpt1", &[]).unwrap();
        let m = &preset.model;
        assert_eq!((m.n_layer, m.n_head, m.n_embd, m.n_ctx), (12, 12, 768, 512));
        assert_eq!((m.architecture, m.n_units), (Architecture::Transformer, 2048));
        let p = &preset.pretrain;
        assert_eq!((p.batch_size, p.n_epochs, p.learning_rate, p.warmup_updates), (64, 100.0, 2.5e-4, 2000));
        let f = &preset.finetune;
        assert_eq!((f.batch_size, f.n_epochs, f.learning_rate, f.warmup_fraction), (32, 3, 6.25e-5, 0.002));
    }

    #[test]
    fn presets_from_before_the_lstm_still_work() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.yaml");
        let older: Vec<&str> = BUILT_IN[0]
            .1
            .lines()
            .filter(|line| !line.contains("architecture:") && !line.contains("n_units:"))
            .collect();
        fs_err::write(&path, older.join("\n")).unwrap();
        let load = |sets: &[String]| Preset::load(path.to_str().unwrap(), sets).unwrap().model;
        assert_eq!((load(&[]).architecture, load(&[]).n_units), (Architecture::Transformer, 2048));
        let lstm = load(&["model.architecture=lstm".to_owned(), "model.n_units=5".to_owned()]);
        assert_eq!((lstm.architecture, lstm.n_units, lstm.n_embd), (Architecture::Lstm, 5, 128));
    }

    #[test]
    fn what_checkpoints_are_kept_is_not_in_the_key() {
        let preset = |sets: &[&str]| {
            let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
            Preset::load("tiny", &sets).unwrap()
        };
        let entered = |preset: &Preset| serde_json::to_string(preset).unwrap();
        let (plain, five) = (preset(&[]), preset(&["pretrain.n_checkpoints=5", "finetune.n_checkpoints=1"]));
        assert_eq!((plain.pretrain.n_checkpoints, five.pretrain.n_checkpoints), (2, 5));
        assert_eq!(entered(&plain), entered(&five));
        assert!(!entered(&plain).contains("keep_best"));
        for key in ["pretrain.keep_best=true", "finetune.keep_best=true"] {
            assert!(entered(&preset(&[key])).contains("\"keep_best\":true"), "{key} changes the result");
        }
        // A file's value stays when something else is set.
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.yaml");
        fs_err::write(&path, BUILT_IN[0].1.replace("n_checkpoints: 2", "n_checkpoints: 7")).unwrap();
        let mine = Preset::load(path.to_str().unwrap(), &["pretrain.seed=3".to_owned()]).unwrap();
        assert_eq!((mine.pretrain.n_checkpoints, mine.finetune.n_checkpoints, mine.pretrain.seed), (7, 7, 3));
        let error = Preset::load("tiny", &["pretrain.n_checkpoints=0".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("pretrain.n_checkpoints = 0: expected at least 1"), "{error}");
    }

    #[test]
    fn out_of_range_names_the_key() {
        let error = Preset::load("tiny", &["model.n_head=7".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("model.n_head = 7: expected a divisor of model.n_embd"), "{error}");
        let error = Preset::load("tiny", &["model.n_units=0".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("model.n_units = 0: expected 1 to 65536"), "{error}");
        let error = Preset::load("tiny", &["model.architecture=rnn".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("rnn") && error.contains("transformer") && error.contains("lstm"), "{error}");
        let error = Preset::load("tiny", &["pretrain.beta1=1.5".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("pretrain.beta1 = 1.5"), "{error}");
    }
}
