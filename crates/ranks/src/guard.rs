//! Who is killed cannot say so. Each process that the launcher starts is therefore the guard of a rank, which it starts below itself:
//! the same program again. A guard passes signals on, ends as its rank ends, and says what has killed it; the launcher, which
//! sees nothing but the guard, ends the others only then. A rank whose guard is killed does the same for it. Whoever ends without success has the
//! [`launcher`](crate::launcher) watched, and a guard ends with it.

use crate::launcher::{self, Launcher};
use crate::{Launched, host, leave};
use gpt1_artifacts::eprintln;
use signal_hook::consts::{SIGABRT, SIGCHLD, SIGINT, SIGKILL, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::time::Duration;

/// Tells a rank that it is one, and which process is its guard; their connection is its standard input.
const GUARD: &str = "GPT1_GUARD";
/// Before something is said of a rank's death. Whoever has ended both is done by then, and nothing is said.
const PAUSE: Duration = Duration::from_millis(500);
/// The same of a guard's death, at which the launcher ends all ranks soon.
const SHORT_PAUSE: Duration = Duration::from_millis(5);
/// The same where it may come from the death of another, of which more can be said.
pub(crate) const LONG_PAUSE: Duration = Duration::from_secs(2);
/// After it: the launcher passes on what it has been told, and may forget that when it ends.
const HEARD: Duration = Duration::from_millis(200);
/// Between two looks at the others, until the ranks have met.
const LOOK: Duration = Duration::from_millis(200);
/// What a rank tells its guard: nothing needs to be said of its end, which is about to come; it has met the others.
const DISMISSED: u8 = 1;
const MET: u8 = 2;

/// Guards a rank until its end; `None` in the rank itself.
pub(crate) fn guard(launched: &Launched) -> Option<ExitCode> {
    if launcher::watch_as_told() {
        return Some(ExitCode::SUCCESS);
    }
    if let Ok(guard) = std::env::var(GUARD) {
        let name = name(launched);
        let watch = move || guard_the_guard(&guard, &name);
        if let Err(error) = std::thread::Builder::new().name("guard".to_owned()).spawn(watch) {
            log::warn!("nobody watches the guard: {error}");
        }
        return None;
    }
    Some(stand(launched).unwrap_or_else(|error| {
        eprintln!("error: {} does not start: {error}", name(launched));
        ExitCode::FAILURE
    }))
}

/// Tells the guard that nothing needs to be said of the end of this rank, which is about to come.
pub(crate) fn dismiss() {
    tell(DISMISSED);
}

/// Tells the guard that this rank and all others are there.
pub(crate) fn met() {
    tell(MET);
}

fn tell(what: u8) {
    if std::env::var_os(GUARD).is_none() {
        return;
    }
    // A guard that is gone says nothing anyway.
    _ = connection().and_then(|mut guard| guard.write_all(&[what]));
}

fn connection() -> io::Result<UnixStream> {
    io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from)
}

fn name(launched: &Launched) -> String {
    format!("rank {} of {} ({})", launched.rank, launched.n.as_deref().unwrap_or("several"), host())
}

/// Says why all end here.
pub(crate) fn say(what: &str) {
    eprintln!("error: {what}\n  hint: all ranks end here; the same command again continues from the last checkpoint");
    be_heard();
}

pub(crate) fn be_heard() {
    std::thread::sleep(HEARD);
}

