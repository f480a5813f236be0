//! `metrics.jsonl` (what was learned: the same bytes for the same run), `timing.jsonl` (how fast it went), and both as a
//! TensorBoard event file.

use crate::events::Events;
use gpt1_artifacts::output::if_there;
use serde_json::{Map, Value};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// The file of values that a run determines.
pub(crate) const METRICS: &str = "metrics.jsonl";
/// The file of values that the clock determines.
const TIMING: &str = "timing.jsonl";

/// The group of what is measured in training; what is measured on held-out text has another.
const TRAIN: &str = "train";

/// Appends to the files, one JSON object a line.
#[derive(Debug)]
pub struct Metrics {
    file: fs_err::File,
    timing: fs_err::File,
    events: Events,
    n_bytes: u64,
    began: Instant,
    last: Mark,
    first: Mark,
}

/// Bytes of the two files that a run cuts off at its checkpoint when it continues.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lengths {
    /// Of metrics.jsonl.
    pub metrics: u64,
    /// Of the event file.
    pub events: u64,
}

/// A moment (moved on by what is left out of the speed) and the tokens seen until then.
#[derive(Debug, Clone, Copy)]
struct Mark {
    at: Instant,
    n_tokens: u64,
}

impl Metrics {
    /// Opens the files in `dir`. A run that continues keeps the lengths of its checkpoint, those of [`Metrics::sync`]; what was
    /// written after it will be written again. `n_tokens` is the number of tokens seen so far.
    pub fn open(dir: &Path, keep: Lengths, n_tokens: u64) -> io::Result<Metrics> {
        let append = |name: &str| fs_err::OpenOptions::new().create(true).append(true).open(dir.join(name));
        let file = append(METRICS)?;
        file.set_len(keep.metrics)?;
        let timing = append(TIMING)?;
        if keep.metrics == 0 {
            timing.set_len(0)?;
        }
        let events = Events::open(dir, keep.events)?;
        let now = Mark { at: Instant::now(), n_tokens };
        Ok(Metrics { file, timing, events, n_bytes: keep.metrics, began: now.at, last: now, first: now })
    }

    /// What an update's training gave: a line of metrics.jsonl, `{"update": ..., "tokens": ..., name: value, ...}`, and one of
    /// timing.jsonl.
    pub fn write_training(&mut self, update: u64, n_tokens: u64, values: &[(&'static str, f64)]) -> io::Result<()> {
        self.write(update, n_tokens, TRAIN, values)?;
        self.write_timing(update, n_tokens)
    }

    /// A line of metrics.jsonl; `group` is where TensorBoard shows its values, such as `validation`.
    pub fn write(&mut self, update: u64, n_tokens: u64, group: &str, values: &[(&'static str, f64)]) -> io::Result<()> {
        let line = line(update, n_tokens, values);
        self.file.write_all(line.as_bytes())?;
        self.n_bytes += line.len() as u64;
        self.events.write(update, group, values)
    }

    /// One line of timing.jsonl: tokens per second since the line before, seconds since this process began to train.
    fn write_timing(&mut self, update: u64, n_tokens: u64) -> io::Result<()> {
        let now = Mark { at: Instant::now(), n_tokens };
        let values = [("tokens_per_s", self.last.rate(now)), ("elapsed", (now.at - self.began).as_secs_f64())];
        self.last = now;
        self.timing.write_all(line(update, n_tokens, &values).as_bytes())?;
        self.events.write(update, TRAIN, &values[..1])
    }

    /// Tokens per second from the beginning of this process's training until now.
    pub fn tokens_per_second(&self, n_tokens: u64) -> f64 {
        self.first.rate(Mark { at: Instant::now(), n_tokens })
    }

    /// Time spent on something else than updates (evaluation, checkpoints), which the speed leaves out.
    pub fn leave_out(&mut self, time: Duration) {
        self.first.at += time;
        self.last.at += time;
    }

    /// Makes everything so far durable; returns how long the files are.
    pub fn sync(&mut self) -> io::Result<Lengths> {
        self.file.sync_all()?;
        Ok(Lengths { metrics: self.n_bytes, events: self.events.sync()? })
    }
}

impl Mark {
    fn rate(self, later: Mark) -> f64 {
        let seconds = later.at.saturating_duration_since(self.at).as_secs_f64();
        (later.n_tokens - self.n_tokens) as f64 / seconds.max(1e-9)
    }
}

/// The length of metrics.jsonl in `dir`; 0 if there is none.
pub(crate) fn metrics_bytes(dir: &Path) -> io::Result<u64> {
    Ok(if_there(fs_err::metadata(dir.join(METRICS)))?.map_or(0, |metadata| metadata.len()))
}

fn line(update: u64, n_tokens: u64, values: &[(&'static str, f64)]) -> String {
    let mut object = Map::new();
    object.insert("update".to_owned(), Value::from(update));
    object.insert("tokens".to_owned(), Value::from(n_tokens));
    object.extend(values.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))));
    format!("{}\n", Value::Object(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn continues_where_the_checkpoint_was() {
        let dir = tempfile::tempdir().unwrap();
        let mut metrics = Metrics::open(dir.path(), Lengths::default(), 0).unwrap();
        metrics.write(1, 32, "validation", &[("loss", 0.1)]).unwrap();
        let kept = metrics.sync().unwrap();
        metrics.write_training(2, 64, &[("loss", 0.2)]).unwrap();
        drop(metrics);
        assert!(metrics_bytes(dir.path()).unwrap() > kept.metrics);
        let mut metrics = Metrics::open(dir.path(), kept, 32).unwrap();
        metrics.write(2, 64, TRAIN, &[("loss", 0.25), ("grad_norm", 3.0)]).unwrap();
        let text = fs_err::read_to_string(dir.path().join(METRICS)).unwrap();
        assert_eq!(
            text,
            "{\"update\":1,\"tokens\":32,\"loss\":0.1}\n{\"update\":2,\"tokens\":64,\"loss\":0.25,\"grad_norm\":3.0}\n"
        );
        assert_eq!(metrics.sync().unwrap().metrics, text.len() as u64);
        let timing = fs_err::read_to_string(dir.path().join(TIMING)).unwrap();
        assert_eq!(timing.lines().count(), 1);
    }
}
