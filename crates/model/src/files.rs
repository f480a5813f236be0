//! Model directories: `config.json` and `model.safetensors` with Hugging Face's openai-gpt names and shapes; an LSTM's with the
//! same token embedding and names of our own.

use crate::half::{from_bf16, from_f16};
use crate::{Config, Layout, Model, ModelError, Params, Tensor, no_weights};
use gpt1_artifacts::progress::{self, Progress};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// A model that was read, and how it was found.
#[derive(Debug)]
pub struct Found {
    /// The model.
    pub model: Model,
    /// The files that were read.
    pub files: Vec<PathBuf>,
    /// How many of its tensors were of which type; all are f32 now.
    pub dtypes: BTreeMap<String, usize>,
    /// What the files hold besides and the model has no need of.
    pub notes: Vec<String>,
}

impl Model {
    /// Reads a model directory of ours or of Hugging Face's openai-gpt (names with or without `transformer.`; f32, f16 or bf16;
    /// in one file or in parts). Every tensor that is missing, extra, misshapen or not finite is named.
    pub fn load(dir: &Path) -> Result<Model, ModelError> {
        Ok(Model::find(dir)?.model)
    }

    /// As [`Model::load`], and says what was there.
    pub fn find(dir: &Path) -> Result<Found, ModelError> {
        let paths = weight_files(dir)?;
        let weights = if paths.len() == 1 { paths[0].clone() } else { dir.join(INDEX) };
        let config = Config::read(dir)?;
        let began = Instant::now();
        let contents: Vec<Vec<u8>> = paths.iter().map(|path| progress::read(path)).collect::<Result<_, _>>()?;
        let mut tensors = BTreeMap::new();
        for (path, bytes) in paths.iter().zip(&contents) {
            add_tensors(path, bytes, &mut tensors)?;
        }
        if config.n_layer > tensors.len() {
            // Before there is a list of all that is missing.
            return Err(ModelError::Setting {
                path: dir.join("config.json"),
                key: "n_layer",
                found: config.n_layer.to_string(),
                expected: "the blocks of the weights beside it, which have fewer tensors than that",
            });
        }
        let n_classes = tensors.get("classifier.bias").and_then(|t| t.shape().first().copied());
        let layout = Arc::new(Layout::new(&config, n_classes));
        let params = read_tensors(&weights, &layout, &tensors)?;
        let problems = not_finite(&params);
        if !problems.is_empty() {
            return Err(ModelError::Tensors { path: weights, problems });
        }
        let mut dtypes = BTreeMap::new();
        for tensor in &layout.tensors {
            *dtypes.entry(format!("{:?}", tensors[&tensor.name].dtype())).or_insert(0) += 1;
        }
        let mut notes = Vec::new();
        let n_masks = tensors.keys().filter(|name| name.ends_with(MASK)).count();
        if n_masks > 0 {
            notes.push(format!("{n_masks} causal masks (h.N{MASK}): left out, they are constant"));
        }
        if tensors.contains_key(HEAD) {
            notes.push(format!("{HEAD}: left out, it is the token embedding"));
        }
        log::info!(
            "{}: a model of {} parameters in {} tensors, read in {:.3} s",
            dir.display(),
            layout.n_params,
            layout.tensors.len(),
            began.elapsed().as_secs_f64()
        );
        let files = [vec![dir.join("config.json")], paths].concat();
        Ok(Found { model: Model { config, params }, files, dtypes, notes })
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
        let tensors = self.layout.tensors.iter().map(|tensor| (tensor.name.clone(), tensor.shape.clone()));
        write_tensors(path, &tensors.collect::<Vec<_>>(), |i| Cow::Borrowed(self.at(i)))
    }

    /// Reads a file that [`Params::save`] wrote, for a model of that layout.
    pub fn load(path: &Path, layout: &Arc<Layout>) -> Result<Params, ModelError> {
        let file = fs_err::read(path)?;
        let mut tensors = BTreeMap::new();
        add_tensors(path, &file, &mut tensors)?;
        read_tensors(path, layout, &tensors)
    }
}

