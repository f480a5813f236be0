//! The list of data sets, what is there already, and fetched data in the hands of the tasks' readers.

mod common;

use common::{Member, Place, Server, bytes, head, one, source, zip};
use gpt1_fetch::Catalogue;
use gpt1_tasks::{Split, Task, read};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn the_built_in_list_has_every_task() {
    let catalogue = Catalogue::load(None).unwrap();
    for task in Task::all() {
        let set = catalogue.datasets.iter().find(|set| &*set.name == task.name());
        let set = set.unwrap_or_else(|| panic!("{task} is not in data/datasets.yaml"));
        assert!(set.title.contains(task.title()) || task.name() == "storycloze", "{}", set.title);
    }
    for set in &catalogue.datasets {
        for source in &set.files {
            let digests = source.digests();
            assert!(digests.sha256.is_some() || digests.git_blob.is_some(), "{}", &*source.url);
            assert!(source.bytes.is_some() || digests.git_blob.is_some(), "{}", &*source.url);
        }
    }
}

/// The facts that others publish, where the table of them is at hand.
#[test]
fn the_built_in_list_agrees_with_the_published_digests() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/checksums_upstream.tsv");
    let Ok(table) = fs_err::read_to_string(&path) else {
        println!("skipped: {} is not there", path.display());
        return;
    };
    let catalogue = Catalogue::load(None).unwrap();
    let mut n_compared = 0;
    for source in catalogue.datasets.iter().flat_map(|set| &set.files) {
        if let Some(row) = table.lines().find(|row| row.split('\t').nth(1) == Some(&source.url)) {
            let cells: Vec<&str> = row.split('\t').collect();
            assert_eq!(source.bytes, cells[2].parse().ok(), "{row}");
            assert_eq!(source.digests().sha256.as_deref(), Some(cells[3]), "{row}");
            n_compared += 1;
        } else if let Some(id) = source.digests().git_blob {
            assert!(table.contains(&id), "{id}");
            n_compared += 1;
        }
    }
    assert_eq!(n_compared, 30);
}

#[test]
fn mistakes_in_a_list_have_a_place() {
    let good = one("https://example.org/a/x.zip", b"x", "zip");
    let mistake = |from: &str, to: &str, line: u32, words: &[&str]| {
        assert!(good.contains(from), "{from}");
        let place = Place::new(&good.replacen(from, to, 1));
        let at = format!("datasets.yaml:{line}:");
        place.refused(&["--list"], &[&[at.as_str()], words].concat());
    };
    mistake("  folder:", "  foldr:", 4, &["foldr", "folder"]);
    mistake("folder: X", "folder: ../X", 4, &["../X", "without /"]);
    mistake("bytes: 1", "bytes: many", 7, &["many"]);
    mistake("sha256: 2d", "sha256: 2", 8, &["64 hexadecimal digits"]);
    mistake("sha256: 2d", "sha256: XY", 8, &["64 hexadecimal digits"]);
    mistake("kind: zip", "kind: rar", 9, &["rar", "tar.gz"]);
    mistake("url: https", "url: ftp", 6, &["ftp", "https://"]);
    mistake("kind: zip", "kind: zip\n      want: [/etc/passwd]", 10, &["/etc/passwd", "inside the folder"]);
    mistake("kind: zip", "kind: file\n      want: [a]", 1, &["x.zip", "for archives"]);
    mistake("/x.zip", "/", 1, &["no name for a file"]);
    let twice = format!("{good}{}", good.replace("name: x", "name: y").replace("folder: X", "folder: Y"));
    let place = Place::new(&twice);
    place.refused(&["--list"], &["datasets.yaml:10:", "y: there is another file x.zip"]);
    let place = Place::new(&(head("x", "X").replace("  files:\n", "")));
    place.refused(&["--list"], &["datasets.yaml:1:", "either files or on_request"]);
}

