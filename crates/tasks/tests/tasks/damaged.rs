//! No damage to a file makes a reader panic: each sample file is mutated at random, many times, and read.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use gpt1_tasks::{Special, Split, Task, inputs, read};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::samples::{FILES, FORMS, folder_of, write};

/// One damage to a file; positions are shares of its length.
#[derive(Clone, Debug)]
pub(crate) enum Damage {
    Overwrite(f64, Vec<u8>),
    Insert(f64, Vec<u8>),
    Remove(f64, f64),
    Cut(f64),
    Repeat(f64, f64),
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let telling = prop::sample::select(&b"\t\n\r\",{}[]:\\\xff\xc3\xef\xbb\xbf\x00 -59Ae."[..]);
    prop::collection::vec(prop_oneof![telling, any::<u8>()], 1..4)
}

pub(crate) fn damage() -> impl Strategy<Value = Damage> {
    let at = || 0.0..1.0f64;
    prop_oneof![
        (at(), bytes()).prop_map(|(at, bytes)| Damage::Overwrite(at, bytes)),
        (at(), bytes()).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (at(), at()).prop_map(|(from, to)| Damage::Remove(from, to)),
        at().prop_map(Damage::Cut),
        (at(), at()).prop_map(|(from, to)| Damage::Repeat(from, to)),
    ]
}

pub(crate) fn apply(content: &mut Vec<u8>, damage: &Damage) {
    let place = |at: f64| (at * content.len() as f64) as usize;
    let range = |a: f64, b: f64| place(a.min(b))..place(a.max(b));
    match damage {
        Damage::Overwrite(at, bytes) => {
            let at = place(*at);
            let end = (at + bytes.len()).min(content.len());
            content.splice(at..end, bytes.iter().copied());
        }
        Damage::Insert(at, bytes) => {
            let at = place(*at);
            content.splice(at..at, bytes.iter().copied());
        }
        Damage::Remove(a, b) => drop(content.drain(range(*a, *b))),
        Damage::Cut(at) => content.truncate(place(*at)),
        Damage::Repeat(a, b) => {
            let range = range(*a, *b);
            let piece = content[range.clone()].to_vec();
            content.splice(range.start..range.start, piece);
        }
    }
}

/// Reads a split and uses what was read; an error must have a message that names the file.
fn read_and_use(task: Task, folder: &Path, split: Split) -> Result<(), TestCaseError> {
    match read(task, folder, split) {
        Ok(dataset) => {
            for example in &dataset.examples {
                let texts: Vec<Vec<u32>> =
                    example.texts.iter().map(|text| text.bytes().map(u32::from).collect()).collect();
                let inputs = inputs(task, &texts, &Special::after(256), 32).unwrap();
                prop_assert!(inputs.sequences.iter().all(|sequence| sequence.len() <= 32));
                prop_assert!(split.is_test() || task.targets(&example.target).iter().sum::<f32>() > 0.999);
            }
        }
        Err(error) => prop_assert!(error.to_string().contains(&folder.display().to_string()), "{}", error),
    }
    Ok(())
}

#[test]
fn damaged_files_never_panic() {
    let seed = match std::env::var("GPT1_TEST_SEED") {
        Ok(seed) => seed.parse().expect("GPT1_TEST_SEED is a number"),
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64,
    };
    eprintln!("GPT1_TEST_SEED={seed}");
    let folders = [FILES, FORMS].map(folder_of);
    let files = FILES.iter().map(|file| (file, &folders[0])).chain(FORMS.iter().map(|file| (file, &folders[1])));
    for ((name, content), folder) in files {
        let task = Task::all().iter().copied().find(|task| name.starts_with(task.title())).unwrap();
        let split = [
            ("dev_mismatched", Split::DevMismatched),
            ("test_mismatched", Split::TestMismatched),
            ("test", Split::Test),
            ("dev", Split::Dev),
            ("diagnostic-full", Split::Dev),
            ("AX.tsv", Split::Test),
        ]
        .into_iter()
        // "cloze_test_val" is train and dev.
        .find(|(part, _)| name.replace("cloze_test", "").contains(part))
        .map_or(Split::Train, |(_, split)| split);
        let mut rng_seed = [0; 32];
        rng_seed[..8].copy_from_slice(&seed.to_le_bytes());
        let config = Config { cases: 60, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &rng_seed));
        let result = runner.run(&prop::collection::vec(damage(), 1..5), |damages| {
            let mut damaged = content.as_bytes().to_vec();
            for damage in &damages {
                apply(&mut damaged, damage);
            }
            write(folder.path(), name, &damaged);
            read_and_use(task, folder.path(), split)
        });
        if let Err(error) = result {
            panic!("{name}, GPT1_TEST_SEED={seed}: {error}");
        }
        write(folder.path(), name, content.as_bytes());
    }
}
