//! The thread that speaks with MPI.
#![allow(unsafe_code, reason = "calls of a C library")]

use crate::{Collective, Pending, Ranks, guard, host};
use bytemuck::Pod;
use gpt1_artifacts::eprintln;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::size_of;
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

/// Between two polls while everybody computes: seldom enough to cost nothing, often enough for what the system buffers.
const SELDOM: Duration = Duration::from_micros(500);
/// Between two polls while somebody waits, after some without a pause.
const OFTEN: Duration = Duration::from_micros(20);
/// How long MPI may take to end when all are done.
const END: Duration = Duration::from_secs(3);
/// Polls without a pause.
const AT_ONCE: usize = 200;

unsafe extern "C" {
    fn gpt1_mpi_start(rank: *mut c_int, n_ranks: *mut c_int) -> c_int;
    fn gpt1_mpi_request_size() -> c_int;
    fn gpt1_mpi_begin(what: c_int, send: *const c_void, recv: *mut c_void, n: c_int, request: *mut Request) -> c_int;
    fn gpt1_mpi_test(request: *mut Request, done: *mut c_int) -> c_int;
    fn gpt1_mpi_finish() -> c_int;
    fn gpt1_mpi_abort(code: c_int);
    fn gpt1_mpi_message(code: c_int, text: *mut c_char, n: c_int);
    fn gpt1_mpi_close();
}

/// Room for an `MPI_Request`: a pointer in Open MPI, an integer in MPICH.
type Request = [u64; 2];

/// The way to the thread that speaks with MPI.
#[derive(Debug)]
pub(crate) struct Link {
    messages: Sender<Message>,
    /// How many wait for something: it polls often then.
    n_waiting: Arc<AtomicUsize>,
}

enum Message {
    Begin(Box<dyn Job>),
    Finish(Sender<()>),
    Abort(i32),
}

/// Something to do together, with its buffers.
trait Job: Send {
    /// What, from where, to where, and bytes for each rank.
    fn call(&mut self) -> (Collective, *const c_void, *mut c_void, usize);
    /// Gives the buffers back.
    fn finish(self: Box<Self>);
}

struct Typed<T> {
    what: Collective,
    n: usize,
    send: Vec<T>,
    received: Vec<T>,
    back: Sender<(Vec<T>, Vec<T>)>,
}

impl<T: Pod + Send> Job for Typed<T> {
    fn call(&mut self) -> (Collective, *const c_void, *mut c_void, usize) {
        let send = if self.send.is_empty() { std::ptr::null() } else { self.send.as_ptr().cast() };
        (self.what, send, self.received.as_mut_ptr().cast(), self.n * size_of::<T>())
    }

    fn finish(self: Box<Self>) {
        // Whoever has given up on it needs no answer.
        _ = self.back.send((self.send, self.received));
    }
}

impl Link {
    /// Starts MPI on a thread of its own.
    pub(crate) fn start() -> Result<Ranks, String> {
        let (messages, receiver) = mpsc::channel();
        let (started, ready) = mpsc::channel();
        let n_waiting = Arc::new(AtomicUsize::new(0));
        let waiting = Arc::clone(&n_waiting);
        let serve = move || match start() {
            Ok((rank, n_ranks)) => {
                _ = started.send(Ok((rank, n_ranks)));
                Thread { rank, n_ranks, receiver, n_waiting: waiting, under_way: Vec::new() }.serve();
            }
            Err(error) => _ = started.send(Err(error)),
        };
        std::thread::Builder::new().name("mpi".to_owned()).spawn(serve).map_err(|error| error.to_string())?;
        let (rank, n_ranks) = ready.recv().map_err(|error| error.to_string())??;
        let link: &'static Link = Box::leak(Box::new(Link { messages, n_waiting }));
        let ranks = Ranks { rank, n_ranks, link: Some(link) };
        log::info!("{}, process {}", ranks.name(), std::process::id());
        name_panics(ranks);
        Ok(ranks)
    }

    /// `n` values for each rank; the buffers have the sizes that [`Collective`] says.
    pub(crate) fn begin<T: Pod + Send>(
        &self,
        what: Collective,
        n: usize,
        send: Vec<T>,
        received: Vec<T>,
    ) -> Pending<T> {
        let (back, buffers) = mpsc::channel();
        // If the thread is gone, so is the other end of `back`, and whoever waits is told.
        _ = self.messages.send(Message::Begin(Box::new(Typed { what, n, send, received, back })));
        Pending::under_way(buffers, Arc::clone(&self.n_waiting))
    }

    /// Waits for all ranks, then ends MPI.
    pub(crate) fn finish(&self) {
        let (done, wait) = mpsc::channel();
        self.n_waiting.fetch_add(1, Ordering::Relaxed);
        _ = self.messages.send(Message::Finish(done));
        // All have come; MPI has ended. MPICH's launcher may have been put off its stroke by a signal and not answer the latter.
        _ = wait.recv();
        if wait.recv_timeout(END) == Err(RecvTimeoutError::Timeout) {
            log::warn!("MPI does not end; this process does");
        }
    }

    /// Ends all ranks, this one too.
    pub(crate) fn abort(&self, code: i32) -> ! {
        _ = self.messages.send(Message::Abort(code));
        // It takes MPI less than that.
        std::thread::sleep(Duration::from_secs(5));
        std::process::exit(code)
    }
}

