//! Winograd schemas: whom does the pronoun mean? They are no task to fine-tune on here; the paper asks them of the language
//! model alone (section 5).
//!
//! DPR, definite pronoun resolution (Rahman and Ng 2012; the paper's DPRD): `Winograd/{train,test}.c.txt`, a record of four
//! lines and an empty one: sentence, pronoun, the two candidates with a comma between, the right one. WSC, the Winograd
//! schema challenge (Levesque et al. 2012): `Winograd/WSCollection.xml`.
//!
//! DPR's files do not say which one is meant where the sentence holds the pronoun several times (51 of 1,886). It is taken
//! for the first one after both candidates: "Sam hates Martha Stewart, because *she* felt that she was hypocritical." Read by
//! hand, that is the right one, or one that means the same, in 50 of the 51; the last one in the sentence is in 31.

use std::path::{Path, PathBuf};

use crate::files::{for_each_line, named, read_bytes};
use crate::{Split, TaskError};

/// One schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The text before the pronoun.
    pub before: String,
    /// The pronoun.
    pub pronoun: String,
    /// The text after the pronoun; there is some.
    pub after: String,
    /// What the pronoun can mean.
    pub candidates: [String; 2],
    /// Which of them it means.
    pub answer: usize,
}

/// The schemas of a file.
#[derive(Clone, Debug)]
pub struct Schemas {
    /// In the order of the file.
    pub schemas: Vec<Schema>,
    /// How many records of the file are not in `schemas`.
    pub dropped: usize,
    /// What the user should know of the reading, a line each.
    pub notes: Vec<String>,
    /// The file.
    pub file: PathBuf,
}

/// No official file comes near this.
const MAX_FILE: u64 = 16 << 20;
/// Names of the folder, compared in lower case without punctuation.
const FOLDERS: [&str; 4] = ["winograd", "dpr", "dprd", "wsc"];

/// Reads DPR's `train` or `test` set; `data_dir` holds the folder, or the file itself.
///
/// # Errors
/// A file that is not there, or a record of another number of lines. A record that cannot be used is counted and noted.
pub fn read_dpr(data_dir: &Path, split: Split) -> Result<Schemas, TaskError> {
    let names = match split {
        Split::Train => ["train.c.txt", "dpr_train.c.txt"],
        Split::Test => ["test.c.txt", "dpr_test.c.txt"],
        _ => return Err(TaskError::NoDevelopmentSet { task: "DPRD", split }),
    };
    let hint = "save train.c.txt and test.c.txt of https://s3.amazonaws.com/datasets.huggingface.co/definite_pronoun_resolution there";
    let mut read = Reading::new(find(data_dir, "DPRD", split, &names, hint)?);
    let file = read.file.clone();
    let mut record: Vec<(usize, String)> = Vec::new();
    for_each_line(&file, |line, text| {
        if !text.trim().is_empty() {
            record.push((line, text.trim().to_owned()));
            return Ok(());
        }
        read.dpr_record(&record)?;
        record.clear();
        Ok(())
    })?;
    read.dpr_record(&record)?;
    read.finish(split)
}

