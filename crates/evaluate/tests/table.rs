//! `gpt1-evaluate table` on made-up results, through the real program.

use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// Exit code, standard output, standard error.
fn table(at: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gpt1-evaluate"));
    let output = command.current_dir(at).arg("table").args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn printed(at: &Path, arguments: &[&str]) -> String {
    let (code, stdout, stderr) = table(at, arguments);
    assert_eq!((code, stderr.as_str()), (0, ""));
    stdout
}

/// A result as gpt1-evaluate writes it; `model` stands for the digest.
fn result(task: &str, metrics: Value, init: &str, seed: u64) -> Value {
    json!({
        "task": task, "split": "dev", "n": 277, "metrics": metrics, "majority": metrics.as_object().unwrap().keys().map(|key| (key.clone(), json!(0.5))).collect::<serde_json::Map<_, _>>(),
        "majority_answer": "1", "loss": 0.7, "model": format!("{task}-{init}-{seed}"),
        "shape": {"n_layer": 4, "n_head": 4, "n_embd": 128, "n_ctx": 128},
        "training": {"init": init, "seed": seed, "lm_coef": 0.5, "n_layer_transferred": null, "architecture": "transformer", "n_train": 2490},
    })
}

fn write(at: &Path, name: &str, result: &Value) {
    let folder = at.join(name);
    fs_err::create_dir_all(&folder).unwrap();
    fs_err::write(folder.join("scores.json"), result.to_string()).unwrap();
}

/// A change to a result.
fn with(mut result: Value, pointer: &str, value: Value) -> Value {
    *result.pointer_mut(pointer).unwrap() = value;
    result
}

/// The cells of the row that begins with these cells.
fn row<'a>(table: &'a str, name: &str, metric: &str) -> Vec<&'a str> {
    let cells = |line: &'a str| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>();
    let mut rows = table.lines().filter(|line| line.starts_with('|')).map(cells);
    rows.find(|row| row[..2] == [name, metric]).unwrap_or_else(|| panic!("no row {name}, {metric} in\n{table}"))[2..]
        .to_vec()
}

#[test]
fn all_tasks_beside_the_paper() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let accuracy = |value: f64| json!({"accuracy": value});
    for (seed, score) in [(1, 0.61), (2, 0.58), (3, 0.6)] {
        write(at, &format!("artifacts/rte-{seed}"), &result("rte", accuracy(score), "pretrained", seed));
    }
    write(at, "artifacts/rte-scratch", &result("rte", accuracy(0.53), "scratch", 1));
    write(at, "artifacts/a/cola", &result("cola", json!({"matthews": 0.354}), "pretrained", 1));
    write(at, "artifacts/a/mrpc", &result("mrpc", json!({"f1": 0.8, "accuracy": 0.7}), "pretrained", 1));
    write(at, "artifacts/a/stsb", &result("stsb", json!({"pearson": 0.75, "spearman": 0.73}), "pretrained", 1));
    write(at, "artifacts/mnli", &result("mnli", accuracy(0.62), "pretrained", 1));
    write(
        at,
        "artifacts/mm",
        &with(result("mnli", accuracy(0.64), "pretrained", 1), "/split", json!("dev_mismatched")),
    );
    let mut ax = result("ax", json!({"matthews": 0.12}), "pretrained", 1);
    ax["model"] = json!("mnli-pretrained-1");
    write(at, "artifacts/ax", &ax);
    write(at, "artifacts/ax-test", &with(ax, "/split", json!("test")));
    let mut race = result("race", accuracy(0.41), "pretrained", 1);
    race["groups"] = json!({"middle": {"n": 77, "metrics": accuracy(0.5), "majority": accuracy(0.25)}, "high": {"n": 200, "metrics": accuracy(0.375), "majority": accuracy(0.26)}});
    write(at, "artifacts/race", &race);
    let found = printed(at, &[]);
    let expected = "\
| task        | metric   |  pre-trained |       scratch |      majority | GPT-1 | paper's table |
|-------------|----------|-------------:|--------------:|--------------:|------:|--------------:|
| MNLI-m      | accuracy |         62.0 |             - |          50.0 |  82.1 |             2 |
| MNLI-mm     | accuracy |         64.0 |             - |          50.0 |  81.4 |             2 |
| SNLI        | accuracy |            - |             - |             - |  89.9 |             2 |
| SciTail     | accuracy |            - |             - |             - |  88.3 |             2 |
| QNLI        | accuracy |            - |             - |             - |  88.1 |             2 |
| RTE         | accuracy |   60.0 (n=3) |          53.0 |          50.0 |  56.0 |             2 |
| Story Cloze | accuracy |            - |             - |             - |  86.5 |             3 |
| RACE-m      | accuracy |         50.0 |             - |          25.0 |  62.9 |             3 |
| RACE-h      | accuracy |         37.5 |             - |          26.0 |  57.4 |             3 |
| RACE        | accuracy |         41.0 |             - |          50.0 |  59.0 |             3 |
| CoLA        | matthews |         35.4 |             - |          50.0 |  45.4 |             4 |
| SST-2       | accuracy |            - |             - |             - |  91.3 |             4 |
| MRPC        | f1       |         80.0 |             - |          50.0 |  82.3 |             4 |
| MRPC        | accuracy |         70.0 |             - |          50.0 |     - |             - |
| STS-B       | pearson  |         75.0 |             - |          50.0 |  82.0 |             4 |
| STS-B       | spearman |         73.0 |             - |          50.0 |     - |             - |
| QQP         | f1       |            - |             - |             - |  70.3 |             4 |
| QQP         | accuracy |            - |             - |             - |     - |             - |
| WNLI        | accuracy |            - |             - |             - |     - |             - |
| AX          | matthews |         12.0 |             - |          50.0 |     - |             - |
| GLUE        | average  | 61.5 (5 of 9) | 53.0 (1 of 9) | 50.0 (5 of 9) |  72.8 |             4 |

