//! The command line of a step, and running it under signals.

use crate::state::{Results, path_of};
use crate::step::{Step, flag_of};
use gpt1_artifacts::eprintln;
use gpt1_artifacts::shell;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// How the programs of the stages are started.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Where they are.
    pub bin_dir: PathBuf,
    /// Processes of a stage that can be several.
    pub n_ranks: u16,
}

impl Launch {
    /// Whether a step runs as several processes.
    pub fn is_shared(&self, step: &Step) -> bool {
        self.n_ranks > 1 && step.program.takes_ranks
    }

    /// The program and the arguments of a step; `mpirun` and its own come first where there are several processes.
    pub fn command(&self, step: &Step, results: &Results, out: &Path) -> (PathBuf, Vec<String>) {
        let program = self.bin_dir.join(step.program.file_name());
        let arguments = arguments(step, results, out);
        if !self.is_shared(step) {
            return (program, arguments);
        }
        let mpirun = std::env::var(MPIRUN).unwrap_or_else(|_| "mpirun".to_owned());
        let mut words = mpirun.split_whitespace().map(str::to_owned);
        let launcher = words.next().unwrap_or_default();
        let program = ["-n".to_owned(), self.n_ranks.to_string(), program.display().to_string()];
        (PathBuf::from(launcher), words.chain(program).chain(arguments).collect())
    }
}

/// The environment variable that names another program than `mpirun`, with its options.
const MPIRUN: &str = "GPT1_MPIRUN";

/// What Open MPI's `mpirun` is told besides: not to tie a rank to one core, to start more ranks than cores if it is asked to, and to
/// leave the word to the ranks when they fail. Others do not read it.
const OPEN_MPI: [(&str, &str); 3] = [
    ("OMPI_MCA_hwloc_base_binding_policy", "none"),
    ("OMPI_MCA_rmaps_base_oversubscribe", "1"),
    ("OMPI_MCA_orte_execute_quiet", "1"),
];

/// The arguments of a step: configuration, arguments, inputs as far as they are there, and `--out`.
pub fn arguments(step: &Step, results: &Results, out: &Path) -> Vec<String> {
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
    for (name, source) in &step.deps {
        if let Some(path) = path_of(source, results) {
            flag(flag_of(name), path.display().to_string());
        }
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

/// Where the words of a stage go.
#[derive(Debug, Clone, Copy)]
pub enum Sink<'a> {
    /// To our own stdout and stderr, as they come.
    Ours,
    /// Of several stages at once: each line of stderr behind this name, stdout as a whole at the end.
    Named(&'a str),
}

/// Runs a program to its end, one of `n_jobs` at once, among which the cores are divided.
///
/// Its standard input is the lock file (empty), so that the lock is held until the program ends, whatever becomes of us. A launcher
/// of ranks gets a process group of its own, as it would end the ranks at once if Ctrl-C reached it: [`handle_signals`].
pub fn run(
    program: &Path,
    arguments: &[String],
    lock: std::fs::File,
    n_jobs: usize,
    is_launcher: bool,
    sink: Sink,
) -> io::Result<ExitStatus> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::from(lock));
    if n_jobs > 1 && std::env::var_os(THREADS).is_none() {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        command.env(THREADS, cores.div_ceil(n_jobs).to_string());
    }
    if is_launcher {
        command.envs(OPEN_MPI.into_iter().filter(|(name, _)| std::env::var_os(name).is_none()));
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
    }
    if let Sink::Named(_) = sink {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    // A signal finds the child among the others, or comes before it is started.
    let mut children = children();
    let mut child = command
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("cannot start {}: {error}", program.display())))?;
    children.push(Running { id: child.id(), is_launcher });
    drop(children);
    if let (Sink::Named(name), Some(stdout), Some(stderr)) = (sink, child.stdout.take(), child.stderr.take()) {
        pass_on(name, stdout, stderr);
    }
    let status = child.wait();
    self::children().retain(|running| running.id != child.id());
    status
}

/// Copies what a stage says until it ends.
fn pass_on(name: &str, mut stdout: ChildStdout, stderr: ChildStderr) {
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                eprintln!("{name:<14} | {}", String::from_utf8_lossy(&line).trim_end_matches('\r'));
            }
        });
        let mut said = Vec::new();
        // What cannot be read or written any more is nobody's to hear.
        let _ = stdout.read_to_end(&mut said);
        let _ = io::stdout().write_all(&said);
    });
}

/// The environment variable that says how many threads a stage has.
const THREADS: &str = "RAYON_NUM_THREADS";

/// The process of a stage, or the one that launches its ranks.
struct Running {
    id: u32,
    is_launcher: bool,
}

/// What runs.
fn children() -> MutexGuard<'static, Vec<Running>> {
    static CHILDREN: Mutex<Vec<Running>> = Mutex::new(Vec::new());
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The signal that asked us to stop; 0 for none.
static STOP: AtomicI32 = AtomicI32::new(0);

/// The signal that asked us to stop, if any did.
pub fn stop_signal() -> Option<i32> {
    Some(STOP.load(Ordering::SeqCst)).filter(|&signal| signal != 0)
}

/// The exit code of a run that a signal has stopped.
pub fn stop_code() -> u8 {
    (128 + STOP.load(Ordering::SeqCst)) as u8
}

/// From now on a signal to stop is passed on to the running stages, which are waited for; without one we end at once.
///
/// A launcher of ranks gets SIGUSR1 in its place, which it passes on to them: Open MPI's ends them within two seconds of any other,
/// whether they have written their checkpoint or not. A second signal reaches it as it is.
pub fn handle_signals() -> io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    // Ctrl-C on a terminal reaches the stage too, which must not be told twice.
    let on_terminal = fs_err::File::open("/dev/tty").is_ok();
    std::thread::spawn(move || {
        for signal in &mut signals {
            let children = children();
            let is_first = STOP.swap(signal, Ordering::SeqCst) == 0;
            if children.is_empty() {
                // Every file of ours is written beside its place and renamed: there is nothing to clean up.
                std::process::exit(128 + signal);
            }
            for child in children.iter() {
                if child.is_launcher {
                    send(if is_first { SIGUSR1 } else { signal }, child.id);
                } else if signal != SIGINT || !on_terminal {
                    send(signal, child.id);
                }
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
