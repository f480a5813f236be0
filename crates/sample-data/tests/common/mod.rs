//! Reads generated task files back, independently of the code that wrote them.

#![allow(dead_code)] // each test file uses its part

use gpt1_sample_data::files;
use std::collections::BTreeMap;

/// The files of a seed by path.
pub fn generated(seed: u64) -> BTreeMap<String, String> {
    files(seed).into_iter().map(|file| (file.path, file.content)).collect()
}

/// Two texts and a label.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    pub one: String,
    pub two: String,
    pub label: String,
}

/// The rows of a TSV file without its header line.
pub fn rows(content: &str, header: bool) -> Vec<Vec<&str>> {
    content.lines().skip(usize::from(header)).map(|line| line.split('\t').collect()).collect()
}

fn tsv(content: &str, header: bool, one: usize, two: Option<usize>, label: usize) -> Vec<Example> {
    let example = |row: Vec<&str>| Example {
        one: row[one].to_owned(),
        two: two.map_or(String::new(), |two| row[two].to_owned()),
        label: row[label].to_owned(),
    };
    rows(content, header).into_iter().map(example).collect()
}

/// The labelled tasks of one or two texts, as (name, train, dev).
pub fn labelled(files: &BTreeMap<String, String>) -> Vec<(&'static str, Vec<Example>, Vec<Example>)> {
    let of = |path: &str| files.get(&format!("tasks/{path}")).unwrap_or_else(|| panic!("no file {path}")).as_str();
    let glue = |name, folder: &str, dev: &str, header, one, two, label| {
        let read = |split: &str| tsv(of(&format!("{folder}/{split}.tsv")), header, one, two, label);
        (name, read("train"), read(dev))
    };
    let mnli = |name, dev: &str| {
        let read = |split: &str, label| tsv(of(&format!("MNLI/{split}.tsv")), true, 8, Some(9), label);
        (name, read("train", 11), read(dev, 15))
    };
    let snli = |split: &str| -> Vec<Example> {
        let example = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line).expect("a JSON line");
            let text = |key: &str| value[key].as_str().expect("a text").to_owned();
            Example { one: text("sentence1"), two: text("sentence2"), label: text("gold_label") }
        };
        of(&format!("SNLI/snli_1.0_{split}.jsonl")).lines().map(example).collect()
    };
    let scitail = |split: &str| tsv(of(&format!("SciTail/tsv_format/scitail_1.0_{split}.tsv")), false, 0, Some(1), 2);
    // Whether the first candidate is the right one.
    let dpr = |split: &str| -> Vec<Example> {
        let example = |record: &str| {
            let lines: Vec<&str> = record.lines().collect();
            let (first, _) = lines[2].split_once(',').expect("two candidates");
            let two = format!("{} {}", lines[1], lines[2]);
            Example { one: lines[0].to_owned(), two, label: (lines[3] == first).to_string() }
        };
        of(&format!("Winograd/{split}.c.txt")).split_terminator("\n\n").map(example).collect()
    };
    vec![
        ("DPR", dpr("train"), dpr("test")),
        glue("CoLA", "CoLA", "dev", false, 3, None, 1),
        glue("SST-2", "SST-2", "dev", true, 0, None, 1),
        glue("MRPC", "MRPC", "dev", true, 3, Some(4), 0),
        glue("STS-B", "STS-B", "dev", true, 7, Some(8), 9),
        glue("QQP", "QQP", "dev", true, 3, Some(4), 5),
        mnli("MNLI", "dev_matched"),
        mnli("MNLI mismatched", "dev_mismatched"),
        glue("QNLI", "QNLI", "dev", true, 1, Some(2), 3),
        glue("RTE", "RTE", "dev", true, 1, Some(2), 3),
        glue("WNLI", "WNLI", "dev", true, 1, Some(2), 3),
        ("SNLI", snli("train"), snli("dev")),
        ("SciTail", scitail("train"), scitail("dev")),
    ]
}

/// Small letters, punctuation set apart.
pub fn words(text: &str) -> Vec<String> {
    let mut spaced = String::new();
    for c in text.to_lowercase().chars() {
        if c.is_alphanumeric() || c.is_whitespace() {
            spaced.push(c);
        } else {
            spaced.extend([' ', c, ' ']);
        }
    }
    spaced.split_whitespace().map(str::to_owned).collect()
}
