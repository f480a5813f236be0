//! Mistakes in definitions and settings: each with its place, before any work. Through the real binary.

mod common;

use common::World;
use std::path::Path;

/// Runs a definition that is wrong; what it printed, without `error: `.
fn wrong(world: &World, arguments: &str) -> String {
    let run = world.go(&format!("run {arguments}"));
    assert_eq!((run.code(), run.started.len()), (1, 0), "{}", run.stderr());
    assert!(!world.path("artifacts").exists(), "nothing is written");
    run.stderr().strip_prefix("error: ").unwrap().to_owned()
}

#[test]
fn misspelt_keys_in_a_definition() {
    let world = World::new();
    world.edit("pipelines/pretrain.yaml", "    params: [tokenizer]", "    parms: [tokenizer]");
    world.edit("pipelines/pretrain.yaml", "      shards: ${shards.out}", "      shard: ${shard.out}");
    world.edit("pipelines/pretrain.yaml", "    run: shard\n", "    run: shards\n");
    let found = wrong(&world, "pipelines/pretrain.yaml");
    // The form is wrong: what depends on it is not looked at yet.
    assert!(found.starts_with("pipelines/pretrain.yaml:"), "{found}");
    assert!(found.contains(": unknown key of a stage parms (did you mean params?)"), "{found}");
    world.edit("pipelines/pretrain.yaml", "parms", "params");
    let found = wrong(&world, "pipelines/pretrain.yaml");
    let lines: Vec<&str> = found.lines().collect();
    assert_eq!(lines[0], "3 things are wrong; nothing was run", "{found}");
    let text = world.read("pipelines/pretrain.yaml");
    let at = |needle: &str| {
        let line = text.lines().position(|l| l.contains(needle)).unwrap();
        (line + 1, text.lines().nth(line).unwrap().find(needle).unwrap() + 1)
    };
    let place = |(line, column): (usize, usize)| format!("pipelines/pretrain.yaml:{line}:{column}: ");
    let (line, column) = at("run: shards");
    assert!(lines[1].starts_with(&place((line, column + 5))), "{found}");
    assert!(lines[1].contains("unknown stage program shards (did you mean shard?)"), "{found}");
    let (line, column) = at("shard: ${shard.out}");
    assert!(lines[2].starts_with(&place((line, column))), "{found}");
    assert!(lines[2].contains("unknown flag of gpt1-pretrain shard (did you mean shards?)"), "{found}");
    assert!(lines[3].starts_with(&place((line, column + 7))), "{found}");
    assert!(lines[3].contains("unknown stage shard (did you mean shards?)"), "{found}");
}

#[test]
fn misspelt_keys_in_a_preset() {
    let world = World::new();
    world.edit("my.yaml", "  n_layer:", "  n_layers:");
    let found = wrong(&world, "pipelines/pretrain.yaml --set preset=my.yaml");
    let text = world.read("my.yaml");
    let line = text.lines().position(|l| l.contains("n_layers")).unwrap() + 1;
    let expected = format!("my.yaml:{line}:3: unknown key of model n_layers (did you mean n_layer?); known: ");
    assert!(found.contains(&expected), "{found}");
    assert!(found.contains(": the key n_layer is missing here"), "{found}");
    // Types, ranges and settings too, each once.
    world.edit("my.yaml", "  n_epochs: 2.0", "  n_epochs: two");
    world.edit("my.yaml", "  beta2: 0.999", "  beta2: 1");
    let found = wrong(&world, "pipelines/pretrain.yaml --set preset=my.yaml --set shards.sed=3");
    assert!(found.starts_with("6 things are wrong; nothing was run\n"), "{found}");
    for expected in [
        ": pretrain.n_epochs: expected a number above 0, found two",
        ": pretrain.beta2 = 1: expected a number from 0 to below 1",
        ": finetune.beta2 = 1: expected a number from 0 to below 1",
        "--set shards.sed=3: unknown key of shards sed (did you mean seed?)",
    ] {
        assert_eq!(found.matches(expected).count(), 1, "{expected}: {found}");
    }
}

#[test]
fn the_schemas_for_editors_are_those_of_the_types() {
    let world = World::new();
    for (of, file) in [("pipeline", "pipeline.json"), ("preset", "preset.json")] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/schema").join(file);
        let made = world.go(&format!("schema {of}")).stdout();
        let hint = format!("target/release/gpt1-pipeline schema {of} > pipelines/schema/{file}");
        assert!(fs_err::read_to_string(path).unwrap() == made, "{file} is not up to date: {hint}");
    }
}

#[test]
fn misspelt_settings() {
    let world = World::new();
    let found = wrong(
        &world,
        "pipelines/finetune.yaml --set tsk=rte --set task=rtee --set corpus=nowhere --set pretrain.max_update=3",
    );
    let expected = [
        "--set tsk=rte: unknown variable tsk (did you mean task?)",
        "--set task=rtee: unknown value of task: rtee (did you mean rte?)",
        "--set pretrain.max_update=3: unknown key of pretrain max_update (did you mean max_updates?)",
        "--set corpus=nowhere: the input corpus of ",
    ];
    for line in expected {
        assert!(found.contains(line), "{line}\n in\n{found}");
    }
    let found = wrong(&world, "pipelines/pretrain.yaml --set preset=tinny");
    assert!(found.contains("--set preset=tinny: unknown preset tinny (did you mean tiny?)"), "{found}");
    assert_eq!(found.lines().count(), 1, "what follows from it is not said: {found}");
    let found = wrong(&world, "pipelines/pretrain.yaml --set finetune.n_epochs=1");
    assert!(found.contains("no stage of this definition uses the parameter finetune.n_epochs"), "{found}");
    let found = wrong(&world, "pipelines/pretrain.yaml --set seed=many");
    assert!(
        found.contains("--set seed=many: pretrain.seed: expected a whole number, at least 0, found many"),
        "the place is where the value was written: {found}"
    );
    let found = wrong(&world, "pipelines/pretrain.yaml --set model.n_head=7");
    assert!(found.contains("model.n_head = 7: expected a divisor of model.n_embd"), "{found}");
    assert_eq!(found.lines().count(), 1, "{found}");
    let found = wrong(&world, "pipelines/pretrain.yaml pretran");
    assert!(found.contains("target pretran: unknown stage pretran (did you mean pretrain?)"), "{found}");
    let found = wrong(&world, "pipelines/pretrian.yaml");
    assert!(found.starts_with("pipelines/pretrian.yaml:1:1: failed to open file "), "{found}");
}

#[test]
fn circles_and_collisions() {
    let world = World::new();
    world.edit(
        "pipelines/pretrain.yaml",
        "      corpus: ${corpus}\n    out: ${preset}/vocabulary",
        "      corpus: ${pretrain.out}\n    out: ${preset}/shards",
    );
    let found = wrong(&world, "pipelines/pretrain.yaml");
    assert!(
        found.contains("these stages wait for each other: pretrain -> shards -> vocabulary -> pretrain"),
        "{found}"
    );
    assert!(found.contains("out tiny/shards collides with that of vocabulary"), "{found}");
    let world = World::new();
    let found = wrong(&world, "pipelines/pretrain.yaml --set corpus=${corpus}");
    assert!(found.contains("the variable corpus stands for itself"), "{found}");
}

#[test]
fn yaml_syntax() {
    let world = World::new();
    world.write("p.yaml", "vars:\n  a: [1, 2\nstages: {}\n");
    let found = wrong(&world, "p.yaml");
    assert!(found.starts_with("p.yaml:"), "{found}");
    assert!(found.contains("not valid YAML"), "{found}");
}