Times 100; here on the development sets, GPT-1 by the paper on the test sets. n: runs, of which the median is given.
GLUE: the mean over its nine tasks of the mean of each task's metrics; MNLI's two sets are one task, AX is none.
GLUE, pre-trained: without SST-2, QQP, QNLI, WNLI.
GLUE, scratch: without CoLA, SST-2, MRPC, STS-B, QQP, MNLI-m, MNLI-mm, QNLI, WNLI.
";
    // RTE 60, CoLA 35.4, MRPC 75, STS-B 74, MNLI 63: their mean is 61.48.
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").replace(['-', ':'], "");
    assert_eq!(plain(&found), plain(expected), "{found}");
    let widths: std::collections::HashSet<usize> =
        found.lines().filter(|line| line.starts_with('|')).map(|line| line.chars().count()).collect();
    assert_eq!(widths.len(), 1, "{found}");

    let json: Value = serde_json::from_str(&printed(at, &["artifacts", "--json"])).unwrap();
    let rte = json["rows"].as_array().unwrap().iter().find(|row| row["name"] == "RTE").unwrap();
    assert_eq!(rte["scores"][0], json!({"median": 60.0, "values": [58.0, 60.0, 61.0]}));
    assert_eq!(rte["paper"], json!({"score": 56.0, "table": 2}));
    assert_eq!(json["glue"][1]["missing"].as_array().unwrap().len(), 9);
    let (code, stdout, stderr) = table(at, &["artifacts/a", "--out", "x/../table.md"]);
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    let (code, stdout, stderr) = table(at, &["artifacts/a", "--out", "table.md"]);
    assert_eq!((code, stdout.as_str()), (0, ""));
    assert!(stderr.contains("table.md: the scores of 3 evaluations"), "{stderr}");
    assert_eq!(row(&fs_err::read_to_string(at.join("table.md")).unwrap(), "CoLA", "matthews")[0], "35.4");
}

#[cfg(unix)]
#[test]
fn the_runners_results_count_once() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let rte = |score: f64, seed: u64| result("rte", json!({"accuracy": score}), "pretrained", seed);
    // As the runner keeps them: seed 1 with other settings that scores.json does not tell, then with these; seed 2.
    write(at, "artifacts/store/evaluate/aa", &with(rte(0.9, 1), "/model", json!("older")));
    write(at, "artifacts/store/evaluate/bb", &rte(0.6, 1));
    write(at, "artifacts/store/evaluate/cc", &rte(0.7, 2));
    write(at, "artifacts/store/evaluate/.dd.partial", &rte(0.1, 3));
    fs_err::create_dir_all(at.join("artifacts/tiny/rte")).unwrap();
    symlink("../../store/evaluate/bb", at.join("artifacts/tiny/rte/evaluate-dev")).unwrap();
    symlink("nowhere", at.join("artifacts/tiny/rte/dangling")).unwrap();
    symlink("../..", at.join("artifacts/tiny/round")).unwrap();
    let found = printed(at, &["artifacts", "artifacts/tiny", "artifacts/store"]);
    assert_eq!(row(&found, "RTE", "accuracy")[0], "65.0 (n=2)", "{found}");
    assert!(found.contains("left out: results 1 replaced since"), "{found}");
    // The folder of a single name.
    assert_eq!(row(&printed(at, &["artifacts/tiny/rte"]), "RTE", "accuracy")[0], "60.0");
    // A copy of a result is no second result.
    write(at, "copy", &rte(0.6, 1));
    assert_eq!(row(&printed(at, &["artifacts", "copy"]), "RTE", "accuracy")[0], "65.0 (n=2)");
    // Two that nothing tells apart count, and are named.
    write(at, "again", &with(rte(0.8, 1), "/model", json!("other")));
    let found = printed(at, &["copy", "again"]);
    assert_eq!(row(&found, "RTE", "accuracy")[0], "70.0 (n=2)");
    assert!(found.contains("RTE, pretrained, seed 1: 2 results that differ in what scores.json does not tell: again/scores.json, copy/scores.json"), "{found}");
}

