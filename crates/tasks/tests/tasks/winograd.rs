//! Winograd schemas: DPR's files and the XML of WSC, as they are and damaged.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use gpt1_tasks::winograd::{Schemas, read_dpr, read_wsc};
use gpt1_tasks::{Split, TaskError};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::damaged::{apply, damage};
use crate::samples::write;

/// With the quirks of the official file: spaces, an article in another case, the pronoun at a sentence's beginning, in a word
/// (`other`, `shed`), before the candidates and several times.
const DPR: &str = "The bee landed on the flower because it had pollen.\nit\nThe bee,the flower\nThe Flower \n\n\
    Debbie shed tears. She left Tina.\nshe\nDebbie, Tina\nDebbie\n\n \n\
    They say that the other brothers fear the neighbors as they shout that they care.\nthey\nthe other brothers,the neighbors\nthe neighbors\n";

const WSC: &[u8] = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<collection>\n\n<schema>\n<text>\n<txt1>\nThe city councilmen refused\nthe caf\xe9 because</txt1>\n<pron> they </pron>\n<txt2> feared &amp; hated violence. \n</txt2>\n</text>\n<quote>\n<quote1></quote1>\n<pron>they </pron>\n</quote>\n<answers>\n<answer>The city councilmen </answer>\n<answer>the caf\xe9 </answer>\n</answers>\n<correctAnswer> B.  </correctAnswer>\n<source> (Winograd 1972) </source>\n</schema>\n</collection>\n";

fn dpr(text: &str) -> Result<Schemas, TaskError> {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "Winograd/test.c.txt", text.as_bytes());
    read_dpr(folder.path(), Split::Test)
}

fn wsc(xml: &[u8]) -> Result<Schemas, TaskError> {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "WSCollection.xml", xml);
    read_wsc(folder.path())
}

#[test]
fn records_of_dpr() {
    let read = dpr(DPR).unwrap();
    assert_eq!((read.schemas.len(), read.dropped), (3, 0));
    let resolved: Vec<_> = read.schemas.iter().map(|schema| schema.resolved(schema.answer)).collect();
    assert_eq!(resolved[0], ("The bee landed on the flower because the flower".to_owned(), " had pollen."));
    // The pronoun must follow both candidates, but the second one is named late here: the last one there is.
    assert_eq!(resolved[1], ("Debbie shed tears. Debbie".to_owned(), " left Tina."));
    assert_eq!(read.schemas[1].pronoun, "she");
    let expected = "They say that the other brothers fear the neighbors as the neighbors";
    assert_eq!(resolved[2], (expected.to_owned(), " shout that they care."));
    let notes = read.notes.join("\n");
    assert!(notes.ends_with("1 sentences hold the pronoun more than once; the first after both candidates is taken"));
    let windows = dpr(&format!("\u{feff}{}", DPR.replace('\n', "\r\n"))).unwrap();
    assert_eq!(windows.schemas, read.schemas);
}

#[test]
fn records_that_cannot_be_used_are_counted() {
    for (from, to, reason) in [
        ("\nit\n", "\nthey\n", "the pronoun is not in the sentence"),
        ("The bee,the flower", "The bee, or the flower, or nothing", "not two candidates with a comma between"),
        ("\nThe Flower ", "\nthe pollen", "the right one is none of the candidates"),
        ("The bee,the flower", "the flower,The flower", "the two candidates are the same"),
        ("it had pollen.", "it", "nothing follows the pronoun"),
        ("The bee,the flower", ",the flower", "a candidate without a name"),
    ] {
        let read = dpr(&DPR.replacen(from, to, 1)).unwrap();
        assert_eq!((read.schemas.len(), read.dropped), (2, 1), "{reason}");
        assert!(read.notes[0].contains("skipped 1 records, the first on line 1: "), "{:?}", read.notes);
        assert!(read.notes[0].ends_with(reason), "{:?}, not {reason}", read.notes);
    }
}