#[test]
fn names_are_checked_before_anything_is_fetched() {
    let server = Server::of(b"x");
    let place = Place::new(&one(&format!("{}/x.bin", server.url), b"x", "file"));
    place.refused(&["x", "y"], &["unknown data set y", "did you mean x?"]);
    place.refused(&[], &["NAME"]);
    assert!(server.requests().is_empty());
    let built_in = std::process::Command::new(env!("CARGO_BIN_EXE_gpt1-fetch")).arg("scitial").output().unwrap();
    let said = String::from_utf8(built_in.stderr).unwrap();
    assert_eq!(built_in.status.code(), Some(1));
    assert!(said.contains("unknown data set scitial (did you mean scitail?); known: cola, sst2"), "{said}");
}

#[test]
fn a_folder_put_there_by_hand_is_left_alone() {
    let server = Server::of(b"x");
    let list = one(&format!("{}/x.bin", server.url), b"x", "file") + "  aliases: [set_x-1.0]\n";
    for folder in ["X", "x", "glue/X", "set-x1.0"] {
        let place = Place::new(&list);
        fs_err::create_dir_all(place.data(folder)).unwrap();
        fs_err::write(place.data(folder).join("mine.txt"), "mine").unwrap();
        let ran = place.fetch_well(&["x"]);
        assert_eq!(ran.stdout, format!("x: already there, put there by hand and left alone: data/{folder}\n"));
        let list: Value = serde_json::from_str(&place.fetch_well(&["--list", "--json"]).stdout).unwrap();
        assert_eq!(list[0]["state"], "by_hand");
        assert_eq!(list[0]["path"], format!("data/{folder}"));
        assert_eq!(place.read(&format!("{folder}/mine.txt")), "mine");
    }
    assert!(server.requests().is_empty());
    // An empty folder is no data.
    let place = Place::new(&list);
    fs_err::create_dir_all(place.data("X")).unwrap();
    place.fetch_well(&["x"]);
    assert_eq!(place.read("X/x.bin"), "x");
}

#[test]
fn a_folder_from_which_files_have_gone_is_repaired() {
    let archive = zip(&[Member::file("a", "1"), Member::file("sub/b", "2"), Member::file("sub/c", "3")]);
    let server = Server::of(&archive);
    let place = Place::new(&one(&format!("{}/x.zip", server.url), &archive, "zip"));
    place.fetch_well(&["x"]);
    fs_err::write(place.data("X/notes"), "mine").unwrap();
    fs_err::remove_dir_all(place.data("X/sub")).unwrap();
    assert!(place.fetch_well(&["--list"]).stdout.contains("data/X: sub/b is missing: gpt1-fetch x"));
    assert_eq!(place.fetch_well(&["x"]).stdout, "x: data/X\n");
    assert_eq!(place.read("X/sub/b") + &place.read("X/sub/c") + &place.read("X/notes"), "23mine");
    assert!(!place.data(".X.partial").exists());

    // What was changed is somebody's work.
    fs_err::write(place.data("X/a"), "changed").unwrap();
    place.refused(&["x"], &["data/X/a", "7 bytes", "1 when it was fetched"]);
    assert!(place.fetch_well(&["--list"]).stdout.contains("data/X/a: 7 bytes"));
    assert_eq!(place.read("X/a"), "changed");

    // Half of another version would be worse than none.
    fs_err::remove_file(place.data("X/a")).unwrap();
    let newer = zip(&[Member::file("a", "new"), Member::file("sub/b", "2"), Member::file("sub/c", "3")]);
    let server = Server::of(&newer);
    fs_err::write(place.path("datasets.yaml"), one(&format!("{}/x.zip", server.url), &newer, "zip")).unwrap();
    place.refused(&["x"], &["data/X", "a is missing", "another version"]);
    assert!(!place.data("X/a").exists() && place.data("X/sub/b").exists());
}

