//! The tasks' files in all their official forms, and Winograd schemas, beside a reader that takes the files for what their
//! benchmarks say they are.

use crate::harness::{Damaged, SLACK, damage, folder, is_beyond, isolated, same};
use gpt1_tasks::winograd::{Schema, Schemas, read_dpr, read_wsc};
use gpt1_tasks::{Dataset, Special, Split, Target, Task, inputs, read};
use samples::{FILES, FORMS};
use serde_json::Value;
use std::path::Path;

#[path = "../../../crates/tasks/tests/tasks/samples.rs"]
#[allow(dead_code, reason = "shared with the tests of the crate")]
mod samples;

/// An example as the other reader finds it: id, texts, label.
type Found = (String, Vec<String>, Option<String>);

fn split_of(name: &str) -> Split {
    let name = name.replace("cloze_test", "");
    let parts = [
        ("dev_mismatched", Split::DevMismatched),
        ("test_mismatched", Split::TestMismatched),
        ("test", Split::Test),
        ("AX.tsv", Split::Test),
        ("train", Split::Train),
    ];
    parts.into_iter().find(|(part, _)| name.contains(part)).map_or(Split::Dev, |(_, split)| split)
}

/// Reads a split and gives it to the model's input transformation.
fn read_and_use(task: Task, folder: &Path, split: Split) -> Result<Dataset, String> {
    let dataset = read(task, folder, split).map_err(|error| error.to_string())?;
    for example in &dataset.examples {
        let texts: Vec<Vec<u32>> = example.texts.iter().map(|text| text.bytes().map(u32::from).collect()).collect();
        inputs(task, &texts, &Special::after(256), 32).map_err(|error| error.to_string())?;
    }
    Ok(dataset)
}

/// What was read as the other reader has it.
fn found(dataset: &Dataset) -> Vec<Found> {
    let labels = dataset.task.labels();
    let examples = dataset.examples.iter().map(|example| {
        let label = match example.target {
            Target::None => None,
            Target::Class(class) => Some(labels[class].to_owned()),
            Target::Score(score) => Some(score.to_string()),
        };
        (example.id.clone(), example.texts.clone(), label)
    });
    examples.collect()
}

fn without_mark(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).unwrap()
}

/// Lines with their ends, and empty ones at the end of the file, taken off.
fn lines(bytes: &[u8]) -> Vec<&str> {
    let lines = without_mark(bytes).split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let mut lines: Vec<&str> = lines.collect();
    while lines.last() == Some(&"") {
        lines.pop();
    }
    lines
}

/// A table: the columns of id, texts and label by name; those of a file without a header in `columns`.
#[derive(Clone, Copy)]
struct Table {
    columns: &'static [&'static str],
    id: &'static str,
    texts: &'static [&'static str],
    label: &'static str,
    /// Rows of another length are passed over.
    skips: bool,
}

fn extension(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or_default()
}

fn table_of(name: &str) -> Table {
    let glue = Table { columns: &[], id: "index", texts: &["sentence1", "sentence2"], label: "label", skips: false };
    let task = name.split('/').next().unwrap();
    match task {
        "CoLA" if !name.contains("test") => {
            Table { columns: &["source", "label", "mark", "sentence"], texts: &["sentence"], ..glue }
        }
        "CoLA" | "SST-2" => Table { texts: &["sentence"], ..glue },
        "MRPC" => Table { texts: &["#1 String", "#2 String"], label: "Quality", ..glue },
        "STS-B" => Table { label: "score", ..glue },
        "QQP" => Table { id: "id", texts: &["question1", "question2"], label: "is_duplicate", skips: true, ..glue },
        "QNLI" => Table { texts: &["question", "sentence"], ..glue },
        "AX" if name.contains("full") => Table { texts: &["Premise", "Hypothesis"], label: "Label", ..glue },
        "AX" => Table { label: "", ..glue },
        "SciTail" => {
            let columns = &["premise", "hypothesis", "label", "structure"];
            Table { columns, texts: &["premise", "hypothesis"], ..glue }
        }
        _ if extension(name) == "txt" => Table { id: "pairID", label: "gold_label", ..glue },
        "MNLI" => Table { label: "gold_label", skips: true, ..glue },
        _ => glue,
    }
}

