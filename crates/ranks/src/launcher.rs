//! The launcher of the ranks, `mpirun` or its daemon on this machine or Slurm's, is no part of this program, but a run may neither hang with it nor
//! outlive it. Open MPI's and MPICH's now and then end nobody, nor themselves, when a process dies in its first moment, and Slurm's ends nobody if it
//! does not know of MPI's end. So a launcher that goes on after the end of a rank is killed, or Slurm told to kill the step.

use crate::mpi;
use rustix::process::{Pid, Signal};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How the names of launchers begin: Open MPI 4, Open MPI 5, MPICH, Slurm.
const NAMES: [&str; 6] = ["mpirun", "mpiexec", "orte", "prte", "hydra_", SLURM];
const SLURM: &str = "slurmstepd";
/// How long one may go on after the end of a rank.
const PATIENCE: Duration = Duration::from_secs(5);
const OFTEN: Duration = Duration::from_millis(50);
/// Which it is, for a rank and for who watches.
const LAUNCHER: &str = "GPT1_LAUNCHER";
/// Tells a process that it is to watch the launcher, and what it is to say.
const WATCH: &str = "GPT1_WATCH";

/// A launcher; its number alone may be another's later.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Launcher {
    process: Pid,
    start: u64,
}

struct Status {
    name: String,
    is_there: bool,
    parent: i32,
    start: u64,
}

/// Of a process, as proc(5) describes its `stat`.
fn status(process: i32) -> Option<Status> {
    let text = fs_err::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (name, rest) = text.split_once('(')?.1.rsplit_once(')')?;
    let rest: Vec<&str> = rest.split_ascii_whitespace().collect();
    Some(Status {
        name: name.to_owned(),
        is_there: !matches!(*rest.first()?, "Z" | "X"),
        parent: rest.get(1)?.parse().ok()?,
        start: rest.get(19)?.parse().ok()?,
    })
}

impl Launcher {
    /// The parent of this process, if it is one.
    pub(crate) fn find() -> Option<Launcher> {
        let process = rustix::process::getppid()?;
        let Status { name, start, .. } = status(process.as_raw_nonzero().get())?;
        NAMES.iter().any(|begin| name.starts_with(begin)).then_some(Launcher { process, start })
    }

    /// That of a rank, whose guard has told it.
    pub(crate) fn told() -> Option<Launcher> {
        let told = std::env::var(LAUNCHER).ok()?;
        let (process, start) = told.split_once(' ')?;
        Some(Launcher { process: Pid::from_raw(process.parse().ok()?)?, start: start.parse().ok()? })
    }

    /// Tells a command which it is.
    pub(crate) fn tell(self, command: &mut Command) {
        command.env(LAUNCHER, format!("{} {}", self.process.as_raw_nonzero(), self.start));
    }

    /// Has a signal sent to this process when it ends. The same comes when one of its threads ends: [`Launcher::is_there`] tells them apart.
    pub(crate) fn signal_its_end(signal: i32) {
        let signal = Signal::from_named_raw(signal);
        #[cfg(target_os = "linux")]
        rustix::process::set_parent_process_death_signal(signal).unwrap_or_default();
    }

    fn status(self) -> Option<Status> {
        status(self.process.as_raw_nonzero().get()).filter(|found| found.is_there && found.start == self.start)
    }

    pub(crate) fn is_there(self) -> bool {
        self.status().is_some()
    }

    /// How many processes it has below it on this machine.
    fn n_children(self) -> usize {
        let entries = fs_err::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
        let all = entries.filter_map(|entry| status(entry.file_name().to_str()?.parse().ok()?));
        all.filter(|found| found.is_there && found.parent == self.process.as_raw_nonzero().get()).count()
    }

    /// To be called every now and then: kills it if for a while it has had fewer than so many processes, since `missing`.
    pub(crate) fn check(self, n_here: usize, missing: &mut Option<Instant>) {
        if self.n_children() >= n_here {
            *missing = None;
        } else if missing.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
            self.kill("one of its processes on this machine has ended");
            *missing = None;
        }
    }

    /// Has it watched from now on by a process that it knows nothing of, because of something that has happened.
    pub(crate) fn watch(self, why: &str) {
        let Ok(program) = std::env::current_exe() else { return };
        let mut command = Command::new(program);
        command.args(std::env::args_os().skip(1)).env(WATCH, why);
        self.tell(&mut command);
        // Launchers end whole process groups, and wait for the end of what they are told.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Err(error) = command.spawn() {
            log::warn!("nobody watches the launcher: {error}");
        }
    }

    fn kill(self, why: &str) {
        let Some(Status { name, .. }) = self.status() else { return };
        let id = self.process.as_raw_nonzero();
        if name.starts_with(SLURM) {
            let [job, step] = ["SLURM_JOB_ID", "SLURM_STEP_ID"].map(|name| std::env::var(name).unwrap_or_default());
            // Where there is none, Slurm's own limits remain.
            _ = Command::new("scancel").args(["--signal=KILL", &format!("{job}.{step}")]).status();
            return;
        }
        // It passes nothing on any more, so this goes where its own words go.
        if let Ok(mut stderr) = fs_err::OpenOptions::new().append(true).open(format!("/proc/{id}/fd/2")) {
            _ = writeln!(
                stderr,
                "error: {why}, but {name}, process {id}, goes on: it is killed\n  hint: the same command again continues from the last checkpoint"
            );
        }
        _ = rustix::process::kill_process(self.process, Signal::KILL);
    }
}

/// Watches the launcher, if this process is to do that: waits for its end, but not for long. Where it has ended, nothing is killed.
pub(crate) fn watch_as_told() -> bool {
    let (Ok(why), Some(launcher)) = (std::env::var(WATCH), Launcher::told()) else { return false };
    mpi::close();
    let begin = Instant::now();
    while launcher.is_there() && begin.elapsed() < PATIENCE {
        std::thread::sleep(OFTEN);
    }
    launcher.kill(&why);
    true
}
