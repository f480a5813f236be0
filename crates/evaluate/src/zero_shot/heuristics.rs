//! The heuristics (paper section 5): what is asked of the model for an example, and what its answers mean.
//!
//! | | asked | predicted |
//! |---|---|---|
//! | CoLA | the sentence | acceptable if its mean ln p is above a threshold, the best for the training set |
//! | SST-2 | `positive`, `negative` after the text and "very" | the likelier word |
//! | RACE | each answer after document and question | the answer with the highest mean ln p |
//! | DPRD, WSC | what follows the pronoun, after what precedes it and a candidate in its place | the candidate with the higher mean |
//!
//! GPT-1 has no start token: what stands at the beginning is asked after a full stop. Texts are encoded apart and laid end
//! to end, so that the tokens that are judged are the same for both candidates.

use super::likelihood::{Likelihood, Question, likelihoods};
use anyhow::{Context, bail, ensure};
use gpt1_model::Model;
use gpt1_tasks::winograd::{Schemas, read_dpr, read_wsc};
use gpt1_tasks::{Dataset, Metric, Split, Target, metrics, read};
use gpt1_tokenize::Encoder;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What comes after a text of SST-2, before the word that is asked for.
const CUE: &str = "very";

/// A task with its heuristic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Heuristic {
    /// Is this a sentence?
    Cola,
    /// Is this review good?
    Sst2,
    /// Which answer is right?
    Race,
    /// Whom does the pronoun mean? The schemas of Rahman and Ng (2012).
    Dprd,
    /// The same of the Winograd schema challenge; not in the paper.
    Wsc,
}

impl Heuristic {
    /// All, those of the paper first.
    pub const ALL: [Heuristic; 5] =
        [Heuristic::Cola, Heuristic::Sst2, Heuristic::Race, Heuristic::Dprd, Heuristic::Wsc];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Heuristic::Cola => "cola",
            Heuristic::Sst2 => "sst2",
            Heuristic::Race => "race",
            Heuristic::Dprd => "dprd",
            Heuristic::Wsc => "wsc",
        }
    }

    /// The name in the paper's figure.
    pub fn title(self) -> &'static str {
        match self {
            Heuristic::Cola => "CoLA",
            Heuristic::Sst2 => "SST-2",
            Heuristic::Race => "RACE",
            Heuristic::Dprd => "DPRD",
            Heuristic::Wsc => "WSC",
        }
    }

    /// What a score is.
    pub fn metric(self) -> Metric {
        if self == Heuristic::Cola { Metric::Matthews } else { Metric::Accuracy }
    }

    /// What random guesses reach: 0 in the figure.
    pub fn random(self) -> f64 {
        match self {
            Heuristic::Cola => 0.0,
            Heuristic::Race => 0.25,
            Heuristic::Sst2 | Heuristic::Dprd | Heuristic::Wsc => 0.5,
        }
    }

    /// The best before the paper: 1 in the figure. CoLA: BiLSTM, ELMo and attention, table 4. SST-2: byte mLSTM, table 4. RACE:
    /// BiAttention MRU, table 3 (nine models together; the paper has no number of one). DPRD: Peng, Khashabi and Roth (2015).
    pub fn sota(self) -> Option<f64> {
        match self {
            Heuristic::Cola => Some(0.350),
            Heuristic::Sst2 => Some(0.932),
            Heuristic::Race => Some(0.533),
            Heuristic::Dprd => Some(0.764),
            Heuristic::Wsc => None,
        }
    }

    /// Reads a split, at most its first `max_examples`, and encodes what is asked.
    ///
    /// # Errors
    /// Files that are missing or wrong, examples without a label.
    pub(super) fn read(
        self,
        data: &Path,
        split: Split,
        encoder: &Encoder,
        words: &Words,
        max_examples: usize,
    ) -> anyhow::Result<Asked> {
        let stop = encoder.encode(".");
        match self {
            Heuristic::Dprd | Heuristic::Wsc => {
                let mut schemas = match (self, split) {
                    (Heuristic::Wsc, _) => read_wsc(data)?,
                    (_, Split::Train) => read_dpr(data, Split::Train)?,
                    _ => read_dpr(data, Split::Test)?,
                };
                schemas.schemas.truncate(max_examples);
                Ok(ask_schemas(schemas, encoder, &stop))
            }
            Heuristic::Cola => {
                let mut asked = ask_cola(&labelled(self, data, split, max_examples)?, encoder, &stop);
                let train = ask_cola(&labelled(self, data, Split::Train, max_examples)?, encoder, &stop);
                asked.files.extend(train.files.iter().filter(|_| split != Split::Train).cloned());
                asked.train = Some((train.questions, train.right));
                Ok(asked)
            }
            Heuristic::Sst2 => Ok(ask_sst2(&labelled(self, data, split, max_examples)?, encoder, words)),
            Heuristic::Race => Ok(ask_race(&labelled(self, data, split, max_examples)?, encoder, &stop)),
        }
    }
}