fn stand(launched: &Launched) -> io::Result<ExitCode> {
    let mut signals = Signals::new([SIGCHLD, SIGINT, SIGTERM, SIGUSR1, SIGUSR2])?;
    let launcher = Launcher::find();
    let (connection, its_end) = UnixStream::pair()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(std::env::args_os().skip(1)).env(GUARD, std::process::id().to_string());
    if let Some(launcher) = launcher {
        launcher.tell(&mut command);
        Launcher::signal_its_end(SIGUSR2);
    }
    let mut rank = command.stdin(OwnedFd::from(its_end)).spawn()?;
    // With its copy of the rank's end.
    drop(command);
    let n_here = launched.n_here;
    let listener = std::thread::spawn(move || listen(connection, launcher, n_here));
    let (mut stopped, mut status) = (false, None);
    while status.is_none() {
        if launcher.is_some_and(|launcher| !launcher.is_there()) {
            // Nobody is left to end the others, or to be told: each guard does this.
            _ = rank.kill();
            return Ok(ExitCode::FAILURE);
        }
        for signal in signals.wait() {
            if ![SIGCHLD, SIGUSR2].contains(&signal) {
                stopped = true;
                pass_on(signal, &rank);
            }
        }
        status = rank.try_wait()?;
    }
    let status = status.expect("it has ended");
    if let Some(launcher) = launcher.filter(|_| !status.success()) {
        launcher.watch(&format!("{} has ended", name(launched)));
    }
    let is_dismissed = listener.join().unwrap_or_default();
    Ok(end(launched, &rank, status, stopped, is_dismissed))
}

/// Listens to the rank until its end, and looks meanwhile whether the others are there until it has met them; whether it was dismissed.
fn listen(mut connection: UnixStream, launcher: Option<Launcher>, n_here: usize) -> bool {
    let (mut is_dismissed, mut missing) = (false, None);
    _ = connection.set_read_timeout(launcher.map(|_| LOOK));
    let mut told = [0];
    loop {
        match connection.read(&mut told).map_err(|error| error.kind()) {
            Ok(0) => return is_dismissed,
            Ok(_) if told == [MET] => _ = connection.set_read_timeout(None),
            Ok(_) => is_dismissed = true,
            Err(io::ErrorKind::Interrupted) => {}
            Err(io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                launcher.inspect(|launcher| launcher.check(n_here, &mut missing));
            }
            Err(_) => return is_dismissed,
        }
    }
}

fn pass_on(signal: i32, rank: &Child) {
    let process = rustix::process::Pid::from_child(rank);
    if let Some(signal) = rustix::process::Signal::from_named_raw(signal) {
        // It may have ended, which is seen next.
        _ = rustix::process::kill_process(process, signal);
    }
}

fn end(launched: &Launched, rank: &Child, status: ExitStatus, stopped: bool, is_dismissed: bool) -> ExitCode {
    let code = status.code().map_or(1, |code| code as u8);
    let signal = status.signal();
    if let Some(signal) = signal.filter(|_| stopped) {
        // It came before the rank could heed it.
        return ExitCode::from(128 + if signal == SIGUSR1 { SIGTERM } else { signal } as u8);
    }
    if code != 0 && !is_dismissed {
        // Libraries abort when another rank is gone.
        std::thread::sleep(if matches!(signal, None | Some(SIGABRT)) { LONG_PAUSE } else { PAUSE });
        let how = match signal {
            Some(signal) => format!(
                "was ended by {} ({signal}){}",
                signal_hook::low_level::signal_name(signal).unwrap_or("a signal"),
                if signal == SIGKILL { ": somebody killed it, or the system ran out of memory" } else { "" }
            ),
            None => format!("has ended with exit code {code} without a word"),
        };
        say(&format!("{}, process {}, {how}", name(launched), rank.id()));
        // Before MPI has begun MPICH's launcher ends nobody for the sake of an exit code.
        _ = signal_hook::low_level::raise(SIGKILL);
    }
    ExitCode::from(code)
}

/// Waits for the guard's end.
fn guard_the_guard(guard: &str, name: &str) {
    let Ok(mut connection) = connection() else { return };
    while connection.read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {}
    if let Some(launcher) = Launcher::told() {
        launcher.watch(&format!("the guard of {name} was killed"));
    }
    std::thread::sleep(SHORT_PAUSE);
    say(&format!("the guard of {name}, process {guard}, was killed"));
    leave(Some(1));
    std::process::exit(1)
}
