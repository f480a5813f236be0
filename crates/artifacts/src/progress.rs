//! Progress on stderr: a bar on a terminal, a line every few seconds otherwise.

use crate::eprintln;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

/// Seconds between lines where stderr is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// How long a step of no importance lasts before its bar appears.
const DELAY: Duration = Duration::from_millis(400);

/// Columns below which there is room for a percentage, not for a bar.
const NARROW: u16 = 72;

/// The bars of this process that are on the terminal now: one step may be part of another.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Whether this process says nothing of its progress.
static SILENT: AtomicBool = AtomicBool::new(false);

/// From now on this process says nothing of its progress: another one speaks for it.
pub fn silence() {
    SILENT.store(true, Ordering::Relaxed);
}

/// The progress of one long step. Dropped, it vanishes: so ends a step that is worth a line only while it lasts, and one that
/// fails.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    what: String,
    unit: String,
    on_terminal: bool,
    /// Whether the bar is on the terminal.
    shown: AtomicBool,
    began: Instant,
    last_line: Mutex<Instant>,
}

/// Prints what is to stay above the bars, which are out of the way meanwhile.
pub fn above<T>(print: impl FnOnce() -> T) -> T {
    BARS.suspend(print)
}

impl Progress {
    /// Begins a step of `total` units (`unit` in the plural, such as `files`).
    pub fn new(what: &str, total: u64, unit: &str) -> Progress {
        let progress = Progress::brief(what, total, unit);
        progress.show();
        progress
    }

    /// As [`Progress::new`], of a step that is long with large inputs only: its bar appears when it has lasted a moment.
    pub fn brief(what: &str, total: u64, unit: &str) -> Progress {
        let on_terminal = io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        let template = if columns() < NARROW {
            "{prefix} {percent}% {wide_msg} <{eta}"
        } else {
            "{prefix} {wide_bar} {human_pos}/{human_len} {msg} {elapsed}<{eta}"
        };
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(what.to_owned());
        bar.set_message(unit.to_owned());
        let began = Instant::now();
        let (shown, last_line) = (AtomicBool::new(false), Mutex::new(began));
        Progress { bar, what: what.to_owned(), unit: unit.to_owned(), on_terminal, shown, began, last_line }
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
        above(|| eprintln!("{text}"));
    }

    /// Ends the step, and says how long it took.
    pub fn finish(self) {
        self.clear();
        let elapsed = self.bar.elapsed().as_secs_f64();
        above(|| eprintln!("{}: {} {} in {elapsed:.1} s", self.what, self.bar.position(), self.unit));
    }

    fn show(&self) {
        let silent = SILENT.load(Ordering::Relaxed);
        if self.on_terminal && !silent && !self.shown.swap(true, Ordering::Relaxed) {
            BARS.add(self.bar.clone());
            self.bar.tick();
        }
    }

    fn clear(&self) {
        if self.shown.swap(false, Ordering::Relaxed) {
            self.bar.finish_and_clear();
            BARS.remove(&self.bar);
        }
    }

    fn line(&self) {
        if SILENT.load(Ordering::Relaxed) {
            return;
        }
        if self.on_terminal {
            if self.began.elapsed() >= DELAY {
                self.show();
            }
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

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Reads a whole file, with a bar if that takes a while.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    /// Bytes between two looks at the bar.
    const STEP: u64 = 8 << 20;
    let mut file = fs_err::File::open(path)?;
    let size = file.metadata()?.len();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let progress = Progress::brief(&format!("reading {name}"), size, "bytes");
    let mut bytes = Vec::new();
    let failed = |error: io::Error| io::Error::new(error.kind(), format!("failed to read {}: {error}", path.display()));
    bytes.try_reserve_exact(size as usize).map_err(io::Error::from).map_err(failed)?;
    while Read::by_ref(&mut file).take(STEP).read_to_end(&mut bytes)? > 0 {
        progress.set(bytes.len() as u64);
    }
    log::debug!("read {}: {} bytes in {:.3} s", path.display(), bytes.len(), progress.began.elapsed().as_secs_f64());
    Ok(bytes)
}

/// Columns of the terminal; many where there is none.
fn columns() -> u16 {
    rustix::termios::tcgetwinsize(io::stderr()).map_or(u16::MAX, |size| size.ws_col)
}
