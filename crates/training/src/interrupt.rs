//! SIGINT, SIGTERM and SIGUSR1: write a checkpoint, then leave with 130 or 143.
//!
//! SIGUSR1 counts as SIGTERM: it is what `mpirun` passes on to its ranks without ending them itself, and what batch systems can be
//! told to send before the time is over.

use crate::Outcome;
use signal_hook::consts::{SIGCONT, SIGINT, SIGTERM, SIGUSR1};
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Whether the user or the system has asked the process to stop.
///
/// The first signal is only noted, so that the loop can write a checkpoint; a second one ends the process at once with
/// the same exit code (a checkpoint being written is then left unfinished, and the one before it counts).
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    signal: Arc<AtomicUsize>,
    at_once: Arc<AtomicBool>,
}

impl Interrupt {
    /// Notes the signals from now on.
    pub fn listen() -> io::Result<Interrupt> {
        Interrupt::default().noting(&[(SIGINT, SIGINT), (SIGTERM, SIGTERM), (SIGUSR1, SIGTERM)], true)
    }

    /// As [`Interrupt::listen`], as one of several: launchers may send a signal more than once, so only the first counts, until
    /// [`Interrupt::stop_at_once`].
    pub fn listen_as_one_of_several() -> io::Result<Interrupt> {
        let mut meanings = vec![(SIGINT, SIGINT), (SIGTERM, SIGTERM), (SIGUSR1, SIGTERM)];
        if std::env::var_os("OMPI_COMM_WORLD_RANK").is_some() {
            // The first that Open MPI's mpirun sends when it is told to end (orte/mca/odls/base/odls_base_default_fns.c): SIGTERM
            // follows after odls_base_sigkill_timeout (a second), SIGKILL after as long again.
            meanings.push((SIGCONT, SIGTERM));
        }
        Interrupt::default().noting(&meanings, false)
    }

    fn noting(self, meanings: &[(i32, i32)], second_ends: bool) -> io::Result<Interrupt> {
        for &(signal, meant) in meanings {
            // In this order: the second signal finds the flag that the first has set.
            signal_hook::flag::register_conditional_shutdown(signal, 128 + meant, Arc::clone(&self.at_once))?;
            signal_hook::flag::register_usize(signal, Arc::clone(&self.signal), meant as usize)?;
            if second_ends {
                signal_hook::flag::register(signal, Arc::clone(&self.at_once))?;
            }
        }
        Ok(self)
    }

    /// Notes a signal as if it had arrived.
    pub fn note(&self, signal: i32) {
        self.signal.store(signal as usize, Ordering::Relaxed);
    }

    /// The signal that has arrived. A long step asks now and then and gives up when there is one.
    pub fn signal(&self) -> Option<i32> {
        match self.signal.load(Ordering::Relaxed) {
            0 => None,
            signal => Some(signal as i32),
        }
    }

    /// From now on nothing waits for a checkpoint: a signal ends the process at once.
    pub(crate) fn stop_at_once(&self) {
        self.at_once.store(true, Ordering::Relaxed);
    }
}

/// As [`gpt1_artifacts::run_main`], for a stage that can be interrupted: 130 after SIGINT, 143 after SIGTERM or SIGUSR1.
pub fn run_main(stage: &str, run: impl FnOnce() -> anyhow::Result<Outcome>) -> ExitCode {
    let mut outcome = Outcome::Finished;
    let code = gpt1_artifacts::run_main(stage, || {
        outcome = run()?;
        Ok(())
    });
    // The other ranks, if there are any, end with this one.
    gpt1_ranks::leave((code != ExitCode::SUCCESS).then_some(1));
    match outcome {
        Outcome::Finished => code,
        Outcome::Interrupted { signal } => ExitCode::from(128 + signal as u8),
    }
}
