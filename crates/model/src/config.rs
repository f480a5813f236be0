//! `config.json`: the model's shape, with the keys of Hugging Face's openai-gpt; of an LSTM, with a type of our own.

use crate::ModelError;
use gpt1_artifacts::preset::{Architecture, ModelConfig};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The model's shape and dropout rates (paper 4.1). Keys that we do not know are ignored on reading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// V: entries of the vocabulary, special tokens included.
    pub vocab_size: usize,
    /// Longest sequence (n_ctx).
    pub n_positions: usize,
    /// C: width of the hidden states.
    pub n_embd: usize,
    /// L: blocks; 1 of an LSTM.
    pub n_layer: usize,
    /// NH: attention heads; 1 of an LSTM.
    pub n_head: usize,
    /// U: units of the LSTM that stands in the place of the blocks (paper, section 5, table 5); none: the Transformer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_units: Option<usize>,
    /// Dropout rate after the embeddings.
    #[serde(default = "tenth")]
    pub embd_pdrop: f32,
    /// Dropout rate on both residual branches.
    #[serde(default = "tenth")]
    pub resid_pdrop: f32,
    /// Dropout rate on the attention weights.
    #[serde(default = "tenth")]
    pub attn_pdrop: f32,
    /// Added to the variance in LayerNorm.
    #[serde(default = "epsilon")]
    pub layer_norm_epsilon: f32,
    /// Standard deviation of initial weights.
    #[serde(default = "range")]
    pub initializer_range: f32,
}

fn tenth() -> f32 {
    0.1
}

fn epsilon() -> f32 {
    1e-5
}

fn range() -> f32 {
    0.02
}

/// What stands under `model_type`.
const TRANSFORMER: &str = "openai-gpt";
const LSTM: &str = "gpt1-lstm";

/// The keys beside ours that Hugging Face's reader wants to see.
#[derive(Serialize)]
struct HuggingFace<'a> {
    architectures: [&'static str; 1],
    model_type: &'static str,
    afn: &'static str,
    dtype: &'static str,
    #[serde(flatten)]
    config: &'a Config,
}

/// The same of an LSTM, which only we read.
#[derive(Serialize)]
struct Ours<'a> {
    model_type: &'static str,
    dtype: &'static str,
    #[serde(flatten)]
    config: &'a Config,
}

impl Config {
    /// The configuration of a preset's shape with a vocabulary of `vocab_size`.
    pub fn new(shape: &ModelConfig, vocab_size: usize) -> Config {
        let (n_layer, n_head, n_units) = match shape.architecture {
            Architecture::Transformer => (shape.n_layer, shape.n_head, None),
            Architecture::Lstm => (1, 1, Some(shape.n_units)),
        };
        Config {
            vocab_size,
            n_positions: shape.n_ctx,
            n_embd: shape.n_embd,
            n_layer,
            n_head,
            n_units,
            embd_pdrop: shape.embd_pdrop,
            resid_pdrop: shape.resid_pdrop,
            attn_pdrop: shape.attn_pdrop,
            layer_norm_epsilon: shape.layer_norm_epsilon,
            initializer_range: shape.initializer_range,
        }
    }

    /// A Transformer of these sizes with the paper's dropout rates and initial weights (4.1) and the released code's epsilon.
    pub fn of_paper(vocab_size: usize, n_positions: usize, n_embd: usize, n_layer: usize, n_head: usize) -> Config {
        Config {
            vocab_size,
            n_positions,
            n_embd,
            n_layer,
            n_head,
            n_units: None,
            embd_pdrop: tenth(),
            resid_pdrop: tenth(),
            attn_pdrop: tenth(),
            layer_norm_epsilon: epsilon(),
            initializer_range: range(),
        }
    }

