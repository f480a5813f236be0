//! Small tasks in the official formats whose answer is one word, a vocabulary for them, and runs of the stage.
#![allow(dead_code, reason = "each test program uses a part")]

use gpt1_artifacts::preset::Preset;
use gpt1_finetune::{Ended, Finetuned, Init, Options};
use gpt1_tokenize::{Encoder, Vocabulary, learn};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Words that say nothing.
const FILLER: [&str; 12] = ["anna", "bob", "walks", "to", "the", "old", "mill", "and", "sees", "a", "grey", "boat"];
/// Words that say the answer: of class 0 and 1.
const CUES: [&str; 2] = ["gloomy", "bright"];

/// Filler words, in an order that `i` determines.
fn words(i: usize, n: usize) -> Vec<&'static str> {
    (0..n).map(|j| FILLER[(i * 7 + j * (i % 5 + 1) + j * j) % FILLER.len()]).collect()
}

/// A sentence of a few words with the cue of `class` in it.
fn sentence(i: usize, class: usize) -> String {
    let mut words = words(i, 3 + i % 4);
    let at = i / 2 % (words.len() + 1);
    words.insert(at, CUES[class]);
    words.join(" ")
}

fn filler(i: usize) -> String {
    words(i + 3, 2 + i % 5).join(" ")
}

/// 0 or 1, without a visible pattern.
fn class(i: usize) -> usize {
    (i * i + i / 3) % 7 % 2
}

/// Writes SST-2, RTE, MRPC, STS-B and Story Cloze with `n` training examples each; test splits of SST-2 and RTE without
/// labels.
pub fn write_data(data: &Path, n: usize) {
    for name in ["SST-2", "RTE", "MRPC", "STS-B", "StoryCloze"] {
        fs_err::create_dir_all(data.join(name)).unwrap();
    }
    for (split, range) in [("train", 0..n), ("dev", 1000..1080), ("test", 2000..2020)] {
        let labelled = split != "test";
        let mut sst2 = String::from(if labelled { "sentence\tlabel\n" } else { "index\tsentence\n" });
        let mut rte = String::from(if labelled {
            "index\tsentence1\tsentence2\tlabel\n"
        } else {
            "index\tsentence1\tsentence2\n"
        });
        let mut mrpc = String::from("Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n");
        let mut stsb =
            String::from("index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n");
        for (row, i) in range.enumerate() {
            let (c, text, other) = (class(i), sentence(i, class(i)), filler(i));
            if labelled {
                writeln!(sst2, "{text} \t{c}").unwrap();
                writeln!(rte, "{row}\t{other}\t{text}\t{}", ["not_entailment", "entailment"][c]).unwrap();
                writeln!(mrpc, "{c}\t1\t2\t{text}\t{other}").unwrap();
                let score = [0.5, 4.25][c] + 0.5 * (i % 2) as f64;
                writeln!(stsb, "{row}\tg\tf\t2012\t1\ts\ts\t{other}\t{text}\t{score:.3}").unwrap();
            } else {
                writeln!(sst2, "{row}\t{text}").unwrap();
                writeln!(rte, "{row}\t{other}\t{text}").unwrap();
            }
        }
        fs_err::write(data.join(format!("SST-2/{split}.tsv")), sst2).unwrap();
        fs_err::write(data.join(format!("RTE/{split}.tsv")), rte).unwrap();
        if labelled {
            fs_err::write(data.join(format!("MRPC/{split}.tsv")), mrpc).unwrap();
            fs_err::write(data.join(format!("STS-B/{split}.tsv")), stsb).unwrap();
        }
    }
    let mut stories = String::from(
        "InputStoryid,InputSentence1,InputSentence2,InputSentence3,InputSentence4,RandomFifthSentenceQuiz1,RandomFifthSentenceQuiz2,AnswerRightEnding\n",
    );
    // The reader makes a fifth of it the development set.
    for i in 0..n + n / 4 {
        let right = class(i);
        let endings = [sentence(i, usize::from(right == 0)), sentence(i + 1, usize::from(right == 1))];
        let story: Vec<String> = (0..4).map(|j| filler(i * 4 + j)).collect();
        writeln!(stories, "s{i},{},\"{}\",{},{}", story.join(","), endings[0], endings[1], right + 1).unwrap();
    }
    fs_err::write(data.join("StoryCloze/cloze_test_val__spring2016 - cloze_test_ALL_val.csv"), stories).unwrap();
}

/// A vocabulary of whole words.
pub fn write_tokenizer(dir: &Path) {
    let words: Vec<_> = FILLER.iter().chain(&CUES).map(|word| ((*word).into(), 5)).collect();
    let alphabet = learn::alphabet(&words, learn::MAX_CHARACTERS);
    let merges = learn::learn(&words, &alphabet, 200, 2, |_| {});
    fs_err::create_dir_all(dir).unwrap();
    Encoder::new(Vocabulary::from_learned(&alphabet, &merges).unwrap()).copy_files_to(dir).unwrap();
}

/// Overrides that make the preset `tiny` a model for these tests.
pub fn sets(more: &[&str]) -> Vec<String> {
    let small = [
        "model.n_layer=2",
        "model.n_head=2",
        "model.n_embd=32",
        "model.n_ctx=40",
        // So small a model needs larger weights to learn in a few dozen updates.
        "model.initializer_range=0.1",
        "finetune.learning_rate=0.003",
        "finetune.batch_size=16",
        "finetune.n_epochs=4",
        "finetune.log_interval=1",
    ];
    small.iter().chain(more).map(|set| (*set).to_owned()).collect()
}

/// Where everything lies in a fresh folder.
pub struct Place {
    pub root: tempfile::TempDir,
    pub data: PathBuf,
    pub tokenizer: PathBuf,
}

impl Place {
    /// A fresh folder with `n` training examples a task.
    pub fn new(n: usize) -> Place {
        let root = tempfile::tempdir().unwrap();
        let (data, tokenizer) = (root.path().join("data"), root.path().join("tokenizer"));
        write_data(&data, n);
        write_tokenizer(&tokenizer);
        Place { root, data, tokenizer }
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Options of a run from scratch.
    pub fn options(&self, task: &str, out: &str, more: &[&str]) -> Options {
        gpt1_kernels::start(None).unwrap();
        Options {
            preset: Preset::load("tiny", &sets(more)).unwrap(),
            task: task.parse().unwrap(),
            init: Init::Scratch,
            tokenizer: Some(self.tokenizer.clone()),
            data: self.data.clone(),
            out: self.join(out),
            n_threads: 2,
        }
    }
}

/// Runs the stage to its end.
pub fn finish(options: &Options) -> Finetuned {
    match gpt1_finetune::run(options).unwrap() {
        Ended::Finished(done) => done,
        Ended::Interrupted { signal } => panic!("interrupted by signal {signal}"),
    }
}

/// The lines of metrics.jsonl that hold `key`, and its values.
pub fn metric(out: &Path, key: &str) -> Vec<f64> {
    let text = fs_err::read_to_string(out.join("metrics.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.filter_map(|line| line.get(key)?.as_f64()).collect()
}
