//! Presets: one YAML file holds every hyper-parameter of a size.
//!
//! `pipelines/presets/{tiny,small,gpt1}.yaml` are built in under their names; a stage reads its own sections.

use crate::config::{self, Setting};
use crate::problem::{Place, Problem, Problems, unknown};
use crate::schema;
use crate::yaml::{self, Node};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;
use std::sync::LazyLock;

/// The built-in presets: name and text.
const BUILT_IN: [(&str, &str); 3] = [
    ("tiny", include_str!("../../../pipelines/presets/tiny.yaml")),
    ("small", include_str!("../../../pipelines/presets/small.yaml")),
    ("gpt1", include_str!("../../../pipelines/presets/gpt1.yaml")),
];

/// Every hyper-parameter of a size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenizerConfig {
    /// Merges to learn.
    #[schemars(range(min = 0, max = 16777216))]
    pub n_merges: usize,
    /// A pair seen less often is never merged.
    #[schemars(range(min = 1))]
    pub min_frequency: u64,
}

/// How the corpus becomes shards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShardConfig {
    /// Share of the documents set aside for validation, 0 to below 1.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub validation_fraction: f64,
    /// Tokens of one Parquet file, about.
    #[schemars(range(min = 1))]
    pub tokens_per_shard: usize,
    /// Seed of the split by document.
    pub seed: u64,
}

/// What computes the hidden states.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// The paper's model (3.1).
    #[default]
    Transformer,
    /// What section 5 compares it with: a single layer of LSTM units.
    Lstm,
}

/// The decoder's shape and regularisation (paper 4.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Transformer, or LSTM: then `n_layer`, `n_head`, `attn_pdrop` and `layer_norm_epsilon` mean nothing. A preset without
    /// the key means the Transformer.
    #[serde(default)]
    pub architecture: Architecture,
    /// Units of the LSTM; the Transformer has none. A preset without the key means the paper's 2048 (section 5).
    #[serde(default = "units_of_the_paper")]
    #[schemars(range(min = 1, max = 65536))]
    pub n_units: usize,
    /// Blocks.
    #[schemars(range(min = 1, max = 1024))]
    pub n_layer: usize,
    /// Attention heads; divides `n_embd`.
    #[schemars(range(min = 1))]
    pub n_head: usize,
    /// Width of the hidden states.
    #[schemars(range(min = 1, max = 65536))]
    pub n_embd: usize,
    /// Longest sequence, in tokens.
    #[schemars(range(min = 2, max = 65536))]
    pub n_ctx: usize,
    /// Dropout rate after the embeddings.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub embd_pdrop: f32,
    /// Dropout rate on both residual branches.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub resid_pdrop: f32,
    /// Dropout rate on the attention weights.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub attn_pdrop: f32,
    /// Added to the variance in LayerNorm.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub layer_norm_epsilon: f32,
    /// Standard deviation of the initial weights.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub initializer_range: f32,
}

/// Generative pre-training (paper 4.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PretrainConfig {
    /// Seed of initial weights, order of windows and dropout.
    pub seed: u64,
    /// Windows of `n_ctx` tokens an update.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
    /// Windows computed at once: bounds the memory, changes nothing else.
    #[schemars(range(min = 1))]
    pub micro_batch_size: usize,
    /// Passes over the training tokens.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub n_epochs: f64,
    /// Stop after so many updates if `n_epochs` would take more.
    #[schemars(range(min = 1))]
    pub max_updates: Option<u64>,
    /// Largest learning rate.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub learning_rate: f64,
    /// Updates of linear warm-up.
    pub warmup_updates: u64,
    /// Decoupled weight decay, not on biases and gains.
    #[schemars(range(min = 0))]
    pub weight_decay: f64,
    /// Adam's decay of the mean.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub beta1: f64,
    /// Adam's decay of the square.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub beta2: f64,
    /// Adam's epsilon.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub epsilon: f64,
    /// Clip the global gradient norm; null: never.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub max_grad_norm: Option<f64>,
    /// Updates between validations.
    #[schemars(range(min = 1))]
    pub eval_interval: u64,
    /// Windows of the validation split to evaluate, at most.
    #[schemars(range(min = 1))]
    pub eval_windows: usize,
    /// Updates between checkpoints.
    #[schemars(range(min = 1))]
    pub checkpoint_interval: u64,
    /// The last so many checkpoints are kept while training, and the best. It never changes a result, so it is not recorded and
    /// enters no key.
    #[serde(default = "two", skip_serializing)]
    #[schemars(range(min = 1))]
    pub n_checkpoints: usize,
    /// Keep the model of the lowest validation loss, too, in `best/`. Recorded if true, so that the keys of results from before
    /// this setting hold.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_best: bool,
    /// Models to keep in `snapshots/`: the last, that of half its updates, of a quarter ..., and the initial one; 0: none.
    #[serde(default)]
    pub n_snapshots: usize,
    /// Updates between lines of metrics.jsonl.
    #[schemars(range(min = 1))]
    pub log_interval: u64,
    /// Continuations to sample at the end.
    pub n_samples: usize,
    /// Tokens of each continuation.
    pub sample_length: usize,
    /// Sampling temperature; 0 takes the likeliest token.
    #[schemars(range(min = 0))]
    pub temperature: f64,
    /// Sample from the k likeliest tokens; 0: from all.
    pub top_k: usize,
}

