//! RACE (Lai et al. 2017): English examinations of Chinese middle and high schools; which of four answers to a question about
//! an article is right? A JSON file for each article, `RACE/{train,dev,test}/{middle,high}/N.txt`: article, questions,
//! options (four a question), answers (`A` to `D`), id. An example's id is `middle/N.txt:0`, the question counted from 0.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::files::{Place, read_text};
use crate::jsonl::json_error;
use crate::task::Definition;
use crate::{Answer, Dataset, Example, Kind, Metric, Paper, TaskError};

pub(super) static TASK: Definition = Definition {
    name: "race",
    title: "RACE",
    folders: &["race"],
    kind: Kind::MultipleChoice,
    answer: Answer::Label(&["A", "B", "C", "D"]),
    metrics: &[Metric::Accuracy],
    submission: "RACE.tsv",
    submission_mismatched: None,
    trained_on: None,
    groups: &["middle", "high"],
    paper: &[
        Paper { group: Some("middle"), ..Paper::new("RACE-m", 62.9, 3) },
        Paper { group: Some("high"), ..Paper::new("RACE-h", 57.4, 3) },
        Paper::new("RACE", 59.0, 3),
    ],
    source: "unpack http://www.cs.cmu.edu/~glai1/data/race/RACE.tar.gz there",
    read,
};

/// The longest official article has some 10 KB.
const MAX_FILE: u64 = 16 << 20;

#[derive(Deserialize)]
struct Article {
    #[serde(rename = "article")]
    text: String,
    questions: Vec<String>,
    options: Vec<Vec<String>>,
    answers: Vec<String>,
}

fn read(place: &Place) -> Result<Dataset, TaskError> {
    let names = ["middle", "high"].map(|school| format!("{}/{school}", place.split));
    let mut dataset = Dataset::new(place, Vec::new());
    for (school, name) in ["middle", "high"].into_iter().zip(&names) {
        if let Some(folder) = place.try_find(&[name])? {
            for path in articles(&folder)? {
                read_article(place, school, &path, &mut dataset)?;
            }
            dataset.files.push(folder);
        }
    }
    match dataset.files.len() {
        0 => return Err(place.missing(&names.each_ref().map(String::as_str))),
        1 => dataset.notes.push(format!("{}: read without the other school", dataset.files[0].display())),
        _ => {}
    }
    Ok(dataset)
}

/// The folder's .txt files, by number.
fn articles(folder: &Path) -> Result<Vec<PathBuf>, TaskError> {
    let mut paths = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        // A Mac leaves files like ._10.txt in what it unpacks.
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && path.extension().is_some_and(|extension| extension == "txt") {
            paths.push(path);
        }
    }
    let number = |path: &PathBuf| path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
    paths.sort_by(|a, b| number(a).cmp(&number(b)).then_with(|| a.cmp(b)));
    Ok(paths)
}

fn read_article(place: &Place, school: &str, path: &Path, dataset: &mut Dataset) -> Result<(), TaskError> {
    let json = read_text(path, MAX_FILE)?;
    let Article { text: article, questions, options, answers } =
        serde_json::from_str(&json).map_err(|error| json_error(path.to_path_buf(), 1, &error))?;
    let wrong = |question, message| TaskError::Question { path: path.to_path_buf(), question, message };
    if options.len() != questions.len() || answers.len() != questions.len() {
        let question = questions.len().min(options.len()).min(answers.len()) + 1;
        let (questions, options, answers) = (questions.len(), options.len(), answers.len());
        let message = format!("{questions} questions, but {options} lists of options and {answers} answers");
        return Err(wrong(question, message));
    }
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    for (i, ((question, options), answer)) in questions.iter().zip(options).zip(&answers).enumerate() {
        if options.len() != place.task.n_outputs() {
            return Err(wrong(i + 1, format!("{} options, expected {}", options.len(), place.task.n_outputs())));
        }
        let Some(target) = place.task.parse_label(answer.trim()) else {
            let answer: String = answer.chars().take(80).collect();
            return Err(wrong(i + 1, format!("answer `{answer}` is not one of {}", place.task.allowed_labels())));
        };
        let texts = [&article, question].into_iter().chain(&options).map(|text| text.trim().to_owned()).collect();
        dataset.examples.push(Example { id: format!("{school}/{file}:{i}"), texts, target });
    }
    Ok(())
}
