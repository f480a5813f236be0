//! Checkpoints from which a run continues and ends with the same bits.
//!
//! `.checkpoints/checkpoint-<update>` in the output that is being written holds
//!
//! | file | content |
//! |---|---|
//! | `config.json`, `model.safetensors` | the model, in the format of a finished one |
//! | `optimizer.safetensors` | Adam's `exp_avg.<tensor>` and `exp_avg_sq.<tensor>` |
//! | `state.json` | [`State`]: the update, what it belongs to, the digests of the other files |
//! | `state.json.blake3` | the digest of that; checkpoints of earlier versions have none |
//!
//! What else an update depends on (order of the data, dropout) is a function of the seed and the update's number. The
//! folder appears in one step when all of it is on the disk; the last few are kept, and the best. The leading dot keeps
//! checkpoints out of the output's digest, should a run be killed in the moment between its completion and their removal.

use crate::adam::Adam;
use crate::best::Best;
use crate::gradients::Gradients;
use gpt1_artifacts::{digest, numbered, output, progress};
use gpt1_model::{Layout, Model, ModelError, write_tensors};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The folder of the checkpoints in the output being written.
pub const FOLDER: &str = ".checkpoints";
/// What their names begin with.
const KIND: &str = "checkpoint";
const MODEL: &str = "model.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const STATE: &str = "state.json";
const STATE_DIGEST: &str = "state.json.blake3";
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
    /// Length of the TensorBoard event file at this update.
    #[serde(default)]
    pub events_bytes: u64,
    /// The best evaluation so far, whose checkpoint is kept too.
    #[serde(default)]
    pub best: Option<Best>,
    /// The stage's own state, such as its last evaluation.
    pub stage: Value,
    /// BLAKE3 digests of the other files.
    pub files: BTreeMap<String, String>,
}

/// What a checkpoint holds besides the model.
#[derive(Debug)]
pub struct Loaded {
    /// Where the run was.
    pub state: State,
    /// Adam's two moments of all parameters.
    pub moments: [Vec<f32>; 2],
}

/// Why a checkpoint cannot be written or used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Reading or writing failed; the message names the path.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The model or the optimiser's moments could not be written or read.
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

/// Writes `out/.checkpoints/checkpoint-<update>` and removes all but the last `n_kept` and the best; returns its path. `files`
/// of `state` is filled in here.
///
/// With several ranks, only the first writes; the others give it their share of the moments at the same time
/// ([`Gradients::give_moments`]), which it gathers one after the other in the memory of the gradients.
pub fn save(
    out: &Path,
    model: &Model,
    adam: &Adam,
    gradients: &mut Gradients,
    mut state: State,
    n_kept: usize,
) -> Result<PathBuf, CheckpointError> {
    let (name, began) = (name_of(state.update), Instant::now());
    // One of that name is left by a run that continued from an earlier one because this one was damaged.
    let path = numbered::write(&out.join(FOLDER), &name, |partial| -> Result<(), CheckpointError> {
        model.save(partial)?;
        write_moments(&partial.join(OPTIMIZER), &model.params.layout, adam, gradients)?;
        for name in [MODEL, OPTIMIZER] {
            let path = partial.join(name);
            state.files.insert(name.to_owned(), digest::file(&path)?);
        }
        let path = partial.join(STATE);
        output::write_json(&path, &state)?;
        let digest = digest::file(&path)?;
        Ok(output::write_atomic(&partial.join(STATE_DIGEST), |w| w.write_all(digest.as_bytes()))?)
    })?;
    log::info!("{}: written in {:.3} s", path.display(), began.elapsed().as_secs_f64());
    // A later one is of no use any more: this run has begun before it, because it was damaged.
    let (until_now, later): (Vec<_>, Vec<_>) = list(out)?.into_iter().partition(|(update, _)| *update <= state.update);
    let is_best = |update: u64| state.best.is_some_and(|best| best.update == update);
    let older = until_now.into_iter().rev().skip(n_kept).filter(|(update, _)| !is_best(*update));
    for (_, old) in older.chain(later) {
        log::debug!("{}: removed", old.display());
        fs_err::remove_dir_all(old)?;
    }
    Ok(path)
}

/// The model of the checkpoint of an update.
pub fn model(out: &Path, update: u64) -> Result<Model, CheckpointError> {
    let path = of_update(out, update);
    check_files(&path, &read_state(&path)?, &[MODEL])?;
    Ok(Model::load(&path)?)
}

