//! The smallest run of each stage, to be killed and disturbed; what it writes, byte for byte.

use crate::{binary, text};
use gpt1_artifacts::digest::NOT_CONTENT;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The stages of the chain, in their order.
pub const STAGES: [&str; 5] = ["tokenize", "shard", "pretrain", "finetune", "evaluate"];

/// Settings that bring whatever a stage writes on its way (lines, checkpoints, evaluations, snapshots) at nearly every update.
pub const SETS: [&str; 20] = [
    "model.n_layer=1",
    "model.n_head=2",
    "model.n_embd=16",
    "model.n_ctx=32",
    "model.resid_pdrop=0.1",
    "pretrain.batch_size=4",
    "pretrain.micro_batch_size=4",
    "pretrain.eval_interval=5",
    "pretrain.eval_windows=4",
    "pretrain.checkpoint_interval=3",
    "pretrain.n_snapshots=5",
    "pretrain.keep_best=true",
    "pretrain.log_interval=1",
    "pretrain.sample_length=12",
    "finetune.batch_size=4",
    "finetune.n_epochs=3",
    "finetune.checkpoint_interval=3",
    "finetune.keep_best=true",
    "finetune.log_interval=1",
    "shards.validation_fraction=0.25",
];

/// No run of these takes so long; one that does hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Inputs, and the result of each stage as an undisturbed run writes it.
#[derive(Debug)]
pub struct World {
    /// Holds everything; removed at the end.
    _dir: tempfile::TempDir,
    /// Real path of the folder of everything.
    pub root: PathBuf,
    sets: Vec<String>,
    /// What each result holds, in the order of [`STAGES`].
    pub expected: Vec<Content>,
    /// How long each run took.
    pub usual: Vec<Duration>,
}

impl World {
    /// Makes the inputs and runs each stage once, on the first `n_stories` files of the sample corpus, with [`SETS`] and these.
    ///
    /// # Panics
    /// If a run fails.
    pub fn new(n_stories: usize, sets: &[&str]) -> World {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let root = fs_err::canonicalize(dir.path()).expect("a real path");
        let sets = SETS.iter().chain(sets).map(|set| (*set).to_owned()).collect();
        let mut world = World { _dir: dir, root, sets, expected: Vec::new(), usual: Vec::new() };
        crate::succeed("sample-data", &["--seed", "5", "--out", text(&world.root.join("data"))]);
        fs_err::create_dir(world.root.join("corpus")).expect("a new folder");
        fs_err::create_dir(world.root.join("results")).expect("a new folder");
        let mut stories = names(&world.root.join("data/corpus"));
        stories.retain(|path| path.extension().is_some_and(|e| e == "txt"));
        for story in stories.iter().take(n_stories) {
            fs_err::copy(world.root.join("data/corpus").join(story), world.root.join("corpus").join(story))
                .expect("a copy");
        }
        for stage in STAGES {
            let out = world.root.join("results").join(stage);
            let begin = Instant::now();
            world.succeed(stage, &out);
            world.usual.push(begin.elapsed());
            world.expected.push(content(&out));
        }
        world
    }

    /// The command of a stage into `out`. Its inputs are in this world.
    pub fn command(&self, stage: &str, out: &Path) -> Command {
        let inputs: &[(&str, &str)] = match stage {
            "tokenize" => &[("--corpus", "corpus")],
            "shard" => &[("--corpus", "corpus"), ("--tokenizer", "results/tokenize")],
            "pretrain" => &[("--shards", "results/shard"), ("--tokenizer", "results/tokenize")],
            "finetune" => &[("--data", "data/tasks"), ("--init", "results/pretrain")],
            "evaluate" => &[("--data", "data/tasks"), ("--model", "results/finetune")],
            other => panic!("no stage {other}"),
        };
        let mut command = Command::new(binary(stage));
        let words: &[&str] = match stage {
            "tokenize" => &["train"],
            "finetune" => &["--task", "rte"],
            "evaluate" => &["--task", "rte", "--split", "dev"],
            _ => &[],
        };
        command.args(words);
        for (flag, name) in inputs {
            command.arg(flag).arg(self.root.join(name));
        }
        if stage != "evaluate" {
            command.args(["--config", "tiny"]).args(self.set_arguments());
        }
        command.arg("--out").arg(out).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// The settings as arguments.
    pub fn set_arguments(&self) -> impl Iterator<Item = &str> {
        self.sets.iter().flat_map(|set| ["--set", set.as_str()])
    }

    /// A new folder for one case, and the output in it: `place/result`, so that `place` is what the case may disturb.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn case(&self) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir_in(&self.root).expect("a folder for the case");
        let out = dir.path().join("place/result");
        fs_err::create_dir(dir.path().join("place")).expect("a new folder");
        (dir, out)
    }

    /// Puts an earlier result of a stage at `out`, which must stay until the new one is complete; returns what it holds.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn earlier(&self, out: &Path) -> Content {
        fs_err::create_dir_all(out.join("folder")).expect("a new folder");
        for name in ["manifest.json", "earlier", "folder/file"] {
            fs_err::write(out.join(name), "of an earlier run").expect("a file");
        }
        content(out)
    }

    /// Runs a stage to its end.
    ///
    /// # Panics
    /// If it fails, with its stderr.
    pub fn succeed(&self, stage: &str, out: &Path) -> String {
        let (status, message) = finish(&mut self.command(stage, out), out);
        assert!(status.success(), "gpt1-{stage} after a disturbance: {status}\n{message}");
        message
    }

    /// The result must be that of the undisturbed run, and nothing else may lie beside it.
    ///
    /// # Panics
    /// If it is not.
    pub fn check(&self, stage: &str, out: &Path, what: &str) {
        let i = STAGES.iter().position(|s| *s == stage).expect("a stage");
        assert_same(&content(out), &self.expected[i], what);
        let beside: Vec<PathBuf> = names(out.parent().expect("a folder around it"));
        assert_eq!(beside, [Path::new(".result.lock"), Path::new("result")], "{what}: what lies beside the result");
    }
}

