//! Story Cloze (Mostafazadeh et al. 2016): which of two sentences ends the story of four? Quoted CSV with the columns
//! InputStoryid, InputSentence1 to 4, RandomFifthSentenceQuiz1 and 2, AnswerRightEnding (1 or 2).
//!
//! There is no labelled training set. As in the released code, the validation file is split into train (1,497 stories) and
//! dev (374), and the test file is the test set. The split is that of the released code to the story and to the order:
//! scikit-learn's `train_test_split` with the seed 3535999445; files of another size are split 80 : 20 in the same way.

use crate::files::{Place, read_text};
use crate::task::Definition;
use crate::{Answer, Dataset, Example, Kind, Metric, Paper, Split, Target, TaskError, csv, numpy};

pub(super) static TASK: Definition = Definition {
    name: "storycloze",
    title: "StoryCloze",
    folders: &["storycloze", "rocstories"],
    kind: Kind::MultipleChoice,
    answer: Answer::Label(&["1", "2"]),
    metrics: &[Metric::Accuracy],
    submission: "StoryCloze.csv",
    submission_mismatched: None,
    trained_on: None,
    groups: &[],
    paper: &[Paper::new("Story Cloze", 86.5, 3)],
    source: "the files are sent on request: https://cs.rochester.edu/nlp/rocstories/; put the two of spring 2016 there",
    read,
};

/// The seed of the released code (datasets.py).
const SEED: u32 = 3_535_999_445;

/// The official files have some 0.6 MB.
const MAX_FILE: u64 = 64 << 20;

const COLUMNS: [&str; 8] = [
    "InputStoryid",
    "InputSentence1",
    "InputSentence2",
    "InputSentence3",
    "InputSentence4",
    "RandomFifthSentenceQuiz1",
    "RandomFifthSentenceQuiz2",
    "AnswerRightEnding",
];

fn read(place: &Place) -> Result<Dataset, TaskError> {
    let path = place.find(&[if place.split.is_test() {
        "cloze_test_test__spring2016 - cloze_test_ALL_test.csv"
    } else {
        "cloze_test_val__spring2016 - cloze_test_ALL_val.csv"
    }])?;
    let records = csv::parse(&path, &read_text(&path, MAX_FILE)?)?;
    let mut dataset = Dataset::new(place, vec![path.clone()]);
    let Some((header, rows)) = records.split_first() else { return Ok(dataset) };

    let mut at = [0; 8];
    let mut labelled = true;
    for (place_of, name) in at.iter_mut().zip(COLUMNS) {
        match header.fields.iter().position(|field| field.trim() == name) {
            Some(found) => *place_of = found,
            None if place.split.is_test() && name == COLUMNS[7] => labelled = false,
            None => {
                return Err(TaskError::Column {
                    path,
                    missing: name.to_owned(),
                    expected: COLUMNS.join(", "),
                    found: header.fields.join(", ").chars().take(200).collect(),
                });
            }
        }
    }
    for row in rows {
        if row.fields.len() != header.fields.len() {
            let (found, expected) = (row.fields.len(), header.fields.len());
            return Err(TaskError::Row { path, line: row.line, found, expected, columns: header.fields.join(", ") });
        }
        let [id, sentence1, sentence2, sentence3, sentence4, ending1, ending2, answer] =
            at.map(|i| row.fields[i].trim());
        let target = if labelled { place.target(&path, row.line, answer)? } else { Target::None };
        let context = [sentence1, sentence2, sentence3, sentence4].join(" ");
        let texts = vec![context, ending1.to_owned(), ending2.to_owned()];
        dataset.examples.push(Example { id: id.to_owned(), texts, target });
    }
    if !place.split.is_test() {
        keep_part(&mut dataset);
    }
    Ok(dataset)
}

/// Leaves the training or the development part of the validation file, in the order of the permutation.
fn keep_part(dataset: &mut Dataset) {
    let n = dataset.examples.len();
    let order = numpy::permutation(n, SEED);
    let (dev, train) = order.split_at(n / 5);
    let part = if dataset.split == Split::Dev { dev } else { train };
    let mut examples: Vec<Option<Example>> = dataset.examples.drain(..).map(Some).collect();
    dataset.examples = part.iter().filter_map(|&i| examples[i].take()).collect();
}