/// Writes f32 tensors of these names and shapes to a safetensors file, at once. `values(i)`, which is asked for when tensor `i` is
/// due, gives as many as its shape says.
pub fn write_tensors<'a>(
    path: &Path,
    tensors: &[(String, Vec<usize>)],
    mut values: impl FnMut(usize) -> Cow<'a, [f32]>,
) -> Result<(), ModelError> {
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".to_owned(), serde_json::json!({"format": "pt"}));
    let mut at = 0;
    for (name, shape) in tensors {
        let end = at + 4 * shape.iter().product::<usize>();
        header.insert(name.clone(), serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [at, end]}));
        at = end;
    }
    let mut header = serde_json::to_vec(&header).map_err(std::io::Error::other)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    let began = Instant::now();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let progress = Progress::brief(&format!("writing {name}"), at as u64, "bytes");
    gpt1_artifacts::output::write_atomic(path, |w| {
        w.write_all(&(header.len() as u64).to_le_bytes())?;
        w.write_all(&header)?;
        for i in 0..tensors.len() {
            let values = values(i);
            if cfg!(target_endian = "little") {
                w.write_all(bytemuck::cast_slice(&values))?;
            } else {
                values.iter().try_for_each(|x| w.write_all(&x.to_le_bytes()))?;
            }
            progress.inc(4 * values.len() as u64);
        }
        Ok(())
    })?;
    log::debug!("wrote {}: {at} bytes in {:.3} s", path.display(), began.elapsed().as_secs_f64());
    Ok(())
}

/// What Hugging Face's files may hold that is nothing of the model's own: the head, which is the token embedding, and
/// each block's causal mask.
const HEAD: &str = "lm_head.weight";
const MASK: &str = ".attn.bias";

fn is_redundant(name: &str) -> bool {
    name == HEAD || name.ends_with(MASK) || name.ends_with("position_ids")
}

/// Where Hugging Face lists the parts of weights that are not in one file.
const INDEX: &str = "model.safetensors.index.json";

/// `model.safetensors`, or the parts of it.
fn weight_files(dir: &Path) -> Result<Vec<PathBuf>, ModelError> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let (whole, index) = (dir.join("model.safetensors"), dir.join(INDEX));
    if whole.exists() {
        return Ok(vec![whole]);
    }
    if !index.exists() {
        return Err(no_weights(dir));
    }
    let json = |line, column, message| ModelError::Json { path: index.clone(), line, column, message };
    let Index { weight_map } = serde_json::from_slice(&fs_err::read(&index)?)
        .map_err(|error| json(error.line(), error.column(), error.to_string()))?;
    let parts: BTreeSet<&String> = weight_map.values().collect();
    if let Some(part) = parts.iter().find(|part| Path::new(part).file_name() != Some(part.as_ref())) {
        return Err(json(0, 0, format!("expected the names of files beside this one, found {part:?}")));
    }
    if parts.is_empty() {
        return Err(json(0, 0, "expected tensors in weight_map, found none".to_owned()));
    }
    Ok(parts.into_iter().map(|part| dir.join(part)).collect())
}

