//! What has been begun and is not done.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};

/// Something that the ranks are doing together. Its two buffers come back when it is done: what was sent, what was received.
#[derive(Debug)]
pub struct Pending<T>(State<T>);

#[derive(Debug)]
#[cfg_attr(not(feature = "mpi"), expect(dead_code, reason = "a process that is alone is done at once"))]
enum State<T> {
    Done(Vec<T>, Vec<T>),
    UnderWay { buffers: Receiver<(Vec<T>, Vec<T>)>, n_waiting: Arc<AtomicUsize> },
}

impl<T> Pending<T> {
    pub(crate) fn done(sent: Vec<T>, received: Vec<T>) -> Pending<T> {
        Pending(State::Done(sent, received))
    }

    #[cfg(feature = "mpi")]
    pub(crate) fn under_way(buffers: Receiver<(Vec<T>, Vec<T>)>, n_waiting: Arc<AtomicUsize>) -> Pending<T> {
        Pending(State::UnderWay { buffers, n_waiting })
    }

    /// Waits until it is done.
    pub fn wait(self) -> (Vec<T>, Vec<T>) {
        match self.0 {
            State::Done(sent, received) => (sent, received),
            State::UnderWay { buffers, n_waiting } => {
                n_waiting.fetch_add(1, Ordering::Relaxed);
                let done = buffers.recv();
                n_waiting.fetch_sub(1, Ordering::Relaxed);
                done.unwrap_or_else(|_| ended())
            }
        }
    }

    /// The buffers, if it is done; else itself again.
    pub fn try_wait(self) -> Result<(Vec<T>, Vec<T>), Pending<T>> {
        match self.0 {
            State::Done(sent, received) => Ok((sent, received)),
            State::UnderWay { buffers, n_waiting } => match buffers.try_recv() {
                Ok(done) => Ok(done),
                Err(TryRecvError::Empty) => Err(Pending(State::UnderWay { buffers, n_waiting })),
                Err(TryRecvError::Disconnected) => ended(),
            },
        }
    }
}

/// The thread that speaks with MPI is gone: it has said why, and is ending the run.
fn ended() -> ! {
    std::thread::sleep(std::time::Duration::from_secs(5));
    std::process::exit(1)
}