/// A folder's files, hidden ones and empty folders too, by relative path. A link is its target.
pub type Content = BTreeMap<String, Vec<u8>>;

/// What a folder holds, but the files that say how a run went.
///
/// # Panics
/// If it cannot be read.
pub fn content(dir: &Path) -> Content {
    let mut found = Content::new();
    collect(dir, "", &mut found);
    found
}

fn collect(dir: &Path, prefix: &str, found: &mut Content) {
    for name in names(dir) {
        let (path, name) = (dir.join(&name), name.to_string_lossy().into_owned());
        if NOT_CONTENT.contains(&name.as_str()) {
            continue;
        }
        let at = format!("{prefix}{name}");
        if let Ok(target) = fs_err::read_link(&path) {
            found.insert(at, target.to_string_lossy().into_owned().into_bytes());
        } else if path.is_dir() {
            found.insert(format!("{at}/"), Vec::new());
            collect(&path, &format!("{at}/"), found);
        } else {
            found.insert(at, fs_err::read(&path).expect("a file"));
        }
    }
}

/// What must be equal, name for name and byte for byte.
///
/// # Panics
/// If it is not, with the names that differ.
pub fn assert_same(found: &Content, expected: &Content, what: &str) {
    let differs = |name: &&String| found.get(*name) != expected.get(*name);
    let names: Vec<&String> = found.keys().chain(expected.keys()).filter(differs).collect();
    let describe = |content: &Content, name: &str| {
        content.get(name).map_or_else(|| "absent".to_owned(), |bytes| format!("{} bytes", bytes.len()))
    };
    let lines: Vec<String> = names
        .into_iter()
        .map(|name| format!("{name}: {}, expected {}", describe(found, name), describe(expected, name)))
        .collect();
    assert!(lines.is_empty(), "{what}: not what an undisturbed run writes:\n{}", lines.join("\n"));
}

/// The names in a folder, sorted; none if it is not there.
pub fn names(dir: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(dir).into_iter().flatten();
    let mut names: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.file_name().into())).collect();
    names.sort();
    names
}

/// The hidden folder in which a stage writes `out`.
pub fn partial(out: &Path) -> PathBuf {
    let name = out.file_name().expect("a name").to_string_lossy().into_owned();
    out.with_file_name(format!(".{name}.partial"))
}

/// The update of the latest checkpoint of a run into `out`.
pub fn latest_checkpoint(out: &Path) -> Option<u64> {
    let names = names(&partial(out).join(".checkpoints"));
    names.iter().filter_map(|name| name.to_str()?.strip_prefix("checkpoint-")?.parse().ok()).max()
}

/// Where what is said on stderr goes: outside of the folder that holds `out`.
fn stderr_of(out: &Path) -> PathBuf {
    out.parent().and_then(Path::parent).expect("two folders around it").join("stderr")
}

/// Starts a command that writes `out`.
///
/// # Panics
/// If it cannot be started.
pub fn start(command: &mut Command, out: &Path) -> Child {
    let file = fs_err::File::create(stderr_of(out)).expect("a file for stderr");
    command.stderr(file.into_parts().0).spawn().expect("the binary starts")
}

/// Waits for the end of a process.
///
/// # Panics
/// If it hangs.
pub fn wait(child: &mut Child, what: &str) -> ExitStatus {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a process of ours") {
            return status;
        }
        if begin.elapsed() > PATIENCE {
            _ = child.kill();
            panic!("{what} hangs");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Runs a command to its end: its status, and what it said on stderr.
///
/// # Panics
/// If it cannot be started, or hangs.
pub fn finish(command: &mut Command, out: &Path) -> (ExitStatus, String) {
    let mut child = start(command, out);
    let status = wait(&mut child, &format!("{command:?}"));
    (status, said(out))
}

/// What the last command that wrote `out` said on stderr.
pub fn said(out: &Path) -> String {
    String::from_utf8_lossy(&fs_err::read(stderr_of(out)).unwrap_or_default()).into_owned()
}

/// `tests/faults/faults.c` as a library to preload, built in `dir`; `None`, said on stdout, where it cannot be.
///
/// # Panics
/// If the compiler does not like it.
pub fn faults_library(dir: &Path) -> Option<PathBuf> {
    if !cfg!(all(target_os = "linux", target_env = "gnu")) {
        println!("skipped: faults are made by preloading a library, which takes Linux with glibc");
        return None;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("faults/faults.c");
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let library = dir.join("faults.so");
    if library.exists() {
        return Some(library);
    }
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&library).arg(source).arg("-ldl");
    let Ok(output) = cc.output() else {
        println!("skipped: there is no C compiler cc");
        return None;
    };
    assert!(output.status.success(), "{}", crate::stderr(&output));
    Some(library)
}

/// Random numbers (splitmix64) whose seed is printed: `GPT1_SEED` repeats them.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Begins with `GPT1_SEED`, else with the time.
    ///
    /// # Panics
    /// If `GPT1_SEED` is no number.
    pub fn new(what: &str) -> Random {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
        let seed = number("GPT1_SEED", now % 1_000_000);
        println!("{what}: GPT1_SEED={seed}");
        Random(seed)
    }

    /// From 0 to below 1.
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x >> 11) as f64 / (1u64 << 53) as f64
    }

    /// From 0 to below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        (self.uniform() * n as f64) as u64
    }
}

/// An environment variable that is a number.
///
/// # Panics
/// If it is none.
pub fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable)
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{variable}={text}: expected a number")))
}