/// Reads the schemas of `WSCollection.xml`; `data_dir` holds its folder, or the file itself.
///
/// # Errors
/// A file that is not there, or a schema without one of its parts. A schema that cannot be used is counted and noted.
pub fn read_wsc(data_dir: &Path) -> Result<Schemas, TaskError> {
    let hint = "save https://cs.nyu.edu/faculty/davise/papers/WinogradSchemas/WSCollection.xml there";
    let mut read = Reading::new(find(data_dir, "WSC", Split::Test, &["WSCollection.xml"], hint)?);
    let bytes = read_bytes(&read.file, MAX_FILE)?;
    // The official file is ISO-8859-1, whose bytes are the first characters of Unicode.
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => error.as_bytes().iter().map(|byte| char::from(*byte)).collect(),
    };
    let mut rest = text.as_str();
    while let Some(begin) = rest.find("<schema>") {
        let line = text[..text.len() - rest.len() + begin].matches('\n').count() + 1;
        let wrong = |message: &str| read.wrong(line, message.to_owned());
        let inside = &rest[begin + "<schema>".len()..];
        let end = inside.find("</schema>").ok_or_else(|| wrong("this <schema> never ends"))?;
        let (schema, after) = inside.split_at(end);
        rest = after;
        let part = |element: &str| {
            let found = elements(schema, element).next();
            found.ok_or_else(|| wrong(&format!("no <{element}> in this <schema>")))
        };
        let (before, pronoun, after) = (part("txt1")?, part("pron")?, part("txt2")?);
        let candidates: Vec<String> = elements(schema, "answer").map(|text| plain(&text)).collect();
        let answer = match plain(&part("correctAnswer")?).trim_end_matches('.') {
            "A" | "a" => Ok(0),
            "B" | "b" => Ok(1),
            other => Err(format!("correctAnswer `{other}` is not one of A, B")),
        };
        let [before, pronoun, after] = [before, pronoun, after].map(|text| plain(&text));
        // The pronoun is an element of its own, with spaces around it or not.
        let gap = if after.starts_with(char::is_alphanumeric) { " " } else { "" };
        let before = if before.is_empty() { before } else { format!("{before} ") };
        let schema = answer
            .and_then(|answer| Ok((answer, <[String; 2]>::try_from(candidates).map_err(|_| "not two answers")?)))
            .and_then(|(answer, candidates)| {
                usable(Schema { before, pronoun, after: format!("{gap}{after}"), candidates, answer })
            });
        read.take(line, schema);
    }
    read.finish(Split::Test)
}

impl Schema {
    /// The text up to the pronoun with a candidate in its place, and the rest of it.
    pub fn resolved(&self, candidate: usize) -> (String, &str) {
        (format!("{}{}", self.before, self.candidates[candidate]), &self.after)
    }
}

/// A file being read.
struct Reading {
    file: PathBuf,
    schemas: Vec<Schema>,
    dropped: usize,
    /// Line of the first record that was left out, and why.
    first_dropped: Option<(usize, String)>,
    n_ambiguous: usize,
}

impl Reading {
    fn new(file: PathBuf) -> Reading {
        Reading { file, schemas: Vec::new(), dropped: 0, first_dropped: None, n_ambiguous: 0 }
    }

    fn wrong(&self, line: usize, message: String) -> TaskError {
        TaskError::Winograd { path: self.file.clone(), line, message }
    }

    /// A record's lines with their numbers; none of them empty, none of them at all between two empty lines.
    fn dpr_record(&mut self, record: &[(usize, String)]) -> Result<(), TaskError> {
        let Some(&(line, _)) = record.first() else { return Ok(()) };
        let texts: Vec<&str> = record.iter().map(|(_, text)| text.as_str()).collect();
        let [sentence, pronoun, candidates, right] = texts[..] else {
            let found = texts.len();
            let message = format!(
                "a record of {found} lines, expected 4 (sentence, pronoun, candidate,candidate, the right one) and an empty one"
            );
            return Err(self.wrong(line, message));
        };
        let schema = self.dpr_schema(sentence, pronoun, candidates, right);
        self.take(line, schema);
        Ok(())
    }

    fn dpr_schema(&mut self, sentence: &str, pronoun: &str, candidates: &str, right: &str) -> Result<Schema, String> {
        let candidates: Vec<String> = candidates.split(',').map(|name| name.trim().to_owned()).collect();
        let candidates = <[String; 2]>::try_from(candidates).map_err(|_| "not two candidates with a comma between")?;
        // Candidate and answer may differ in the case of an article.
        let answer = candidates.iter().position(|candidate| candidate.eq_ignore_ascii_case(right));
        let answer = answer.ok_or("the right one is none of the candidates")?;
        let ends = candidates.iter().filter_map(|name| Some(occurrences(sentence, name).next()? + name.len()));
        let after_both = ends.max().unwrap_or(0);
        let places: Vec<usize> = occurrences(sentence, pronoun).collect();
        let place = places.iter().find(|place| **place >= after_both).or(places.last());
        let place = *place.ok_or("the pronoun is not in the sentence")?;
        self.n_ambiguous += usize::from(places.len() > 1);
        let (before, after) = (&sentence[..place], &sentence[place + pronoun.len()..]);
        let [before, pronoun, after] = [before, pronoun, after].map(str::to_owned);
        usable(Schema { before, pronoun, after, candidates, answer })
    }

