//! Stages with `each`: one step for each combination of values. Through the real binary, with scripts for stage programs.

mod common;

use common::World;

const DEFINITION: &str = "\
config: my.yaml
artifacts: out
target: compare
vars:
  split: dev
stages:
  tune:
    each: {task: [rte, cola], layers: 0..model.n_layer}
    run: finetune
    params: [finetune]
    set: {finetune.seed: \"${layers}\"}
    args: {task: \"${task}\", init: scratch}
    deps: {data: data, tokenizer: words}
    cases:
      - when: task == cola
        set: {finetune.n_epochs: 1}
    out: ${task}/${layers}/tune
  score:
    each: {task: [rte, cola], layers: 0..model.n_layer}
    run: evaluate
    args: {task: \"${task}\", split: \"${split}\"}
    deps: {model: \"${tune.out}\", data: data}
    out: ${task}/${layers}/score
  compare:
    run: tokenize train
    params: [tokenizer]
    deps: {corpus: \"${score.out}/result.txt\"}
    out: compare
";

fn world() -> World {
    let world = World::new();
    world.edit("my.yaml", "  n_layer: 4", "  n_layer: 1");
    world.write("p.yaml", DEFINITION);
    world.write("data/t.tsv", "rows");
    world.write("words/vocab.json", "{}");
    world
}

#[test]
fn a_stage_runs_for_each_combination_and_only_for_what_changed() {
    let world = world();
    let run = world.go("run p.yaml");
    assert_eq!(run.code(), 0, "{}", run.stderr());
    let count = |name: &str| run.started.iter().filter(|started| *started == name).count();
    assert_eq!((count("finetune"), count("evaluate"), count("tokenize")), (4, 4, 1));
    assert_eq!(world.read("out/cola/1/tune/result.txt").lines().next().unwrap().matches("n_epochs=1").count(), 1);
    assert_eq!(world.read("out/rte/1/tune/result.txt").lines().next().unwrap().matches("n_epochs").count(), 0);
    assert!(world.read("out/rte/1/score/result.txt").contains("finetune.seed=1"), "the model of the same values");
    // The stage that takes all of them is given each under the one flag.
    let compared = world.read("out/compare/result.txt");
    for of in ["--task=rte", "--task=cola"] {
        assert_eq!(compared.lines().filter(|l| l.starts_with("evaluate") && l.contains(of)).count(), 2, "{compared}");
    }
    assert!(world.go("run p.yaml").started.is_empty());
    // Another value: only its steps, and what takes all of them.
    world.edit("p.yaml", "cola", "mrpc");
    assert_eq!(world.go("run p.yaml").started, ["finetune", "evaluate", "finetune", "evaluate", "tokenize"]);
}

#[test]
fn targets_are_steps_or_whole_stages() {
    let world = world();
    assert_eq!(world.go("run p.yaml score-cola-0").started, ["finetune", "evaluate"]);
    assert_eq!(world.go("run p.yaml tune").started, ["finetune"; 3]);
    let explained = world.go("explain p.yaml score-rte-1");
    assert!(explained.stdout().contains("model = result of tune-rte-1"), "{}", explained.stdout());
}

#[test]
fn mistakes_are_reported_once_with_their_place() {
    let world = world();
    world.edit(
        "p.yaml",
        "[rte, cola], layers: 0..model.n_layer}\n    run: evaluate",
        "[rte, qnli], layers: 0..1}\n    run: evaluate",
    );
    let run = world.go("run p.yaml");
    let found = run.stderr();
    assert_eq!(run.code(), 1);
    assert!(found.contains("p.yaml:22:19: tune has no step with the values of score-qnli-0"), "{found}");
    world.write(
        "p.yaml",
        &DEFINITION.replacen("0..model.n_layer", "0..model.n_layers", 1).replace("[rte, cola]", "[rte, rte, a b]"),
    );
    let found = world.go("run p.yaml").stderr();
    for wanted in [
        "p.yaml:8:43: 0..model.n_layers: expected a list, or FIRST..LAST",
        "p.yaml:8:24: rte stands here a second time",
        "p.yaml:8:29: \"a b\" becomes part of a step's name",
    ] {
        assert_eq!(found.matches(wanted).count(), 1, "{wanted}: {found}");
    }
}