/// Adds the tensors of a safetensors file, under their full names.
fn add_tensors<'a>(
    path: &Path,
    file: &'a [u8],
    tensors: &mut BTreeMap<String, TensorView<'a>>,
) -> Result<(), ModelError> {
    let found = SafeTensors::deserialize(file)
        .map_err(|error| ModelError::Safetensors { path: path.to_owned(), message: error.to_string() })?;
    let mut problems = Vec::new();
    for (name, view) in found.iter() {
        let name = full_name(name);
        if tensors.insert(name.clone(), view).is_some() {
            problems.push(format!("{name} is there twice, with and without \"transformer.\" or in two files"));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(ModelError::Tensors { path: path.to_owned(), problems }) }
}

/// The name with the prefix that Hugging Face's files of the bare transformer lack.
fn full_name(name: &str) -> String {
    let bare = ["tokens_embed.", "positions_embed.", "h."].iter().any(|start| name.starts_with(start));
    if bare { format!("transformer.{name}") } else { name.to_owned() }
}

fn read_tensors(path: &Path, layout: &Arc<Layout>, found: &BTreeMap<String, TensorView>) -> Result<Params, ModelError> {
    let mut problems = Vec::new();
    for tensor in &layout.tensors {
        let Some(view) = found.get(&tensor.name) else {
            problems.push(format!("{} is missing (shape {:?})", tensor.name, tensor.shape));
            continue;
        };
        if view.shape() != tensor.shape {
            problems.push(format!("{} has shape {:?}, expected {:?}", tensor.name, view.shape(), tensor.shape));
        }
        if !matches!(view.dtype(), Dtype::F32 | Dtype::F16 | Dtype::BF16) {
            problems.push(format!("{} has type {:?}, expected F32, F16 or BF16", tensor.name, view.dtype()));
        }
    }
    for name in found.keys().filter(|n| layout.find(n).is_none() && !is_redundant(n)) {
        problems.push(format!("{} is not part of this model", name.escape_debug()));
    }
    if let (Some(head), Some(tokens)) = (found.get(HEAD), found.get(&layout.tensors[0].name))
        && (head.dtype(), head.shape(), head.data()) != (tokens.dtype(), tokens.shape(), tokens.data())
    {
        problems.push(format!("{HEAD} differs from {}, to which GPT-1 ties it", layout.tensors[0].name));
    }
    if !problems.is_empty() {
        return Err(ModelError::Tensors { path: path.to_owned(), problems });
    }
    let mut params = Params::zeros(layout);
    for tensor in &layout.tensors {
        let (view, data) = (&found[&tensor.name], &mut params.data[tensor.range.clone()]);
        let half: fn(u16) -> f32 = if view.dtype() == Dtype::F16 { from_f16 } else { from_bf16 };
        if view.dtype() == Dtype::F32 {
            data.iter_mut().zip(view.data().as_chunks().0).for_each(|(x, b)| *x = f32::from_le_bytes(*b));
        } else {
            data.iter_mut().zip(view.data().as_chunks().0).for_each(|(x, b)| *x = half(u16::from_le_bytes(*b)));
        }
    }
    Ok(params)
}

/// A line for each tensor with a value that is infinite or no number.
pub(crate) fn not_finite(params: &Params) -> Vec<String> {
    let problem = |tensor: &Tensor| {
        let data = &params.data[tensor.range.clone()];
        let at = data.iter().position(|x| !x.is_finite())?;
        Some(format!("{} holds {} (element {at}); no trained model does", tensor.name, data[at]))
    };
    params.layout.tensors.iter().filter_map(problem).collect()
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

    /// Rewrites `model.safetensors`: each tensor's name, type, shape and bytes go through `change`, which may give several.
    fn rewrite(dir: &Path, change: impl Fn(&str, &TensorView) -> Vec<(String, Dtype, Vec<usize>, Vec<u8>)>) {
        let path = dir.join("model.safetensors");
        let file = fs_err::read(&path).unwrap();
        let tensors: Vec<_> =
            SafeTensors::deserialize(&file).unwrap().iter().flat_map(|(name, view)| change(name, &view)).collect();
        let views =
            tensors.iter().map(|(n, dtype, shape, data)| (n, TensorView::new(*dtype, shape.clone(), data).unwrap()));
        fs_err::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    }

    fn same(name: &str, view: &TensorView) -> (String, Dtype, Vec<usize>, Vec<u8>) {
        (name.to_owned(), view.dtype(), view.shape().to_vec(), view.data().to_vec())
    }

    #[test]
    fn what_else_hugging_face_writes() {
        let dir = tempfile::tempdir().unwrap();
        let model = Model::init(config(), 1);
        model.save(dir.path()).unwrap();
        // The bare transformer's names, masks, the tied head.
        rewrite(dir.path(), |name, view| {
            let mut tensors = vec![same(name.strip_prefix("transformer.").unwrap(), view)];
            if name.ends_with("tokens_embed.weight") {
                tensors.push(same(HEAD, view));
            }
            if name.ends_with("ln_1.bias") {
                let mask = name.replace("transformer.", "").replace("ln_1.bias", "attn.bias");
                tensors.push((mask, Dtype::U8, vec![1, 1, 9, 9], vec![1; 81]));
            }
            tensors
        });
        let found = Model::find(dir.path()).unwrap();
        assert_eq!(found.model, model);
        assert!(found.notes[0].contains("2 causal masks") && found.notes[1].contains(HEAD), "{:?}", found.notes);
        assert_eq!(found.dtypes, [("F32".to_owned(), 26)].into());
        // A head of its own.
        rewrite(dir.path(), |name, view| {
            let (name, dtype, shape, mut data) = same(name, view);
            data[7] ^= u8::from(name == HEAD);
            vec![(name, dtype, shape, data)]
        });
        let error = Model::load(dir.path()).unwrap_err().to_string();
        assert!(error.contains("lm_head.weight differs from transformer.tokens_embed.weight"), "{error}");
    }

    #[test]
    fn halves_become_f32() {
        let dir = tempfile::tempdir().unwrap();
        let model = Model::init(config(), 1);
        model.save(dir.path()).unwrap();
        rewrite(dir.path(), |name, view| {
            let halves = view.data().as_chunks::<4>().0.iter().flat_map(|b| [b[2], b[3]]);
            vec![(name.to_owned(), Dtype::BF16, view.shape().to_vec(), halves.collect())]
        });
        let found = Model::find(dir.path()).unwrap();
        let truncated = model.params.data.iter().map(|x| f32::from_bits(x.to_bits() & 0xffff_0000));
        assert!(found.model.params.data.iter().copied().eq(truncated));
        assert_eq!(found.dtypes, [("BF16".to_owned(), 26)].into());
        rewrite(dir.path(), |name, view| {
            let dtype = if name.ends_with("ln_2.bias") { Dtype::I16 } else { view.dtype() };
            vec![(name.to_owned(), dtype, view.shape().to_vec(), view.data().to_vec())]
        });
        let error = Model::load(dir.path()).unwrap_err().to_string();
        assert!(error.contains("transformer.h.1.ln_2.bias has type I16, expected F32, F16 or BF16"), "{error}");
    }

    #[test]
    fn weights_in_parts() {
        let dir = tempfile::tempdir().unwrap();
        let model = Model::init(config(), 1);
        model.save(dir.path()).unwrap();
        let (whole, one, two) =
            ["model.safetensors", "a.safetensors", "b.safetensors"].map(|n| dir.path().join(n)).into();
        fs_err::copy(&whole, &one).unwrap();
        rewrite(dir.path(), |name, view| if name.contains(".h.1.") { vec![same(name, view)] } else { vec![] });
        fs_err::rename(&whole, &two).unwrap();
        fs_err::rename(&one, &whole).unwrap();
        rewrite(dir.path(), |name, view| if name.contains(".h.1.") { vec![] } else { vec![same(name, view)] });
        fs_err::rename(&whole, &one).unwrap();
        let index = |parts: [&str; 2]| {
            let map = serde_json::json!({"weight_map": {"x": parts[0], "y": parts[1]}});
            fs_err::write(dir.path().join(INDEX), map.to_string()).unwrap();
        };
        index(["a.safetensors", "b.safetensors"]);
        let found = Model::find(dir.path()).unwrap();
        assert_eq!((found.model, found.files.len()), (model, 3));
        index(["a.safetensors", "a.safetensors"]);
        let error = Model::load(dir.path()).unwrap_err().to_string();
        assert!(error.contains("transformer.h.1.ln_2.bias is missing"), "{error}");
        index(["a.safetensors", "../b.safetensors"]);
        assert!(Model::load(dir.path()).unwrap_err().to_string().contains("../b.safetensors"));
        fs_err::copy(&one, &two).unwrap();
        index(["a.safetensors", "b.safetensors"]);
        let error = Model::load(dir.path()).unwrap_err().to_string();
        assert!(error.contains("transformer.h.0.ln_1.bias is there twice"), "{error}");
    }

    #[test]
    fn values_that_are_no_numbers_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut model = Model::init(config(), 1);
        model.params.tensor_mut("transformer.h.0.ln_2.weight").unwrap()[3] = f32::INFINITY;
        model.save(dir.path()).unwrap();
        let error = Model::load(dir.path()).unwrap_err().to_string();
        assert!(error.contains("transformer.h.0.ln_2.weight holds inf (element 3)"), "{error}");
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
