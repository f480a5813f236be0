//! What the end-to-end tests share: the real binaries, run in fresh folders, and a small chain of results to start from.

pub mod small;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The binary `gpt1-<stage>`, as `cargo build --release --workspace --bins` left it beside this test.
///
/// # Panics
/// If it has not been built.
pub fn binary(stage: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    let dir = test.parent().and_then(Path::parent).expect("target/<profile>/deps/<test>");
    let path = dir.join(format!("gpt1-{stage}"));
    assert!(path.exists(), "{} is missing: run `make test`, which builds the binaries first", path.display());
    path
}

/// Runs `gpt1-<stage>` with these arguments and returns its output, whatever its exit code.
///
/// # Panics
/// If it cannot be started.
pub fn run(stage: &str, arguments: &[&str]) -> Output {
    Command::new(binary(stage)).args(arguments).output().expect("the binary starts")
}

/// Runs `gpt1-<stage>`, which must succeed; returns its stdout.
///
/// # Panics
/// If it fails, with its stderr.
pub fn succeed(stage: &str, arguments: &[&str]) -> String {
    let output = run(stage, arguments);
    assert!(output.status.success(), "gpt1-{stage} {}\n{}", arguments.join(" "), stderr(&output));
    String::from_utf8(output.stdout).expect("stdout is UTF-8")
}

/// Runs `gpt1-<stage>`, which must refuse its input: exit code 1, and every one of `expected` in the message.
///
/// # Panics
/// If it does anything else.
pub fn refuse(stage: &str, arguments: &[&str], expected: &[&str]) {
    let output = run(stage, arguments);
    check_refusal(&output, &format!("gpt1-{stage} {}", arguments.join(" ")), expected);
}

/// Exit code 1, every one of `expected` on stderr, and no panic there.
///
/// # Panics
/// If one of that does not hold.
pub fn check_refusal(output: &Output, what: &str, expected: &[&str]) {
    let message = stderr(output);
    assert_eq!(output.status.code(), Some(1), "{what}\n{message}");
    assert!(message.contains("error: ") && !message.contains("panicked"), "{what}\n{message}");
    for part in expected {
        assert!(message.contains(part), "{what}\nexpected {part:?} in:\n{message}");
    }
}

/// What a process said on stderr.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A path as an argument.
///
/// # Panics
/// If it is not UTF-8.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// Settings that make every stage a matter of a second.
pub const QUICK: [&str; 18] = [
    "--set",
    "tokenizer.n_merges=300",
    "--set",
    "model.n_layer=1",
    "--set",
    "model.n_head=2",
    "--set",
    "model.n_embd=16",
    "--set",
    "model.n_ctx=64",
    "--set",
    "pretrain.batch_size=4",
    "--set",
    "pretrain.max_updates=3",
    "--set",
    "pretrain.eval_windows=4",
    "--set",
    "finetune.max_train_examples=32",
];

/// `--config tiny`, [`QUICK`] and these arguments.
pub fn quick<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [&["--config", "tiny"], &QUICK[..], arguments].concat()
}

/// Results of the whole chain on a piece of the sample corpus, made once for a test program.
#[derive(Debug)]
pub struct Chain {
    /// Holds everything; removed at the end.
    dir: tempfile::TempDir,
}

impl Chain {
    /// The chain, made by the first who asks.
    pub fn get() -> &'static Chain {
        static CHAIN: OnceLock<Chain> = OnceLock::new();
        CHAIN.get_or_init(Chain::make)
    }

    /// A path in its folder: `data` (sample data), `corpus`, `vocabulary`, `shards`, `model`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// As text, to be an argument.
    pub fn arg(&self, name: &str) -> String {
        text(&self.path(name)).to_owned()
    }

    fn make() -> Chain {
        let chain = Chain { dir: tempfile::tempdir().expect("a temporary folder") };
        succeed("sample-data", &["--seed", "5", "--out", &chain.arg("data")]);
        fs_err::create_dir(chain.path("corpus")).expect("a new folder");
        let mut stories: Vec<PathBuf> = fs_err::read_dir(chain.path("data/corpus"))
            .expect("the sample corpus")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|e| e == "txt"))
            .collect();
        stories.sort();
        for from in stories.iter().take(4) {
            fs_err::copy(from, chain.path("corpus").join(from.file_name().expect("a name"))).expect("a copy");
        }
        let (corpus, vocabulary) = (chain.arg("corpus"), chain.arg("vocabulary"));
        let (shards, model) = (chain.arg("shards"), chain.arg("model"));
        succeed("tokenize", &[&["train"], &quick(&["--corpus", &corpus, "--out", &vocabulary])[..]].concat());
        succeed("shard", &quick(&["--corpus", &corpus, "--tokenizer", &vocabulary, "--out", &shards]));
        succeed("pretrain", &quick(&["--shards", &shards, "--tokenizer", &vocabulary, "--out", &model]));
        chain
    }
}
