//! `gc`, `verify` and `diff`. Through the real binary, with scripts for stage programs.

mod common;

use common::World;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Stdio;

const GC: &str = "gc pipelines/pretrain.yaml pipelines/finetune.yaml";

/// The results in the store, by program and key.
fn results(world: &World) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for program in fs_err::read_dir(world.path("artifacts/store")).unwrap() {
        for entry in fs_err::read_dir(program.unwrap().path()).unwrap() {
            let path = entry.unwrap().path();
            found.extend((path.is_dir() && path.extension().is_none()).then_some(path));
        }
    }
    found
}

#[test]
fn gc_says_what_it_frees_and_keeps_what_has_a_name() {
    let world = World::new();
    world.pretrain("");
    assert!(world.go(GC).stdout().starts_with("0 of 4 results and 0 others: frees 0 kB\n"));
    world.pretrain("--set tokenizer.n_merges=77");
    let all = results(&world).len();
    assert_eq!(all, 7);
    // Nobody is there to be asked: nothing happens.
    let asked = world.go(GC);
    assert_eq!(asked.code(), 0);
    let said = asked.stdout();
    assert_eq!(said.matches("(no name points to it, which took 9 h 12 m)").count(), 3, "{said}");
    let line = said.lines().last().unwrap();
    assert!(line.starts_with("3 of 7 results and 0 others: frees ") && line.ends_with(" kB"), "{said}");
    assert!(asked.stderr().contains("nothing was removed; --yes removes it"), "{}", asked.stderr());
    assert_eq!((world.go(&format!("{GC} --dry-run")).code(), results(&world).len()), (0, 7));
    let done = world.go(&format!("{GC} --yes"));
    let freed = line.rsplit("frees ").next().unwrap();
    assert!(done.stdout() == said && done.stderr() == format!("freed {freed}\n"), "{}", done.stderr());
    assert_eq!(results(&world).len(), 4);
    assert!(world.pretrain("--set tokenizer.n_merges=77").started.is_empty(), "what has a name is whole");
    assert_eq!(world.pretrain("").started, ["tokenize", "shard", "pretrain"], "what was removed is made again");
}

#[test]
fn gc_removes_names_that_no_stage_can_have() {
    let world = World::new();
    world.pretrain("");
    let finetune = "run pipelines/finetune.yaml --set preset=my.yaml --set task=cola";
    assert_eq!(world.go(finetune).started, ["finetune", "evaluate"]);
    assert!(world.go(GC).stdout().starts_with("0 of 6 results"), "of whatever task and preset");
    world.edit(
        "pipelines/finetune.yaml",
        "out: ${preset}/${task}-from-${init}/evaluate-${split}",
        "out: ${preset}/${task}/scores-${split}",
    );
    let said = world.go(&format!("{GC} --yes")).stdout();
    assert!(said.contains("(no stage has the name my/cola-from-pretrain/evaluate-dev, which took 9 h 12 m)"), "{said}");
    assert!(said.contains("artifacts/my/cola-from-pretrain/evaluate-dev (no stage has this name)\n"), "{said}");
    assert!(said.contains("1 of 6 results and 1 others: frees "), "{said}");
    assert!(fs_err::symlink_metadata(world.path("artifacts/my/cola-from-pretrain/evaluate-dev")).is_err());
    assert!(world.path("artifacts/my/cola-from-pretrain/finetune/result.txt").exists());
    assert_eq!(world.go(finetune).started, ["evaluate"]);
}

#[test]
fn gc_leaves_what_runs_and_what_can_go_on() {
    let world = World::new();
    world.write("slow-tokenize", "");
    let child =
        world.command("run pipelines/pretrain.yaml --set preset=my.yaml").stderr(Stdio::null()).spawn().unwrap();
    while !world.path("started-tokenize").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let said = world.go(&format!("{GC} --yes")).stdout();
    assert!(
        said.contains(" of 1 interrupted runs, which can go on, stay (--interrupted removes them too)\n"),
        "{said}"
    );
    let running = world.go(&format!("{GC} --yes --interrupted"));
    assert!(running.stdout().contains(".partial (of an interrupted run)"), "{}", running.stdout());
    assert!(running.stderr().contains("a run is using it now; it stays"), "{}", running.stderr());
    world.remove("slow-tokenize");
    assert!(child.wait_with_output().unwrap().status.success(), "it was not disturbed");
    // The script's program is killed half-way.
    world.write("die-pretrain", "");
    world.go("run pipelines/pretrain.yaml --set preset=my.yaml --set seed=4");
    let count = || fs_err::read_dir(world.path("artifacts/store/pretrain")).unwrap().count();
    let before = count();
    let removed = world.go(&format!("{GC} --yes --interrupted"));
    assert!(removed.stderr().starts_with("freed "), "{}", removed.stderr());
    assert_eq!(count(), before - 1);
}

