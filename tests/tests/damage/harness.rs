//! A format's damaged files through its reader, in a process of its own: the allocator counts for a whole process, and what
//! ends one (an allocation that the system refuses, a stack that overflows) must not take the seed with it.

use crate::mutate::{Mutation, mutate};
use peak_alloc::PeakAlloc;
use std::fmt::Display;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Set in the process that works: the file in which it says what it is about to read.
const PLACE: &str = "GPT1_DAMAGE_PLACE";
/// Versions of each file, and the first seed, to repeat a failure: GPT1_DAMAGE_SEED=4711 GPT1_DAMAGE_MUTATIONS=1.
const MUTATIONS: &str = "GPT1_DAMAGE_MUTATIONS";
const SEED: &str = "GPT1_DAMAGE_SEED";
/// No small file takes longer to read.
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// For names, messages and the file system's buffers, beside the content.
pub const SLACK: usize = 64 << 10;

/// What is being read, since when.
static READING: Mutex<Option<(Instant, String)>> = Mutex::new(None);
/// The last panic, and how many there were, those included that a reader itself turned into errors.
static PANICS: Mutex<(usize, String)> = Mutex::new((0, String::new()));

/// Runs `work`, the body of the test of that name, in a process of its own.
pub fn isolated(test: &str, work: impl FnOnce()) {
    if std::env::var_os(PLACE).is_some() {
        std::thread::spawn(watch);
        std::panic::set_hook(Box::new(|panic| {
            let mut last = PANICS.lock().unwrap();
            *last = (last.0 + 1, panic.to_string());
        }));
        let outcome = catch_unwind(AssertUnwindSafe(work));
        _ = std::panic::take_hook();
        assert!(outcome.is_ok(), "{}", PANICS.lock().unwrap().1);
        return;
    }
    let place = tempfile::NamedTempFile::new().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(PLACE, place.path())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    };
    let stdout = text(&output.stdout);
    assert!(
        output.status.success() && stdout.contains("1 passed"),
        "{}; last read: {}\n{stdout}\n{}",
        output.status,
        fs_err::read_to_string(place.path()).unwrap(),
        text(&output.stderr),
    );
    for line in stdout.lines().filter(|line| line.contains("damaged versions")) {
        println!("{line}");
    }
}

/// Ends the process if one file takes too long.
fn watch() {
    loop {
        std::thread::sleep(Duration::from_millis(250));
        if let Some((since, what)) = &*READING.lock().unwrap()
            && since.elapsed() > TIME_LIMIT
        {
            println!("{what}: not read within {TIME_LIMIT:?}");
            std::process::exit(3);
        }
    }
}

/// A file to damage.
pub struct Damaged<'a> {
    /// Where it is.
    pub path: PathBuf,
    /// What every error names: the file, unless another file is found to be wrong beside it.
    pub named: PathBuf,
    /// The bytes in which a binary format has lengths, counts and names.
    pub lengths: &'a [Range<usize>],
    /// Bytes allocated beside twice what the honest file takes.
    pub slack: usize,
    /// What an error that has a place looks like: the path, a colon and a number.
    pub has_lines: bool,
}

impl Damaged<'_> {
    /// A text, of which every error names the file.
    pub fn text(path: &Path) -> Damaged<'static> {
        Damaged { path: path.to_owned(), named: path.to_owned(), lengths: &[], slack: SLACK, has_lines: false }
    }
}

