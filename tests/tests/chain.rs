//! The whole chain through the real binaries, and what must hold between its stages.

use gpt1_artifacts::digest;
use gpt1_tests::{Chain, binary, quick, stderr, succeed, text};
use std::process::Command;

#[test]
fn every_sample_task_is_fine_tuned_and_scored() {
    let chain = Chain::get();
    let dir = tempfile::tempdir().unwrap();
    let data = chain.arg("data/tasks");
    for task in
        ["cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte", "wnli", "snli", "scitail", "race", "storycloze"]
    {
        let (model, scores) = (dir.path().join(task), dir.path().join(format!("{task}-scores")));
        let init = chain.arg("model");
        succeed(
            "finetune",
            &quick(&[
                "--set",
                "finetune.n_epochs=1",
                "--task",
                task,
                "--init",
                &init,
                "--data",
                &data,
                "--out",
                text(&model),
            ]),
        );
        succeed(
            "evaluate",
            &["--task", task, "--model", text(&model), "--data", &data, "--split", "dev", "--out", text(&scores)],
        );
        let file = fs_err::read_to_string(scores.join("scores.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&file).unwrap();
        assert_eq!(json["task"], task, "{file}");
        assert!(json["metrics"].as_object().is_some_and(|m| !m.is_empty()), "{file}");
        assert!(json["majority"].is_object(), "{file}");
        let predictions = fs_err::read_to_string(scores.join("predictions.tsv")).unwrap();
        assert_eq!(Some(predictions.lines().count() as u64 - 1), json["n"].as_u64(), "{task}");
    }
    // The two sets that MNLI's model is scored on besides; then all results stand in one table.
    let mnli = dir.path().join("mnli");
    for (task, split, file) in
        [("mnli", "dev_mismatched", "MNLI-mm.tsv"), ("ax", "dev", "AX.tsv"), ("ax", "test", "AX.tsv")]
    {
        let out = dir.path().join(format!("{task}-{split}"));
        succeed(
            "evaluate",
            &["--task", task, "--model", text(&mnli), "--data", &data, "--split", split, "--out", text(&out)],
        );
        assert!(out.join(file).is_file());
    }
    let table = succeed("evaluate", &["table", text(dir.path()), "--json"]);
    let table: serde_json::Value = serde_json::from_str(&table).unwrap();
    for row in table["rows"].as_array().unwrap() {
        assert!(row["scores"][0]["median"].is_number() && row["majority"].is_number(), "{row}");
    }
    assert_eq!((table["glue"][0]["n_tasks"].as_u64(), table["columns"].as_array().unwrap().len()), (Some(9), 1));
}

#[test]
fn the_same_seed_gives_the_same_bytes_for_any_number_of_threads() {
    let chain = Chain::get();
    let dir = tempfile::tempdir().unwrap();
    let (shards, vocabulary) = (chain.arg("shards"), chain.arg("vocabulary"));
    for threads in ["1", "3"] {
        let out = dir.path().join(threads);
        succeed(
            "pretrain",
            &quick(&["--shards", &shards, "--tokenizer", &vocabulary, "--threads", threads, "--out", text(&out)]),
        );
        assert_eq!(digest::path(&out).unwrap(), digest::path(&chain.path("model")).unwrap(), "{threads} threads");
        let scratch = dir.path().join(format!("rte-{threads}"));
        succeed(
            "finetune",
            &quick(&[
                "--task",
                "rte",
                "--init",
                "scratch",
                "--tokenizer",
                &vocabulary,
                "--data",
                &chain.arg("data/tasks"),
                "--threads",
                threads,
                "--out",
                text(&scratch),
            ]),
        );
    }
    assert_eq!(digest::path(&dir.path().join("rte-1")).unwrap(), digest::path(&dir.path().join("rte-3")).unwrap());
}

/// Table 5's LSTM goes the same way: pre-trained, fine-tuned from that and from nothing, evaluated.
#[test]
fn an_lstm_goes_the_whole_way() {
    let chain = Chain::get();
    let dir = tempfile::tempdir().unwrap();
    let (shards, vocabulary, data) = (chain.arg("shards"), chain.arg("vocabulary"), chain.arg("data/tasks"));
    let lstm = ["--set", "model.architecture=lstm", "--set", "model.n_units=24"];
    let model = dir.path().join("lstm");
    let pretrain = ["--shards", &shards, "--tokenizer", &vocabulary, "--out", text(&model)];
    succeed("pretrain", &quick(&[&lstm[..], &pretrain].concat()));
    succeed("pretrain", &["sample", "--model", text(&model), "--prompt", "Mara went", "--length", "100"]);
    let from_lstm = ["--init", text(&model)];
    let from_scratch = [&lstm[..], &["--init", "scratch", "--tokenizer", &vocabulary]].concat();
    for (name, init) in [("from-lstm", &from_lstm[..]), ("from-scratch", &from_scratch)] {
        let (tuned, scores) = (dir.path().join(name), dir.path().join(format!("{name}-scores")));
        let rest = ["--task", "rte", "--data", &data, "--out", text(&tuned)];
        succeed("finetune", &quick(&[init, &rest].concat()));
        let config = fs_err::read_to_string(tuned.join("config.json")).unwrap();
        assert!(config.contains("gpt1-lstm") && config.contains("\"n_units\": 24"), "{config}");
        let tuned = text(&tuned);
        let (split, out) = (["--split", "dev"], ["--out", text(&scores)]);
        succeed("evaluate", &[&["--task", "rte", "--model", tuned, "--data", &data], &split[..], &out].concat());
        assert!(scores.join("scores.json").exists());
    }
}

/// A CPU without bf16 in hardware, played by forbidding AVX-512, falls back to f32 and says so.
#[test]
fn bf16_falls_back_where_the_cpu_lacks_it() {
    let chain = Chain::get();
    let dir = tempfile::tempdir().unwrap();
    let (shards, vocabulary) = (chain.arg("shards"), chain.arg("vocabulary"));
    for cpu in ["avx2", "plain"] {
        let mut digests = Vec::new();
        for precision in ["bf16", "auto", "f32"] {
            let out = dir.path().join(format!("{cpu}-{precision}"));
            let arguments = quick(&["--shards", &shards, "--tokenizer", &vocabulary, "--out", text(&out)]);
            let output = Command::new(binary("pretrain"))
                .args(arguments)
                .args(["--precision", precision])
                .env("GPT1_CPU", cpu)
                .output()
                .unwrap();
            let message = stderr(&output);
            assert!(output.status.success() && message.contains("precision f32"), "{message}");
            assert_eq!(message.contains("does not compute bf16"), precision == "bf16", "{message}");
            digests.push(digest::path(&out).unwrap());
        }
        assert!(digests.iter().all(|d| *d == digests[0]), "{cpu}: {digests:?}");
    }
}

#[test]
fn sampling_continues_a_text() {
    let chain = Chain::get();
    let model = chain.arg("model");
    let arguments = ["sample", "--model", &model, "--prompt", "Mara went", "--n", "2", "--length", "8", "--seed", "3"];
    let first = succeed("pretrain", &arguments);
    assert_eq!(first, succeed("pretrain", &arguments));
    assert!(first.to_lowercase().contains("mara went"), "{first}");
}