#[test]
fn a_run_that_died_while_unpacking_is_forgotten() {
    let archive = zip(&[Member::file("a", "1")]);
    let server = Server::of(&archive);
    let place = Place::new(&one(&format!("{}/x.zip", server.url), &archive, "zip"));
    fs_err::create_dir_all(place.data(".X.partial/old")).unwrap();
    fs_err::create_dir_all(place.data(".downloads")).unwrap();
    fs_err::write(place.data(".downloads/x.zip"), &archive).unwrap();
    place.fetch_well(&["x"]);
    assert!(server.requests().is_empty(), "the archive was complete");
    assert_eq!(place.files(), ["data", "data/.downloads", "data/X", "data/X/.fetched.json", "data/X/a"]);

    // One that was damaged on the disk is not used.
    fs_err::remove_dir_all(place.data("X")).unwrap();
    fs_err::write(place.data(".downloads/x.zip"), "damaged").unwrap();
    place.refused(&["x"], &["sha256"]);
    place.fetch_well(&["x"]);
    assert_eq!(place.read("X/a"), "1");
}

#[test]
fn what_is_given_on_request() {
    let server = Server::of(b"x");
    let list = [
        one(&format!("{}/x.bin", server.url), b"x", "file"),
        "- name: story\n  title: Stories\n  licence: on request\n  folder: Story\n  on_request:\n    form: https://example.org/form\n    files: [a b.csv, c.csv]\n".to_owned(),
    ];
    let place = Place::new(&list.concat());
    place.refused(&["story"], &["https://example.org/form", "data/Story/a b.csv", "data/Story/c.csv"]);
    let ran = place.fetch_well(&["story", "x"]);
    assert!(ran.stderr.contains("https://example.org/form"), "{}", ran.stderr);
    assert_eq!(ran.stdout, "x: data/X\n");
    fs_err::create_dir_all(place.data("story")).unwrap();
    fs_err::write(place.data("story/a b.csv"), "").unwrap();
    let ran = place.refused(&["story"], &["data/story/c.csv"]);
    assert!(!ran.stderr.contains("a b.csv"), "{}", ran.stderr);
    fs_err::write(place.data("story/c.csv"), "").unwrap();
    let ran = place.fetch_well(&["story"]);
    assert_eq!(ran.stdout, "story: already there, put there by hand and left alone: data/story\n");
}

#[test]
fn one_of_several_that_fails_does_not_stop_the_others() {
    let server = Server::start(|request, _| match request.path.as_str() {
        "/x.bin" => common::Reply::file(request, b"x", "x"),
        _ => common::Reply::new("404 Not Found", b""),
    });
    let sets = ["a", "x"]
        .map(|name| head(name, &name.to_uppercase()) + &source(&format!("{}/{name}.bin", server.url), b"x", "file"));
    let place = Place::new(&sets.concat());
    let ran = place.refused(&["a", "x"], &["error: a: ", "404", "not fetched: a"]);
    assert_eq!(ran.stdout, "x: data/X\n");
}

#[test]
fn the_list_as_table_and_json() {
    let sets = [one("https://example.org/x.zip", &bytes(1_500), "zip"), one("https://example.org/y.zip", b"y", "zip")];
    let second = sets[1].replace("name: x", "name: second").replace("folder: X", "folder: Y");
    let place = Place::new(&(sets[0].clone() + &second));
    let table = place.fetch_well(&["--list"]).stdout;
    assert_eq!(
        table,
        "NAME    TITLE      DOWNLOAD  WHERE\n\
         x       The set x    1.5 kB  not there; gpt1-fetch x\n\
         second  The set x       1 B  not there; gpt1-fetch second\n"
    );
    let json: Value = serde_json::from_str(&place.fetch_well(&["--list", "--json", "second"]).stdout).unwrap();
    let rows = json.as_array().unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["name"], "second");
    assert_eq!(rows[0]["bytes"], 1);
    assert_eq!(rows[0]["state"], "missing");
    assert_eq!(rows[0]["path"], Value::Null);
    assert_eq!(rows[0]["urls"][0], "https://example.org/y.zip");
    assert_eq!(place.files(), [""; 0], "--list writes nothing");
}