fn rows(bytes: &[u8], table: Table, drops_dashes: bool) -> Option<Vec<Found>> {
    let lines = lines(bytes);
    let mut rows = lines.iter().map(|line| line.split('\t').collect::<Vec<_>>());
    let header = if table.columns.is_empty() { rows.next()? } else { table.columns.to_vec() };
    let at = |name: &str| header.iter().position(|column| column.trim() == name);
    let texts: Vec<usize> = table.texts.iter().map(|text| at(text)).collect::<Option<_>>()?;
    let (id, label) = (at(table.id), at(table.label).filter(|_| !table.label.is_empty()));
    let last = texts.iter().copied().chain(id).chain(label).max()?;
    let mut examples = Vec::new();
    for (i, row) in rows.enumerate() {
        if row.len() <= last || row.iter().skip(header.len()).any(|cell| !cell.is_empty()) {
            if table.skips {
                continue;
            }
            return None;
        }
        let cell = |at: usize| row[at].trim().to_owned();
        let label = label.map(cell);
        if !(drops_dashes && label.as_deref() == Some("-")) {
            examples.push((id.map_or(i.to_string(), cell), texts.iter().map(|text| cell(*text)).collect(), label));
        }
    }
    Some(examples)
}

fn json_lines(name: &str, bytes: &[u8]) -> Option<Vec<Found>> {
    let mut examples = Vec::new();
    for (i, line) in lines(bytes).into_iter().enumerate() {
        let json: Value = serde_json::from_str(line).ok()?;
        let text = |key: &str| json[key].as_str().map(|text| text.trim().to_owned());
        // SciTail has SNLI's word for it here.
        let is_theirs = |label: &String| name.contains("snli_format") && label == "entailment";
        let label = text("gold_label").map(|label| if is_theirs(&label) { "entails".to_owned() } else { label });
        if label.as_deref() != Some("-") {
            let id = json["pairID"].as_str().map_or(i.to_string(), str::to_owned);
            examples.push((id, vec![text("sentence1")?, text("sentence2")?], label));
        }
    }
    Some(examples)
}

fn race(name: &str, bytes: &[u8]) -> Option<Vec<Found>> {
    let json: Value = serde_json::from_str(without_mark(bytes)).ok()?;
    let place = name.splitn(3, '/').nth(2)?;
    let text = |value: &Value| value.as_str().map(|text| text.trim().to_owned());
    let examples = json["questions"].as_array()?.iter().enumerate().map(|(i, question)| {
        let mut texts = vec![text(&json["article"])?, text(question)?];
        texts.extend(json["options"][i].as_array()?.iter().map(text).collect::<Option<Vec<_>>>()?);
        Some((format!("{place}:{i}"), texts, text(&json["answers"][i])))
    });
    examples.collect()
}

/// Comma-separated values, character by character.
fn csv(bytes: &[u8]) -> Vec<Vec<String>> {
    let text: Vec<char> = without_mark(bytes).chars().collect();
    let (mut records, mut record, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut begun, mut i) = (false, false, 0);
    let ends_line = |i: usize| match text.get(i..) {
        Some(['\n', ..] | ['\r']) => 1,
        Some(['\r', '\n', ..]) => 2,
        _ => 0,
    };
    while i < text.len() {
        let n_end = if quoted { 0 } else { ends_line(i) };
        match text[i] {
            '"' if quoted && text.get(i + 1) == Some(&'"') => {
                field.push('"');
                i += 1;
            }
            '"' if quoted => quoted = false,
            '"' if !begun => quoted = true,
            ',' if !quoted => record.push(std::mem::take(&mut field)),
            _ if n_end > 0 => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
                i += n_end - 1;
            }
            c => field.push(c),
        }
        begun = quoted || !(n_end > 0 || text[i] == ',');
        i += 1;
    }
    record.push(field);
    records.push(record);
    records.retain(|record| record != &[""]);
    records
}

fn stories(bytes: &[u8]) -> Option<Vec<Found>> {
    let records = csv(bytes);
    let (header, rows) = records.split_first()?;
    let at = |name: &str| header.iter().position(|column| column.trim() == name);
    let columns = (1..5).map(|i| at(&format!("InputSentence{i}"))).collect::<Option<Vec<_>>>()?;
    let (id, one, two) = (at("InputStoryid")?, at("RandomFifthSentenceQuiz1")?, at("RandomFifthSentenceQuiz2")?);
    let examples = rows.iter().map(|row| {
        let cell = |at: usize| row.get(at).map(|cell| cell.trim().to_owned());
        let context: Vec<String> = columns.iter().map(|at| cell(*at)).collect::<Option<_>>()?;
        Some((cell(id)?, vec![context.join(" "), cell(one)?, cell(two)?], at("AnswerRightEnding").and_then(cell)))
    });
    examples.collect()
}

fn expected(name: &str, bytes: &[u8]) -> Option<Vec<Found>> {
    match name {
        _ if name.starts_with("RACE") => race(name, bytes),
        _ if extension(name) == "csv" => stories(bytes),
        _ if extension(name) == "jsonl" || name.contains("snli_format") => json_lines(name, bytes),
        _ => rows(bytes, table_of(name), name.starts_with("MNLI") || name.starts_with("SNLI")),
    }
}