/// Reads the latest checkpoint that is whole into `model`; returns the rest of it, `None` if there is none. A damaged one is named on
/// stderr and the one before it is tried. `metrics_bytes` is the present length of metrics.jsonl: a checkpoint that was
/// made when it was longer cannot be continued exactly and counts as damaged; so does one whose best is damaged, if the result
/// will hold the best model (`keep_best`).
///
/// A checkpoint of another run or of another shape is an error: it is whole, and not ours to pass over. So is one that cannot be
/// read, if no earlier one can: to begin anew would lose what may be readable again. Nothing is changed then.
pub fn load_latest(
    out: &Path,
    run_digest: &str,
    metrics_bytes: u64,
    keep_best: bool,
    model: &mut Model,
) -> Result<Option<Loaded>, CheckpointError> {
    let mut unreadable = None;
    for (_, path) in list(out)?.into_iter().rev() {
        let began = Instant::now();
        match load(&path, run_digest, metrics_bytes, keep_best, model) {
            Ok(loaded) => {
                log::info!("{}: read in {:.3} s", path.display(), began.elapsed().as_secs_f64());
                return Ok(Some(loaded));
            }
            Err(error @ (CheckpointError::Shape { .. } | CheckpointError::OtherRun { .. })) => return Err(error),
            Err(error) => {
                log::warn!("{error}\n  the checkpoint before it will be used, or the run begins anew");
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

fn name_of(update: u64) -> String {
    format!("{KIND}-{update}")
}

fn of_update(out: &Path, update: u64) -> PathBuf {
    out.join(FOLDER).join(name_of(update))
}

/// Checkpoints by update, ascending.
fn list(out: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    numbered::list(&out.join(FOLDER), KIND)
}

fn load(
    path: &Path,
    run_digest: &str,
    metrics_bytes: u64,
    keep_best: bool,
    model: &mut Model,
) -> Result<Loaded, CheckpointError> {
    let state = read_state(path)?;
    if state.run_digest != run_digest {
        return Err(CheckpointError::OtherRun {
            path: path.to_owned(),
            folder: path.parent().unwrap_or(path).to_owned(),
            expected: run_digest.to_owned(),
            found: state.run_digest,
        });
    }
    check_files(path, &state, &[MODEL, OPTIMIZER])?;
    if metrics_bytes < state.metrics_bytes {
        let message =
            format!("metrics.jsonl had {} bytes at this update and has {metrics_bytes} now", state.metrics_bytes);
        return Err(damaged(path, STATE, message));
    }
    if let Some(best) = state.best.filter(|best| keep_best && best.update != state.update) {
        let best = path.with_file_name(name_of(best.update));
        check_files(&best, &read_state(&best)?, &[MODEL])?;
    }
    let saved = Model::load(path)?;
    let expected_layout = &model.params.layout;
    if let Some((tensor, expected, found)) = differences(expected_layout, &saved.params.layout) {
        return Err(CheckpointError::Shape { path: path.join(MODEL), tensor, expected, found });
    }
    let moments = read_moments(&path.join(OPTIMIZER), expected_layout)?;
    model.params.data = saved.params.data;
    Ok(Loaded { state, moments })
}

fn read_state(path: &Path) -> Result<State, CheckpointError> {
    let text = fs_err::read(path.join(STATE))?;
    let digest_path = path.join(STATE_DIGEST);
    if digest_path.exists() {
        let (expected, found) = (fs_err::read(digest_path)?, digest::bytes(&text));
        if found.as_bytes() != expected {
            let expected = String::from_utf8_lossy(&expected).into_owned();
            return Err(damaged(path, STATE, format!("expected the digest {expected}, found {found}")));
        }
    }
    serde_json::from_slice(&text).map_err(|error| damaged(path, STATE, error.to_string()))
}

/// Compares files of a checkpoint with their digests.
fn check_files(path: &Path, state: &State, names: &[&str]) -> Result<(), CheckpointError> {
    for name in names {
        let expected = state.files.get(*name).ok_or_else(|| damaged(path, STATE, format!("no digest of {name}")))?;
        let found = digest::file(&path.join(name))?;
        if found != *expected {
            return Err(damaged(path, name, format!("expected the digest {expected}, found {found}")));
        }
    }
    Ok(())
}

fn damaged(path: &Path, file: &str, message: String) -> CheckpointError {
    CheckpointError::Damaged { path: path.join(file), message }
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

fn write_moments(path: &Path, layout: &Layout, adam: &Adam, gradients: &mut Gradients) -> Result<(), ModelError> {
    let names = MOMENTS.into_iter().flat_map(|name| layout.tensors.iter().map(move |tensor| (name, tensor)));
    let tensors: Vec<_> = names.map(|(name, t)| (format!("{name}.{}", t.name), t.shape.clone())).collect();
    write_tensors(path, &tensors, |i| {
        let (moment, tensor) = (i / layout.tensors.len(), i % layout.tensors.len());
        let own = [&adam.m, &adam.v][moment];
        let range = layout.tensors[tensor].range.clone();
        if adam.share.n_ranks == 1 {
            return Cow::Borrowed(&own[range]);
        }
        if tensor == 0 {
            gradients.collect(own);
        }
        Cow::Owned(gradients.sum.data[range].to_vec())
    })
}

/// Reads the two moments as flat vectors of the layout.
fn read_moments(path: &Path, layout: &Layout) -> Result<[Vec<f32>; 2], CheckpointError> {
    let bytes = progress::read(path)?;
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