#[test]
fn wrong_files_are_placed() {
    let message = |result: Result<Schemas, TaskError>| {
        let text = result.unwrap_err().to_string();
        text.rsplit_once(".c.txt").or(text.rsplit_once(".xml")).map_or(text.clone(), |(_, end)| end.to_owned())
    };
    assert!(message(dpr(&DPR.replacen("She left Tina.", "She left Tina.\nDo not ask.", 1))).starts_with(
        ":6: a record of 5 lines, expected 4 (sentence, pronoun, candidate,candidate, the right one) and an empty one"
    ));
    assert!(message(dpr(&DPR.replacen("\nit\n", "\n", 1))).starts_with(":1: a record of 3 lines"));
    assert_eq!(message(dpr("\n\n")), ": no example of the test split in it");
    let with = |from: &str, to: &str| {
        let xml: String = WSC.iter().map(|byte| char::from(*byte)).collect();
        message(wsc(&xml.replacen(from, to, 1).chars().map(|c| c as u8).collect::<Vec<_>>()))
    };
    assert_eq!(with("</schema>", ""), ":4: this <schema> never ends");
    assert_eq!(with("txt2>", "txt3>"), ":4: no <txt2> in this <schema>");
    assert_eq!(with(" B. ", " C. "), ": no example of the test split in it");
    let missing = read_dpr(Path::new("nowhere"), Split::Test).unwrap_err().to_string();
    for part in ["DPRD", "nowhere/Winograd/test.c.txt", "nowhere/dpr_test.c.txt", "hint: save train.c.txt"] {
        assert!(missing.contains(part), "{missing}");
    }
    let missing = read_wsc(Path::new("nowhere")).unwrap_err().to_string();
    assert!(missing.contains("nowhere/WSCollection.xml"), "{missing}");
    let dev = read_dpr(Path::new("nowhere"), Split::Dev).unwrap_err().to_string();
    assert_eq!(dev, "DPRD has no split dev; its splits are train, test");
}

#[test]
fn schemas_in_xml() {
    let read = wsc(WSC).unwrap();
    let [schema] = &read.schemas[..] else { panic!("{:?}", read.schemas) };
    assert_eq!(
        schema.resolved(schema.answer),
        ("The city councilmen refused the café because the café".to_owned(), " feared & hated violence.")
    );
    assert_eq!((schema.pronoun.as_str(), schema.answer, read.notes.len()), ("they", 1, 0));
    let utf8: String = WSC.iter().map(|byte| char::from(*byte)).collect();
    assert_eq!(wsc(utf8.as_bytes()).unwrap().schemas, read.schemas);
}

#[test]
fn damaged_files_never_panic() {
    let seed = match std::env::var("GPT1_TEST_SEED") {
        Ok(seed) => seed.parse().expect("GPT1_TEST_SEED is a number"),
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64,
    };
    eprintln!("GPT1_TEST_SEED={seed}");
    let mut rng_seed = [0; 32];
    rng_seed[..8].copy_from_slice(&seed.to_le_bytes());
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [("test.c.txt", DPR.as_bytes()), ("WSCollection.xml", WSC)] {
        let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &rng_seed));
        let result = runner.run(&prop::collection::vec(damage(), 1..5), |damages| {
            let mut damaged = content.to_vec();
            for damage in &damages {
                apply(&mut damaged, damage);
            }
            write(folder.path(), name, &damaged);
            let read =
                if name.ends_with("xml") { read_wsc(folder.path()) } else { read_dpr(folder.path(), Split::Test) };
            match read {
                Ok(read) => {
                    for schema in &read.schemas {
                        prop_assert!(schema.answer < 2 && !schema.resolved(1).0.is_empty());
                        prop_assert!(!schema.after.trim().is_empty());
                    }
                }
                Err(error) => prop_assert!(error.to_string().contains(name), "{}", error),
            }
            Ok(())
        });
        if let Err(error) = result {
            panic!("{name}, GPT1_TEST_SEED={seed}: {error}");
        }
    }
}

#[test]
fn official_counts() {
    let data: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !data.is_dir() {
        eprintln!("skipped: no official data in {}", data.display());
        return;
    }
    for (split, n, n_first, n_ambiguous) in [(Split::Train, 1322, 661, 37), (Split::Test, 564, 282, 14)] {
        let read = read_dpr(&data, split).unwrap();
        let first = read.schemas.iter().filter(|schema| schema.answer == 0).count();
        assert_eq!((read.schemas.len(), read.dropped, first), (n, 0, n_first), "{split}");
        assert!(read.notes[0].contains(&format!("{n_ambiguous} sentences hold the pronoun more than once")));
    }
    let wsc = read_wsc(&data).unwrap();
    let first = wsc.schemas.iter().filter(|schema| schema.answer == 0).count();
    assert_eq!((wsc.schemas.len(), wsc.dropped, first), (285, 0, 143));
    let last = &wsc.schemas[284];
    assert_eq!(last.resolved(1).0.rsplit_once(" as ").unwrap().1, "willow-towered Canopy Huntertropic wrestles");
}