/// Scores to the precision of what reads them.
fn plain(mut examples: Vec<Found>, task: Task) -> Vec<Found> {
    for (_, _, label) in &mut examples {
        if let (true, Some(text)) = (task.labels().is_empty(), label.as_ref()) {
            *label = text.parse::<f32>().ok().map(|score| score.to_string());
        }
    }
    examples
}

fn task_files(files: &[(&str, &str)]) {
    for (name, content) in files {
        let task = Task::all().iter().copied().find(|task| name.starts_with(task.title())).unwrap();
        let split = split_of(name);
        // Each alone, so that no other file is read in its place.
        let dir = folder();
        samples::write(dir.path(), name, content.as_bytes());
        let path = dir.path().join(name);
        let is_story = task.name() == "storycloze" && !split.is_test();
        let read = || {
            let mut dataset = read_and_use(task, dir.path(), split)?;
            if is_story {
                // The rest of the file is the other split.
                let other = if split == Split::Dev { Split::Train } else { Split::Dev };
                if let Ok(other) = read_and_use(task, dir.path(), other) {
                    dataset.examples.extend(other.examples);
                }
            }
            Ok::<Dataset, String>(dataset)
        };
        let check = |bytes: &[u8], dataset: Dataset| {
            if is_beyond(bytes) && !name.ends_with("sv") {
                return Ok(());
            }
            let mut examples = found(&dataset);
            let mut expected = plain(expected(name, bytes).unwrap_or_default(), task);
            if is_story {
                examples.sort();
                expected.sort();
            }
            same("examples", &examples.len(), &expected.len())?;
            examples.iter().zip(&expected).try_for_each(|(found, expected)| same("an example", found, expected))
        };
        // Thousands of commas are as many fields, each a string of its own.
        damage(&Damaged { slack: 4 * SLACK, ..Damaged::text(&path) }, read, check);
    }
}

#[test]
fn glue() {
    isolated("tasks::glue", || {
        let is_glue = |name: &str| !["SNLI", "SciTail", "RACE", "Story"].iter().any(|start| name.starts_with(start));
        let files: Vec<_> = FILES.iter().copied().filter(|(name, _)| is_glue(name)).collect();
        task_files(&files);
    });
}

#[test]
fn others_of_the_paper() {
    isolated("tasks::others_of_the_paper", || {
        let files = FILES.iter().copied();
        let files: Vec<_> = files
            .filter(|(name, _)| ["SNLI", "SciTail", "RACE", "Story"].iter().any(|s| name.starts_with(s)))
            .collect();
        task_files(&files);
        task_files(FORMS);
    });
}

/// GLUE's MRPC is the original's, and a file that says which pairs are the development set.
#[test]
fn mrpc_as_it_was() {
    isolated("tasks::mrpc_as_it_was", || {
        let dir = folder();
        let text = "\u{feff}Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n1\t1\t2\tHe said \" so .\tHe did .\r\n0\t3\t4\tThe pie .\t\" A pie .\r\n1\t5\t6\ta\tb\r\n";
        samples::write(dir.path(), "MRPC/msr_paraphrase_train.txt", text.as_bytes());
        samples::write(dir.path(), "MRPC/dev_ids.tsv", b"3\t4\n7\t8\n");
        let task: Task = "mrpc".parse().unwrap();
        let [original, ids] =
            ["msr_paraphrase_train.txt", "dev_ids.tsv"].map(|name| dir.path().join("MRPC").join(name));
        let check = |_: &[u8], dataset: Dataset| {
            let (original, ids) = (fs_err::read(&original).unwrap(), fs_err::read(&ids).unwrap());
            let of = |texts: &'static [&'static str]| rows(&original, Table { texts, ..table_of("MRPC") }, false);
            let dev: Vec<Vec<&str>> =
                lines(&ids).iter().map(|line| line.split('\t').map(str::trim).collect()).collect();
            let pairs = of(&["#1 ID", "#2 ID"]).unwrap_or_default();
            let all = of(&["#1 String", "#2 String"]).unwrap_or_default();
            let train = all.into_iter().zip(pairs).filter(|(_, pair)| !dev.iter().any(|dev| *dev == pair.1));
            let expected = train.enumerate().map(|(i, ((_, texts, label), _))| (i.to_string(), texts, label));
            same("examples", &found(&dataset), &expected.collect())
        };
        for path in [&original, &ids] {
            damage(&Damaged::text(path), || read_and_use(task, dir.path(), Split::Train), check);
        }
    });
}

