//! What programs say: results on stdout, everything else on stderr.

use std::fmt;
use std::io::{self, Write};

/// As std's, which panics if stderr cannot be written: a log on a full disk, a terminal that is gone. Here the line is lost and
/// the work is not.
#[macro_export]
macro_rules! eprintln {
    ($($argument:tt)*) => { $crate::to_stderr(format_args!("{}\n", format_args!($($argument)*))) };
}

/// As [`eprintln!`], without the end of the line.
#[macro_export]
macro_rules! eprint {
    ($($argument:tt)*) => { $crate::to_stderr(format_args!($($argument)*)) };
}

/// Says something on stderr, if that can be written.
pub fn to_stderr(text: fmt::Arguments<'_>) {
    _ = io::stderr().lock().write_fmt(text);
}

/// Prints a result on stdout; `false` if its reader has gone away (`| head`), which is no error.
pub fn print(text: &str) -> io::Result<bool> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(io::Error::new(error.kind(), format!("cannot write the result to stdout: {error}"))),
    }
}
