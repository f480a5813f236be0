//! How long `status` takes on 200 stages with 50 GB of sparse results, when nothing has changed and when one result has.
//!
//! `cargo bench -p gpt1-pipeline`; the first run hashes all of it once, which takes a minute or two.

use std::fmt::Write;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

const N_STAGES: usize = 200;
const N_BYTES: u64 = 50_000_000_000;

/// A stage program whose result is one sparse file.
const PROGRAM: &str = r#"#!/bin/sh
set -eu
while [ $# -gt 0 ]; do case "$1" in --out) out=$2 ;; esac; shift; done
mkdir -p "$out"
truncate -s SIZE "$out/model.safetensors"
echo "$out" > "$out/result.txt"
cat > "$out/manifest.json" <<MANIFEST
{"stage": "finetune", "stage_version": VERSION, "version": "0", "config": null, "inputs": {}, "started_at": 0, "wall_seconds": 1.0,
 "cpu_seconds": 0.0, "peak_memory_bytes": 0, "host": "", "cpu": "", "cpu_features": [], "n_threads": 1, "extra": {}}
MANIFEST
"#;

fn main() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let dir = dir.path();
    let write = |name: &str, text: &str| fs_err::write(dir.join(name), text).expect("a writable folder");
    for name in ["bin", "data"] {
        fs_err::create_dir(dir.join(name)).expect("a writable folder");
    }
    let program = PROGRAM
        .replace("SIZE", &(N_BYTES / N_STAGES as u64).to_string())
        .replace("VERSION", &gpt1_artifacts::version::FINETUNE.to_string());
    write("bin/gpt1-finetune", &program);
    fs_err::set_permissions(dir.join("bin/gpt1-finetune"), Permissions::from_mode(0o755)).expect("our own file");
    write("data/train.tsv", "rows");
    let mut definition = "config: tiny\nartifacts: out\ntarget: s199\nstages:\n".to_owned();
    for i in 0..N_STAGES {
        let init = if i == 0 { "data".to_owned() } else { format!("${{s{}.out}}", i - 1) };
        let _ = write!(
            definition,
            "  s{i}:\n    run: finetune\n    params: [finetune]\n    args: {{task: rte}}\n    deps: {{data: data, init: \"{init}\"}}\n    out: s{i}\n"
        );
    }
    write("p.yaml", &definition);

    let run = |arguments: &[&str]| go(dir, arguments);
    let (seconds, output) = run(&["run", "p.yaml"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    println!("the first run, which hashes {} GB: {seconds:.1} s", N_BYTES / 1_000_000_000);
    let mut unchanged: Vec<f64> = (0..11).map(|_| run(&["status", "p.yaml"]).0).collect();
    unchanged.sort_by(f64::total_cmp);
    println!(
        "status of {N_STAGES} stages, nothing changed: {:.3} s ({:.3} to {:.3})",
        unchanged[5], unchanged[0], unchanged[10]
    );
    write("out/s100/result.txt", "changed");
    let (seconds, output) = run(&["status", "p.yaml"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text.lines().filter(|line| line.starts_with("skip")).count(), 100, "{text}");
    println!("the same, one small file of one result changed: {seconds:.3} s");
}

fn go(dir: &Path, arguments: &[&str]) -> (f64, Output) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gpt1-pipeline"));
    command.args(arguments).current_dir(dir).env("GPT1_BIN_DIR", dir.join("bin"));
    let started = Instant::now();
    let output = command.output().expect("the program can be started");
    (started.elapsed().as_secs_f64(), output)
}
