//! The loop over updates.

use crate::adam::{Adam, AdamConfig, clear_gradients, clip_scale, gradient_norm};
use crate::best::{Best, Criterion};
use crate::checkpoint::{self, CheckpointError, State};
use crate::metrics::{self, Lengths, Metrics};
use crate::{Interrupt, Schedule};
use gpt1_artifacts::eprintln;
use gpt1_artifacts::progress::Progress;
use gpt1_kernels::profile::{lap, whole};
use gpt1_model::{Model, Params};
use serde_json::Value;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What a run of updates is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Updates in all.
    pub n_updates: u64,
    /// The optimiser's constants.
    pub adam: AdamConfig,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Updates between lines of metrics.jsonl.
    pub log_interval: u64,
    /// Updates between checkpoints; one is written too when an evaluation is the best so far.
    pub checkpoint_interval: u64,
    /// The last so many checkpoints are kept, besides that of the best evaluation; at least 1.
    pub n_checkpoints: usize,
    /// What evaluations are of, for TensorBoard: `validation`, `dev`.
    pub evaluated_on: &'static str,
    /// What decides which evaluation is the best.
    pub best: Criterion,
    /// Whether the best model will be asked for at the end ([`crate::write_best`]), so that it must be whole.
    pub keep_best: bool,
    /// Digest of what decides the run (configuration, inputs): a checkpoint of another run is refused.
    pub run_digest: String,
    /// What [`Step::ids`] are, in the plural, for the message about a bad batch: `windows`, `examples`.
    pub ids_are: &'static str,
}

/// What an update's gradients were computed from and for.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The objective, whose gradients were computed.
    pub loss: f64,
    /// Parts of it to log besides, by name.
    pub parts: Vec<(&'static str, f64)>,
    /// Tokens computed.
    pub n_tokens: u64,
    /// What the batch was made of, to name it if the loss is not finite.
    pub ids: Vec<u64>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All updates are done.
    Finished,
    /// A signal came; a checkpoint has been written.
    Interrupted {
        /// SIGINT (2) or SIGTERM (15).
        signal: i32,
    },
}

