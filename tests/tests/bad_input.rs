//! Bad input through the real binaries: a clear message, exit code 1, and earlier results untouched.

use gpt1_tests::{Chain, binary, check_refusal, quick, refuse, succeed, text};
use std::path::Path;
use std::process::Command;

#[test]
fn misspelt_key_in_yaml() {
    let dir = tempfile::tempdir().unwrap();
    let preset = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines/presets/tiny.yaml");
    let yaml = fs_err::read_to_string(preset).unwrap().replace("  n_layer:", "  n_layers:");
    let line = yaml.lines().position(|l| l.contains("n_layers:")).unwrap() + 1;
    let config = dir.path().join("mine.yaml");
    fs_err::write(&config, yaml).unwrap();
    let out = dir.path().join("out");
    let chain = Chain::get();
    refuse(
        "pretrain",
        &[
            "--config",
            text(&config),
            "--shards",
            &chain.arg("shards"),
            "--tokenizer",
            &chain.arg("vocabulary"),
            "--out",
            text(&out),
        ],
        &[&format!("mine.yaml:{line}:3"), "n_layers", "n_layer"],
    );
    assert!(!out.exists());
    refuse(
        "shard",
        &quick(&[
            "--set",
            "shards.sed=3",
            "--corpus",
            &chain.arg("corpus"),
            "--tokenizer",
            &chain.arg("vocabulary"),
            "--out",
            text(&out),
        ]),
        &["shards.sed=3", "did you mean seed?"],
    );
}

#[test]
fn missing_column_and_wrong_label_of_a_task() {
    let chain = Chain::get();
    let dir = tempfile::tempdir().unwrap();
    let rte = dir.path().join("RTE");
    fs_err::create_dir(&rte).unwrap();
    for split in ["dev", "test"] {
        fs_err::copy(chain.path(&format!("data/tasks/RTE/{split}.tsv")), rte.join(format!("{split}.tsv"))).unwrap();
    }
    let (model, data, out) = (chain.arg("model"), text(dir.path()), dir.path().join("out"));
    let finetune = |expected: &[&str]| {
        refuse("finetune", &quick(&["--task", "rte", "--init", &model, "--data", data, "--out", text(&out)]), expected);
    };
    fs_err::write(rte.join("train.tsv"), "index\tsentence1\tlabel\n0\tA.\tentailment\n").unwrap();
    finetune(&["train.tsv", "sentence2", "sentence1"]);
    fs_err::write(
        rte.join("train.tsv"),
        "index\tsentence1\tsentence2\tlabel\n0\tA.\tB.\tentailment\n1\tA.\tB.\tperhaps\n",
    )
    .unwrap();
    finetune(&["train.tsv:3", "perhaps", "not_entailment"]);
    fs_err::write(rte.join("train.tsv"), b"index\tsentence1\tsentence2\tlabel\n0\tA\xff.\tB.\tentailment\n").unwrap();
    finetune(&["train.tsv", "UTF-8"]);
    fs_err::remove_file(rte.join("train.tsv")).unwrap();
    finetune(&["train.tsv"]);
    assert!(!out.exists());
}

#[test]
fn corpus_that_is_empty_or_not_text() {
    let chain = Chain::get();
    let dir = tempfile::tempdir().unwrap();
    let (corpus, out) = (dir.path().join("corpus"), dir.path().join("out"));
    fs_err::create_dir(&corpus).unwrap();
    let vocabulary = chain.arg("vocabulary");
    let shard = |expected: &[&str]| {
        refuse(
            "shard",
            &quick(&["--corpus", text(&corpus), "--tokenizer", &vocabulary, "--out", text(&out)]),
            expected,
        );
    };
    let train = |expected: &[&str]| {
        refuse(
            "tokenize",
            &[&["train"], &quick(&["--corpus", text(&corpus), "--out", text(&out)])[..]].concat(),
            expected,
        );
    };
    shard(&[text(&corpus)]);
    train(&[text(&corpus)]);
    fs_err::write(corpus.join("a.txt"), b"fine\nnot \xff fine\n").unwrap();
    shard(&["a.txt:2", "UTF-8"]);
    train(&["a.txt:2", "UTF-8"]);
    fs_err::remove_file(corpus.join("a.txt")).unwrap();
    fs_err::write(corpus.join("b.jsonl"), "{\"text\": \"fine\"}\n{\"body\": \"no text\"}\n").unwrap();
    shard(&["b.jsonl:2", "text"]);
    assert!(!out.exists());
}