    fn take(&mut self, line: usize, schema: Result<Schema, String>) {
        match schema {
            Ok(schema) => self.schemas.push(schema),
            Err(reason) => {
                self.dropped += 1;
                self.first_dropped.get_or_insert((line, reason));
            }
        }
    }

    fn finish(self, split: Split) -> Result<Schemas, TaskError> {
        let Reading { file, schemas, dropped, first_dropped, n_ambiguous } = self;
        if schemas.is_empty() {
            return Err(TaskError::Empty { path: file, split });
        }
        let mut notes = Vec::new();
        if let Some((line, reason)) = first_dropped {
            notes.push(format!("{}: skipped {dropped} records, the first on line {line}: {reason}", file.display()));
        }
        if n_ambiguous > 0 {
            notes.push(format!(
                "{}: {n_ambiguous} sentences hold the pronoun more than once; the first after both candidates is taken",
                file.display()
            ));
        }
        Ok(Schemas { schemas, dropped, notes, file })
    }
}

/// The schema, if there is something to ask.
fn usable(schema: Schema) -> Result<Schema, String> {
    let [a, b] = &schema.candidates;
    let reason = if a.is_empty() || b.is_empty() {
        "a candidate without a name"
    } else if a.eq_ignore_ascii_case(b) {
        "the two candidates are the same"
    } else if !schema.after.contains(|c: char| !c.is_whitespace()) {
        "nothing follows the pronoun"
    } else {
        return Ok(schema);
    };
    Err(reason.to_owned())
}

/// Where `words` stand in the text as whole words, whatever the case of ASCII letters.
fn occurrences<'a>(text: &'a str, words: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.char_indices().map(|(at, _)| at).filter(move |&at| {
        let there = text.get(at..at + words.len()).is_some_and(|found| found.eq_ignore_ascii_case(words));
        let before = text[..at].chars().next_back();
        there && !words.is_empty() && !is_word(before) && !is_word(text[at + words.len()..].chars().next())
    })
}

/// The contents of the elements of that name, which are not nested.
fn elements<'a>(xml: &'a str, name: &str) -> impl Iterator<Item = String> + 'a {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = xml;
    std::iter::from_fn(move || {
        let begin = rest.find(&open)? + open.len();
        let end = begin + rest[begin..].find(&close)?;
        let inside = rest[begin..end].to_owned();
        rest = &rest[end..];
        Some(inside)
    })
}

/// An element's text with XML's five entities resolved, one space for each run of white space and none at the ends.
fn plain(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    let text = entities.iter().fold(text.to_owned(), |text, (entity, stands_for)| text.replace(entity, stands_for));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first of `names` that exists in the folders that bear one of the names of these sets, or in `data_dir` itself.
fn find(
    data_dir: &Path,
    task: &'static str,
    split: Split,
    names: &[&str],
    hint: &'static str,
) -> Result<PathBuf, TaskError> {
    let mut folders = named(data_dir, &FOLDERS)?;
    folders.push(data_dir.to_owned());
    let found = folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name))).find(|path| path.exists());
    found.ok_or_else(|| {
        let folders = [data_dir.join("Winograd"), data_dir.to_owned()];
        let paths = folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
        let looked_for = paths.map(|path| path.display().to_string()).collect::<Vec<_>>().join("\n  ");
        TaskError::Missing { task, split, looked_for, hint }
    })
}
