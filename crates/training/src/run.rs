//! The loop over updates.

use crate::adam::{Adam, AdamConfig, clip_scale};
use crate::best::{Best, Criterion};
use crate::checkpoint::{self, CheckpointError, Loaded, State};
use crate::gradients::Gradients;
use crate::metrics::{self, Lengths, Metrics};
use crate::{Interrupt, Schedule};
use gpt1_artifacts::eprintln;
use gpt1_artifacts::progress::Progress;
use gpt1_kernels::profile::{lap, whole};
use gpt1_model::Model;
use gpt1_ranks::Ranks;
use serde_json::Value;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What a run of updates is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who takes part.
    pub ranks: Ranks,
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
/// - `step(u, model, gradients)` computes update `u` (from 0): it adds its gradients to `gradients.sum`, which are zero. It may
///   return `None` after a signal ([`crate::Exchange::signal`]) to give the update up; the checkpoint is then that of the updates
///   before.
/// - `evaluate(n, model, stage)` is called when `n` updates are finished (0 before the first, on a fresh run) and returns
///   what to log, if it is time to evaluate; `stage` is the stage's own state (its last evaluation), kept in checkpoints. It
///   may write files: the checkpoint of an update comes after its evaluation, so a run that continues has written them or
///   will write them again.
///
/// Of several ranks, each calls this with the same settings and its part of the work. `loss`, `parts` and `n_tokens` of its
/// [`Step`] are its part of the sums, `ids` are all. Only the first reads and writes `out` and speaks; `evaluate` must return the
/// same on all.
///
/// Returns how it ended and the best evaluation so far; that of the model before the first update does not count.
///
/// The result does not depend on interruptions: a run that continues ends with the same bits, in the model as in
/// metrics.jsonl, if both closures depend on nothing but their arguments (with as many ranks as before).
pub fn run(
    settings: &Settings,
    out: &Path,
    model: &mut Model,
    stage: &mut Value,
    interrupt: &Interrupt,
    mut step: impl FnMut(u64, &Model, &mut Gradients) -> Option<Step>,
    mut evaluate: impl FnMut(u64, &Model, &mut Value) -> io::Result<Vec<(&'static str, f64)>>,
) -> Result<(Outcome, Option<Best>), TrainError> {
    let mut gradients = Gradients::new(&model.params.layout, settings.ranks, interrupt);
    let mut adam = Adam::new(gradients.exchange.share());
    let resumed = resume(settings, out, model, &mut adam, &gradients)?;
    let mut n_tokens = resumed.as_ref().map_or(0, |state| state.n_tokens);
    let mut best = resumed.as_ref().and_then(|state| state.best);
    let mut saved_at = resumed.as_ref().map(|state| state.update);
    let mut journal =
        if settings.ranks.is_first() { Some(Journal::open(settings, out, resumed.as_ref())?) } else { None };
    if let Some(state) = resumed {
        *stage = state.stage;
    } else {
        let pause = Instant::now();
        let values = evaluate(0, model, stage)?;
        if let Some(journal) = &mut journal {
            journal.evaluation(0, 0, &values)?;
            journal.metrics.leave_out(pause.elapsed());
        }
    }

    while adam.n_updates < settings.n_updates {
        let u = adam.n_updates;
        gradients.clear();
        let mut signal = gradients.exchange.signal();
        let done = if signal.is_none() { step(u, model, &mut gradients) } else { None };
        let Some(mut done) = done else {
            signal = signal.or_else(|| gradients.exchange.agreed()).or_else(|| interrupt.signal());
            let signal = signal.expect("an update is given up only after a signal");
            if saved_at != Some(u) {
                save(journal.as_mut(), model, &adam, &mut gradients, stage, best, n_tokens)?;
            }
            if let Some(journal) = &journal {
                journal.stopped(signal, u);
            }
            return Ok((Outcome::Interrupted { signal }, best));
        };
        let mut sums = vec![done.loss, done.n_tokens as f64];
        sums.extend(done.parts.iter().map(|(_, value)| value));
        let (norm, sums) = gradients.finish(&sums);
        (done.loss, done.n_tokens) = (sums[0], sums[1] as u64);
        done.parts.iter_mut().zip(&sums[2..]).for_each(|((_, value), sum)| *value = *sum);
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
        let scale = clip_scale(norm, settings.adam.max_grad_norm);
        gradients.update(&mut adam, &mut model.params, &settings.adam, factor, scale);

        let finished = adam.n_updates;
        log::trace!("update {finished}: loss {}, gradient norm {norm}, {} tokens", done.loss, done.n_tokens);
        let last = finished == settings.n_updates;
        n_tokens += done.n_tokens;
        if let Some(journal) = &mut journal {
            let mut values = vec![("loss", done.loss)];
            values.extend(done.parts);
            values.extend([("learning_rate", settings.adam.learning_rate * factor), ("grad_norm", norm)]);
            journal.update(finished, n_tokens, &values)?;
        }
        lap("metrics");

        let pause = Instant::now();
        let values = whole("evaluation", || evaluate(finished, model, stage))?;
        if let Some(journal) = &mut journal {
            journal.evaluation(finished, n_tokens, &values)?;
        }
        if !values.is_empty() {
            log::debug!("update {finished}: evaluated in {:.3} s", pause.elapsed().as_secs_f64());
        }
        let is_best = settings.best.judge(finished, &values, &mut best);
        if last || is_best || finished.is_multiple_of(settings.checkpoint_interval) {
            save(journal.as_mut(), model, &adam, &mut gradients, stage, best, n_tokens)?;
            saved_at = Some(finished);
            lap("checkpoints");
        }
        if let Some(journal) = &mut journal {
            journal.metrics.leave_out(pause.elapsed());
        }
    }
    // The checkpoint of the last update is written, nothing waits for another; a signal that came meanwhile counts.
    interrupt.stop_at_once();
    if let Some(signal) = gradients.exchange.signal_now() {
        if let Some(journal) = &journal {
            journal.stopped(signal, settings.n_updates);
        }
        return Ok((Outcome::Interrupted { signal }, best));
    }
    if let Some(journal) = journal {
        journal.progress.finish();
    }
    Ok((Outcome::Finished, best))
}

/// Puts all ranks where the latest checkpoint was, which the first reads.
fn resume(
    settings: &Settings,
    out: &Path,
    model: &mut Model,
    adam: &mut Adam,
    gradients: &Gradients,
) -> Result<Option<State>, TrainError> {
    let ranks = settings.ranks;
    let loaded = if ranks.is_first() {
        let on_disk = metrics::metrics_bytes(out)?;
        checkpoint::load_latest(out, &settings.run_digest, on_disk, settings.keep_best, model)
            .map_err(TrainError::Load)?
    } else {
        None
    };
    if ranks.is_alone() {
        let Some(Loaded { state, moments: [m, v] }) = loaded else { return Ok(None) };
        (adam.m, adam.v, adam.n_updates) = (m, v, state.update);
        return Ok(Some(state));
    }
    let text = loaded.as_ref().map_or_else(|| Ok(String::new()), |loaded| serde_json::to_string(&loaded.state));
    let text = ranks.broadcast_text(&text.map_err(io::Error::other)?);
    if text.is_empty() {
        return Ok(None);
    }
    let state: State = serde_json::from_str(&text).map_err(io::Error::other)?;
    ranks.broadcast(&mut model.params.data);
    let [m, v] = loaded.map_or_else(Default::default, |loaded| loaded.moments);
    gradients.exchange.deal(&m, &mut adam.m);
    gradients.exchange.deal(&v, &mut adam.v);
    adam.n_updates = state.update;
    Ok(Some(state))
}

/// Writes a checkpoint; a rank that is not the first, and so has no journal, adds its part.
fn save(
    journal: Option<&mut Journal>,
    model: &Model,
    adam: &Adam,
    gradients: &mut Gradients,
    stage: &Value,
    best: Option<Best>,
    n_tokens: u64,
) -> Result<(), TrainError> {
    let Some(journal) = journal else {
        gradients.give_moments(adam);
        return Ok(());
    };
    let lengths = journal.metrics.sync()?;
    let Journal { settings, out, .. } = journal;
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
    checkpoint::save(out, model, adam, gradients, state, settings.n_checkpoints).map_err(TrainError::Save)?;
    Ok(())
}

/// What the first rank writes and says of a run.
struct Journal<'a> {
    settings: &'a Settings,
    out: &'a Path,
    metrics: Metrics,
    progress: Progress,
}

