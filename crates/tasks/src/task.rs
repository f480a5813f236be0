//! What a task is, and what reading one gives.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::TaskError;
use crate::files::Place;
use crate::metrics::Metric;
use crate::paper::Paper;
use crate::tasks::ALL;

/// One of the tasks; parsed from and written as its name on the command line (`rte`).
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Task(pub(crate) &'static Definition);

/// Everything that makes a task; each file in `src/tasks/` holds one.
pub(crate) struct Definition {
    /// Name on the command line.
    pub name: &'static str,
    /// Name in the paper's and the benchmark's tables; also the name of the official folder.
    pub title: &'static str,
    /// Names of its folder, compared in lower case without punctuation.
    pub folders: &'static [&'static str],
    pub kind: Kind,
    pub answer: Answer,
    /// The first is the one that the paper's tables report.
    pub metrics: &'static [Metric],
    /// Name of the submission file.
    pub submission: &'static str,
    /// Name of the submission file of the mismatched sets, if the task has such.
    pub submission_mismatched: Option<&'static str>,
    /// The task whose model is scored on this one, which has no training set (AX).
    pub trained_on: Option<&'static Definition>,
    /// The parts that are scored by themselves too; an example's id begins with the name of its part and `/`.
    pub groups: &'static [&'static str],
    /// What the paper reports.
    pub paper: &'static [Paper],
    /// Where the data is had, for the error when it is not there.
    pub source: &'static str,
    pub read: fn(&Place) -> Result<Dataset, TaskError>,
}

/// The four input transformations of section 3.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One text: `[start; text; extract]`.
    Classification,
    /// Premise and hypothesis: `[start; premise; $; hypothesis; extract]`.
    Entailment,
    /// Two texts without inherent order: both orders.
    Similarity,
    /// A context and alternatives: one sequence for each alternative.
    MultipleChoice,
}

/// What is asked of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// One of these labels, spelt as in the official files; class `i` is the `i`-th. For multiple choice the labels
    /// name the alternatives.
    Label(&'static [&'static str]),
    /// A score from 0 to 5 (STS-B).
    Score,
}

/// Which part of a task's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// The training set.
    Train,
    /// The development set; for MNLI the matched one.
    Dev,
    /// The test set, usually unlabelled; for MNLI the matched one.
    Test,
    /// MNLI's development set of other genres than the training set's.
    DevMismatched,
    /// MNLI's test set of other genres than the training set's.
    TestMismatched,
}

/// The answer to an example, known or predicted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// Not known (unlabelled test sets).
    None,
    /// Index into [`Answer::Label`].
    Class(usize),
    /// A score from 0 to 5.
    Score(f32),
}

/// One example of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The benchmark's index or id; the number of the row, from 0, in files without one.
    pub id: String,
    /// Classification: the text. Entailment: premise, hypothesis. Similarity: the two texts. Multiple choice: the
    /// parts of the context (Story Cloze one, RACE article and question), then the alternatives. Trimmed of whitespace
    /// at both ends, otherwise as in the file.
    pub texts: Vec<String>,
    /// The label.
    pub target: Target,
}

/// A split of a task.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Whose.
    pub task: Task,
    /// Which part.
    pub split: Split,
    /// In the order of the files (Story Cloze's train and dev: of the permutation).
    pub examples: Vec<Example>,
    /// How many rows of the files are not in `examples`: no gold label, or a row known to be broken.
    pub dropped: usize,
    /// What the user should know of the reading, a line each (why rows were dropped).
    pub notes: Vec<String>,
    /// The files read; for RACE its folders.
    pub files: Vec<PathBuf>,
}

/// Reads a split of a task. `data_dir` holds the tasks' official folders (`RTE`, `rte` ...), or a folder `glue` with
/// them inside, or is the task's folder itself.
///
/// # Errors
/// A file that is not there (the paths looked for, how to get it), or not in the official format (file, line, what was
/// expected and found).
pub fn read(task: Task, data_dir: &Path, split: Split) -> Result<Dataset, TaskError> {
    if split.is_mismatched() && task.0.submission_mismatched.is_none() {
        return Err(TaskError::NoSuchSplit { task: task.title(), split });
    }
    if split == Split::Train && task.trained_on() != task {
        return Err(TaskError::NoTrainingSet { task, trained_on: task.trained_on() });
    }
    let dataset = (task.0.read)(&Place { task, data_dir, split })?;
    if dataset.examples.is_empty() {
        return Err(TaskError::Empty { path: dataset.files.into_iter().next().unwrap_or_default(), split });
    }
    let files: Vec<String> = dataset.files.iter().map(|file| file.display().to_string()).collect();
    log::info!("{} {split}: {} examples from {}", task.title(), dataset.examples.len(), files.join(", "));
    Ok(dataset)
}

