//! The weights that OpenAI released (github.com/openai/finetune-transformer-lm, folder `model`): the values of all tensors end
//! to end, cut into ten `.npy` files, and the tensors' shapes in order (train.py: "load saved params").
//!
//! The order is: position embedding (P, C), token embedding (V, C), then each block's twelve in the order of [`Layout`]. Weights
//! of dense layers are those of a convolution of width 1: (1, in, out).

use crate::files::{Found, not_finite};
use crate::params::PER_BLOCK;
use crate::{Config, Layout, Model, ModelError, Params, Tensor, npy};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file of the tensors' shapes.
pub const SHAPES_FILE: &str = "params_shapes.json";
const N_FILES: usize = 10;
/// No file of shapes is longer; the released one has 1,478 bytes.
const MAX_SHAPES_BYTES: u64 = 1 << 18;

/// Reads `params_0.npy` to `params_9.npy` and `params_shapes.json`. The files do not say how many heads the model has; dropout
/// rates and the norms' epsilon are the paper's (4.1) and the released code's.
///
/// Every tensor that is missing, extra or misshapen is named. Nothing is allocated before the files' sizes have confirmed the
/// shapes.
pub fn read_released(dir: &Path, n_head: usize) -> Result<Found, ModelError> {
    let path = dir.join(SHAPES_FILE);
    let shapes = read_shapes(&path)?;
    let config = config_of(&path, &shapes, n_head)?;
    let layout = Arc::new(Layout::new(&config, None));
    let tensors = in_file_order(&layout);
    let problems = misfits(&tensors, &shapes);
    if !problems.is_empty() {
        return Err(ModelError::Tensors { path, problems });
    }

    let names: Vec<String> = (0..N_FILES).map(|i| format!("params_{i}.npy")).collect();
    let missing = names.iter().filter(|name| !dir.join(name).exists());
    let problems: Vec<String> = missing.map(|name| format!("the file {name} is missing")).collect();
    if !problems.is_empty() {
        return Err(ModelError::Tensors { path: dir.to_owned(), problems });
    }
    let mut values: Box<dyn Read> = Box::new(std::io::empty());
    let (mut counts, mut files) = (Vec::new(), Vec::new());
    for name in &names {
        let path = dir.join(name);
        let (n_values, file) = npy::open(&path)?;
        values = Box::new(values.chain(file));
        counts.push(n_values);
        files.push(path);
    }
    let n_values: usize = counts.iter().sum();
    if n_values != layout.n_params {
        let problem = format!(
            "the shapes ask for {} values, params_0.npy to params_{}.npy hold {n_values} ({counts:?})",
            layout.n_params,
            N_FILES - 1
        );
        return Err(ModelError::Tensors { path, problems: vec![problem] });
    }

    let mut params = Params::zeros(&layout);
    for tensor in &tensors {
        let data = &mut params.data[tensor.range.clone()];
        values.read_exact(bytemuck::cast_slice_mut(data))?;
        if cfg!(target_endian = "big") {
            for x in data {
                *x = f32::from_bits(x.to_bits().swap_bytes());
            }
        }
    }
    let problems = not_finite(&params);
    if !problems.is_empty() {
        return Err(ModelError::Tensors { path: dir.to_owned(), problems });
    }
    files.push(path);
    let dtypes = [("F32".to_owned(), tensors.len())].into();
    Ok(Found { model: Model { config, params }, files, dtypes, notes: Vec::new() })
}

fn read_shapes(path: &PathBuf) -> Result<Vec<Vec<usize>>, ModelError> {
    let mut text = Vec::new();
    fs_err::File::open(path)?.take(MAX_SHAPES_BYTES).read_to_end(&mut text)?;
    serde_json::from_slice(&text).map_err(|error| ModelError::Json {
        path: path.clone(),
        line: error.line(),
        column: error.column(),
        message: format!("expected a list of shapes: {error}"),
    })
}

/// The configuration that the embeddings' shapes and the number of tensors give.
fn config_of(path: &Path, shapes: &[Vec<usize>], n_head: usize) -> Result<Config, ModelError> {
    let [positions, tokens, blocks @ ..] = shapes else {
        let problem = format!("expected the shapes of two embeddings and the blocks' tensors, found {}", shapes.len());
        return Err(ModelError::Tensors { path: path.to_owned(), problems: vec![problem] });
    };
    let ([n_positions, _], [vocab_size, n_embd]) = (&positions[..], &tokens[..]) else {
        let problem = format!(
            "expected two axes in the shapes of the position and token embedding (the first two), found {positions:?} and {tokens:?}"
        );
        return Err(ModelError::Tensors { path: path.to_owned(), problems: vec![problem] });
    };
    let n_layer = blocks.len().div_ceil(PER_BLOCK);
    let config = Config::of_paper(*vocab_size, *n_positions, *n_embd, n_layer, n_head);
    config.check(path)?;
    Ok(config)
}

fn in_file_order(layout: &Layout) -> Vec<&Tensor> {
    let mut tensors: Vec<&Tensor> = layout.tensors.iter().collect();
    tensors.swap(0, 1);
    tensors
}

