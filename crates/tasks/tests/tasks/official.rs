//! The official files, where they are: ../shared/data beside the workspace.

use std::path::{Path, PathBuf};

use gpt1_tasks::{Dataset, Split, Target, majority_scores};

use crate::samples::read_split;

fn data() -> Option<PathBuf> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if data.is_dir() {
        return Some(data);
    }
    eprintln!("skipped: no official data in {}", data.display());
    None
}

fn read_all(task: &str, data: &Path) -> [Dataset; 3] {
    [Split::Train, Split::Dev, Split::Test].map(|split| read_split(task, data, split).unwrap())
}

#[test]
fn official_counts() {
    let Some(data) = data() else { return };
    for (task, counts) in [
        ("rte", [2490, 277, 3000]),
        ("cola", [8551, 1043, 1063]),
        ("sst2", [67349, 872, 1821]),
        ("mrpc", [3668, 408, 1725]),
        ("stsb", [5749, 1500, 1379]),
        ("wnli", [635, 71, 146]),
    ] {
        let found = read_all(task, &data);
        assert_eq!(found.each_ref().map(|dataset| dataset.examples.len()), counts, "{task}");
        assert!(found.iter().all(|dataset| dataset.dropped == 0));
    }
    for (task, split, count, dropped) in [
        ("qnli", Split::Train, 9999, 0),
        ("qnli", Split::Dev, 5463, 0),
        ("mnli", Split::Train, 9999, 0),
        ("mnli", Split::Dev, 9815, 0),
        ("qqp", Split::Train, 20000, 0),
        ("qqp", Split::Dev, 3497, 0),
        ("snli", Split::Train, 9999, 0),
        ("snli", Split::Dev, 1289 - 16, 16),
        ("scitail", Split::Dev, 1304, 0),
        ("scitail", Split::Test, 2126, 0),
    ] {
        let found = read_split(task, &data, split).unwrap();
        assert_eq!((found.examples.len(), found.dropped), (count, dropped), "{task} {split}");
    }
}

#[test]
fn known_shares_of_the_official_development_sets() {
    let Some(data) = data() else { return };
    // RTE: 146 of 277 entailed; SST-2: 444 of 872 good; CoLA: 721 of 1,043 acceptable; MRPC: 279 of 408 paraphrases.
    for (task, class, expected) in [("rte", 0, 146), ("sst2", 1, 444), ("cola", 1, 721), ("mrpc", 1, 279)] {
        let dev = read_split(task, &data, Split::Dev).unwrap();
        let n = dev.examples.iter().filter(|example| example.target == Target::Class(class)).count();
        assert_eq!(n, expected, "{task}");
    }
    let [train, dev, _] = read_all("mrpc", &data);
    let scores = majority_scores(train.task, &train.examples, &dev.examples).unwrap();
    assert_eq!(scores[1].1, 279.0 / 408.0);
    assert_eq!(scores[0].1, 2.0 * 279.0 / (279.0 + 408.0));
}

#[test]
fn mrpc_from_the_originals_is_glues() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    for name in ["msr_paraphrase_train.txt", "dev_ids.tsv"] {
        fs_err::copy(data.join("glue/MRPC").join(name), folder.path().join(name)).unwrap();
    }
    for split in [Split::Train, Split::Dev] {
        // In any order: the train.tsv in circulation has moved a row to its end.
        let [ours, glues] = [folder.path(), &data].map(|folder| {
            let examples = read_split("mrpc", folder, split).unwrap().examples;
            let mut rows: Vec<_> = examples.into_iter().map(|row| (row.texts, format!("{:?}", row.target))).collect();
            rows.sort();
            rows
        });
        assert!(ours == glues, "{split}");
    }
}
