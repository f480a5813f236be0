//! Model directories: `config.json` and `model.safetensors` with Hugging Face's openai-gpt names and shapes; an LSTM's with the
//! same token embedding and names of our own.

use crate::{Config, Layout, Model, ModelError, Params};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// Tensors of Hugging Face's files that hold nothing of the model's own: the head is the embedding, the mask is constant.
fn is_redundant(name: &str) -> bool {
    name == "lm_head.weight" || name.ends_with(".attn.bias") || name.ends_with("position_ids")
}

impl Model {
    /// Reads a model directory of ours or of Hugging Face's openai-gpt (names with or without `transformer.`). Every missing,
    /// extra or misshapen tensor is named.
    pub fn load(dir: &Path) -> Result<Model, ModelError> {
        let config = Config::read(dir)?;
        let path = dir.join("model.safetensors");
        let file = fs_err::read(&path)?;
        let found = SafeTensors::deserialize(&file)
            .map_err(|error| ModelError::Safetensors { path: path.clone(), message: error.to_string() })?;
        let tensors: BTreeMap<String, TensorView> = found.iter().map(|(n, t)| (full_name(n), t)).collect();
        let n_classes = tensors.get("classifier.bias").and_then(|t| t.shape().first().copied());
        let layout = Arc::new(Layout::new(&config, n_classes));
        let params = read_tensors(&path, &layout, &tensors)?;
        Ok(Model { config, params })
    }

    /// Writes `config.json` and `model.safetensors`, each at once.
    pub fn save(&self, dir: &Path) -> Result<(), ModelError> {
        self.config.write(dir)?;
        self.params.save(&dir.join("model.safetensors"))
    }
}

impl Params {
    /// Writes all tensors, under their names, to a safetensors file, at once.
    pub fn save(&self, path: &Path) -> Result<(), ModelError> {
        let mut header = serde_json::Map::new();
        header.insert("__metadata__".to_owned(), serde_json::json!({"format": "pt"}));
        for tensor in &self.layout.tensors {
            let entry = serde_json::json!({
                "dtype": "F32", "shape": tensor.shape, "data_offsets": [4 * tensor.range.start, 4 * tensor.range.end],
            });
            header.insert(tensor.name.clone(), entry);
        }
        let mut header = serde_json::to_vec(&header).map_err(std::io::Error::other)?;
        header.resize(header.len().next_multiple_of(8), b' ');
        gpt1_artifacts::output::write_atomic(path, |w| {
            w.write_all(&(header.len() as u64).to_le_bytes())?;
            w.write_all(&header)?;
            if cfg!(target_endian = "little") {
                return w.write_all(bytemuck::cast_slice(&self.data));
            }
            self.data.iter().try_for_each(|x| w.write_all(&x.to_le_bytes()))
        })?;
        Ok(())
    }

    /// Reads a file that [`Params::save`] wrote, for a model of that layout.
    pub fn load(path: &Path, layout: &Arc<Layout>) -> Result<Params, ModelError> {
        let file = fs_err::read(path)?;
        let found = SafeTensors::deserialize(&file)
            .map_err(|error| ModelError::Safetensors { path: path.to_owned(), message: error.to_string() })?;
        let tensors: BTreeMap<String, TensorView> = found.iter().map(|(n, t)| (full_name(n), t)).collect();
        read_tensors(path, layout, &tensors)
    }
}

/// The name with the prefix that Hugging Face's files of the bare transformer lack.
fn full_name(name: &str) -> String {
    let bare = ["tokens_embed.", "positions_embed.", "h."].iter().any(|start| name.starts_with(start));
    if bare { format!("transformer.{name}") } else { name.to_owned() }
}

fn read_tensors(path: &Path, layout: &Arc<Layout>, found: &BTreeMap<String, TensorView>) -> Result<Params, ModelError> {
    let mut problems = Vec::new();
    for tensor in &layout.tensors {
        match found.get(&tensor.name) {
            None => problems.push(format!("{} is missing (shape {:?})", tensor.name, tensor.shape)),
            Some(view) if view.dtype() != Dtype::F32 => {
                problems.push(format!("{} has type {:?}, expected F32", tensor.name, view.dtype()));
            }
            Some(view) if view.shape() != tensor.shape => {
                problems.push(format!("{} has shape {:?}, expected {:?}", tensor.name, view.shape(), tensor.shape));
            }
            Some(_) => {}
        }
    }
    for name in found.keys().filter(|n| layout.find(n).is_none() && !is_redundant(n)) {
        problems.push(format!("{name} is not part of this model"));
    }
    if !problems.is_empty() {
        return Err(ModelError::Tensors { path: path.to_owned(), problems });
    }
    let mut params = Params::zeros(layout);
    for tensor in &layout.tensors {
        let bytes = found[&tensor.name].data();
        for (x, b) in params.data[tensor.range.clone()].iter_mut().zip(bytes.chunks_exact(4)) {
            *x = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
        }
    }
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::tests::{config, lstm_config};

    #[test]
    fn roundtrip() {
        let dir = tempfile::tempdir().unwrap();
        for config in [config(), lstm_config()] {
            let model = Model::init(config, 1).add_classifier(3, 2);
            model.save(dir.path()).unwrap();
            assert_eq!(Model::load(dir.path()).unwrap(), model);
        }
    }

    #[test]
    fn every_tensor_that_does_not_fit_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let model = Model::init(config(), 1);
        model.save(dir.path()).unwrap();
        let mut other = config();
        other.n_layer = 3;
        other.n_positions = 10;
        other.write(dir.path()).unwrap();
        let error = Model::load(dir.path()).unwrap_err().to_string();
        assert!(error.contains("transformer.h.2.ln_2.bias is missing (shape [12])"), "{error}");
        assert!(error.contains("transformer.positions_embed.weight has shape [9, 12], expected [10, 12]"), "{error}");
        other.n_layer = 1;
        other.write(dir.path()).unwrap();
        let error = Model::load(dir.path()).unwrap_err().to_string();
        assert!(error.contains("transformer.h.1.mlp.c_fc.weight is not part of this model"), "{error}");
        lstm_config().write(dir.path()).unwrap();
        let error = Model::load(dir.path()).unwrap_err().to_string();
        for problem in ["lstm.weight_hh is missing (shape [7, 28])", "positions_embed.weight is not part of this model"]
        {
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn damaged_files_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        Model::init(config(), 1).save(dir.path()).unwrap();
        let path = dir.path().join("model.safetensors");
        let whole = fs_err::read(&path).unwrap();
        for cut in [0, 4, 8, 100, whole.len() / 2, whole.len() - 1] {
            fs_err::write(&path, &whole[..cut]).unwrap();
            assert!(matches!(Model::load(dir.path()), Err(ModelError::Safetensors { .. })), "cut at {cut}");
        }
        let mut absurd = whole.clone();
        absurd[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        fs_err::write(&path, &absurd).unwrap();
        assert!(matches!(Model::load(dir.path()), Err(ModelError::Safetensors { .. })));
    }
}