/// The entry of RTE in the built-in list, for another archive.
fn rte(url: &str, archive: &[u8]) -> String {
    head("rte", "RTE") + &source(url, archive, "zip") + "      strip: RTE\n      want: [train.tsv, dev.tsv, test.tsv]\n"
}

#[test]
fn fetched_data_is_read_by_its_task() {
    let row = "index\tsentence1\tsentence2\tlabel\n0\tA cat sat.\tAn animal sat.\tentailment\n";
    let test = "index\tsentence1\tsentence2\n0\tA cat sat.\tA dog sat.\n1\tIt is.\tIt was.\n";
    let archive = zip(&[
        Member { mode: 0o040_755, ..Member::file("RTE/", "") },
        Member::file("RTE/train.tsv", row),
        Member::file("RTE/dev.tsv", row),
        Member::file("RTE/test.tsv", test),
        Member::file("__MACOSX/RTE/._train.tsv", "junk"),
    ]);
    let server = Server::of(&archive);
    let place = Place::new(&rte(&format!("{}/RTE.zip", server.url), &archive));
    assert_eq!(place.fetch_well(&["rte"]).stdout, "rte: data/RTE\n");
    let task: Task = "rte".parse().unwrap();
    let train = read(task, &place.path("data"), Split::Train).unwrap();
    assert_eq!(train.examples[0].texts, ["A cat sat.", "An animal sat."]);
    assert_eq!(read(task, &place.path("data"), Split::Test).unwrap().examples.len(), 2);
}

/// The real RTE, packed as GLUE does, where it is at hand.
#[test]
fn the_real_rte() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/glue/RTE");
    if !folder.is_dir() {
        println!("skipped: {} is not there", folder.display());
        return;
    }
    let member = |name: &str| Member::file(&format!("RTE/{name}"), &fs_err::read_to_string(folder.join(name)).unwrap());
    let archive = zip(&["train.tsv", "dev.tsv", "test.tsv"].map(member));
    let server = Server::of(&archive);
    let place = Place::new(&rte(&format!("{}/RTE.zip", server.url), &archive));
    place.fetch_well(&["rte"]);
    let counts = [Split::Train, Split::Dev, Split::Test]
        .map(|split| read("rte".parse().unwrap(), &place.path("data"), split).unwrap().examples.len());
    assert_eq!(counts, [2490, 277, 3000]);
}

/// The folders of the built-in list are those in which the tasks' readers look.
#[test]
fn the_readers_find_the_folders() {
    let catalogue = Catalogue::load(None).unwrap();
    let mut unfound = BTreeSet::new();
    for task in Task::all() {
        let set = catalogue.datasets.iter().find(|set| &*set.name == task.name()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(&*set.folder);
        fs_err::create_dir(&folder).unwrap();
        let files = set
            .files
            .iter()
            .flat_map(|source| {
                let single = source.want.is_empty().then(|| source.target().to_owned());
                single.into_iter().chain(source.want.iter().map(|member| member.to_string())).collect::<Vec<_>>()
            })
            .chain(set.on_request.iter().flat_map(|request| request.files.iter().map(|file| file.to_string())));
        for file in files.collect::<Vec<_>>() {
            let path = folder.join(&file);
            if file.ends_with('/') {
                // RACE's.
                fs_err::create_dir_all(path.join("middle")).unwrap();
            } else {
                fs_err::create_dir_all(path.parent().unwrap()).unwrap();
                fs_err::write(path, "").unwrap();
            }
        }
        for split in [Split::Train, Split::Dev, Split::Test] {
            // The files are empty: whatever is wrong with that, it must not be that they are not found.
            match read(*task, dir.path(), split) {
                Err(gpt1_tasks::TaskError::Missing { .. }) => _ = unfound.insert(format!("{task} {split}")),
                other => assert!(other.is_err()),
            }
        }
    }
    assert_eq!(unfound, BTreeSet::new());
}