/// A line for each tensor whose shape is not that of the file.
fn misfits(tensors: &[&Tensor], shapes: &[Vec<usize>]) -> Vec<String> {
    let mut problems = Vec::new();
    for (i, tensor) in tensors.iter().enumerate() {
        // The embeddings are no convolutions.
        let width: &[usize] = if i >= 2 && tensor.shape.len() == 2 { &[1] } else { &[] };
        let expected = [width, &tensor.shape].concat();
        match shapes.get(i) {
            None => problems.push(format!("{} is missing (number {i}, shape {expected:?})", tensor.name)),
            Some(shape) if *shape != expected => {
                problems.push(format!("{} (number {i}) has shape {shape:?}, expected {expected:?}", tensor.name));
            }
            Some(_) => {}
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::tests::config;

    /// Writes a model as OpenAI did: numpy.array_split into ten.
    fn write_released(model: &Model, dir: &Path) {
        let tensors = in_file_order(&model.params.layout);
        let shapes: Vec<Vec<usize>> = tensors
            .iter()
            .enumerate()
            .map(|(i, t)| if i >= 2 && t.shape.len() == 2 { [&[1], &t.shape[..]].concat() } else { t.shape.clone() })
            .collect();
        fs_err::write(dir.join(SHAPES_FILE), serde_json::to_string(&shapes).unwrap()).unwrap();
        let all: Vec<f32> = tensors.iter().flat_map(|t| model.params.data[t.range.clone()].to_vec()).collect();
        let (size, n_longer) = (all.len() / N_FILES, all.len() % N_FILES);
        let mut rest = &all[..];
        for i in 0..N_FILES {
            let (part, after) = rest.split_at(size + usize::from(i < n_longer));
            write_npy(&dir.join(format!("params_{i}.npy")), part);
            rest = after;
        }
    }

    fn write_npy(path: &Path, values: &[f32]) {
        let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({},), }}", values.len());
        header.push_str(&" ".repeat((10 + header.len() + 1).next_multiple_of(64) - 10 - header.len() - 1));
        header.push('\n');
        let mut bytes = b"\x93NUMPY\x01\0".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(values.iter().flat_map(|x| x.to_le_bytes()));
        fs_err::write(path, bytes).unwrap();
    }

    fn error(dir: &Path) -> String {
        read_released(dir, 3).unwrap_err().to_string()
    }

    #[test]
    fn roundtrip() {
        let dir = tempfile::tempdir().unwrap();
        let model = Model::init(config(), 1);
        write_released(&model, dir.path());
        let found = read_released(dir.path(), 3).unwrap();
        assert_eq!(found.model.params, model.params);
        assert_eq!(found.model.config.n_positions, config().n_positions);
        assert_eq!(found.files.len(), N_FILES + 1);
        let error = read_released(dir.path(), 5).unwrap_err().to_string();
        assert!(error.contains("n_head = 5"), "{error}");
    }

    #[test]
    fn every_tensor_that_does_not_fit_is_named() {
        let dir = tempfile::tempdir().unwrap();
        write_released(&Model::init(config(), 1), dir.path());
        let path = dir.path().join(SHAPES_FILE);
        let whole = fs_err::read_to_string(&path).unwrap();
        let shapes: Vec<Vec<usize>> = serde_json::from_str(&whole).unwrap();
        let with = |change: &dyn Fn(&mut Vec<Vec<usize>>)| {
            let mut changed = shapes.clone();
            change(&mut changed);
            fs_err::write(&path, serde_json::to_string(&changed).unwrap()).unwrap();
            error(dir.path())
        };
        let message = with(&|shapes| {
            shapes[2] = vec![1, 12, 30];
            shapes[0] = vec![9, 11];
        });
        assert!(message.contains("h.0.attn.c_attn.weight (number 2) has shape [1, 12, 30], expected [1, 12, 36]"));
        assert!(message.contains("positions_embed.weight (number 0) has shape [9, 11], expected [9, 12]"), "{message}");
        let message = with(&|shapes| shapes.truncate(24));
        assert!(message.contains("transformer.h.1.ln_2.weight is missing (number 24, shape [12])"), "{message}");
        assert!(message.contains("transformer.h.1.ln_2.bias is missing"), "{message}");
        let message = with(&|shapes| shapes[1][0] = 24);
        assert!(message.contains("ask for 4164 values") && message.contains("hold 4152"), "{message}");
        assert!(with(&|shapes| shapes.truncate(1)).contains("found 1"));
        assert!(with(&|shapes| shapes[1] = vec![usize::MAX, 12]).contains("vocab_size"));
        fs_err::write(&path, "[[9, 12], [23").unwrap();
        assert!(error(dir.path()).contains("params_shapes.json:1:13: expected a list of shapes"));
        fs_err::write(&path, whole).unwrap();
        for name in ["params_3.npy", "params_7.npy"] {
            fs_err::remove_file(dir.path().join(name)).unwrap();
        }
        let message = error(dir.path());
        assert!(message.contains("params_3.npy is missing\n  the file params_7.npy is missing"), "{message}");
    }

    #[test]
    fn values_that_are_no_numbers_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut model = Model::init(config(), 1);
        model.params.tensor_mut("transformer.h.1.ln_1.bias").unwrap()[4] = f32::NAN;
        model.params.tensor_mut("transformer.tokens_embed.weight").unwrap()[0] = f32::NEG_INFINITY;
        write_released(&model, dir.path());
        let message = error(dir.path());
        assert!(message.contains("transformer.h.1.ln_1.bias holds NaN (element 4)"), "{message}");
        assert!(message.contains("transformer.tokens_embed.weight holds -inf (element 0)"), "{message}");
    }
}
