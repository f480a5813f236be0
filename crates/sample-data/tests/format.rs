//! Names, columns and sizes of the files; the same seed, the same bytes.

mod common;

use common::{generated, rows};
use gpt1_sample_data::{files, write};
use std::collections::HashSet;
use std::path::Path;

#[test]
fn a_seed_gives_the_same_bytes_and_another_gives_others() {
    assert_eq!(files(3), files(3));
    let (one, two) = (generated(3), generated(4));
    assert_eq!(one.keys().collect::<Vec<_>>(), two.keys().collect::<Vec<_>>());
    assert_ne!(one["corpus/stories-01.txt"], two["corpus/stories-01.txt"]);
    assert_ne!(one["tasks/RTE/train.tsv"], two["tasks/RTE/train.tsv"]);
}

#[test]
fn output_folder_holds_all_files_and_a_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let out = write(5, &folder.path().join("sample")).unwrap();
    for file in files(5) {
        assert_eq!(fs_err::read_to_string(out.join(&file.path)).unwrap(), file.content, "{}", file.path);
    }
    let manifest = gpt1_artifacts::manifest::Manifest::read(&out).unwrap();
    assert_eq!((manifest.stage.as_str(), manifest.config["seed"].as_u64()), ("sample-data", Some(5)));
}

#[test]
fn corpus_is_stories_with_blank_lines_between() {
    for seed in [1, 9] {
        let files = generated(seed);
        let corpus: Vec<&String> = files.iter().filter(|(p, _)| p.starts_with("corpus/")).map(|(_, c)| c).collect();
        assert_eq!(corpus.len(), 60);
        let bytes: usize = corpus.iter().map(|c| c.len()).sum();
        assert!((4_500_000..5_500_000).contains(&bytes), "{bytes} bytes");
        let mut vocabulary = HashSet::new();
        for text in corpus {
            assert!(!text.contains(['{', '}', '_', '|']), "an open slot: {}", text.split(['{', '_']).next().unwrap());
            assert!(text.ends_with('\n') && !text.ends_with("\n\n"));
            for story in text.trim_end().split("\n\n") {
                let n = story.matches(['.', '!', '?']).count();
                assert!((4..=32).contains(&n), "{n} sentences: {story}");
                assert!(!story.contains('\n') && story.starts_with(char::is_uppercase), "{story}");
                assert!(story.ends_with(['.', '!', '?']), "{story}");
            }
            vocabulary.extend(common::words(text));
        }
        assert!((800..1500).contains(&vocabulary.len()), "{} different words", vocabulary.len());
    }
}

#[test]
fn articles_fit_the_word_that_follows() {
    for (path, content) in generated(2) {
        if path.contains("CoLA") {
            continue;
        }
        for pair in common::words(&content).windows(2) {
            let vowel = pair[1].starts_with(['a', 'e', 'i', 'o', 'u']);
            let wrong = (pair[0] == "a" && vowel) || (pair[0] == "an" && !vowel);
            assert!(!wrong || path.contains("RACE") || path.contains("SNLI"), "{path}: {pair:?}");
        }
    }
}

