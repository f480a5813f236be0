//! `task.json`: what makes a model directory one of a task.

use crate::FinetuneError;
use gpt1_artifacts::output::write_json;
use gpt1_model::{Config, Model};
use gpt1_tasks::{Answer, Form, Special, Target, Task};
use gpt1_tokenize::Encoder;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::Path;

const NAME: &str = "task.json";

/// The content of `task.json`. What the task determines (form, outputs, metric) stands there for readers of other programs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskFile {
    /// The task.
    pub task: Task,
    /// Id of `<s>`, first in every sequence.
    pub start: u32,
    /// Id of `$`, between two texts.
    pub delimiter: u32,
    /// Id of `<e>`, last in every sequence; the classifier reads its hidden state.
    pub extract: u32,
    /// `single`, `sum` (two sequences, representations added) or `choice` (a sequence for each alternative).
    pub form: String,
    /// Numbers of a target distribution: classes, alternatives, or STS-B's six integer scores.
    pub n_outputs: usize,
    /// The metric of the paper's tables.
    pub metric: String,
    /// How the model was trained.
    pub training: Training,
    /// The digest of the pre-trained model's directory; null from scratch.
    pub init_digest: Option<String>,
    /// The best constant answer by the training split: a label, or STS-B's mean score.
    pub majority: Value,
}

/// What tells the runs of one task apart in a table of results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// `pretrained` or `scratch`.
    pub init: String,
    /// Seed of new weights, order of examples and dropout.
    pub seed: u64,
    /// Training examples.
    pub n_train: usize,
    /// Weight of the auxiliary language-modelling loss (paper equation 5).
    pub lm_coef: f32,
    /// Blocks taken from the pre-trained model; null: all.
    pub n_layer_transferred: Option<usize>,
    /// `transformer` or `lstm`.
    pub architecture: String,
}

/// A fine-tuned model with all that it needs to read a task.
#[derive(Debug)]
pub struct TaskModel {
    /// What the model knows.
    pub file: TaskFile,
    /// The model.
    pub model: Model,
    /// Its vocabulary.
    pub encoder: Encoder,
}

impl TaskFile {
    /// The content for a model of `task` whose vocabulary has `n_vocab` entries before the three special tokens.
    pub fn new(
        task: Task,
        n_vocab: usize,
        training: Training,
        init_digest: Option<String>,
        majority: Target,
    ) -> TaskFile {
        let Special { start, delimiter, extract } = Special::after(n_vocab);
        TaskFile {
            task,
            start,
            delimiter,
            extract,
            form: form_name(task).to_owned(),
            n_outputs: task.n_outputs(),
            metric: task.metrics().first().map_or(String::new(), |metric| metric.name().to_owned()),
            training,
            init_digest,
            majority: match (task.answer(), majority) {
                (Answer::Label(labels), Target::Class(class)) => json!(labels[class]),
                (Answer::Score, Target::Score(score)) => json!(score),
                _ => Value::Null,
            },
        }
    }

    /// Reads `dir/task.json`; `None` if there is none.
    pub fn read(dir: &Path) -> Result<Option<TaskFile>, FinetuneError> {
        let path = dir.join(NAME);
        if !path.exists() {
            return Ok(None);
        }
        let file = serde_json::from_slice(&fs_err::read(&path)?).map_err(|error| FinetuneError::TaskFile {
            path,
            line: error.line(),
            column: error.column(),
            message: error.to_string(),
        })?;
        Ok(Some(file))
    }

    /// Writes `dir/task.json`.
    pub fn write(&self, dir: &Path) -> Result<(), FinetuneError> {
        Ok(write_json(&dir.join(NAME), self)?)
    }

    /// The three special tokens.
    pub fn special(&self) -> Special {
        Special { start: self.start, delimiter: self.delimiter, extract: self.extract }
    }

    /// The best constant answer; `Target::None` if it is not known.
    pub fn majority(&self) -> Target {
        match self.task.answer() {
            Answer::Label(labels) => {
                let class = labels.iter().position(|label| self.majority.as_str() == Some(label));
                class.map_or(Target::None, Target::Class)
            }
            Answer::Score => self.majority.as_f64().map_or(Target::None, |score| Target::Score(score as f32)),
        }
    }
}

impl TaskModel {
    /// Reads a fine-tuned model's directory, which must be one of `task`.
    pub fn load(dir: &Path, task: Task) -> Result<TaskModel, FinetuneError> {
        // A directory that is missing altogether is named by the reader of config.json.
        Config::read(dir)?;
        let file = TaskFile::read(dir)?.ok_or_else(|| FinetuneError::NotFineTuned { dir: dir.to_owned(), task })?;
        if file.task != task {
            return Err(FinetuneError::OtherTask { dir: dir.to_owned(), found: file.task, asked: task });
        }
        let model = Model::load(dir)?;
        let encoder = Encoder::from_dir(dir)?;
        let n_vocab = encoder.n_vocab();
        if model.config.vocab_size != n_vocab + 3 {
            return Err(FinetuneError::VocabularySize {
                model: dir.to_owned(),
                vocab_size: model.config.vocab_size,
                expected: n_vocab + 3,
                tokenizer: dir.to_owned(),
                n_vocab,
            });
        }
        let expected = TaskFile::new(task, n_vocab, file.training.clone(), None, Target::None);
        let classes = |n: Option<usize>| n.map_or("absent".to_owned(), |n| n.to_string());
        let differences = [
            ("special tokens", format!("{:?}", file.special()), format!("{:?}", expected.special())),
            ("n_outputs", file.n_outputs.to_string(), expected.n_outputs.to_string()),
            ("the classifier's size", classes(model.n_classes()), classes(Some(task.n_classes()))),
        ];
        for (what, found, expected) in differences {
            if found != expected {
                return Err(FinetuneError::DoesNotFit { dir: dir.to_owned(), task, what, found, expected });
            }
        }
        Ok(TaskModel { file, model, encoder })
    }
}

fn form_name(task: Task) -> &'static str {
    match task.form() {
        Form::Single => "single",
        Form::Sum => "sum",
        Form::Choice(_) => "choice",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let dir = tempfile::tempdir().unwrap();
        let cases = [("rte", Target::Class(1)), ("stsb", Target::Score(2.7)), ("race", Target::Class(2))];
        for (name, majority) in cases {
            let training = Training {
                init: "pretrained".to_owned(),
                seed: 1,
                n_train: 9,
                lm_coef: 0.5,
                n_layer_transferred: Some(2),
                architecture: "transformer".to_owned(),
            };
            let file = TaskFile::new(name.parse().unwrap(), 50, training, Some("ab".to_owned()), majority);
            file.write(dir.path()).unwrap();
            let read = TaskFile::read(dir.path()).unwrap().unwrap();
            assert_eq!(read.special(), Special::after(50));
            assert_eq!(read.majority(), majority);
            assert_eq!(read, file);
        }
    }

    #[test]
    fn damaged_files_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(TaskFile::read(dir.path()).unwrap(), None);
        for (text, expected) in
            [("{", "task.json:1:1"), ("{\"task\": \"rtf\"}", "rtf"), ("{\"task\":\"rte\"}", "start")]
        {
            fs_err::write(dir.path().join(NAME), text).unwrap();
            let error = TaskFile::read(dir.path()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