/// A task's split as questions to a language model.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// (E * alternatives)
    questions: Vec<Question>,
    /// Questions of an example.
    n_alternatives: usize,
    /// Whether a word is asked for, which is as likely as all its tokens together, and not a text, of which the mean counts.
    of_words: bool,
    /// (E) the right alternative; CoLA: whether the sentence is one.
    right: Vec<usize>,
    /// CoLA: the training set, by which the threshold is chosen.
    train: Option<(Vec<Question>, Vec<usize>)>,
    /// What was read.
    pub files: Vec<PathBuf>,
    /// What the user should know of the reading.
    pub notes: Vec<String>,
}

impl Asked {
    /// E.
    pub fn n_examples(&self) -> usize {
        self.right.len()
    }

    /// Asks the model; the score, and CoLA's threshold.
    pub fn judge(&self, model: &Model, what: &str) -> anyhow::Result<(f64, Option<f64>)> {
        let values = self.ask(model, &self.questions, what)?;
        let Some((train, train_right)) = &self.train else {
            let best = |example: &[f64]| {
                (0..example.len()).fold(0, |best, i| if example[i] > example[best] { i } else { best })
            };
            let predictions: Vec<usize> = values.chunks(self.n_alternatives).map(best).collect();
            return Ok((metrics::accuracy(&predictions, &self.right), None));
        };
        let of_train = self.ask(model, train, &format!("{what}, training set"))?;
        let threshold = best_threshold(&of_train, train_right);
        let predictions: Vec<usize> = values.iter().map(|value| usize::from(*value > threshold)).collect();
        Ok((metrics::matthews(&predictions, &self.right), Some(threshold)))
    }

    fn ask(&self, model: &Model, questions: &[Question], what: &str) -> anyhow::Result<Vec<f64>> {
        let value = |found: Likelihood| if self.of_words { found.sum } else { found.mean() };
        let values: Vec<f64> =
            likelihoods(model, questions, self.n_alternatives, what).into_iter().map(value).collect();
        if let Some(i) = values.iter().position(|value| !value.is_finite()) {
            bail!(
                "{what}: ln p is {}, no finite number, for example {} (from 0)\n  hint: the model's weights are damaged; pre-train again",
                values[i],
                i / self.n_alternatives
            );
        }
        Ok(values)
    }
}

/// The threshold above which values are said to be of class 1 that gives the best Matthews coefficient: halfway between two
/// values, or below all; the lowest of equally good ones.
fn best_threshold(values: &[f64], right: &[usize]) -> f64 {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let n = [0, 1].map(|class| right.iter().filter(|right| **right == class).count() as f64);
    // Examples of each class at or below the threshold.
    let mut below = [0.0, 0.0];
    let mut best = (0.0, values.first().map_or(0.0, |_| values[order[0]] - 1.0));
    for (i, &at) in order.iter().enumerate() {
        below[right[at].min(1)] += 1.0;
        let Some(next) = order.get(i + 1).map(|next| values[*next]).filter(|next| *next > values[at]) else { continue };
        let (tn, fn_) = (below[0], below[1]);
        let (fp, tp) = (n[0] - tn, n[1] - fn_);
        let matthews = (tp * tn - fp * fn_) / (n[0] * n[1] * (tp + fp) * (tn + fn_)).sqrt();
        if matthews > best.0 {
            best = (matthews, f64::midpoint(values[at], next));
        }
    }
    best.1
}

/// A split whose examples all have a label.
fn labelled(task: Heuristic, data: &Path, split: Split, max_examples: usize) -> anyhow::Result<Dataset> {
    let mut dataset = read(task.name().parse()?, data, split)?;
    dataset.examples.truncate(max_examples);
    let unlabelled = dataset.examples.iter().find(|example| !matches!(example.target, Target::Class(_)));
    ensure!(
        unlabelled.is_none(),
        "{}: example {} of the {split} split has no label\n  hint: score a split with labels, such as --split dev",
        task.title(),
        unlabelled.map_or("", |example| example.id.as_str())
    );
    Ok(dataset)
}

fn asked(dataset: &Dataset, questions: Vec<Question>, n_alternatives: usize) -> Asked {
    let class = |target| if let Target::Class(class) = target { class } else { 0 };
    Asked {
        questions,
        n_alternatives,
        of_words: false,
        right: dataset.examples.iter().map(|example| class(example.target)).collect(),
        train: None,
        files: dataset.files.clone(),
        notes: dataset.notes.clone(),
    }
}

/// All texts of all examples, encoded on all cores.
fn encode(dataset: &Dataset, encoder: &Encoder) -> Vec<Vec<Vec<u32>>> {
    let texts: Vec<&str> = dataset.examples.iter().flat_map(|e| e.texts.iter().map(String::as_str)).collect();
    let mut ids = encoder.encode_batch(&texts).into_iter();
    dataset.examples.iter().map(|example| ids.by_ref().take(example.texts.len()).collect()).collect()
}