    /// `transformer` or `lstm`, as presets call it.
    pub fn architecture(&self) -> &'static str {
        if self.n_units.is_some() { "lstm" } else { "transformer" }
    }

    /// FLOPs of one token forward, multiply and add counted apart, in a sequence of `t` tokens (the causal half only), head
    /// included. Training costs three times as much.
    pub fn flops_per_token(&self, t: usize) -> f64 {
        let (l, c, v) = (self.n_layer as f64, self.n_embd as f64, self.vocab_size as f64);
        let layers = match self.n_units {
            None => 2.0 * 12.0 * l * c * c + 4.0 * l * c * (t as f64 + 1.0) / 2.0,
            Some(u) => 2.0 * (4.0 * c + 4.0 * u as f64 + c) * u as f64,
        };
        layers + 2.0 * c * v
    }

    /// Reads `config.json` of a model directory.
    pub fn read(dir: &Path) -> Result<Config, ModelError> {
        let path = dir.join("config.json");
        let text = fs_err::read(&path)?;
        let json = |error: &serde_json::Error| ModelError::Json {
            path: path.clone(),
            line: error.line(),
            column: error.column(),
            message: error.to_string(),
        };
        let keys: serde_json::Value = serde_json::from_slice(&text).map_err(|error| json(&error))?;
        let config: Config = serde_json::from_slice(&text).map_err(|error| json(&error))?;
        let setting = |key, found: String, expected| ModelError::Setting { path: path.clone(), key, found, expected };
        let model_type = keys.get("model_type").map_or(TRANSFORMER.into(), serde_json::Value::clone);
        if model_type != TRANSFORMER && model_type != LSTM {
            let expected = "\"openai-gpt\" (GPT-1) or \"gpt1-lstm\" (the LSTM that the paper compares it with)";
            return Err(setting("model_type", model_type.to_string(), expected));
        }
        match config.n_units {
            None if model_type == LSTM => {
                return Err(setting("n_units", "nothing".to_owned(), "the units of the LSTM"));
            }
            Some(n_units) if model_type != LSTM => {
                return Err(setting("n_units", n_units.to_string(), "nothing, or \"model_type\": \"gpt1-lstm\""));
            }
            _ => {}
        }
        if let Some(afn) = keys.get("afn").filter(|a| *a != "gelu") {
            return Err(setting("afn", afn.to_string(), "\"gelu\""));
        }
        config.check(&path)?;
        Ok(config)
    }

    /// Refuses sizes and rates that no model can have; `path` is the file that they come from, for the message.
    pub(crate) fn check(&self, path: &Path) -> Result<(), ModelError> {
        let config = self;
        let setting =
            |key, found: String, expected| ModelError::Setting { path: path.to_owned(), key, found, expected };
        let sizes: [(&'static str, usize, usize); 5] = [
            ("vocab_size", config.vocab_size, 1 << 24),
            ("n_positions", config.n_positions, 1 << 20),
            ("n_embd", config.n_embd, 1 << 16),
            ("n_layer", config.n_layer, 1 << 12),
            ("n_units", config.n_units.unwrap_or(1), 1 << 16),
        ];
        for (key, size, limit) in sizes {
            if size == 0 || size > limit {
                return Err(setting(key, size.to_string(), "a size of at least 1 that a model can have"));
            }
        }
        if config.n_head == 0 || !config.n_embd.is_multiple_of(config.n_head) {
            return Err(setting("n_head", config.n_head.to_string(), "a divisor of n_embd"));
        }
        let rates =
            [("embd_pdrop", config.embd_pdrop), ("resid_pdrop", config.resid_pdrop), ("attn_pdrop", config.attn_pdrop)];
        for (key, rate) in rates {
            if !(0.0..1.0).contains(&rate) {
                return Err(setting(key, rate.to_string(), "a probability from 0 to below 1"));
            }
        }
        if !(config.layer_norm_epsilon > 0.0 && config.layer_norm_epsilon.is_finite()) {
            return Err(setting("layer_norm_epsilon", config.layer_norm_epsilon.to_string(), "a number above 0"));
        }
        Ok(())
    }

    /// Writes `config.json`; a Transformer's so that `OpenAIGPTLMHeadModel.from_pretrained` reads it.
    pub fn write(&self, dir: &Path) -> Result<(), ModelError> {
        let path = dir.join("config.json");
        if self.n_units.is_some() {
            let file = Ours { model_type: LSTM, dtype: "float32", config: self };
            return Ok(gpt1_artifacts::output::write_json(&path, &file)?);
        }
        let file = HuggingFace {
            architectures: ["OpenAIGPTLMHeadModel"],
            model_type: TRANSFORMER,
            afn: "gelu",
            dtype: "float32",
            config: self,
        };
        Ok(gpt1_artifacts::output::write_json(&path, &file)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flops_of_the_presets() {
        // SPIKES: 724.5 MFLOP a training token at GPT-1 size.
        let preset = gpt1_artifacts::preset::Preset::load("gpt1", &[]).unwrap();
        let flops = 3.0 * Config::new(&preset.model, 40478).flops_per_token(512) / 1e6;
        assert!((flops - 724.5).abs() < 0.1, "{flops}");
        let preset = gpt1_artifacts::preset::Preset::load("gpt1", &["model.architecture=lstm".to_owned()]).unwrap();
        let config = Config::new(&preset.model, 40478);
        // 23.1 M weights of the LSTM, 1.6 M of the projection, 31.1 M of the head.
        let flops = 3.0 * config.flops_per_token(512) / 1e6;
        assert!((flops - 6.0 * (23.069 + 1.573 + 31.087)).abs() < 0.1, "{flops}");
    }

    #[test]
    fn damaged_configurations_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for (text, expected) in [
            ("{", "config.json:1:1"),
            ("{\"vocab_size\": 10}", "n_positions"),
            (r#"{"vocab_size":9,"n_positions":4,"n_embd":6,"n_layer":1,"n_head":4}"#, "n_head = 4"),
            (r#"{"vocab_size":9,"n_positions":4,"n_embd":6,"n_layer":0,"n_head":2}"#, "n_layer = 0"),
            (r#"{"n_units":5,"vocab_size":9,"n_positions":4,"n_embd":6,"n_layer":1,"n_head":2}"#, "n_units = 5"),
            (
                r#"{"model_type":"gpt1-lstm","vocab_size":9,"n_positions":4,"n_embd":6,"n_layer":1,"n_head":1}"#,
                "n_units = nothing: expected the units",
            ),
            (
                r#"{"model_type":"gpt1-lstm","n_units":0,"vocab_size":9,"n_positions":4,"n_embd":6,"n_layer":1,"n_head":1}"#,
                "n_units = 0: expected a size",
            ),
            (
                r#"{"model_type":"gpt1-lstm","n_units":1099511627776,"vocab_size":9,"n_positions":4,"n_embd":6,"n_layer":1,"n_head":1}"#,
                "n_units = 1099511627776: expected a size",
            ),
            (r#"{"model_type":"gpt2","vocab_size":9,"n_positions":4,"n_embd":6,"n_layer":1,"n_head":2}"#, "gpt2"),
        ] {
            fs_err::write(dir.path().join("config.json"), text).unwrap();
            let error = Config::read(dir.path()).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
