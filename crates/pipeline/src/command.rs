//! The command line of a step, and running it under signals.

use crate::step::{Step, flag_of};
use gpt1_artifacts::shell;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

/// The environment variable that names another folder of stage programs.
pub const BIN_DIR: &str = "GPT1_BIN_DIR";

/// The folder in which the stage programs are looked for: `GPT1_BIN_DIR`, else that of the running program.
pub fn bin_dir() -> io::Result<PathBuf> {
    if let Some(dir) = std::env::var_os(BIN_DIR) {
        return Ok(PathBuf::from(dir));
    }
    let program = std::env::current_exe()?;
    Ok(program.parent().unwrap_or(Path::new(".")).to_owned())
}

/// The arguments of a step: configuration, arguments, inputs and `--out`. `inputs` are the paths by flag.
pub fn arguments(step: &Step, inputs: &[(String, PathBuf)], out: &Path) -> Vec<String> {
    let mut words: Vec<String> = step.program.subcommand().map(str::to_owned).into_iter().collect();
    let mut flag = |name: &str, value: String| words.extend([format!("--{name}"), value]);
    if let Some(config) = &step.config {
        flag("config", config.clone());
    }
    for set in &step.sets {
        flag("set", set.clone());
    }
    for (name, value) in &step.args {
        flag(name, value.clone());
    }
    for (name, path) in inputs {
        flag(flag_of(name), path.display().to_string());
    }
    flag("out", out.display().to_string());
    words
}

/// A command line that a POSIX shell reads back as these words.
pub fn shell_line(program: &Path, arguments: &[String]) -> String {
    let program = program.display().to_string();
    let words: Vec<String> = std::iter::once(&program).chain(arguments).map(|word| shell::word(word)).collect();
    words.join(" ")
}

/// Runs a program to its end. Its stdout and stderr are ours.
///
/// Its standard input is the lock file (empty), so that the lock is held until the program ends, whatever becomes of us.
pub fn run(program: &Path, arguments: &[String], lock: std::fs::File) -> io::Result<ExitStatus> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::from(lock));
    let mut child = command
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("cannot start {}: {error}", program.display())))?;
    CHILD.store(child.id(), Ordering::SeqCst);
    let status = child.wait();
    CHILD.store(0, Ordering::SeqCst);
    status
}

/// The process of the stage that runs; 0 for none.
static CHILD: AtomicU32 = AtomicU32::new(0);
/// The signal that asked us to stop; 0 for none.
static STOP: AtomicI32 = AtomicI32::new(0);

/// The signal that asked us to stop, if any did.
pub fn stop_signal() -> Option<i32> {
    Some(STOP.load(Ordering::SeqCst)).filter(|&signal| signal != 0)
}

/// From now on a signal to stop is passed on to the running stage, which is waited for; without one we end at once.
pub fn handle_signals() -> io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    // Ctrl-C on a terminal reaches the stage too, which must not be told twice.
    let on_terminal = fs_err::File::open("/dev/tty").is_ok();
    std::thread::spawn(move || {
        for signal in &mut signals {
            STOP.store(signal, Ordering::SeqCst);
            match CHILD.load(Ordering::SeqCst) {
                // Every file of ours is written beside its place and renamed: there is nothing to clean up.
                0 => std::process::exit(128 + signal),
                _ if signal == SIGINT && on_terminal => {}
                child => send(signal, child),
            }
        }
    });
    Ok(())
}

/// The shell's own `kill` is there on every system, and needs no unsafe code.
fn send(signal: i32, process: u32) {
    let line = format!("kill -{signal} {process}");
    // A stage that has just ended cannot be told; that is no error.
    let _ = Command::new("sh").args(["-c", &line]).stdin(Stdio::null()).stderr(Stdio::null()).status();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_lines_can_be_repeated() {
        let line = shell_line(Path::new("bin/x"), &["--a".into(), "two words".into(), "it's".into(), String::new()]);
        assert_eq!(line, r"bin/x --a 'two words' 'it'\''s' ''");
        let echoed = Command::new("sh").args(["-c", &line.replacen("bin/x", "printf '%s|'", 1)]).output().unwrap();
        assert_eq!(String::from_utf8(echoed.stdout).unwrap(), "--a|two words|it's||");
    }
}
