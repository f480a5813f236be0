//! A file of a task, or of Winograd schemas: the first byte says which.
#![no_main]

use gpt1_fuzz::{check, file};
use gpt1_tasks::{Split, Task, read, winograd};
use libfuzzer_sys::fuzz_target;

/// Folder and file, by the first byte; an `a` is the first.
const FILES: [&str; 16] = [
    "CoLA/train.tsv",
    "SST-2/dev.tsv",
    "MRPC/train.tsv",
    "STS-B/train.tsv",
    "QQP/train.tsv",
    "MNLI/train.tsv",
    "QNLI/dev.tsv",
    "AX/diagnostic-full.tsv",
    "SNLI/snli_1.0_train.jsonl",
    "SNLI/snli_1.0_test.txt",
    "SciTail/tsv_format/scitail_1.0_train.tsv",
    "SciTail/snli_format/scitail_1.0_test.txt",
    "StoryCloze/cloze_test_val__spring2016 - cloze_test_ALL_val.csv",
    "RACE/train/middle/1.txt",
    "Winograd/test.c.txt",
    "WSCollection.xml",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let which = usize::from(first.wrapping_sub(b'a')) % FILES.len();
    // A folder for each, so that no file is read in the place of another.
    let path = file(&format!("{which}/{}", FILES[which]), bytes);
    let n_below = FILES[which].split('/').count();
    let folder = path.ancestors().nth(n_below).expect("below the folder");
    match which {
        14 => check(winograd::read_dpr(folder, Split::Test)),
        15 => check(winograd::read_wsc(folder)),
        _ => {
            let split = if FILES[which].contains("test.") { Split::Test } else { Split::Dev };
            let split = if FILES[which].contains("train") { Split::Train } else { split };
            let mut tasks = Task::all().iter();
            let task = tasks.find(|task| FILES[which].starts_with(task.title())).expect("a task's folder");
            check(read(*task, folder, split));
        }
    }
});