/// A panic says whose it is; [`crate::leave`] ends the run.
fn name_panics(ranks: Ranks) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info: &PanicHookInfo| {
        eprintln!("{} ends all ranks; the same command again continues from the last checkpoint:", ranks.name());
        before(info);
    }));
}

/// Closes what the launcher has left open in this process, which it takes for a sign of its life. Nothing else may be open but stdin,
/// stdout and stderr.
pub(crate) fn close() {
    // SAFETY: whoever calls it owns no descriptor yet.
    unsafe { gpt1_mpi_close() };
}

fn start() -> Result<(usize, usize), String> {
    let (mut rank, mut n_ranks) = (0, 0);
    // SAFETY: the two pointers are of integers that live until it returns; `JOINED` makes it the only call.
    let code = unsafe { gpt1_mpi_start(&raw mut rank, &raw mut n_ranks) };
    if code != 0 {
        return Err(message(code));
    }
    // SAFETY: it returns a constant.
    let size = unsafe { gpt1_mpi_request_size() };
    if size as usize > size_of::<Request>() {
        return Err(format!("its requests have {size} bytes, more than {}", size_of::<Request>()));
    }
    Ok((rank as usize, n_ranks as usize))
}

fn message(code: c_int) -> String {
    let mut text = [0 as c_char; 512];
    // SAFETY: the text has room for so many bytes and ends with a zero.
    unsafe {
        gpt1_mpi_message(code, text.as_mut_ptr(), text.len() as c_int);
        CStr::from_ptr(text.as_ptr()).to_string_lossy().into_owned()
    }
}

/// The thread that speaks with MPI.
struct Thread {
    rank: usize,
    n_ranks: usize,
    receiver: Receiver<Message>,
    n_waiting: Arc<AtomicUsize>,
    under_way: Vec<(Box<Request>, Box<dyn Job>)>,
}

impl Thread {
    /// Does as it is told until MPI is ended or nobody is left to tell it anything.
    fn serve(mut self) {
        let mut polls = 0;
        loop {
            let is_waited_for = self.n_waiting.load(Ordering::Relaxed) > 0;
            let message = if self.under_way.is_empty() {
                self.receiver.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else if is_waited_for && polls < AT_ONCE {
                std::thread::yield_now();
                self.receiver.try_recv().map_err(|_| RecvTimeoutError::Timeout)
            } else {
                self.receiver.recv_timeout(if is_waited_for { OFTEN } else { SELDOM })
            };
            match message {
                Ok(Message::Begin(job)) => {
                    self.begin(job);
                    polls = 0;
                    // All that is there to begin is begun before the first poll.
                    continue;
                }
                Ok(Message::Finish(done)) => {
                    self.finish(&done);
                    return;
                }
                Ok(Message::Abort(code)) => abort(code),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            polls = if self.poll() { 0 } else { polls + 1 };
        }
    }

    fn begin(&mut self, mut job: Box<dyn Job>) {
        let mut request = Box::new([0; 2]);
        let (what, send, received, n) = job.call();
        let what = match what {
            Collective::AllToAll => 0,
            Collective::AllGather => 1,
            Collective::Gather => 2,
            Collective::Scatter => 3,
            Collective::Broadcast => 4,
        };
        let n = c_int::try_from(n).expect("pieces of less than 2 GiB");
        // SAFETY: the job owns both buffers, of the sizes that `Ranks::begin` has checked, and is kept with its request, neither
        // moved nor touched, until MPI says that it is done.
        let code = unsafe { gpt1_mpi_begin(what, send, received, n, &raw mut *request) };
        self.check(code);
        self.under_way.push((request, job));
    }

    /// Lets MPI go on; whether something is done.
    fn poll(&mut self) -> bool {
        let mut at = 0;
        let before = self.under_way.len();
        while at < self.under_way.len() {
            let mut done = 0;
            // SAFETY: the request is one that MPI has begun and that is not done.
            let code = unsafe { gpt1_mpi_test(&raw mut *self.under_way[at].0, &raw mut done) };
            self.check(code);
            if done == 0 {
                at += 1;
            } else {
                self.under_way.remove(at).1.finish();
            }
        }
        self.under_way.len() < before
    }

    /// Waits for all ranks without taking a core from those that still work, then ends MPI; tells `done` of both.
    fn finish(&mut self, done: &Sender<()>) {
        let (back, _buffers) = mpsc::channel();
        let (send, received) = (vec![0_u8], vec![0_u8; self.n_ranks]);
        self.begin(Box::new(Typed { what: Collective::AllGather, n: 1, send, received, back }));
        while !self.under_way.is_empty() {
            self.poll();
            std::thread::sleep(SELDOM);
        }
        _ = done.send(());
        // SAFETY: nothing is under way any more, and this thread has started MPI.
        let code = unsafe { gpt1_mpi_finish() };
        if code != 0 {
            log::warn!("MPI does not end: {}", message(code));
        }
        _ = done.send(());
    }

    fn check(&self, code: c_int) {
        if code != 0 {
            std::thread::sleep(guard::LONG_PAUSE);
            guard::say(&format!("rank {} of {} ({}): MPI failed: {}", self.rank, self.n_ranks, host(), message(code)));
            abort(1);
        }
    }
}

/// Ends all ranks after something was said.
fn abort(code: i32) -> ! {
    guard::dismiss();
    guard::be_heard();
    // SAFETY: MPI has been started by this thread.
    unsafe { gpt1_mpi_abort(code) };
    std::process::exit(code)
}