const DPR: &str = "The bee landed on the flower because it had pollen.\nit\nThe bee,the flower\nThe Flower \n\n\
    Debbie shed tears. She left Tina.\nshe\nDebbie, Tina\nDebbie\n\n \n\
    They say that the other brothers fear the neighbors as they shout.\nthey\nthe other brothers,the neighbors\nthe neighbors\n";

#[test]
fn winograd_dpr() {
    isolated("tasks::winograd_dpr", || {
        let dir = folder();
        samples::write(dir.path(), "Winograd/test.c.txt", DPR.as_bytes());
        let check = |bytes: &[u8], read: Schemas| {
            let lines = lines(bytes);
            let records: Vec<Vec<&str>> = lines
                .split(|line| line.trim().is_empty())
                .filter(|record| !record.is_empty())
                .map(|record| record.iter().map(|line| line.trim()).collect())
                .collect();
            same("records", &(read.schemas.len() + read.dropped), &records.len())?;
            let mut rest = records.iter();
            read.schemas.iter().try_for_each(|Schema { before, pronoun, after, candidates, answer }| {
                let is_it = |record: &&Vec<&str>| {
                    record[0].eq_ignore_ascii_case(&format!("{before}{pronoun}{after}"))
                        && record[1].eq_ignore_ascii_case(pronoun)
                        && record[2].split(',').map(str::trim).eq(candidates.iter().map(String::as_str))
                        && record[3].eq_ignore_ascii_case(&candidates[*answer])
                };
                same("a record", &rest.any(|record| is_it(&record)), &true)
            })
        };
        let file = Damaged::text(&dir.path().join("Winograd/test.c.txt"));
        damage(&file, || read_dpr(dir.path(), Split::Test), check);
    });
}

const WSC: &[u8] = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<collection>\n\n<schema>\n<text>\n<txt1>\nThe city councilmen refused\nthe caf\xe9 because</txt1>\n<pron> they </pron>\n<txt2> feared &amp; hated violence. \n</txt2>\n</text>\n<answers>\n<answer>The city councilmen </answer>\n<answer>the caf\xe9 </answer>\n</answers>\n<correctAnswer> B.  </correctAnswer>\n</schema>\n<schema>\n<text>\n<txt1>The trophy does not fit as</txt1>\n<pron>it</pron>\n<txt2>is too large.</txt2>\n</text>\n<answers>\n<answer>the trophy</answer>\n<answer>the suitcase</answer>\n</answers>\n<correctAnswer>A</correctAnswer>\n</schema>\n</collection>\n";

#[test]
fn winograd_wsc() {
    isolated("tasks::winograd_wsc", || {
        let dir = folder();
        let path = dir.path().join("WSCollection.xml");
        fs_err::write(&path, WSC).unwrap();
        let check = |bytes: &[u8], read: Schemas| {
            let text = String::from_utf8(bytes.to_vec());
            let text = text.unwrap_or_else(|_| bytes.iter().map(|byte| char::from(*byte)).collect());
            // Up to each end of a schema there is one, however many seem to begin in it.
            let mut rest = text.as_str();
            let mut schemas = Vec::new();
            while let Some((_, begun)) = rest.split_once("<schema>") {
                let Some((schema, after)) = begun.split_once("</schema>") else { break };
                schemas.push(schema);
                rest = after;
            }
            same("schemas", &(read.schemas.len() + read.dropped), &schemas.len())?;
            let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            let part = |schema: &str, name: &str| {
                let (_, begun) = schema.split_once(&format!("<{name}>"))?;
                let (inside, rest) = begun.split_once(&format!("</{name}>"))?;
                let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
                let inside = entities.iter().fold(inside.to_owned(), |text, (from, to)| text.replace(from, to));
                Some((words(&inside), rest.to_owned()))
            };
            let mut rest = schemas.iter();
            read.schemas.iter().try_for_each(|found| {
                let is_it = |schema: &str| -> Option<bool> {
                    let (first, after) = part(schema, "answer")?;
                    let (second, _) = part(&after, "answer")?;
                    let all = ["txt1", "pron", "txt2"].map(|name| part(schema, name).map(|(text, _)| text));
                    let here = [&found.before, &found.pronoun, &found.after].map(|text| Some(words(text)));
                    let letter = part(schema, "correctAnswer")?.0.trim_end_matches('.').to_ascii_uppercase();
                    Some(all == here && found.candidates == [first, second] && letter == ["A", "B"][found.answer])
                };
                same("a schema", &rest.any(|schema| is_it(schema) == Some(true)), &true)
            })
        };
        damage(&Damaged::text(&path), || read_wsc(dir.path()), check);
    });
}
