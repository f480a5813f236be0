//! Progress on stderr: a bar on a terminal, a line every few seconds otherwise.

use crate::eprintln;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Seconds between lines where stderr is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// The progress of one long step.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    what: String,
    unit: String,
    on_terminal: bool,
    last_line: Mutex<Instant>,
}

impl Progress {
    /// Begins a step of `total` units (`unit` in the plural, such as `files`).
    pub fn new(what: &str, total: u64, unit: &str) -> Progress {
        let on_terminal = std::io::stderr().is_terminal();
        let bar = if on_terminal { ProgressBar::new(total) } else { ProgressBar::hidden() };
        bar.set_length(total);
        let template = "{prefix} {wide_bar} {human_pos}/{human_len} {msg} {elapsed}<{eta}";
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(what.to_owned());
        bar.set_message(unit.to_owned());
        let last_line = Mutex::new(Instant::now());
        Progress { bar, what: what.to_owned(), unit: unit.to_owned(), on_terminal, last_line }
    }

    /// `n` more units are done.
    pub fn inc(&self, n: u64) {
        self.bar.inc(n);
        self.line();
    }

    /// `n` units are done in all.
    pub fn set(&self, n: u64) {
        self.bar.set_position(n);
        self.line();
    }

    /// Starts the clock of rate and ETA at `n` units done (a run that continues).
    pub fn start_at(&self, n: u64) {
        self.bar.set_position(n);
        self.bar.reset_eta();
    }

    /// What to say beside the bar, such as loss and speed.
    pub fn message(&self, text: String) {
        self.bar.set_message(text);
    }

    /// A line that stays, above the bar.
    pub fn println(&self, text: &str) {
        if self.on_terminal {
            self.bar.println(text);
        } else {
            eprintln!("{text}");
        }
    }

    /// Ends the step.
    pub fn finish(self) {
        self.bar.finish_and_clear();
        let elapsed = self.bar.elapsed().as_secs_f64();
        eprintln!("{}: {} {} in {elapsed:.1} s", self.what, self.bar.position(), self.unit);
    }

    fn line(&self) {
        if self.on_terminal {
            return;
        }
        let Ok(mut last) = self.last_line.lock() else { return };
        if last.elapsed() < LINE_INTERVAL {
            return;
        }
        *last = Instant::now();
        let (done, total) = (self.bar.position(), self.bar.length().unwrap_or(0));
        let message = self.bar.message();
        let eta = self.bar.eta().as_secs();
        eprintln!("{}: {done}/{total} {message} ETA {}:{:02}", self.what, eta / 60, eta % 60);
    }
}