impl Task {
    /// All tasks, in the order of the paper's tables.
    pub fn all() -> &'static [Task] {
        ALL
    }

    /// Name on the command line: `rte`.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// Name in the paper's tables: `RTE`.
    pub fn title(self) -> &'static str {
        self.0.title
    }

    /// Which input transformation.
    pub fn kind(self) -> Kind {
        self.0.kind
    }

    /// Labels or a score.
    pub fn answer(self) -> Answer {
        self.0.answer
    }

    /// The metrics reported; the first is the one of the paper's tables.
    pub fn metrics(self) -> &'static [Metric] {
        self.0.metrics
    }

    /// The task on which models are trained that are scored on this one: itself, but MNLI for AX, which has no training set.
    #[must_use]
    pub fn trained_on(self) -> Task {
        self.0.trained_on.map_or(self, Task)
    }

    /// Names of the parts that are scored by themselves too: RACE's middle and high school.
    pub fn groups(self) -> &'static [&'static str] {
        self.0.groups
    }

    /// What the paper reports of GPT-1 on this task; nothing on WNLI and AX.
    pub fn paper(self) -> &'static [Paper] {
        self.0.paper
    }

    /// The names of all tasks, with spaces between them, for help texts.
    pub fn names() -> String {
        ALL.iter().map(|task| task.name()).collect::<Vec<_>>().join(" ")
    }

    /// The labels, class by class; none for a score.
    pub fn labels(self) -> &'static [&'static str] {
        match self.0.answer {
            Answer::Label(labels) => labels,
            Answer::Score => &[],
        }
    }
}

impl FromStr for Task {
    type Err = TaskError;

    fn from_str(name: &str) -> Result<Self, TaskError> {
        ALL.iter().copied().find(|task| task.name() == name).ok_or_else(|| {
            let known: Vec<&str> = ALL.iter().map(|task| task.name()).collect();
            TaskError::UnknownTask { name: name.to_owned(), known: known.join(", ") }
        })
    }
}

impl TryFrom<String> for Task {
    type Error = TaskError;

    fn try_from(name: String) -> Result<Self, TaskError> {
        name.parse()
    }
}

impl From<Task> for String {
    fn from(task: Task) -> String {
        task.name().to_owned()
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Task({})", self.name())
    }
}

impl PartialEq for Task {
    fn eq(&self, other: &Task) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Task {}

impl Split {
    /// `train`, `dev`, `test`, `dev_mismatched` or `test_mismatched`.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Dev => "dev",
            Split::Test => "test",
            Split::DevMismatched => "dev_mismatched",
            Split::TestMismatched => "test_mismatched",
        }
    }

    /// Whether labels may be absent.
    pub fn is_test(self) -> bool {
        matches!(self, Split::Test | Split::TestMismatched)
    }

    /// Whether only MNLI has it.
    pub fn is_mismatched(self) -> bool {
        matches!(self, Split::DevMismatched | Split::TestMismatched)
    }
}

impl FromStr for Split {
    type Err = TaskError;

    fn from_str(name: &str) -> Result<Self, TaskError> {
        match name {
            "train" => Ok(Split::Train),
            "dev" | "dev_matched" => Ok(Split::Dev),
            "test" | "test_matched" => Ok(Split::Test),
            "dev_mismatched" => Ok(Split::DevMismatched),
            "test_mismatched" => Ok(Split::TestMismatched),
            _ => Err(TaskError::UnknownSplit { name: name.to_owned() }),
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Dataset {
    /// The empty split, to be filled by a task's reader.
    pub(crate) fn new(place: &Place, files: Vec<PathBuf>) -> Dataset {
        Dataset { task: place.task, split: place.split, examples: Vec::new(), dropped: 0, notes: Vec::new(), files }
    }

    /// Counts and notes rows of the file that had no gold label.
    pub(crate) fn drop_unlabelled(&mut self, n: usize) {
        if n > 0 {
            self.dropped += n;
            let path = self.files.first().map_or(String::new(), |path| path.display().to_string());
            self.notes.push(format!("{path}: dropped {n} pairs without a gold label"));
        }
    }
}