impl<'a> Journal<'a> {
    fn open(settings: &'a Settings, out: &'a Path, resumed: Option<&State>) -> io::Result<Journal<'a>> {
        let lengths = |state: &State| Lengths { metrics: state.metrics_bytes, events: state.events_bytes };
        let n_tokens = resumed.map_or(0, |state| state.n_tokens);
        let metrics = Metrics::open(out, resumed.map(lengths).unwrap_or_default(), n_tokens)?;
        if let Some(state) = resumed {
            eprintln!("continuing after update {} of {}", state.update, settings.n_updates);
        }
        let progress = Progress::new("training", settings.n_updates, "updates");
        progress.start_at(resumed.map_or(0, |state| state.update));
        Ok(Journal { settings, out, metrics, progress })
    }

    /// Logs an update, if it is time, and shows it; the first of the values is the loss.
    fn update(&mut self, finished: u64, n_tokens: u64, values: &[(&'static str, f64)]) -> io::Result<()> {
        if finished == self.settings.n_updates || finished.is_multiple_of(self.settings.log_interval) {
            self.metrics.write_training(finished, n_tokens, values)?;
        }
        let speed = self.metrics.tokens_per_second(n_tokens);
        self.progress.message(format!("loss {:.3}, {speed:.0} tokens/s", values[0].1));
        self.progress.set(finished);
        Ok(())
    }

    /// Logs an evaluation and says it.
    fn evaluation(&mut self, update: u64, n_tokens: u64, values: &[(&'static str, f64)]) -> io::Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        self.metrics.write(update, n_tokens, self.settings.evaluated_on, values)?;
        let text: Vec<String> =
            values.iter().map(|(name, value)| format!("{} {value:.4}", name.replace('_', " "))).collect();
        self.progress.println(&format!("update {update}: {}", text.join(", ")));
        Ok(())
    }

    fn stopped(&self, signal: i32, update: u64) {
        self.progress.println(&format!(
            "stopped by signal {signal} after update {update}; the same command continues from here"
        ));
    }
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
