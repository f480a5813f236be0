//! Official forms beside those of `readers`, and what rows and lines of official files look like.

use gpt1_tasks::{Split, Target, Task};

use crate::readers::{ids, refused, targets, texts};
use crate::samples::{FILES, FORMS, folder, folder_of, read_split, write};

#[test]
fn other_official_forms() {
    let folder = folder_of(FORMS);
    let of = |task, split| read_split(task, folder.path(), split).unwrap();
    let snli = of("snli", Split::Train);
    assert_eq!(ids(&snli), ["2677109430.jpg#1r1n", "3.jpg#1r1c", "4.jpg#1r1e"]);
    assert_eq!(texts(&snli, 0), ["This \"church choir.", "The church has cracks."]);
    assert_eq!((targets(&snli), snli.dropped), ([1, 2, 0].map(Target::Class).to_vec(), 1));
    let mnli = of("mnli", Split::Train);
    assert_eq!((ids(&mnli), targets(&mnli), mnli.dropped), (vec!["31193n"], vec![Target::Class(1)], 1));
    assert_eq!(texts(&mnli, 0), ["Conceptually \"cream skimming.", "Product and geography."]);
    let mnli = of("mnli", Split::Dev);
    assert_eq!((ids(&mnli), targets(&mnli), mnli.dropped), (vec!["63735n"], vec![Target::Class(1)], 1));
    assert_eq!(texts(&mnli, 0), ["The new rights.", "Everyone \"likes."]);
    assert!(mnli.notes[0].ends_with("multinli_1.0_dev_matched.txt: dropped 1 pairs without a gold label"));
    let scitail = of("scitail", Split::Train);
    assert_eq!(targets(&scitail), [Target::Class(0), Target::Class(1)]);
    assert_eq!(texts(&scitail, 0), ["Water droplets can be changed by \"evaporation .", "Evaporation is responsible."]);
    let scitail = of("scitail", Split::Dev);
    assert_eq!(targets(&scitail), [Target::Class(1), Target::Class(0)]);
    assert_eq!(texts(&scitail, 0), ["An \"introduction.", "Replace another."]);
    // Under the names of the folders in which they come.
    for (name, content) in FORMS {
        for (ours, theirs) in [("SNLI", "snli_1.0"), ("MNLI", "multinli_1.0"), ("SciTail", "SciTailV1.1")] {
            if let Some(rest) = name.strip_prefix(ours) {
                write(folder.path(), &format!("official/{theirs}{rest}"), content.as_bytes());
            }
        }
    }
    for task in ["snli", "mnli", "scitail"] {
        let official = read_split(task, &folder.path().join("official"), Split::Train).unwrap();
        assert_eq!(official.examples, of(task, Split::Train).examples, "{task}");
    }
}

#[test]
fn ax_has_no_training_set_and_takes_either_file() {
    let (unlabelled, labelled) = (folder(), folder_of(FORMS));
    let read = |folder: &tempfile::TempDir, split| read_split("ax", folder.path(), split);
    for split in [Split::Dev, Split::Test] {
        let ax = read(&unlabelled, split).unwrap();
        assert_eq!((ids(&ax), targets(&ax)), (vec!["0", "1"], vec![Target::None; 2]));
        assert_eq!(texts(&ax, 1), ["The cat did not sit.", ""]);
        let ax = read(&labelled, split).unwrap();
        assert_eq!((ids(&ax), targets(&ax)), (vec!["0", "1"], vec![Target::Class(2), Target::Class(1)]));
        assert_eq!(texts(&ax, 0), ["The cat sat on the \"mat.", "The cat did not sit."]);
    }
    // Where both are, dev has the labels and test has not; the download script of GLUE calls the latter diagnostic.tsv.
    let content = FILES.iter().find(|(name, _)| *name == "AX/AX.tsv").unwrap().1;
    write(labelled.path(), "AX/diagnostic.tsv", content.as_bytes());
    assert_eq!(read(&labelled, Split::Dev).unwrap().examples[0].target, Target::Class(2));
    assert_eq!(read(&labelled, Split::Test).unwrap().examples[0].target, Target::None);
    let ax: Task = "ax".parse().unwrap();
    assert_eq!((ax.trained_on().name(), ax.labels()), ("mnli", ax.trained_on().labels()));
    assert_eq!(
        read(&unlabelled, Split::Train).unwrap_err().to_string(),
        "AX has no training set; models of mnli are scored on it\n  hint: gpt1-finetune --task mnli, then gpt1-evaluate --task ax with that model"
    );
    assert_eq!(
        refused("ax", Split::Dev, "AX/diagnostic-full.tsv", b"Logic\tPremise\tHypothesis\n"),
        "AX/diagnostic-full.tsv:1: no column `Label`; expected columns Premise, Hypothesis, Label; found Logic, Premise, Hypothesis"
    );
}

#[test]
fn what_looks_like_the_end_of_a_line_or_a_quote_is_text() {
    let folder = tempfile::tempdir().unwrap();
    // Columns in another order than the official one, CR LF, a byte-order mark, no end of the last line.
    let rows = "\u{feff}label\tsentence2\tindex\tsentence1\r\nentailment\t\"b\u{2028}c\t5\ta\rb\r\nnot_entailment\td\u{85}\"e\"\t6\t\"\"";
    write(folder.path(), "RTE/dev.tsv", rows.as_bytes());
    let rte = read_split("rte", folder.path(), Split::Dev).unwrap();
    assert_eq!((ids(&rte), targets(&rte)), (vec!["5", "6"], vec![Target::Class(0), Target::Class(1)]));
    assert_eq!(texts(&rte, 0), ["a\rb", "\"b\u{2028}c"]);
    assert_eq!(texts(&rte, 1), ["\"\"", "d\u{85}\"e\""]);
}

#[test]
fn rows_that_end_early_or_late() {
    let header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n";
    let folder = tempfile::tempdir().unwrap();
    // Too many cells, too many but empty ones, and a file that was cut in its last row.
    let rows = format!("{header}1\t2\t3\ta\tb\t0\tc\n4\t2\t3\td\te\t1\t\t\n5\t2\t3\tf\tg\t0\n6\t2\t3\th");
    write(folder.path(), "QQP/dev.tsv", rows.as_bytes());
    let qqp = read_split("qqp", folder.path(), Split::Dev).unwrap();
    assert_eq!((ids(&qqp), qqp.dropped), (vec!["4", "5"], 2));
    assert!(qqp.notes[0].contains("skipped 2 rows with a wrong number of columns, the first on line 2"));
    // Elsewhere such rows are none of the official file's.
    let message =
        refused("rte", Split::Dev, "RTE/dev.tsv", b"index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\n1\tc");
    assert_eq!(message, "RTE/dev.tsv:3: 2 columns, expected 4 (index, sentence1, sentence2, label)");
    let message =
        refused("rte", Split::Dev, "RTE/dev.tsv", b"index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\tx\n");
    assert_eq!(message, "RTE/dev.tsv:2: 5 columns, expected 4 (index, sentence1, sentence2, label)");
    // GLUE's tables have no pairs without a gold label.
    let message = refused("rte", Split::Dev, "RTE/dev.tsv", b"index\tsentence1\tsentence2\tlabel\n0\ta\tb\t-\n");
    assert_eq!(message, "RTE/dev.tsv:2: label `-` is not one of entailment, not_entailment");
}