/// Path, header (empty: none), columns, rows at least.
const TSV: &[(&str, &str, usize, usize)] = &[
    ("CoLA/train.tsv", "", 4, 2000),
    ("CoLA/dev.tsv", "", 4, 400),
    ("CoLA/test.tsv", "index\tsentence", 2, 400),
    ("SST-2/train.tsv", "sentence\tlabel", 2, 1600),
    ("SST-2/dev.tsv", "sentence\tlabel", 2, 400),
    ("SST-2/test.tsv", "index\tsentence", 2, 400),
    ("MRPC/train.tsv", "\u{feff}Quality\t#1 ID\t#2 ID\t#1 String\t#2 String", 5, 2000),
    ("MRPC/dev.tsv", "\u{feff}Quality\t#1 ID\t#2 ID\t#1 String\t#2 String", 5, 400),
    ("MRPC/test.tsv", "index\t#1 ID\t#2 ID\t#1 String\t#2 String", 5, 400),
    (
        "STS-B/train.tsv",
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore",
        10,
        2000,
    ),
    (
        "STS-B/dev.tsv",
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore",
        10,
        400,
    ),
    ("STS-B/test.tsv", "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2", 9, 400),
    ("QQP/train.tsv", "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate", 6, 2000),
    ("QQP/dev.tsv", "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate", 6, 400),
    ("QQP/test.tsv", "id\tquestion1\tquestion2", 3, 400),
    (
        "MNLI/train.tsv",
        "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label",
        12,
        1900,
    ),
    (
        "MNLI/dev_matched.tsv",
        "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\tlabel1\tlabel2\tlabel3\tlabel4\tlabel5\tgold_label",
        16,
        400,
    ),
    (
        "MNLI/dev_mismatched.tsv",
        "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\tlabel1\tlabel2\tlabel3\tlabel4\tlabel5\tgold_label",
        16,
        400,
    ),
    (
        "MNLI/test_matched.tsv",
        "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2",
        10,
        400,
    ),
    (
        "MNLI/test_mismatched.tsv",
        "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2",
        10,
        400,
    ),
    ("QNLI/train.tsv", "index\tquestion\tsentence\tlabel", 4, 1350),
    ("QNLI/dev.tsv", "index\tquestion\tsentence\tlabel", 4, 400),
    ("QNLI/test.tsv", "index\tquestion\tsentence", 3, 400),
    ("RTE/train.tsv", "index\tsentence1\tsentence2\tlabel", 4, 2000),
    ("RTE/dev.tsv", "index\tsentence1\tsentence2\tlabel", 4, 400),
    ("RTE/test.tsv", "index\tsentence1\tsentence2", 3, 400),
    ("WNLI/train.tsv", "index\tsentence1\tsentence2\tlabel", 4, 1600),
    ("WNLI/dev.tsv", "index\tsentence1\tsentence2\tlabel", 4, 400),
    ("WNLI/test.tsv", "index\tsentence1\tsentence2", 3, 400),
    ("AX/AX.tsv", "index\tsentence1\tsentence2", 3, 360),
    (
        "AX/diagnostic-full.tsv",
        "Lexical Semantics\tPredicate-Argument Structure\tLogic\tKnowledge\tDomain\tPremise\tHypothesis\tLabel",
        8,
        360,
    ),
    ("SciTail/tsv_format/scitail_1.0_train.tsv", "", 3, 2000),
    ("SciTail/tsv_format/scitail_1.0_dev.tsv", "", 3, 400),
    ("SciTail/tsv_format/scitail_1.0_test.tsv", "", 3, 400),
];

#[test]
fn tsv_files_have_the_official_columns() {
    let files = generated(6);
    for &(path, header, n_columns, n_rows) in TSV {
        let content = files.get(&format!("tasks/{path}")).unwrap_or_else(|| panic!("no file {path}"));
        if !header.is_empty() {
            assert_eq!(content.lines().next(), Some(header), "{path}");
        }
        let rows = rows(content, !header.is_empty());
        assert!((n_rows..n_rows + 100).contains(&rows.len()), "{path}: {} rows", rows.len());
        for row in &rows {
            assert_eq!(row.len(), n_columns, "{path}: {row:?}");
        }
        if header.starts_with("index") || header.starts_with("id\t") {
            let in_order = rows.iter().enumerate().all(|(i, row)| row[0] == i.to_string());
            assert!(in_order, "{path}: the index does not count from 0");
        }
    }
    let n_tsv = files.keys().filter(|path| Path::new(path).extension().is_some_and(|e| e == "tsv")).count();
    assert_eq!(n_tsv, TSV.len());
}

#[test]
fn ax_has_the_same_pairs_with_labels_and_without() {
    let files = generated(6);
    let [unlabelled, labelled] =
        ["AX", "diagnostic-full"].map(|name| rows(&files[&format!("tasks/AX/{name}.tsv")], true));
    assert_eq!(unlabelled.len(), labelled.len());
    assert!(unlabelled.iter().zip(&labelled).all(|(pair, row)| pair[1..] == row[5..7]));
    for label in ["entailment", "neutral", "contradiction"] {
        assert_eq!(3 * labelled.iter().filter(|row| row[7] == label).count(), labelled.len(), "{label}");
    }
}

#[test]
fn snli_has_the_official_fields() {
    let files = generated(6);
    for (split, n_annotators) in [("train", 1), ("dev", 5), ("test", 5)] {
        let lines: Vec<_> = files[&format!("tasks/SNLI/snli_1.0_{split}.jsonl")].lines().collect();
        assert!(lines.len() >= 396);
        for line in lines {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            let keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
            let official = [
                "annotator_labels",
                "captionID",
                "gold_label",
                "pairID",
                "sentence1",
                "sentence1_binary_parse",
                "sentence1_parse",
                "sentence2",
                "sentence2_binary_parse",
                "sentence2_parse",
            ];
            assert_eq!(keys, official);
            assert_eq!(value["annotator_labels"].as_array().unwrap().len(), n_annotators);
        }
    }
}