/// Reads a file, which is as it should be, then many damaged versions of it. Each is refused, with a message that names the
/// file, or read with the content that `check` finds right for its bytes; in time, and without more memory than twice what the
/// honest file takes.
pub fn damage<T, E: Display>(
    file: &Damaged,
    mut read: impl FnMut() -> Result<T, E>,
    mut check: impl FnMut(&[u8], T) -> Result<(), String>,
) {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |n| n.parse().expect("a number"));
    let (first, n_mutations) = (number(SEED, 0), number(MUTATIONS, 10_000));
    let place = PathBuf::from(std::env::var_os(PLACE).expect("in a process of its own"));
    let place = fs_err::File::create(place).unwrap();
    // Below the temporary folder.
    let parts: Vec<_> = file.path.iter().map(|part| part.to_string_lossy()).collect();
    let n_above = parts.iter().position(|part| part.starts_with(".tmp")).map_or(0, |at| at + 1);
    let name = parts[n_above..].join("/");
    let honest = fs_err::read(&file.path).unwrap();
    let mut measured = |what: &str| {
        use std::os::unix::fs::FileExt;
        place.file().write_all_at(format!("{what:<200}").as_bytes(), 0).unwrap();
        let began = Instant::now();
        *READING.lock().unwrap() = Some((began, what.to_owned()));
        let before = ALLOCATOR.current_usage();
        ALLOCATOR.reset_peak_usage();
        let outcome = catch_unwind(AssertUnwindSafe(&mut read));
        let peak = ALLOCATOR.peak_usage() - before;
        let outcome = outcome.unwrap_or_else(|_| panic!("{what}: {}", PANICS.lock().unwrap().1));
        let took = READING.lock().unwrap().take().map_or(Duration::ZERO, |(since, _)| since.elapsed());
        assert!(took < TIME_LIMIT, "{what}: read in {took:?}");
        (outcome, peak)
    };
    // Twice, as the first reading may fill tables.
    for _ in 0..2 {
        let (read, _) = measured("the honest file");
        let read = read.unwrap_or_else(|error| panic!("{name}: the honest file: {error}"));
        check(&honest, read).unwrap_or_else(|message| panic!("{name}: the honest file: {message}"));
    }
    let (_, honest_peak) = measured("the honest file");

    let named = file.named.to_str().unwrap();
    let (mut n_refused, mut n_read, mut n_same, mut largest) = (0, 0, 0, 0);
    let panics_before = PANICS.lock().unwrap().0;
    for seed in first..first + n_mutations {
        let Mutation { bytes, what } = mutate(&honest, file.lengths, seed);
        if bytes == honest {
            n_same += 1;
            continue;
        }
        let what = format!("{name}, {SEED}={seed}: {what}");
        fs_err::write(&file.path, &bytes).unwrap();
        let (outcome, peak) = measured(&what);
        // A longer file may take more, in proportion.
        let limit = 2 * honest_peak * bytes.len().max(honest.len()) / honest.len() + file.slack;
        assert!(peak <= limit, "{what}: {peak} bytes allocated, at most {limit} expected");
        largest = largest.max(peak);
        match outcome {
            Ok(read) => {
                n_read += 1;
                check(&bytes, read).unwrap_or_else(|message| panic!("{what}: read with another content: {message}"));
            }
            Err(error) => {
                n_refused += 1;
                let message = error.to_string();
                let place = message.find(named).map(|at| &message[at + named.len()..]);
                let place = place.unwrap_or_else(|| panic!("{what}: the error does not name the file: {message}"));
                let word = place.split_whitespace().next().unwrap_or_default();
                let has_line = word.split(':').skip(1).any(|part| part.parse::<u64>().is_ok());
                assert!(has_line || !file.has_lines, "{what}: the error does not say where: {message}");
                assert!(message.len() > named.len() + 10, "{what}: the error says nothing: {message}");
            }
        }
    }
    fs_err::write(&file.path, &honest).unwrap();
    let n_caught = PANICS.lock().unwrap().0 - panics_before;
    println!(
        "{name}: {n_mutations} damaged versions, {n_refused} refused, {n_read} read, {n_same} unchanged; \
         at most {} KiB, the honest one {} KiB; {n_caught} panics of libraries made errors",
        largest >> 10,
        honest_peak >> 10
    );
}

/// A temporary folder in memory, where there is one.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// An error with what differs, unless the two are the same.
pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    let shown = |value: &T| format!("{value:?}").chars().take(1500).collect::<String>();
    Err(format!("{what}: found {}, expected {}", shown(found), shown(expected)))
}

/// Whether JSON holds a number that is too large for a tree of it, which is no matter to readers that pass over it.
pub fn is_beyond(json: &[u8]) -> bool {
    json.windows(5).any(|bytes| bytes == b"1e999")
}
