//! The processes of one run, its ranks, under MPI: `mpirun -n 4 gpt1-pretrain ...`.
//!
//! Each rank is told its number and how many there are; what they say to each other goes through [`Ranks::begin`] (in the
//! background, in any size) and the small helpers on top of it. A process that was not started by MPI is the only rank, as is
//! any program built without the feature `mpi`, which then links nothing.
//!
//! One thread makes all calls of MPI ([`mpi`]). It begins what it is handed in that order, which must be the same order on all
//! ranks, and asks for progress by polling, often while somebody waits and seldom while everybody computes.
//!
//! A run lives or dies as a whole: [`leave`] ends all ranks when one has failed, a rank that is told of an error by MPI does the same,
//! of one that is killed its [`guard`] says so, and a [`launcher`] that goes on nevertheless is killed.

mod agree;
#[cfg(feature = "mpi")]
mod guard;
#[cfg(feature = "mpi")]
mod launcher;
#[cfg(feature = "mpi")]
mod mpi;
mod pending;

pub use agree::Disagreement;
pub use pending::Pending;

use bytemuck::Pod;
use std::process::ExitCode;
#[cfg(feature = "mpi")]
use std::sync::OnceLock;

/// What the ranks do together. `n` is the number of values for each rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collective {
    /// Each rank sends n values to each other (R n, in the order of the ranks) and gets n from each; its own are not moved.
    AllToAll,
    /// Each rank sends n values and gets those of all (R n); if it sends an empty buffer, its own already lie there.
    AllGather,
    /// Each rank sends n values, the first gets those of all (R n); the others get none.
    Gather,
    /// The first rank sends n values to each (R n), each gets n; the others send none.
    Scatter,
    /// The first rank's n values reach all.
    Broadcast,
}

/// Why a process cannot be one of several.
#[derive(Debug, thiserror::Error)]
pub enum RanksError {
    /// Started as one of several by a program that cannot work together.
    #[error(
        "this process was started as one of {n} by {launcher}, but the program was built without MPI, so each would train alone\n  hint: cargo build --release --workspace --features gpt1-pretrain/mpi, or make pretrain RANKS={n}"
    )]
    NotBuilt {
        /// How many there are, as the launcher says.
        n: String,
        /// Who started them.
        launcher: &'static str,
    },
    /// Slurm started several without telling MPI.
    #[error(
        "srun started {n} tasks without a way to find each other, so each would train alone\n  hint: srun --mpi=pmix (Open MPI) or --mpi=pmi2 (MPICH); `srun --mpi=list` shows what there is"
    )]
    NoProcessManager {
        /// How many there are.
        n: String,
    },
    /// MPI and the launcher do not know each other.
    #[error(
        "{launcher} started {n} processes, but MPI finds {found}, so they would not work together: the program was built with another MPI than that of the launcher\n  hint: use the mpirun of the MPI that it was built with, or build it with the launcher's (MPICC names its compiler wrapper)"
    )]
    Apart {
        /// Who started them.
        launcher: &'static str,
        /// How many there are, as the launcher says.
        n: String,
        /// How many there are, as MPI says.
        found: usize,
    },
    /// MPI refused to start.
    #[error("MPI does not start: {0}")]
    Start(String),
}

/// The ranks of this run, as one of them sees them.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_field_names, reason = "`n_ranks` is its name everywhere")]
pub struct Ranks {
    rank: usize,
    n_ranks: usize,
    #[cfg(feature = "mpi")]
    link: Option<&'static mpi::Link>,
}

/// The ranks that [`Ranks::join`] has found; a process belongs to one run.
#[cfg(feature = "mpi")]
static JOINED: OnceLock<Ranks> = OnceLock::new();

/// The variables by which launchers number their processes, and those that say how many there are, and how many on this machine.
const LAUNCHERS: [(&str, &str, &str, &str); 3] = [
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE", "Open MPI"),
    ("PMIX_RANK", "SLURM_STEP_NUM_TASKS", "", "a launcher with PMIx"),
    ("PMI_RANK", "PMI_SIZE", "MPI_LOCALNRANKS", "MPICH"),
];

/// What a launcher says of the process that it has started.
#[derive(Debug)]
struct Launched {
    rank: String,
    /// How many there are, if it says so.
    n: Option<String>,
    /// How many on this machine, as far as it says so.
    #[cfg_attr(not(feature = "mpi"), expect(dead_code, reason = "for a guard"))]
    n_here: usize,
    launcher: &'static str,
}

