//! Damaged archives: each is refused by name, or unpacked to what was packed; nothing comes to lie outside the folder.

use super::{Sink, unpack};
use crate::catalogue::Source;
use mutate::mutate;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

#[path = "../../../../tests/tests/damage/mutate.rs"]
mod mutate;

const FILES: [(&str, &str); 3] =
    [("set/a.txt", "the cat sat on the mat"), ("set/b.txt", "the dog\nthe dog\nthe dog\nthe dog\n"), ("c.txt", "")];

fn tar() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, text) in FILES {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap()
}

fn zip() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in FILES {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

fn bz2(bytes: &[u8]) -> Vec<u8> {
    let mut bz2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    bz2.write_all(bytes).unwrap();
    bz2.finish().unwrap()
}

/// The contents of all files below a folder.
fn contents(folder: &Path, found: &mut Vec<String>) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            contents(&path, found);
        } else {
            found.push(fs_err::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn damaged_archives_are_refused_or_unpacked_right() {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |n| n.parse().expect("a number"));
    let (first, n_mutations) = (number("GPT1_DAMAGE_SEED", 0), number("GPT1_DAMAGE_MUTATIONS", 10_000));
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let root = dir.path().join("root");
    for (kind, honest) in
        [("zip", zip()), ("tar.gz", gz(&tar())), ("tar.bz2", bz2(&tar())), ("gz", gz(FILES[1].1.as_bytes()))]
    {
        let source = serde_json::json!({"url": format!("https://example.org/x.{kind}"), "kind": kind});
        let source: Source = serde_json::from_value(source).unwrap();
        let path = dir.path().join(format!("x.{kind}"));
        let mut n_read = 0;
        for seed in first..first + n_mutations {
            let mutate::Mutation { bytes, what } = mutate(&honest, std::slice::from_ref(&(0..honest.len())), seed);
            let what = format!("{kind}, GPT1_DAMAGE_SEED={seed}: {what}");
            fs_err::write(&path, &bytes).unwrap();
            fs_err::create_dir(&root).unwrap();
            let began = Instant::now();
            let outcome = unpack(&source, &path, &mut Sink::new(&root, 1 << 20, 100));
            assert!(began.elapsed() < Duration::from_secs(5), "{what}: {:?}", began.elapsed());
            match outcome {
                Ok(()) => {
                    n_read += 1;
                    let mut found = Vec::new();
                    contents(&root, &mut found);
                    // Names have no checksum in a zip, and a member may be lost with its entry; what is there is as it was.
                    // A gzip file that stands there twice is a text twice.
                    let is_honest = |text: &String| {
                        FILES
                            .iter()
                            .any(|(_, honest)| text == honest || kind == "gz" && text.replace(honest, "").is_empty())
                    };
                    assert!(found.iter().all(is_honest), "{what}: {found:?}");
                }
                Err(error) => assert!(error.to_string().contains(&format!("x.{kind}")), "{what}: {error}"),
            }
            fs_err::remove_dir_all(&root).unwrap();
            assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 1, "{what}");
            fs_err::remove_file(&path).unwrap();
        }
        println!("{kind}: {n_mutations} damaged versions, {n_read} unpacked");
    }
}