/// Why a run stopped.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The loss or a gradient is no finite number.
    #[error(
        "update {update}: {what} is {value}, no finite number; the parameters before this update are unchanged\n  {ids_are} of the batch: {}\n  last good checkpoint: {}\n  hint: lower learning_rate, lengthen the warm-up, or set max_grad_norm; a run with another configuration begins anew",
        list(.ids),
        .checkpoint.as_ref().map_or_else(|| "none yet".to_owned(), |path| path.display().to_string())
    )]
    NotFinite {
        /// The update, from 1.
        update: u64,
        /// `the loss` or `the gradient norm`.
        what: &'static str,
        /// Its value.
        value: f64,
        /// What the ids are.
        ids_are: &'static str,
        /// What the batch was made of.
        ids: Vec<u64>,
        /// The last checkpoint.
        checkpoint: Option<PathBuf>,
    },
    /// A checkpoint could not be written.
    #[error(
        "cannot write a checkpoint: {0}\n  hint: free space, or bring the folder back; then run the same command again: it continues from the last checkpoint that is there"
    )]
    Save(#[source] CheckpointError),
    /// A checkpoint is not one of this run, or cannot be read.
    #[error(transparent)]
    Load(CheckpointError),
    /// A file of metrics, or one that an evaluation writes, could not be written; the message names it.
    #[error("{0}\n  hint: free space, then run the same command again: it continues from the last checkpoint")]
    Io(#[from] io::Error),
}

/// Runs the updates of `settings` on `model`, with checkpoints and metrics in `out` (the output being written); continues
/// from the latest checkpoint there.
///
/// - `step(u, model, grads)` computes update `u` (from 0): it adds its gradients to `grads`, which are zero. It may return
///   `None` after a signal ([`Interrupt::signal`]) to give the update up; the checkpoint is then that of the updates before.
/// - `evaluate(n, model, stage)` is called when `n` updates are finished (0 before the first, on a fresh run) and returns
///   what to log, if it is time to evaluate; `stage` is the stage's own state (its last evaluation), kept in checkpoints. It
///   may write files: the checkpoint of an update comes after its evaluation, so a run that continues has written them or
///   will write them again.
///
/// Returns how it ended and the best evaluation so far; that of the model before the first update does not count.
///
/// The result does not depend on interruptions: a run that continues ends with the same bits, in the model as in
/// metrics.jsonl, if both closures depend on nothing but their arguments.
pub fn run(
    settings: &Settings,
    out: &Path,
    model: &mut Model,
    stage: &mut Value,
    interrupt: &Interrupt,
    mut step: impl FnMut(u64, &Model, &mut Params) -> Option<Step>,
    mut evaluate: impl FnMut(u64, &Model, &mut Value) -> io::Result<Vec<(&'static str, f64)>>,
) -> Result<(Outcome, Option<Best>), TrainError> {
    let mut adam = Adam::new(&model.params.layout);
    let on_disk = metrics::metrics_bytes(out)?;
    let resumed = checkpoint::load_latest(out, &settings.run_digest, on_disk, settings.keep_best, model, &mut adam)
        .map_err(TrainError::Load)?;
    let mut n_tokens = resumed.as_ref().map_or(0, |state| state.n_tokens);
    let mut best = resumed.as_ref().and_then(|state| state.best);
    let lengths = |state: &State| Lengths { metrics: state.metrics_bytes, events: state.events_bytes };
    let mut metrics = Metrics::open(out, resumed.as_ref().map(lengths).unwrap_or_default(), n_tokens)?;
    let mut saved_at = resumed.as_ref().map(|state| state.update);
    if let Some(state) = resumed {
        eprintln!("continuing after update {} of {}", state.update, settings.n_updates);
        *stage = state.stage;
    }
    let mut grads = Params::zeros(&model.params.layout);
    let progress = Progress::new("training", settings.n_updates, "updates");
    progress.start_at(adam.n_updates);
    if saved_at.is_none() {
        let pause = Instant::now();
        let values = evaluate(0, model, stage)?;
        log_values(settings, &mut metrics, &progress, 0, 0, &values)?;
        metrics.leave_out(pause.elapsed());
    }

    while adam.n_updates < settings.n_updates {
        let u = adam.n_updates;
        clear_gradients(&mut grads);
        let done = if interrupt.signal().is_none() { step(u, model, &mut grads) } else { None };
        let Some(done) = done else {
            let signal = interrupt.signal().expect("an update is given up only after a signal");
            if saved_at != Some(u) {
                save(settings, out, model, &adam, stage, best, &mut metrics, n_tokens)?;
            }
            return Ok((stopped(&progress, signal, u), best));
        };
        let norm = gradient_norm(&grads);
        let suspects = [("the loss", done.loss), ("the gradient norm", norm)];
        if let Some((what, value)) = suspects.into_iter().find(|(_, value)| !value.is_finite()) {
            return Err(TrainError::NotFinite {
                update: u + 1,
                what,
                value,
                ids_are: settings.ids_are,
                ids: done.ids,
                checkpoint: checkpoint::latest(out),
            });
        }
        let factor = settings.schedule.factor(u);
        adam.update(&mut model.params, &grads, &settings.adam, factor, clip_scale(norm, settings.adam.max_grad_norm));

        let finished = adam.n_updates;
        log::trace!("update {finished}: loss {}, gradient norm {norm}, {} tokens", done.loss, done.n_tokens);
        let last = finished == settings.n_updates;
        n_tokens += done.n_tokens;
        if last || finished.is_multiple_of(settings.log_interval) {
            let mut values = vec![("loss", done.loss)];
            values.extend(done.parts);
            values.extend([("learning_rate", settings.adam.learning_rate * factor), ("grad_norm", norm)]);
            metrics.write_training(finished, n_tokens, &values)?;
        }
        progress.message(format!("loss {:.3}, {:.0} tokens/s", done.loss, metrics.tokens_per_second(n_tokens)));
        progress.set(finished);
        lap("metrics");

        let pause = Instant::now();
        let values = whole("evaluation", || evaluate(finished, model, stage))?;
        log_values(settings, &mut metrics, &progress, finished, n_tokens, &values)?;
        if !values.is_empty() {
            log::debug!("update {finished}: evaluated in {:.3} s", pause.elapsed().as_secs_f64());
        }
        let is_best = settings.best.judge(finished, &values, &mut best);
        if last || is_best || finished.is_multiple_of(settings.checkpoint_interval) {
            save(settings, out, model, &adam, stage, best, &mut metrics, n_tokens)?;
            saved_at = Some(finished);
            lap("checkpoints");
        }
        metrics.leave_out(pause.elapsed());
    }
    // The checkpoint of the last update is written, nothing waits for another; a signal that came meanwhile counts.
    interrupt.stop_at_once();
    if let Some(signal) = interrupt.signal() {
        return Ok((stopped(&progress, signal, settings.n_updates), best));
    }
    progress.finish();
    Ok((Outcome::Finished, best))
}

fn stopped(progress: &Progress, signal: i32, update: u64) -> Outcome {
    progress
        .println(&format!("stopped by signal {signal} after update {update}; the same command continues from here"));
    Outcome::Interrupted { signal }
}

fn save(
    settings: &Settings,
    out: &Path,
    model: &Model,
    adam: &Adam,
    stage: &Value,
    best: Option<Best>,
    metrics: &mut Metrics,
    n_tokens: u64,
) -> Result<(), TrainError> {
    let lengths = metrics.sync()?;
    let state = State {
        update: adam.n_updates,
        n_tokens,
        run_digest: settings.run_digest.clone(),
        metrics_bytes: lengths.metrics,
        events_bytes: lengths.events,
        best,
        stage: stage.clone(),
        files: std::collections::BTreeMap::new(),
    };
    checkpoint::save(out, model, adam, state, settings.n_checkpoints).map_err(TrainError::Save)?;
    Ok(())
}

/// Logs an evaluation and says it.
fn log_values(
    settings: &Settings,
    metrics: &mut Metrics,
    progress: &Progress,
    update: u64,
    n_tokens: u64,
    values: &[(&'static str, f64)],
) -> io::Result<()> {
    if values.is_empty() {
        return Ok(());
    }
    metrics.write(update, n_tokens, settings.evaluated_on, values)?;
    let text: Vec<String> =
        values.iter().map(|(name, value)| format!("{} {value:.4}", name.replace('_', " "))).collect();
    progress.println(&format!("update {update}: {}", text.join(", ")));
    Ok(())
}

/// A batch's ids, the first few dozen.
fn list(ids: &[u64]) -> String {
    const SHOWN: usize = 64;
    let mut text: Vec<String> = ids.iter().take(SHOWN).map(u64::to_string).collect();
    if ids.len() > SHOWN {
        text.push(format!("and {} more", ids.len() - SHOWN));
    }
    text.join(" ")
}
