//! Readers: what they give of the sample files, and what they say of wrong ones.

use std::path::Path;

use gpt1_tasks::{Dataset, Split, Target, Task, read};

use crate::samples::{FILES, folder, read_split, write};

const LABELLED: [Split; 2] = [Split::Train, Split::Dev];

fn of(task: &str, split: Split) -> Dataset {
    read_split(task, folder().path(), split).unwrap()
}

pub fn texts(dataset: &Dataset, example: usize) -> Vec<&str> {
    dataset.examples[example].texts.iter().map(String::as_str).collect()
}

pub fn targets(dataset: &Dataset) -> Vec<Target> {
    dataset.examples.iter().map(|example| example.target).collect()
}

pub fn ids(dataset: &Dataset) -> Vec<&str> {
    dataset.examples.iter().map(|example| example.id.as_str()).collect()
}

/// The message when `content` stands in place of a sample file.
pub fn refused(task: &str, split: Split, name: &str, content: &[u8]) -> String {
    let folder = folder();
    write(folder.path(), name, content);
    let message = read_split(task, folder.path(), split).unwrap_err().to_string();
    message.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn every_split_of_every_task_is_read() {
    let folder = folder();
    for &task in Task::all() {
        let splits = if task.name() == "ax" { &[Split::Test][..] } else { &[Split::Train, Split::Dev, Split::Test] };
        for &split in splits {
            let dataset = read(task, folder.path(), split).unwrap();
            assert!(!dataset.files.is_empty());
            for example in &dataset.examples {
                let labelled = example.target != Target::None;
                assert!(labelled || split.is_test(), "{task} {split} {example:?}");
                assert!(!labelled || !task.targets(&example.target).is_empty());
                assert!(example.texts.iter().all(|text| text.trim() == text));
            }
        }
    }
    assert_eq!(Task::all().len(), 14);
}

#[test]
fn names_of_tasks_and_splits() {
    for &task in Task::all() {
        assert_eq!(task.name().parse::<Task>().unwrap(), task);
        assert_eq!(serde_json::from_str::<Task>(&serde_json::to_string(&task).unwrap()).unwrap(), task);
    }
    assert_eq!(
        "RTE".parse::<Task>().unwrap_err().to_string(),
        "there is no task `RTE`; the tasks are mnli, snli, scitail, qnli, rte, storycloze, race, cola, sst2, mrpc, stsb, qqp, wnli, ax"
    );
    for split in [Split::Train, Split::Dev, Split::Test, Split::DevMismatched, Split::TestMismatched] {
        assert_eq!(split.name().parse::<Split>().unwrap(), split);
    }
    assert!("validation".parse::<Split>().is_err());
}

#[test]
fn cola() {
    let train = of("cola", Split::Train);
    assert_eq!(targets(&train), [Target::Class(1), Target::Class(0), Target::Class(1)]);
    assert_eq!(texts(&train, 1), ["They \"drank the pub."]);
    assert_eq!(ids(&train), ["0", "1", "2"]);
    assert_eq!(of("cola", Split::Dev).examples.len(), 2);
    let test = of("cola", Split::Test);
    assert_eq!((texts(&test, 1), ids(&test)), (vec!["The car honked."], vec!["0", "1"]));
    assert_eq!(targets(&test), [Target::None; 2]);
}

#[test]
fn sst2() {
    let train = of("sst2", Split::Train);
    assert_eq!(texts(&train, 0), ["hide new secretions from the parental units"]);
    assert_eq!(texts(&train, 1), ["contains no wit , \" only labored gags"]);
    assert_eq!(targets(&of("sst2", Split::Dev)), [Target::Class(1)]);
    assert_eq!(ids(&of("sst2", Split::Test)), ["0"]);
}

#[test]
fn mrpc() {
    let train = of("mrpc", Split::Train);
    assert_eq!(targets(&train), [Target::Class(1), Target::Class(0)]);
    assert_eq!(texts(&train, 0), ["Amrozi accused his \" brother .", "Referring to him ."]);
    assert_eq!(ids(&of("mrpc", Split::Test)), ["0"]);
}

#[test]
fn mrpc_as_microsoft_distributes_it() {
    let folder = tempfile::tempdir().unwrap();
    let header = "\u{feff}Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n";
    let rows = format!("{header}1\t10\t20\ta\tb\n0\t10\t21\tc\td\n1\t11\t20\te\t\"f\n");
    write(folder.path(), "mrpc/msr_paraphrase_train.txt", rows.as_bytes());
    write(folder.path(), "mrpc/msr_paraphrase_test.txt", rows.as_bytes());
    let missing = read_split("mrpc", folder.path(), Split::Dev).unwrap_err().to_string();
    assert!(missing.contains("MRPC/dev_ids.tsv"), "{missing}");
    write(folder.path(), "mrpc/dev_ids.tsv", b"10\t21\r\n");
    let train = read_split("mrpc", folder.path(), Split::Train).unwrap();
    assert_eq!((texts(&train, 1), ids(&train)), (vec!["e", "\"f"], vec!["0", "1"]));
    let dev = read_split("mrpc", folder.path(), Split::Dev).unwrap();
    assert_eq!((texts(&dev, 0), targets(&dev)), (vec!["c", "d"], vec![Target::Class(0)]));
    assert_eq!(read_split("mrpc", folder.path(), Split::Test).unwrap().examples.len(), 3);
    write(folder.path(), "mrpc/dev_ids.tsv", b"10 21\n");
    assert!(
        read_split("mrpc", folder.path(), Split::Dev).unwrap_err().to_string().contains("dev_ids.tsv:1: 1 columns")
    );
}

#[test]
fn stsb() {
    let train = of("stsb", Split::Train);
    assert_eq!(targets(&train), [Target::Score(5.0), Target::Score(3.8)]);
    assert_eq!(texts(&train, 1), ["A man is playing a flute.", "A man is \"playing."]);
    assert_eq!(targets(&of("stsb", Split::Test)), [Target::None]);
}

#[test]
fn broken_rows_of_qqp_and_mnli_are_counted() {
    let qqp = of("qqp", Split::Train);
    assert_eq!(ids(&qqp), ["133273", "360472"]);
    assert_eq!(qqp.dropped, 3);
    assert!(qqp.notes[0].ends_with(
        "QQP/train.tsv: skipped 3 rows with a wrong number of columns, the first on line 3; the official file has some"
    ));
    assert_eq!(texts(&of("qqp", Split::Dev), 0), ["Why are Africans?", ""]);
    let mnli = of("mnli", Split::Train);
    assert_eq!((mnli.dropped, ids(&mnli)), (1, vec!["0", "2"]));
    assert_eq!(targets(&mnli), [Target::Class(1), Target::Class(0)]);
}

#[test]
fn mnli_has_two_development_and_test_sets() {
    assert_eq!(texts(&of("mnli", Split::Dev), 0), ["The new rights.", "Everyone likes"]);
    assert_eq!(targets(&of("mnli", Split::DevMismatched)), [Target::Class(2)]);
    assert_eq!(of("mnli", Split::Test).examples[0].texts[0], "Hierbas, ans seco.");
    assert_eq!(of("mnli", Split::TestMismatched).examples[0].texts[1], "So what's.");
    let error = read_split("rte", Path::new("."), Split::DevMismatched).unwrap_err();
    assert_eq!(error.to_string(), "RTE has no split dev_mismatched; its splits are train, dev, test");
}

#[test]
fn entailment_in_tables() {
    assert_eq!(targets(&of("rte", Split::Train)), [Target::Class(1), Target::Class(0)]);
    assert_eq!(texts(&of("rte", Split::Train), 1), ["A place of sorrow.", "Pope \"Benedict."]);
    assert_eq!(texts(&of("qnli", Split::Train), 1), ["Who \"was?", "He was."]);
    assert_eq!(targets(&of("wnli", Split::Train)), [Target::Class(1), Target::Class(0)]);
}

#[test]
fn pairs_without_a_gold_label_are_counted() {
    let train = of("snli", Split::Train);
    assert_eq!(targets(&train), [Target::Class(1), Target::Class(2)]);
    assert_eq!((train.dropped, ids(&train)), (1, vec!["3416050480.jpg#4r1n", "2"]));
    assert_eq!(texts(&train, 0)[1], "A \"person is training.");
    assert!(train.notes[0].ends_with("dropped 1 pairs without a gold label"));
}

#[test]
fn scitail_in_both_formats() {
    assert_eq!(targets(&of("scitail", Split::Train)), [Target::Class(1), Target::Class(0)]);
    assert_eq!(texts(&of("scitail", Split::Train), 0), ["Pluto \"rotates once.", "Earth rotates."]);
    assert_eq!(targets(&of("scitail", Split::Test)), [Target::Class(0), Target::Class(1)]);
}

#[test]
fn storycloze() {
    let (train, dev) = (of("storycloze", Split::Train), of("storycloze", Split::Dev));
    assert_eq!((train.examples.len(), dev.examples.len()), (4, 1));
    let mut all: Vec<_> = train.examples.iter().chain(&dev.examples).collect();
    all.sort_by_key(|example| example.id.clone());
    assert_eq!(all[0].id, "138d5bfb");
    assert_eq!(
        all[0].texts[0],
        "Rick grew up in a troubled household. He never found good support. It wasn't long before Rick was shot. The \
         incident \"caused\" him, to turn."
    );
    assert_eq!(all[0].texts[1..], ["He is happy now.", "He joined a gang."]);
    assert_eq!(all[3].texts[0], "Sarah had been dreaming. She saved. She went. She could not\r\nwait.");
    assert_eq!((all[0].target, all[1].target), (Target::Class(0), Target::Class(1)));
    assert_eq!(targets(&of("storycloze", Split::Test)), [Target::Class(1)]);
}

#[test]
fn race() {
    let train = of("race", Split::Train);
    assert_eq!(ids(&train), ["middle/9.txt:0", "middle/9.txt:1", "middle/10.txt:0", "high/1.txt:0"]);
    assert_eq!(texts(&train, 1), ["Nine \n \"lives.", "Why?", "e", "f", "g", "h"]);
    assert_eq!(targets(&train), [0, 2, 3, 1].map(Target::Class));
    assert_eq!((train.files.len(), train.notes.len()), (2, 0));
    assert_eq!(of("race", Split::Dev).notes.len(), 1);
    let folder = folder();
    for name in ["RACE/train/high/._1.txt", "RACE/train/high/.DS_Store", "RACE/train/high/README"] {
        write(folder.path(), name, b"\0\x05\x16\x07");
    }
    assert_eq!(read_split("race", folder.path(), Split::Train).unwrap().examples, train.examples);
}

#[test]
fn folders_in_any_case_and_depth() {
    let content = FILES.iter().find(|(name, _)| *name == "RTE/dev.tsv").unwrap().1.as_bytes();
    for (place, data_dir) in [
        ("rte/dev.tsv", ""),
        ("Rte/dev.tsv", ""),
        ("glue/RTE/dev.tsv", ""),
        ("GLUE/rte/dev.tsv", ""),
        ("glue_data/RTE/dev.tsv", ""),
        ("dev.tsv", ""),
        ("a/RTE/dev.tsv", "a/RTE"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), place, content);
        let dataset = read_split("rte", &folder.path().join(data_dir), Split::Dev).unwrap();
        assert_eq!(dataset.files, [folder.path().join(place)]);
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in FILES.iter().filter(|(name, _)| name.starts_with("SNLI")) {
        write(folder.path(), &name.replace("SNLI", "snli_1.0"), content.as_bytes());
    }
    assert_eq!(read_split("snli", folder.path(), Split::Dev).unwrap().examples.len(), 1);
}

#[test]
fn missing_files_say_where_they_were_sought() {
    let message = read_split("rte", Path::new("nowhere"), Split::Dev).unwrap_err().to_string();
    assert_eq!(
        message,
        "RTE: no file of the dev split; looked for\n  nowhere/RTE/dev.tsv\n  nowhere/glue/RTE/dev.tsv\n  nowhere/dev.tsv\n  \
         hint: unpack https://dl.fbaipublicfiles.com/glue/data/RTE.zip there, or generate sample data in the same format with gpt1-sample-data"
    );
    for &task in Task::all() {
        let splits = if task.name() == "ax" { &LABELLED[1..] } else { &LABELLED };
        for &split in splits {
            let message = read(task, Path::new("nowhere"), split).unwrap_err().to_string();
            assert!(message.contains("looked for\n") && message.contains("hint: "), "{message}");
        }
    }
}

#[test]
fn wrong_files_are_placed() {
    let rte = |content: &str| refused("rte", Split::Dev, "RTE/dev.tsv", content.as_bytes());
    assert_eq!(
        rte("index\tpremise\tsentence2\tlabel\n"),
        "RTE/dev.tsv:1: no column `sentence1`; expected columns sentence1, sentence2, label; found index, premise, sentence2, label"
    );
    let header = "index\tsentence1\tsentence2\tlabel\n";
    assert_eq!(
        rte(&format!("{header}0\ta\tb\tentailment\n1\ta\tb\tmaybe\n")),
        "RTE/dev.tsv:3: label `maybe` is not one of entailment, not_entailment"
    );
    assert_eq!(
        rte(&format!("{header}0\ta\tb\n")),
        "RTE/dev.tsv:2: 3 columns, expected 4 (index, sentence1, sentence2, label)"
    );
    assert_eq!(rte(&format!("{header}\n0\ta\tb\tentailment\n")).split(',').next().unwrap(), "RTE/dev.tsv:2: 1 columns");
    assert_eq!(rte(header), "RTE/dev.tsv: no example of the dev split in it");
    assert_eq!(rte(""), "RTE/dev.tsv: no example of the dev split in it");
    assert_eq!(
        refused("rte", Split::Dev, "RTE/dev.tsv", b"index\tsentence1\tsentence2\tlabel\n0\ta\xff\tb\tentailment\n"),
        "RTE/dev.tsv:2: byte 4 of the line is not valid UTF-8\n  hint: convert the file to UTF-8"
    );
    // A development set must have labels.
    assert!(rte("index\tsentence1\tsentence2\n0\ta\tb\n").contains("no column `label`"));
    let stsb = "sentence1\tsentence2\tscore\na\tb\t";
    for score in ["5.1", "-0.1", "NaN", "inf", "", "five"] {
        assert_eq!(
            refused("stsb", Split::Dev, "STS-B/dev.tsv", format!("{stsb}{score}\n").as_bytes()),
            format!("STS-B/dev.tsv:2: label `{score}` is not one of the numbers from 0 to 5")
        );
    }
    let cola = refused("cola", Split::Dev, "CoLA/dev.tsv", b"gj04\t2\t\tThe sailors rode.\n");
    assert_eq!(cola, "CoLA/dev.tsv:1: label `2` is not one of 0, 1");
}

#[test]
fn wrong_json_is_placed() {
    let snli = |content: &str| refused("snli", Split::Dev, "SNLI/snli_1.0_dev.jsonl", content.as_bytes());
    assert_eq!(
        snli(
            "{\"gold_label\": \"neutral\", \"sentence1\": \"a\", \"sentence2\": \"b\"}\n{\"gold_label\": \"neutral\"}\n"
        ),
        "SNLI/snli_1.0_dev.jsonl:2:25: missing field `sentence1`"
    );
    assert!(snli("{\n").starts_with("SNLI/snli_1.0_dev.jsonl:1:1: EOF"));
    let race = |content: &str| refused("race", Split::Dev, "RACE/dev/high/2.txt", content.as_bytes());
    let article = |options: &str, answers: &str| {
        race(&format!(
            "{{\"article\": \"a\", \"questions\": [\"b\"], \"options\": [{options}], \"answers\": [{answers}]}}"
        ))
    };
    assert_eq!(article("[\"a\"]", "\"A\""), "RACE/dev/high/2.txt: question 1: 1 options, expected 4");
    let four = "[\"a\", \"b\", \"c\", \"d\"]";
    assert_eq!(article(four, "\"E\""), "RACE/dev/high/2.txt: question 1: answer `E` is not one of A, B, C, D");
    assert_eq!(article(four, ""), "RACE/dev/high/2.txt: question 1: 1 questions, but 1 lists of options and 0 answers");
    assert_eq!(race("{\n \"article\": 3}"), "RACE/dev/high/2.txt:2:13: invalid type: integer `3`, expected a string");
}

#[test]
fn wrong_csv_is_placed() {
    let name = "StoryCloze/cloze_test_test__spring2016 - cloze_test_ALL_test.csv";
    let story = |content: &str| refused("storycloze", Split::Test, name, content.as_bytes()).replace(name, "F");
    let header = "InputStoryid,InputSentence1,InputSentence2,InputSentence3,InputSentence4,RandomFifthSentenceQuiz1,RandomFifthSentenceQuiz2";
    assert!(story(&header.replace("tence4", "tence5")).starts_with("F:1: no column `InputSentence4`; expected"));
    assert_eq!(story(&format!("{header},AnswerRightEnding\nx,a,b,c,d,e,f,3\n")), "F:2: label `3` is not one of 1, 2");
    assert!(story(&format!("{header},AnswerRightEnding\nx,a,b,c,d,e,1\n")).starts_with("F:2: 7 columns, expected 8 ("));
    assert_eq!(story(&format!("{header}\nx,\"a,b,c,d,e,f\n")), "F:2: a quoted field begins here and never ends");
    // Unlabelled test files are read.
    let folder = folder();
    write(folder.path(), name, format!("{header}\nx,a,b,c,d,e,f\n").as_bytes());
    assert_eq!(targets(&read_split("storycloze", folder.path(), Split::Test).unwrap()), [Target::None]);
}