#[test]
fn what_is_not_alike_is_not_mixed() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let rte = |score: f64, seed: u64| result("rte", json!({"accuracy": score}), "pretrained", seed);
    // Ablations and other splits are left out.
    write(at, "r/full", &rte(0.6, 1));
    for (i, (pointer, value)) in [
        ("/training/lm_coef", json!(0.0)),
        ("/training/n_layer_transferred", json!(2)),
        ("/training/architecture", json!("lstm")),
        ("/split", json!("train")),
        ("/metrics", Value::Null),
    ]
    .into_iter()
    .enumerate()
    {
        write(at, &format!("r/{i}"), &with(with(rte(0.1, 2), "/model", json!(i)), pointer, value));
    }
    // A number where a digest belongs is no result of ours.
    let found = printed(at, &["r"]);
    assert_eq!(found.matches("left out: not written by gpt1-evaluate: invalid type: integer").count(), 5, "{found}");
    for i in 0..5 {
        let path = at.join(format!("r/{i}/scores.json"));
        let text = fs_err::read_to_string(&path).unwrap();
        fs_err::write(&path, text.replace(&format!("\"model\":{i}"), &format!("\"model\":\"m{i}\""))).unwrap();
    }
    let found = printed(at, &["r"]);
    assert_eq!(row(&found, "RTE", "accuracy"), ["60.0", "50.0", "56.0", "2"]);
    assert!(found.contains("left out: results 1 without labels, 3 of ablations\n"), "{found}");
    assert!(found.contains("left out: 1 results on other splits than development sets\n"), "{found}");
    // Models of another size get a column of their own.
    write(at, "r/large", &with(with(rte(0.8, 1), "/model", json!("large")), "/shape/n_layer", json!(12)));
    let found = printed(at, &["r"]);
    assert_eq!(row(&found, "task", "metric")[..2], ["pre-trained, n_layer 12", "pre-trained, n_layer 4"], "{found}");
    assert_eq!(row(&found, "RTE", "accuracy")[..3], ["80.0", "60.0", "50.0"]);
    // Of other tasks they stand in the same columns.
    fs_err::remove_dir_all(at.join("r/large")).unwrap();
    let cola = result("cola", json!({"matthews": 0.3}), "pretrained", 1);
    write(at, "r/cola", &with(cola, "/shape/n_layer", json!(12)));
    let found = printed(at, &["r"]);
    assert_eq!((row(&found, "CoLA", "matthews")[0], row(&found, "RTE", "accuracy")[0]), ("30.0", "60.0"));
    assert!(found.contains("settings differ between rows or columns: n_layer"), "{found}");
    // Other data get a row of their own, and no part in the average.
    write(at, "r/sample", &with(with(rte(0.9, 1), "/model", json!("sample")), "/n", json!(400)));
    let found = printed(at, &["r"]);
    assert_eq!(row(&found, "RTE (277 examples)", "accuracy")[0], "60.0", "{found}");
    assert_eq!(row(&found, "RTE (400 examples)", "accuracy")[0], "90.0");
    assert_eq!(row(&found, "GLUE", "average")[0], "30.0 (1 of 9)");
    assert!(found.contains("RTE (of 2 sets of data)"), "{found}");
}

#[test]
fn what_is_no_result_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let refused = |arguments: &[&str], expected: &str| {
        let (code, stdout, stderr) = table(at, arguments);
        assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    };
    refused(&[], "error: artifacts: no such folder\n  hint:");
    fs_err::create_dir_all(at.join("artifacts")).unwrap();
    refused(&[], "error: no scores.json in artifacts\n  hint: gpt1-evaluate --task");
    refused(&["--jsno"], "unexpected argument '--jsno'");
    for (i, content) in ["", "{", "[1]", "{\"task\": \"rtf\"}", "\u{feff}{}"].iter().enumerate() {
        let at = at.join(format!("artifacts/{i}"));
        fs_err::create_dir_all(&at).unwrap();
        fs_err::write(at.join("scores.json"), content).unwrap();
    }
    let mut incomplete = result("mrpc", json!({"f1": 0.5}), "pretrained", 1);
    write(at, "artifacts/5", &incomplete);
    incomplete["split"] = json!("validation");
    write(at, "artifacts/6", &incomplete);
    fs_err::create_dir_all(at.join("artifacts/7/scores.json")).unwrap();
    let found = printed(at, &[]);
    assert_eq!(found.matches(": left out: ").count(), 7, "{found}");
    assert!(
        found.contains("artifacts/3/scores.json: left out: not written by gpt1-evaluate: there is no task `rtf`"),
        "{found}"
    );
    assert!(found.contains("artifacts/5/scores.json: left out: no number for the metric accuracy of mrpc"), "{found}");
    assert!(found.contains("artifacts/6/scores.json: left out: there is no split `validation`"), "{found}");
}
