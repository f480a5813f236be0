//! Metrics against scikit-learn and SciPy, Story Cloze's split against scikit-learn: ../../tests/golden/metrics.

use std::fmt::Write as _;
use std::path::Path;

use gpt1_tasks::{Split, metrics};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::samples::{read_split, write};

#[derive(Deserialize)]
struct Golden {
    classes: Vec<Classes>,
    numbers: Vec<Numbers>,
}

#[derive(Deserialize)]
struct Classes {
    name: String,
    predictions: Vec<usize>,
    targets: Vec<usize>,
    accuracy: f64,
    /// Absent with more than two classes.
    f1: Option<f64>,
    matthews: f64,
}

#[derive(Deserialize)]
struct Numbers {
    name: String,
    x: Vec<f64>,
    y: Vec<f64>,
    /// Absent where SciPy gives NaN, which is 0 here.
    pearson: Option<f64>,
    spearman: Option<f64>,
}

#[derive(Deserialize)]
struct StoryClozeSplit {
    train: Vec<usize>,
    dev: Vec<usize>,
}

fn golden<T: DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/metrics").join(name);
    serde_json::from_str(&fs_err::read_to_string(path).unwrap()).unwrap()
}

#[track_caller]
fn close(name: &str, metric: &str, found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-12, "{name}: {metric} is {found}, scikit-learn or SciPy say {expected}");
}

#[test]
fn metrics_agree_with_scikit_learn_and_scipy() {
    let golden: Golden = golden("metrics.json");
    assert!(golden.classes.len() + golden.numbers.len() >= 40);
    for case in &golden.classes {
        let (p, t) = (&case.predictions, &case.targets);
        close(&case.name, "accuracy", metrics::accuracy(p, t), case.accuracy);
        close(&case.name, "matthews", metrics::matthews(p, t), case.matthews);
        if let Some(f1) = case.f1 {
            close(&case.name, "f1", metrics::f1(p, t), f1);
        }
    }
    for case in &golden.numbers {
        close(&case.name, "pearson", metrics::pearson(&case.x, &case.y), case.pearson.unwrap_or(0.0));
        close(&case.name, "spearman", metrics::spearman(&case.x, &case.y), case.spearman.unwrap_or(0.0));
    }
}

#[test]
fn storycloze_is_split_as_by_the_released_code() {
    let golden: StoryClozeSplit = golden("storycloze_split.json");
    let mut csv = "InputStoryid,InputSentence1,InputSentence2,InputSentence3,InputSentence4,RandomFifthSentenceQuiz1,\
                   RandomFifthSentenceQuiz2,AnswerRightEnding\n"
        .to_owned();
    for i in 0..1871 {
        writeln!(csv, "{i},a,b,c,d,e,f,1").unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "cloze_test_val__spring2016 - cloze_test_ALL_val.csv", csv.as_bytes());
    for (split, expected) in [(Split::Train, golden.train), (Split::Dev, golden.dev)] {
        let dataset = read_split("storycloze", folder.path(), split).unwrap();
        let ids: Vec<usize> = dataset.examples.iter().map(|example| example.id.parse().unwrap()).collect();
        assert_eq!(ids, expected, "{split}");
    }
}