#[test]
fn shards_that_are_damaged_or_of_another_vocabulary() {
    let chain = Chain::get();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let (shards, vocabulary) = (dir.path().join("shards"), dir.path().join("vocabulary"));
    let corpus = chain.arg("corpus");
    succeed(
        "tokenize",
        &[
            &["train"],
            &quick(&["--set", "tokenizer.n_merges=200", "--corpus", &corpus, "--out", text(&vocabulary)])[..],
        ]
        .concat(),
    );
    refuse(
        "pretrain",
        &quick(&["--shards", &chain.arg("shards"), "--tokenizer", text(&vocabulary), "--out", text(&out)]),
        &["train-00000.parquet", "vocabulary"],
    );
    fs_err::create_dir(&shards).unwrap();
    for name in ["train-00000.parquet", "validation-00000.parquet", "manifest.json"] {
        fs_err::copy(chain.path("shards").join(name), shards.join(name)).unwrap();
    }
    let whole = fs_err::read(shards.join("train-00000.parquet")).unwrap();
    for cut in [0, 3, whole.len() / 2, whole.len() - 5] {
        fs_err::write(shards.join("train-00000.parquet"), &whole[..cut]).unwrap();
        refuse(
            "pretrain",
            &quick(&["--shards", text(&shards), "--tokenizer", &chain.arg("vocabulary"), "--out", text(&out)]),
            &["train-00000.parquet"],
        );
    }
    assert!(!out.exists());
}

#[test]
fn model_of_another_shape() {
    let chain = Chain::get();
    let dir = tempfile::tempdir().unwrap();
    let (model, out) = (dir.path().join("model"), dir.path().join("out"));
    fs_err::create_dir(&model).unwrap();
    for name in ["model.safetensors", "vocab.json", "merges.txt"] {
        fs_err::copy(chain.path("model").join(name), model.join(name)).unwrap();
    }
    let config = fs_err::read_to_string(chain.path("model/config.json")).unwrap();
    fs_err::write(model.join("config.json"), config.replace("\"n_embd\": 16", "\"n_embd\": 24")).unwrap();
    refuse(
        "finetune",
        &quick(&["--task", "rte", "--init", text(&model), "--data", &chain.arg("data/tasks"), "--out", text(&out)]),
        &["transformer.tokens_embed.weight", "16]", "24]"],
    );
    assert!(!out.exists());
}

#[test]
fn full_disk_leaves_the_earlier_result() {
    let chain = Chain::get();
    let dir = tempfile::tempdir().unwrap();
    let (vocabulary, model) = (chain.arg("vocabulary"), dir.path().join("model"));
    let arguments = quick(&["--shards", &chain.arg("shards"), "--tokenizer", &vocabulary, "--out", text(&model)])
        .iter()
        .map(|a| (*a).to_owned())
        .collect::<Vec<_>>();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    succeed("pretrain", &arguments);
    let before = gpt1_artifacts::digest::path(&model).unwrap();
    // A limit on the size of files makes every longer write fail, as a full disk does.
    let limited = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh", text(&binary("pretrain"))])
        .args(&arguments)
        .args(["--set", "pretrain.seed=77"])
        .output()
        .unwrap();
    check_refusal(&limited, "pretrain on a full disk", &["too large"]);
    assert_eq!(gpt1_artifacts::digest::path(&model).unwrap(), before);
    // With room again, the same command succeeds.
    succeed("pretrain", &[&arguments[..], &["--set", "pretrain.seed=77"]].concat());
    assert_ne!(gpt1_artifacts::digest::path(&model).unwrap(), before);
}
