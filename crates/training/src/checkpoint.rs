//! Checkpoints from which a run continues and ends with the same bits.
//!
//! `.checkpoints/checkpoint-<update>` in the output that is being written holds
//!
//! | file | content |
//! |---|---|
//! | `config.json`, `model.safetensors` | the model, in the format of a finished one |
//! | `optimizer.safetensors` | Adam's `exp_avg.<tensor>` and `exp_avg_sq.<tensor>` |
//! | `state.json` | [`State`]: the update, what it belongs to, the digests of the other files |
//!
//! What else an update depends on (order of the data, dropout) is a function of the seed and the update's number. The
//! folder appears in one step when all of it is on the disk; the last two are kept. The leading dot keeps checkpoints out
//! of the output's digest, should a run be killed in the moment between its completion and their removal.

use crate::adam::Adam;
use gpt1_artifacts::eprintln;
use gpt1_artifacts::{digest, numbered, output};
use gpt1_model::{Layout, Model, ModelError};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// The folder of the checkpoints in the output being written.
pub const FOLDER: &str = ".checkpoints";
/// What their names begin with.
const KIND: &str = "checkpoint";
/// Checkpoints kept.
const KEPT: usize = 2;
const MODEL: &str = "model.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const STATE: &str = "state.json";
/// The two moments of Adam, as PyTorch calls them.
const MOMENTS: [&str; 2] = ["exp_avg", "exp_avg_sq"];

/// `state.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Finished updates.
    pub update: u64,
    /// Tokens seen.
    pub n_tokens: u64,
    /// Digest of what decides the run: configuration and inputs.
    pub run_digest: String,
    /// Length of metrics.jsonl at this update.
    pub metrics_bytes: u64,
    /// The stage's own state, such as the best score so far.
    pub stage: Value,
    /// BLAKE3 digests of the other files.
    pub files: BTreeMap<String, String>,
}

/// Why a checkpoint cannot be written or used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Reading or writing failed; the message names the path.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A tensor file could not be written: a full disk, a quota.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: SafeTensorError,
    },
    /// The model could not be written or read.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A file of the checkpoint is not what was written.
    #[error("{path}: damaged checkpoint: {message}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// No checkpoint can be read, and not because one is damaged.
    #[error(
        "{path}: no checkpoint can be read: {source}\n  hint: see to the disk and the permissions, then run the same command again; to begin anew instead, remove this folder"
    )]
    Unreadable {
        /// The latest.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The checkpoint is one of a model of another shape.
    #[error(
        "{path}: a checkpoint of another shape: {tensor} was expected to be {expected}, found {found}\n  hint: name another --out, or use the configuration that the checkpoint was made with"
    )]
    Shape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The shape in this run's model, or `absent`.
        expected: String,
        /// The shape in the file, or `absent`.
        found: String,
    },
    /// The checkpoint is one of another run.
    #[error(
        "{path}: a checkpoint of another run (its configuration or inputs differ: expected the digest {expected}, found {found})\n  hint: name another --out, or remove {folder}"
    )]
    OtherRun {
        /// The file.
        path: PathBuf,
        /// The folder of checkpoints.
        folder: PathBuf,
        /// This run's digest.
        expected: String,
        /// The checkpoint's.
        found: String,
    },
}

/// Writes `out/.checkpoints/checkpoint-<update>` and removes all but the last two; returns its path. `files` of `state` is
/// filled in here.
pub fn save(out: &Path, model: &Model, adam: &Adam, mut state: State) -> Result<PathBuf, CheckpointError> {
    let name = format!("{KIND}-{}", state.update);
    // One of that name is left by a run that continued from an earlier one because this one was damaged.
    let path = numbered::write(&out.join(FOLDER), &name, |partial| -> Result<(), CheckpointError> {
        model.save(partial)?;
        write_moments(&partial.join(OPTIMIZER), adam)?;
        for name in [MODEL, OPTIMIZER] {
            let path = partial.join(name);
            fs_err::File::open(&path)?.sync_all()?;
            state.files.insert(name.to_owned(), digest::file(&path)?);
        }
        Ok(output::write_json(&partial.join(STATE), &state)?)
    })?;
    for (_, old) in list(out)?.into_iter().rev().skip(KEPT) {
        fs_err::remove_dir_all(old)?;
    }
    Ok(path)
}

/// Reads the latest checkpoint that is whole into `model` and `adam`; `None` if there is none. A damaged one is named on
/// stderr and the one before it is tried. `metrics_bytes` is the present length of metrics.jsonl: a checkpoint that was
/// made when it was longer cannot be continued exactly and counts as damaged.
///
/// A checkpoint of another run or of another shape is an error: it is whole, and not ours to pass over. So is one that cannot be
/// read, if no earlier one can: to begin anew would lose what may be readable again. Nothing is changed then.
pub fn load_latest(
    out: &Path,
    run_digest: &str,
    metrics_bytes: u64,
    model: &mut Model,
    adam: &mut Adam,
) -> Result<Option<State>, CheckpointError> {
    let mut unreadable = None;
    for (_, path) in list(out)?.into_iter().rev() {
        match load(&path, run_digest, metrics_bytes, model, adam) {
            Ok(state) => return Ok(Some(state)),
            Err(error @ (CheckpointError::Shape { .. } | CheckpointError::OtherRun { .. })) => return Err(error),
            Err(error) => {
                eprintln!("warning: {error}\n  the checkpoint before it will be used, or the run begins anew");
                if let CheckpointError::Io(source) | CheckpointError::Model(ModelError::Io(source)) = error
                    && source.kind() != io::ErrorKind::NotFound
                {
                    unreadable = unreadable.or(Some((path, source)));
                }
            }
        }
    }
    match unreadable {
        Some((path, source)) => Err(CheckpointError::Unreadable { path, source }),
        None => Ok(None),
    }
}