#[test]
fn race_articles_are_complete_and_answers_evenly_placed() {
    let files = generated(6);
    let mut places = [0_usize; 4];
    for (split, n) in [("train", 130), ("dev", 50), ("test", 50)] {
        for level in ["middle", "high"] {
            for number in 1..=n {
                let text = &files[&format!("tasks/RACE/{split}/{level}/{number}.txt")];
                let value: serde_json::Value = serde_json::from_str(text).unwrap();
                assert_eq!(value["id"], format!("{level}{number}.txt"));
                assert!(value["article"].as_str().unwrap().split_whitespace().count() > 15);
                let [answers, options, questions] =
                    ["answers", "options", "questions"].map(|k| value[k].as_array().unwrap());
                assert!(answers.len() == options.len() && options.len() == questions.len() && !answers.is_empty());
                for (answer, options) in answers.iter().zip(options) {
                    let options: HashSet<_> = options.as_array().unwrap().iter().map(|o| o.as_str().unwrap()).collect();
                    assert_eq!(options.len(), 4, "{options:?}");
                    places["ABCD".find(answer.as_str().unwrap()).unwrap()] += 1;
                }
            }
        }
    }
    assert!(places.iter().max().unwrap() - places.iter().min().unwrap() <= 1, "{places:?}");
}

#[test]
fn story_cloze_has_the_official_columns_and_even_endings() {
    let files = generated(6);
    for (name, n) in [
        ("cloze_test_val__spring2016 - cloze_test_ALL_val.csv", 1200),
        ("cloze_test_test__spring2016 - cloze_test_ALL_test.csv", 400),
    ] {
        let content = &files[&format!("tasks/StoryCloze/{name}")];
        let mut lines = content.lines();
        assert_eq!(
            lines.next(),
            Some(
                "InputStoryid,InputSentence1,InputSentence2,InputSentence3,InputSentence4,RandomFifthSentenceQuiz1,RandomFifthSentenceQuiz2,AnswerRightEnding"
            )
        );
        let rows: Vec<Vec<String>> = lines.map(csv_fields).collect();
        assert_eq!(rows.len(), n);
        assert!(rows.iter().all(|row| row.len() == 8));
        assert_eq!(rows.iter().filter(|row| row[7] == "1").count(), n / 2);
        assert_eq!(rows.iter().map(|row| &row[0]).collect::<HashSet<_>>().len(), n);
    }
}

#[test]
fn winograd_schemas_are_records_of_dpr() {
    for seed in [6, 7] {
        let files = generated(seed);
        for split in ["train", "test"] {
            let content = &files[&format!("tasks/Winograd/{split}.c.txt")];
            assert!(content.ends_with("\n\n"));
            let records: Vec<Vec<&str>> = content.split_terminator("\n\n").map(|r| r.lines().collect()).collect();
            assert!((400..410).contains(&records.len()), "{}", records.len());
            let mut twins = std::collections::HashMap::<Vec<String>, HashSet<&str>>::new();
            for record in &records {
                let [sentence, pronoun, candidates, meant] = record[..] else { panic!("{record:?}") };
                let (first, second) = candidates.split_once(',').unwrap();
                assert!(first != second && [first, second].contains(&meant), "{record:?}");
                // The pronoun stands once, after both candidates, which stand in this order.
                let words: Vec<&str> = sentence.split([' ', ',', '.']).collect();
                let at = |word: &str| words.iter().position(|w| *w == word).unwrap();
                assert!(at(first) < at(second) && at(second) < at(pronoun), "{record:?}");
                assert_eq!(words.iter().filter(|word| **word == pronoun).count(), 1, "{record:?}");
                assert!(sentence.ends_with('.') && !sentence.contains(['{', '_']), "{record:?}");
                let up_to_the_pronoun = words[..=at(pronoun)].iter().map(|word| (*word).to_owned()).collect();
                twins.entry(up_to_the_pronoun).or_default().insert(meant);
            }
            // What stands before the pronoun does not tell: the rest of a twin means the other one.
            assert!(twins.values().all(|meant| meant.len() == 2), "{twins:?}");
        }
    }
}

fn csv_fields(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields.last_mut().unwrap().push(c),
        }
    }
    fields
}