/// Discriminative fine-tuning (paper 3.2, 4.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FinetuneConfig {
    /// Seed of new weights, order of examples and dropout.
    pub seed: u64,
    /// Examples an update.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
    /// Passes over the examples.
    #[schemars(range(min = 1))]
    pub n_epochs: usize,
    /// Largest learning rate.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub learning_rate: f64,
    /// Share of training in linear warm-up.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub warmup_fraction: f64,
    /// Decoupled weight decay, not on biases and gains.
    #[schemars(range(min = 0))]
    pub weight_decay: f64,
    /// Adam's decay of the mean.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub beta1: f64,
    /// Adam's decay of the square.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub beta2: f64,
    /// Adam's epsilon.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub epsilon: f64,
    /// Clip the global gradient norm.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub max_grad_norm: f64,
    /// Weight of the auxiliary language-modelling loss (paper equation 5).
    #[schemars(range(min = 0))]
    pub lm_coef: f32,
    /// Dropout rate before the classifier.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub clf_pdrop: f32,
    /// Use only the first so many training examples; null: all.
    #[schemars(range(min = 1))]
    pub max_train_examples: Option<usize>,
    /// Of a pre-trained model use the embeddings and the first so many blocks, the others begin with random weights
    /// (paper section 5, figure 2 left); null: all.
    #[serde(default)]
    pub n_layer_transferred: Option<usize>,
    /// Updates between checkpoints.
    #[schemars(range(min = 1))]
    pub checkpoint_interval: u64,
    /// The last so many checkpoints are kept while training, and the best; as in pre-training.
    #[serde(default = "two", skip_serializing)]
    #[schemars(range(min = 1))]
    pub n_checkpoints: usize,
    /// Keep the model of the best score on the development set after an epoch, too, in `best/`; recorded if true.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_best: bool,
    /// Updates between lines of metrics.jsonl.
    #[schemars(range(min = 1))]
    pub log_interval: u64,
}

fn two() -> usize {
    2
}

fn units_of_the_paper() -> usize {
    2048
}

impl Preset {
    /// A built-in preset by its name, else the file of that path; with overrides `section.key=value`.
    ///
    /// # Errors
    /// Everything that is wrong with the file and the overrides.
    pub fn load(path_or_name: &str, sets: &[String]) -> Result<Preset, Problems> {
        let document = open(path_or_name, &Place::CommandLine(format!("--config {path_or_name}")))?;
        Preset::read(&document, &config::settings(sets)?)
    }

    /// The preset of a document ([`open`]) under overrides.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn read(document: &Node, settings: &[Setting]) -> Result<Preset, Problems> {
        let mut problems = Vec::new();
        let read = config::read::<Preset>(document, settings, &SCHEMA, &mut problems);
        let preset = read.map(|(preset, document)| {
            let ModelConfig { n_head, n_embd, .. } = preset.model;
            let (Some(heads), Some(width)) = (place(&document, "n_head"), place(&document, "n_embd")) else {
                return preset;
            };
            if n_embd % n_head != 0 {
                // Whichever was set last: on the command line, if one of them was.
                let place = if matches!(width, Place::CommandLine(_)) { width } else { heads };
                let message = format!("model.n_head = {n_head}: expected a divisor of model.n_embd = {n_embd}");
                problems.push(Problem::new(place, message));
            }
            preset
        });
        Problems::check(problems, preset)
    }
}

/// The JSON Schema of a preset, with what each key means.
pub fn json_schema() -> &'static Value {
    &SCHEMA
}

static SCHEMA: LazyLock<Value> = LazyLock::new(schema::of::<Preset>);

/// Reads a built-in preset by its name, else the file of that path; `named_at` is where the name was written.
///
/// # Errors
/// There is no such preset, or it is no YAML.
pub fn open(path_or_name: &str, named_at: &Place) -> Result<Node, Problems> {
    let path = Path::new(path_or_name);
    if let Some((_, text)) = BUILT_IN.iter().find(|(name, _)| *name == path_or_name) {
        return Ok(yaml::parse(path, text)?);
    }
    // What is there and cannot be read is said at its own place.
    if !path.exists() {
        let message = unknown("preset", path_or_name, &BUILT_IN.map(|(name, _)| name));
        let looks_like_a_name = !path_or_name.contains(['/', '.']);
        let hint = if looks_like_a_name { "or give the path of a preset file" } else { "there is no such file either" };
        return Err(Problem::new(named_at, format!("{message}; {hint}")).into());
    }
    Ok(yaml::parse(path, &config::read_text(path)?)?)
}

fn place<'a>(document: &'a Node, key: &str) -> Option<&'a Place> {
    Some(&document.get("model")?.get(key)?.place)
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
        assert!(error.contains("pretrain.n_checkpoints = 0: expected a whole number, at least 1"), "{error}");
    }

    #[test]
    fn out_of_range_names_the_key() {
        let error = Preset::load("tiny", &["model.n_head=7".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("model.n_head = 7: expected a divisor of model.n_embd = 128"), "{error}");
        let error = Preset::load("tiny", &["model.n_units=0".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("model.n_units = 0: expected a whole number from 1 to 65536"), "{error}");
        let error = Preset::load("tiny", &["model.architecture=rnn".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("rnn") && error.contains("transformer") && error.contains("lstm"), "{error}");
        let error = Preset::load("tiny", &["pretrain.beta1=1.5".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("pretrain.beta1 = 1.5"), "{error}");
    }
}