/// The latest checkpoint of an output, whole or not.
pub fn latest(out: &Path) -> Option<PathBuf> {
    list(out).ok()?.pop().map(|(_, path)| path)
}

/// Removes the checkpoints of a finished output.
pub fn remove_all(out: &Path) -> io::Result<()> {
    let folder = out.join(FOLDER);
    if folder.exists() { fs_err::remove_dir_all(folder) } else { Ok(()) }
}

/// Checkpoints by update, ascending.
fn list(out: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    numbered::list(&out.join(FOLDER), KIND)
}

fn load(
    path: &Path,
    run_digest: &str,
    metrics_bytes: u64,
    model: &mut Model,
    adam: &mut Adam,
) -> Result<State, CheckpointError> {
    let damaged = |file: &str, message: String| CheckpointError::Damaged { path: path.join(file), message };
    let state: State =
        serde_json::from_slice(&fs_err::read(path.join(STATE))?).map_err(|error| damaged(STATE, error.to_string()))?;
    if state.run_digest != run_digest {
        return Err(CheckpointError::OtherRun {
            path: path.to_owned(),
            folder: path.parent().unwrap_or(path).to_owned(),
            expected: run_digest.to_owned(),
            found: state.run_digest,
        });
    }
    for name in [MODEL, OPTIMIZER] {
        let expected = state.files.get(name).ok_or_else(|| damaged(STATE, format!("no digest of {name}")))?;
        let found = digest::file(&path.join(name))?;
        if found != *expected {
            return Err(damaged(name, format!("expected the digest {expected}, found {found}")));
        }
    }
    if metrics_bytes < state.metrics_bytes {
        let message =
            format!("metrics.jsonl had {} bytes at this update and has {metrics_bytes} now", state.metrics_bytes);
        return Err(damaged(STATE, message));
    }
    let saved = Model::load(path)?;
    let expected_layout = &model.params.layout;
    if let Some((tensor, expected, found)) = differences(expected_layout, &saved.params.layout) {
        return Err(CheckpointError::Shape { path: path.join(MODEL), tensor, expected, found });
    }
    let moments = read_moments(&path.join(OPTIMIZER), expected_layout)?;
    model.params.data = saved.params.data;
    let [m, v] = moments;
    (adam.m.data, adam.v.data, adam.n_updates) = (m, v, state.update);
    Ok(state)
}

/// The first tensor in which two layouts differ: its name, its shape in each.
fn differences(expected: &Layout, found: &Layout) -> Option<(String, String, String)> {
    let shape = |layout: &Layout, name: &str| {
        let tensor = layout.tensors.iter().find(|t| t.name == name);
        tensor.map_or_else(|| "absent".to_owned(), |t| format!("{:?}", t.shape))
    };
    let names = expected.tensors.iter().chain(&found.tensors).map(|t| &t.name);
    names
        .map(|name| (name.clone(), shape(expected, name), shape(found, name)))
        .find(|(_, expected, found)| expected != found)
}

fn write_moments(path: &Path, adam: &Adam) -> Result<(), CheckpointError> {
    let wrong = |source| CheckpointError::Write { path: path.to_owned(), source };
    let mut tensors = Vec::new();
    for (moment, params) in MOMENTS.into_iter().zip([&adam.m, &adam.v]) {
        for tensor in &params.layout.tensors {
            let bytes = bytemuck::cast_slice(&params.data[tensor.range.clone()]);
            let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes).map_err(wrong)?;
            tensors.push((format!("{moment}.{}", tensor.name), view));
        }
    }
    safetensors::serialize_to_file(tensors, None, path).map_err(wrong)
}

/// Reads the two moments as flat vectors of the layout.
fn read_moments(path: &Path, layout: &Layout) -> Result<[Vec<f32>; 2], CheckpointError> {
    let bytes = fs_err::read(path)?;
    let damaged = |message: String| CheckpointError::Damaged { path: path.to_owned(), message };
    let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
    let mut moments = [vec![0.0; layout.n_params], vec![0.0; layout.n_params]];
    for (moment, data) in MOMENTS.into_iter().zip(&mut moments) {
        for tensor in &layout.tensors {
            let name = format!("{moment}.{}", tensor.name);
            let found = file.tensor(&name).map_err(|error| damaged(format!("{name}: {error}")))?;
            if found.dtype() != Dtype::F32 || found.shape() != tensor.shape {
                return Err(CheckpointError::Shape {
                    path: path.to_owned(),
                    tensor: name,
                    expected: format!("F32 {:?}", tensor.shape),
                    found: format!("{:?} {:?}", found.dtype(), found.shape()),
                });
            }
            for (x, bytes) in data[tensor.range.clone()].iter_mut().zip(found.data().chunks_exact(4)) {
                *x = f32::from_le_bytes(bytes.try_into().expect("four bytes"));
            }
        }
    }
    Ok(moments)
}