#[test]
fn verify_reads_everything_again() {
    let world = World::new();
    let verify = "verify pipelines/pretrain.yaml";
    world.pretrain("");
    let whole = world.go(verify);
    assert_eq!((whole.code(), whole.stdout().as_str()), (0, ""), "{}", whole.stderr());
    assert!(whole.stderr().contains("artifacts: 4 results, 16 files, "), "{}", whole.stderr());
    assert!(whole.stderr().ends_with("all is as it was recorded\n"));

    // Damage that the file system does not tell of: the digests are made to believe that nothing has changed.
    let file = fs_err::canonicalize(world.path("artifacts/my/shards")).unwrap().join("result.txt");
    let text = fs_err::read_to_string(&file).unwrap();
    fs_err::write(&file, text.to_uppercase()).unwrap();
    let cache: Value = serde_json::from_str(&world.read("artifacts/.cache/digests.json")).unwrap();
    world.go("status pipelines/pretrain.yaml --set preset=my.yaml");
    let mut now: Value = serde_json::from_str(&world.read("artifacts/.cache/digests.json")).unwrap();
    let name = cache.as_object().unwrap().keys().find(|k| k.contains("shard/") && k.ends_with("result.txt")).unwrap();
    now[name]["digest"] = cache[name]["digest"].clone();
    world.write("artifacts/.cache/digests.json", &now.to_string());
    assert!(world.pretrain("").started.is_empty(), "the damage is not seen");

    let damaged = world.go(&format!("{verify} --json"));
    assert_eq!(damaged.code(), 1);
    let found: Value = serde_json::from_str(&damaged.stdout()).unwrap();
    assert_eq!(found["damaged"][0]["names"][0], "artifacts/my/shards");
    assert_eq!(found["damaged"][0]["changes"][0], "result.txt of its result was changed");
    assert!(world.go(verify).stdout().contains("(artifacts/my/shards): result.txt of its result was changed\n"));
    assert!(damaged.stderr().contains("hint: run the pipelines again"), "{}", damaged.stderr());
    assert_eq!(world.pretrain("").started, ["shard"], "now it is");
    assert_eq!(fs_err::read_to_string(&file).unwrap(), text);

    fs_err::remove_dir_all(file.parent().unwrap()).unwrap();
    let gone = world.go(verify);
    assert!(
        gone.code() == 1 && gone.stdout().contains("dangling    artifacts/my/shards points to a result that is gone")
    );
}

#[test]
fn diff_goes_back_to_the_first_cause() {
    let world = World::new();
    world.pretrain("");
    let a = fs_err::canonicalize(world.path("artifacts/my/pretrain")).unwrap();
    world.pretrain("--set tokenizer.n_merges=77 --set pretrain.seed=5");
    let (a, b) = (a.to_str().unwrap(), "artifacts/my/pretrain");
    let text = world.go(&format!("diff {a} {b}")).stdout();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "tokenize train   parameter tokenizer.n_merges 3000 -> 77", "{text}");
    assert_eq!(lines[1], "shard            input tokenizer differs (result of vocabulary)", "{text}");
    assert!(lines.contains(&"pretrain         parameter pretrain.seed 1 -> 5"), "{text}");
    assert!(text.contains("result           result.txt: line 1: pretrain -> pretrain pretrain.seed=5\n"), "{text}");
    let json: Value = serde_json::from_str(&world.go(&format!("diff {a} {b} --json")).stdout()).unwrap();
    assert_eq!(
        (&json["causes"][0]["change"]["old"], &json["causes"][0]["program"]),
        (&"3000".into(), &"tokenize train".into())
    );
    assert_eq!(world.go(&format!("diff {a} {a}")).stdout(), "no difference\n");

    // Another corpus of the user's.
    world.write("books/a.txt", "a book");
    world.pretrain("--set corpus=books");
    let text = world.go(&format!("diff {a} {b}")).stdout();
    assert!(
        text.starts_with("tokenize train   input corpus differs (corpus in the result of sample-data -> books)\n"),
        "{text}"
    );
    let none = world.go(&format!("diff {a} books"));
    assert!(none.code() == 1 && none.stderr().contains("books is no result of a stage"), "{}", none.stderr());
}

#[test]
fn outputs_made_without_the_runner_are_compared_by_their_manifests() {
    let world = World::new();
    for (name, seed) in [("a", 1), ("b", 2)] {
        let manifest = format!(
            r#"{{"stage": "shard", "stage_version": 1, "version": "0", "config": {{"shards": {{"seed": {seed}}}}},
            "inputs": {{"corpus": {{"path": "books", "digest": "d"}}}}, "started_at": 0, "wall_seconds": 1.0, "cpu_seconds": 0.0,
            "peak_memory_bytes": 0, "host": "", "cpu": "", "cpu_features": [], "n_threads": 1, "extra": {{}}}}"#
        );
        world.write(&format!("{name}/manifest.json"), &manifest);
        world.write(&format!("{name}/model.bin"), &format!("abc{seed}"));
    }
    let text = world.go("diff a b").stdout();
    assert_eq!(text, "shard            parameter shards.seed 1 -> 2\nresult           model.bin: byte 3\n");
}