fn ask_cola(dataset: &Dataset, encoder: &Encoder, stop: &[u32]) -> Asked {
    let question = |texts: Vec<Vec<u32>>| Question { context: stop.to_vec(), continuation: texts.concat() };
    asked(dataset, encode(dataset, encoder).into_iter().map(question).collect(), 1)
}

/// The alternatives are in the order of the labels: 0 is bad.
fn ask_sst2(dataset: &Dataset, encoder: &Encoder, Words { good, bad }: &Words) -> Asked {
    let cue = encoder.encode(CUE);
    let words = [bad, good].map(|word| encoder.encode(word));
    let texts = encode(dataset, encoder).into_iter().map(|texts| [texts.concat(), cue.clone()].concat());
    let questions = texts
        .flat_map(|context| words.clone().map(|continuation| Question { context: context.clone(), continuation }))
        .collect();
    Asked { of_words: true, ..asked(dataset, questions, 2) }
}

fn ask_race(dataset: &Dataset, encoder: &Encoder, stop: &[u32]) -> Asked {
    let n_answers = dataset.task.labels().len();
    let mut questions = Vec::new();
    for texts in encode(dataset, encoder) {
        let (context, answers) = texts.split_at(texts.len() - n_answers);
        let context = [stop, &context.concat()].concat();
        questions
            .extend(answers.iter().map(|answer| Question { context: context.clone(), continuation: answer.clone() }));
    }
    asked(dataset, questions, n_answers)
}

fn ask_schemas(schemas: Schemas, encoder: &Encoder, stop: &[u32]) -> Asked {
    let Schemas { schemas, notes, file, .. } = schemas;
    let mut questions = Vec::new();
    for schema in &schemas {
        for candidate in 0..2 {
            let (before, after) = schema.resolved(candidate);
            let context = [stop, &encoder.encode(&before)].concat();
            questions.push(Question { context, continuation: encoder.encode(after) });
        }
    }
    Asked {
        questions,
        n_alternatives: 2,
        of_words: false,
        right: schemas.iter().map(|schema| schema.answer).collect(),
        train: None,
        files: vec![file],
        notes,
    }
}

/// The words that stand for the two classes of SST-2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    good: String,
    bad: String,
}

impl FromStr for Words {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Words> {
        let (good, bad) = text.split_once(',').context("expected two words with a comma between")?;
        let [good, bad] = [good, bad].map(|word| word.trim().to_owned());
        ensure!(
            good != bad && [&good, &bad].iter().all(|word| !word.is_empty() && !word.contains([',', ' '])),
            "expected two different words with a comma between, such as positive,negative"
        );
        Ok(Words { good, bad })
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{},{}", self.good, self.bad)
    }
}

impl FromStr for Heuristic {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Heuristic> {
        let found = Heuristic::ALL.into_iter().find(|task| task.name() == name);
        let known = || Heuristic::ALL.map(Heuristic::name).join(", ");
        found.with_context(|| format!("there is no heuristic for `{name}`; there are those for {}", known()))
    }
}

impl fmt::Display for Heuristic {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The best of all thresholds that can make a difference, by the metric's own function.
    #[test]
    fn no_threshold_is_better() {
        let mut state = 12_345_u64;
        let mut random = |n: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % n
        };
        for case in 0..200 {
            let n = 1 + random(12) as usize;
            // Few different values, so that there are ties.
            let values: Vec<f64> = (0..n).map(|_| random(7) as f64 - 3.0).collect();
            let right: Vec<usize> = (0..n).map(|_| random(2) as usize).collect();
            let matthews = |threshold: f64| {
                let predictions: Vec<usize> = values.iter().map(|value| usize::from(*value > threshold)).collect();
                metrics::matthews(&predictions, &right)
            };
            let found = matthews(best_threshold(&values, &right));
            for threshold in -9..9 {
                assert!(matthews(f64::from(threshold) / 2.0) < found + 1e-12, "case {case}: {values:?} {right:?}");
            }
        }
        assert_eq!(best_threshold(&[1.0, 2.0, 3.0, 5.0], &[0, 0, 0, 1]), 4.0);
        assert_eq!(best_threshold(&[], &[]), 0.0);
    }

    #[test]
    fn words_and_names() {
        let words: Words = "good, bad".parse().unwrap();
        assert_eq!(words.to_string(), "good,bad");
        for wrong in ["good", "good,good", "a,", "a,b,c", "a b,c"] {
            assert!(wrong.parse::<Words>().is_err(), "{wrong}");
        }
        for task in Heuristic::ALL {
            assert_eq!(task.name().parse::<Heuristic>().unwrap(), task);
            assert_eq!(serde_json::to_value(task).unwrap(), task.name());
        }
        assert!("rte".parse::<Heuristic>().unwrap_err().to_string().contains("cola, sst2, race, dprd, wsc"));
    }
}