impl Launched {
    fn find() -> Option<Launched> {
        let variable = |name: &str| std::env::var(name).ok();
        LAUNCHERS.into_iter().find_map(|(rank, size, here, launcher)| {
            // Slurm's is `4(x2)` for four on each of two machines, `4,3` where they differ.
            let here = variable(here).or_else(|| variable("SLURM_STEP_TASKS_PER_NODE"));
            let n_here = here.and_then(|n| n.split("(x").next()?.parse().ok().filter(|_| !n.contains(',')));
            let n_here = n_here.unwrap_or(1);
            Some(Launched { rank: variable(rank)?, n: variable(size), n_here, launcher })
        })
    }
}

/// Whether a launcher has started this process as one of several.
pub fn are_several() -> bool {
    Launched::find().is_some_and(|launched| launched.n.is_none_or(|n| n != "1"))
}

/// To be called before anything else is done: if this process is one of several, it becomes the guard of a rank that it starts below itself, and
/// returns with its exit code; whoever gets `None` is to work.
pub fn guard() -> Option<ExitCode> {
    #[cfg(feature = "mpi")]
    if are_several() {
        return guard::guard(&Launched::find()?);
    }
    None
}

impl Ranks {
    /// A run of one process.
    pub fn alone() -> Ranks {
        Ranks {
            rank: 0,
            n_ranks: 1,
            #[cfg(feature = "mpi")]
            link: None,
        }
    }

    /// Joins the run that this process was started for: MPI's, if it was launched by `mpirun` or `srun`, else its own.
    ///
    /// # Errors
    /// If it is one of several and cannot speak with the others, so that each would do all of the work alone.
    pub fn join() -> Result<Ranks, RanksError> {
        if let Some(launched) = Launched::find() {
            return join_launched(launched);
        }
        let variable = |name: &str| std::env::var(name).ok();
        match variable("SLURM_STEP_NUM_TASKS").filter(|n| n != "1") {
            Some(n) => {
                leave_it_to_the_first(variable("SLURM_PROCID").is_none_or(|rank| rank == "0"));
                Err(RanksError::NoProcessManager { n })
            }
            None => Ok(Ranks::alone()),
        }
    }

    /// The number of this rank, from 0.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// How many ranks there are.
    pub fn n_ranks(&self) -> usize {
        self.n_ranks
    }

    /// Whether this is the only rank.
    pub fn is_alone(&self) -> bool {
        self.n_ranks == 1
    }

    /// Whether this is the rank that writes and speaks for all.
    pub fn is_first(&self) -> bool {
        self.rank == 0
    }

    /// Begins to do something together, in the background; `send` and `received` have the sizes that [`Collective`] says, and
    /// both come back from [`Pending`]. All ranks must begin the same things in the same order.
    ///
    /// # Panics
    /// If the sizes do not fit.
    pub fn begin<T: Pod + Send>(&self, what: Collective, send: Vec<T>, received: Vec<T>) -> Pending<T> {
        let (all, root) = (self.n_ranks, self.is_first());
        let n = match what {
            Collective::AllToAll => send.len() / all,
            Collective::AllGather if send.is_empty() => received.len() / all,
            Collective::AllGather | Collective::Gather => send.len(),
            Collective::Scatter | Collective::Broadcast => received.len(),
        };
        let sizes = match what {
            Collective::AllToAll => (all * n, all * n),
            Collective::AllGather => (send.len(), all * n),
            Collective::Gather => (n, if root { all * n } else { 0 }),
            Collective::Scatter => (if root { all * n } else { 0 }, n),
            Collective::Broadcast => (0, n),
        };
        assert_eq!((send.len(), received.len()), sizes, "{what:?} of {n} values for each of {all} ranks");
        #[cfg(feature = "mpi")]
        if let Some(link) = self.link {
            return link.begin(what, n, send, received);
        }
        let mut received = received;
        received[..send.len()].copy_from_slice(&send);
        Pending::done(send, received)
    }

    /// A few values of each rank, for all; in the order of the ranks.
    pub fn all_gather<T: Pod + Send>(&self, values: Vec<T>) -> Vec<T> {
        let received = vec![T::zeroed(); values.len() * self.n_ranks];
        self.begin(Collective::AllGather, values, received).wait().1
    }

    /// A text of each rank, for all; in the order of the ranks.
    pub fn all_gather_texts(&self, text: &str) -> Vec<String> {
        let lengths = self.all_gather(vec![text.len() as u64]);
        let longest = lengths.iter().copied().max().unwrap_or(0) as usize;
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(longest, 0);
        let all = self.all_gather(bytes);
        let text = |(rank, n): (usize, &u64)| {
            String::from_utf8_lossy(&all[rank * longest..rank * longest + *n as usize]).into_owned()
        };
        lengths.iter().enumerate().map(text).collect()
    }

