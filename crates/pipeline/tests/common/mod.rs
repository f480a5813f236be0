//! A fresh folder with small stage programs (shell scripts) and a definition, driven through the real `gpt1-pipeline`.
#![allow(dead_code, reason = "each test file uses a part of it")]

use gpt1_artifacts::version;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Every stage program is this script. It copies what it was given into its output: the result is a function of the
/// arguments that the real program would look at. It logs a line for each start. Switches, as files in the folder:
/// `fail-NAME` (exit 3), `die-NAME` (kill -9 itself half-way), `slow-NAME` (wait until the file is gone),
/// `constant-NAME` (the same output whatever the inputs), `no-result-NAME` (exit 0 without an output). `VERSION` stands for the stage's.
const SCRIPT: &str = r#"#!/bin/sh
set -eu
name=$(basename "$0"); name=${name#gpt1-}
home=$(dirname "$0")/..
echo "$name $*" >> "$home/log"
case "${1:-}" in --*) ;; *) shift ;; esac
sets= inputs= digests=
while [ $# -gt 0 ]; do
  case "$1" in
    --out) out=$2 ;;
    --config) config=$2 ;;
    --set) sets="$sets $2" ;;
    --task|--seed|--split) sets="$sets $1=$2" ;;
    --*) inputs="$inputs $2" ;;
  esac
  shift 2
done
if [ -e "$home/fail-$name" ]; then echo "error: $name was told to fail" >&2; exit 3; fi
partial=$(dirname "$out")/.$(basename "$out").partial
rm -rf "$partial"
mkdir -p "$partial/corpus" "$partial/tasks"
echo half > "$partial/half"
if [ -e "$home/no-result-$name" ]; then exit 0; fi
if [ -e "$home/die-$name" ]; then kill -9 $$; fi
echo "$name works" >&2
touch "$home/started-$name"
while [ -e "$home/slow-$name" ]; do sleep 0.02; done
rm "$partial/half"
if [ ! -e "$home/constant-$name" ]; then
  echo "$name$sets" > "$partial/result.txt"
  for input in $inputs; do
    if [ -d "$input" ]; then
      (cd "$input" && find . -type f ! -name manifest.json | LC_ALL=C sort | xargs cat) >> "$partial/result.txt"
    elif [ -f "$input" ]; then
      cat "$input" >> "$partial/result.txt"
    fi
  done
fi
echo "once upon a time" > "$partial/corpus/a.txt"
echo "a task" > "$partial/tasks/t.tsv"
echo '{"accuracy": 0.75}' > "$partial/scores.json"
cat > "$partial/manifest.json" <<MANIFEST
{"stage": "$name", "stage_version": VERSION, "version": "0.1.0", "config": null, "inputs": {}, "started_at": $(date +%s),
 "wall_seconds": 33120.0, "cpu_seconds": 0.0, "peak_memory_bytes": 0, "host": "", "cpu": "", "cpu_features": [],
 "n_threads": 1, "extra": {}}
MANIFEST
if [ -d "$out" ]; then rm -rf "$out.old"; mv "$out" "$out.old"; fi
mv "$partial" "$out"
rm -rf "$out.old"
"#;

const PROGRAMS: [(&str, u32); 6] = [
    ("sample-data", version::SAMPLE_DATA),
    ("tokenize", version::TOKENIZE),
    ("shard", version::SHARD),
    ("pretrain", version::PRETRAIN),
    ("finetune", version::FINETUNE),
    ("evaluate", version::EVALUATE),
];

/// The folder.
pub struct World {
    dir: tempfile::TempDir,
}

impl World {
    /// Script programs, the repository's own definitions under `pipelines/`, and a preset file `my.yaml`.
    pub fn new() -> World {
        let world = World { dir: tempfile::tempdir().unwrap() };
        fs_err::create_dir(world.path("bin")).unwrap();
        for (name, version) in PROGRAMS {
            let path = world.path(&format!("bin/gpt1-{name}"));
            fs_err::write(&path, SCRIPT.replace("VERSION", &version.to_string())).unwrap();
            fs_err::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        }
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines");
        fs_err::create_dir(world.path("pipelines")).unwrap();
        for name in ["pretrain.yaml", "finetune.yaml"] {
            fs_err::copy(repository.join(name), world.path("pipelines").join(name)).unwrap();
        }
        fs_err::copy(repository.join("presets/tiny.yaml"), world.path("my.yaml")).unwrap();
        world
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    pub fn write(&self, relative: &str, text: &str) {
        let path = self.path(relative);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    pub fn read(&self, relative: &str) -> String {
        fs_err::read_to_string(self.path(relative)).unwrap()
    }

    /// Replaces text in a file, which must hold it.
    pub fn edit(&self, relative: &str, old: &str, new: &str) {
        let text = self.read(relative);
        assert!(text.contains(old), "{relative} does not hold {old:?}");
        self.write(relative, &text.replace(old, new));
    }

    pub fn remove(&self, relative: &str) {
        fs_err::remove_file(self.path(relative)).unwrap();
    }

    /// The program with these arguments, ready to start in the folder.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gpt1-pipeline"));
        command.args(arguments.split_whitespace()).current_dir(self.dir.path()).env("GPT1_BIN_DIR", self.path("bin"));
        command.stdin(Stdio::null());
        command
    }

    /// Runs the program; the names of the stage programs that it started, and what it printed.
    pub fn go(&self, arguments: &str) -> Run {
        let _ = fs_err::remove_file(self.path("log"));
        let output = self.command(arguments).output().unwrap();
        Run { started: self.started(), output }
    }

    /// As [`World::go`], with `run pipelines/pretrain.yaml --set preset=my.yaml` before the arguments; must succeed.
    pub fn pretrain(&self, arguments: &str) -> Run {
        let run = self.go(&format!("run pipelines/pretrain.yaml --set preset=my.yaml {arguments}"));
        assert!(run.output.status.success(), "{}", run.stderr());
        run
    }

    /// The stage programs started since the last [`World::go`], by name.
    pub fn started(&self) -> Vec<String> {
        let log = fs_err::read_to_string(self.path("log")).unwrap_or_default();
        log.lines().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
    }
}

/// What a run did.
pub struct Run {
    pub started: Vec<String>,
    pub output: Output,
}

impl Run {
    pub fn stdout(&self) -> String {
        String::from_utf8(self.output.stdout.clone()).unwrap()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8(self.output.stderr.clone()).unwrap()
    }

    /// The exit code; fails the test if a signal ended the program.
    pub fn code(&self) -> i32 {
        self.output.status.code().expect("an exit code")
    }

    /// The line of stderr that begins with these words.
    pub fn line(&self, word: &str, stage: &str) -> String {
        let stderr = self.stderr();
        let found = stderr.lines().find(|l| {
            let mut words = l.split_whitespace();
            words.next() == Some(word) && words.next() == Some(stage)
        });
        found.unwrap_or_else(|| panic!("no line {word} {stage} in:\n{stderr}")).to_owned()
    }
}

/// All stages of pretrain.yaml.
pub const ALL: [&str; 4] = ["sample-data", "tokenize", "shard", "pretrain"];
