//! Logging on stderr, as `RUST_LOG` asks for.
//!
//! | level | what it says |
//! |---|---|
//! | `error`, `warn` | what may not be as it was meant; `warn` is the default |
//! | `info` | what a program does: files and folders read and written, with sizes and times; the CPU's way of computing |
//! | `debug` | single files, requests, checks |
//! | `trace` | single batches |
//!
//! A warning is `warning: ...`; below, a line has level, seconds since the start, module. What a person is to see in any case is
//! no log line.

use crate::progress;
use log::{Level, LevelFilter};
use std::io::{self, Write};
use std::time::Instant;

/// The variable that says what is logged, such as `info` or `gpt1_training=trace,warn`.
const VARIABLE: &str = "RUST_LOG";

/// Crates of others that log what they send and receive, secrets among it perhaps: only if they are asked for by name.
const TALKATIVE: [&str; 3] = ["ureq", "ureq_proto", "rustls"];

/// Begins logging; a logger that is there already stays.
pub(crate) fn start() {
    let began = Instant::now();
    let mut builder = env_logger::Builder::new();
    // What the variable does not name keeps its warnings.
    builder.filter_level(LevelFilter::Warn);
    for name in TALKATIVE {
        builder.filter_module(name, LevelFilter::Warn);
    }
    let wanted = std::env::var_os(VARIABLE).unwrap_or_default();
    let wanted = wanted.to_string_lossy();
    // What it cannot read it names on stderr, and leaves out.
    builder.parse_filters(&wanted);
    builder.format(move |line, record| match record.level() {
        Level::Error => writeln!(line, "error: {}", record.args()),
        Level::Warn => writeln!(line, "warning: {}", record.args()),
        level => {
            let level = level.as_str().to_ascii_lowercase();
            writeln!(line, "[{level:<5} {:9.3} {}] {}", began.elapsed().as_secs_f64(), record.target(), record.args())
        }
    });
    builder.target(env_logger::Target::Pipe(Box::new(AboveBars)));
    if builder.try_init().is_ok()
        && let Some(name) = misspelt(&wanted)
    {
        log::warn!(
            "{VARIABLE}: {name} is no level (error, warn, info, debug, trace, off) and no module of gpt1\n  hint: {VARIABLE}=info, or {VARIABLE}=gpt1_training=debug"
        );
    }
}

/// The first word without a level that is neither a level nor one of our modules.
fn misspelt(wanted: &str) -> Option<&str> {
    let directives = wanted.split('/').next().unwrap_or_default();
    let names = directives.split(',').map(str::trim).filter(|name| !name.is_empty() && !name.contains('='));
    let is_known = |name: &str| name.parse::<LevelFilter>().is_ok() || name.starts_with("gpt1");
    names.into_iter().find(|name| !is_known(name) && !TALKATIVE.contains(name))
}

/// Stderr, above the progress bars.
struct AboveBars;

impl Write for AboveBars {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        progress::above(|| io::stderr().write_all(text)).map(|()| text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_name_nothing() {
        for good in
            ["", "info", "WARN", "gpt1_training", "off,gpt1_fetch=trace", "debug/checkpoint", "hyper=trace", "ureq"]
        {
            assert_eq!(misspelt(good), None, "{good}");
        }
        assert_eq!(misspelt("inof"), Some("inof"));
        assert_eq!(misspelt("info, training"), Some("training"));
    }
}
