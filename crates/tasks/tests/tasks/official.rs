//! The official files, where they are: ../shared/data beside the workspace.

use std::path::{Path, PathBuf};

use gpt1_tasks::{Dataset, Split, Target, TaskError, majority_scores};

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

/// Split, examples, dropped rows of the official distribution; a data folder may hold a part of some sets, or none.
type Counts = &'static [(Split, usize, usize)];

const OFFICIAL: &[(&str, Counts)] = &[
    ("rte", &[(Split::Train, 2490, 0), (Split::Dev, 277, 0), (Split::Test, 3000, 0)]),
    ("cola", &[(Split::Train, 8551, 0), (Split::Dev, 1043, 0), (Split::Test, 1063, 0)]),
    ("sst2", &[(Split::Train, 67_349, 0), (Split::Dev, 872, 0), (Split::Test, 1821, 0)]),
    ("mrpc", &[(Split::Train, 3668, 0), (Split::Dev, 408, 0), (Split::Test, 1725, 0)]),
    ("stsb", &[(Split::Train, 5749, 0), (Split::Dev, 1500, 0), (Split::Test, 1379, 0)]),
    ("wnli", &[(Split::Train, 635, 0), (Split::Dev, 71, 0), (Split::Test, 146, 0)]),
    ("qnli", &[(Split::Train, 104_743, 0), (Split::Dev, 5463, 0), (Split::Test, 5463, 0)]),
    (
        "mnli",
        &[
            (Split::Train, 392_702, 0),
            (Split::Dev, 9815, 0),
            (Split::DevMismatched, 9832, 0),
            (Split::Test, 9796, 0),
            (Split::TestMismatched, 9847, 0),
        ],
    ),
    // The clean distribution; the older one has 363,849 whole rows and pieces of broken ones.
    ("qqp", &[(Split::Train, 363_846, 0), (Split::Dev, 40_430, 0), (Split::Test, 390_965, 0)]),
    ("snli", &[(Split::Train, 549_367, 785), (Split::Dev, 9842, 158), (Split::Test, 9824, 176)]),
    ("scitail", &[(Split::Train, 23_596, 0), (Split::Dev, 1304, 0), (Split::Test, 2126, 0)]),
    ("race", &[(Split::Train, 87_866, 0), (Split::Dev, 4887, 0), (Split::Test, 4934, 0)]),
    ("storycloze", &[(Split::Train, 1497, 0), (Split::Dev, 374, 0), (Split::Test, 1871, 0)]),
    ("ax", &[(Split::Test, 1104, 0)]),
];

/// The parts of official sets that some data folders hold instead, and the older QQP.
const OTHERWISE: &[(&str, Counts)] = &[
    ("qnli", &[(Split::Train, 9999, 0)]),
    ("mnli", &[(Split::Train, 9999, 0)]),
    ("qqp", &[(Split::Train, 20_000, 0), (Split::Train, 363_849, 0), (Split::Dev, 3497, 0)]),
    ("snli", &[(Split::Train, 9999, 0), (Split::Dev, 1289 - 16, 16)]),
];

#[test]
fn official_counts() {
    let Some(data) = data() else { return };
    let mut n_read = 0;
    for &(task, counts) in OFFICIAL {
        for &(split, n, dropped) in counts {
            let dataset = match read_split(task, &data, split) {
                Err(TaskError::Missing { .. }) => {
                    eprintln!("skipped: no {split} split of {task} in {}", data.display());
                    continue;
                }
                dataset => dataset.unwrap(),
            };
            // Of QQP and MNLI it is known how many rows are whole, not how many pieces of broken ones there are.
            let n_dropped = if matches!(task, "qqp" | "mnli") { 0 } else { dataset.dropped };
            let found = (split, dataset.examples.len(), n_dropped);
            let otherwise = OTHERWISE.iter().any(|(other, counts)| *other == task && counts.contains(&found));
            assert!(found == (split, n, dropped) || otherwise, "{task}: {found:?}, expected {n} and {dropped} dropped");
            n_read += 1;
        }
    }
    assert!(n_read > 0, "no task was found in {}", data.display());
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