    /// The first rank's values, for all.
    pub fn broadcast<T: Pod + Send>(&self, values: &mut [T]) {
        if self.is_alone() {
            return;
        }
        const AT_ONCE: usize = 4 << 20;
        for piece in values.chunks_mut(AT_ONCE) {
            let (_, received) = self.begin(Collective::Broadcast, Vec::new(), piece.to_vec()).wait();
            piece.copy_from_slice(&received);
        }
    }

    /// A text of the first rank, for all.
    pub fn broadcast_text(&self, text: &str) -> String {
        let mut n = [text.len() as u64];
        self.broadcast(&mut n);
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(n[0] as usize, 0);
        self.broadcast(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// How many threads each of the ranks on this machine may use, of `available` in this process: its share, unless the launcher
    /// has given each its own cores.
    pub fn threads(&self, available: usize) -> usize {
        if self.is_alone() {
            return available;
        }
        let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
        let cores = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
        let mine = format!("{} {cores}", host());
        let n_sharing = self.all_gather_texts(&mine).iter().filter(|other| **other == mine).count();
        (available / n_sharing).max(1)
    }

    /// How many ranks this machine has.
    pub fn n_here(&self) -> usize {
        let here = host();
        self.all_gather_texts(&here).iter().filter(|other| **other == here).count()
    }

    /// The name of this rank in messages: `rank 2 of 4 (node17)`; empty for the only one.
    pub fn name(&self) -> String {
        if self.is_alone() { String::new() } else { format!("rank {} of {} ({})", self.rank, self.n_ranks, host()) }
    }

    /// An error with the name of this rank before it. What all ranks find at the same time the first one says: the others wait
    /// a moment, in which it ends the run ([`leave`]).
    pub fn named(&self, error: anyhow::Error) -> anyhow::Error {
        if self.is_alone() {
            return error;
        }
        speak_after_the_first(self.is_first());
        let text = format!("{}: {error}", self.name());
        error.context(text)
    }
}

/// Joins what a launcher has started.
#[cfg(feature = "mpi")]
fn join_launched(Launched { rank, n, launcher, .. }: Launched) -> Result<Ranks, RanksError> {
    let ranks = mpi::Link::start().map_err(RanksError::Start)?;
    if let Some(n) = n.filter(|n| *n != ranks.n_ranks.to_string()) {
        leave_it_to_the_first(rank == "0");
        return Err(RanksError::Apart { launcher, n, found: ranks.n_ranks });
    }
    guard::met();
    Ok(*JOINED.get_or_init(|| ranks))
}

#[cfg(not(feature = "mpi"))]
fn join_launched(Launched { rank, n, launcher, .. }: Launched) -> Result<Ranks, RanksError> {
    match n.filter(|n| n != "1") {
        Some(n) => {
            leave_it_to_the_first(rank == "0");
            Err(RanksError::NotBuilt { n, launcher })
        }
        None => Ok(Ranks::alone()),
    }
}

/// Ends this process without a word, unless it is the first of some that cannot work together: all of them know it, and none can
/// end the others.
fn leave_it_to_the_first(is_first: bool) {
    if !is_first {
        #[cfg(feature = "mpi")]
        guard::dismiss();
        speak_after_the_first(false);
        std::process::exit(1);
    }
}

/// What several ranks find at the same time is said once: all but the first wait, longer than the launcher needs to end them
/// after the first has failed (Open MPI's gives them two seconds).
pub(crate) fn speak_after_the_first(is_first: bool) {
    if !is_first {
        std::thread::sleep(std::time::Duration::from_secs(4));
    }
}

/// The name of this machine.
fn host() -> String {
    fs_err::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| String::new(), |name| name.trim().to_owned())
}

/// Leaves the run, if there is one: after success all ranks wait for each other, after a failure this one ends them all with the
/// exit code, and does not return.
#[cfg_attr(not(feature = "mpi"), expect(unused_variables, reason = "a process that is alone leaves nobody"))]
pub fn leave(failed: Option<i32>) {
    #[cfg(feature = "mpi")]
    {
        if let Some(link) = JOINED.get().and_then(|ranks| ranks.link) {
            match failed {
                None => link.finish(),
                Some(code) => link.abort(code),
            }
        }
        guard::dismiss();
    }
}
