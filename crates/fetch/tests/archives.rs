//! Archives, good and hostile: what is unpacked, and that a bad one leaves nothing behind.

mod common;

use bzip2::write::BzEncoder;
use common::{Member, Place, Server, bytes, one, zip};
use flate2::write::GzEncoder;
use std::io::Write;
use tar::{EntryType, Header};

/// A member of a tar archive.
struct Entry {
    name: Vec<u8>,
    kind: EntryType,
    content: Vec<u8>,
    link: Vec<u8>,
}

fn entry(name: &str, kind: EntryType, content: &[u8], link: &str) -> Entry {
    Entry { name: name.into(), kind, content: content.to_vec(), link: link.into() }
}

fn file(name: &str, content: &str) -> Entry {
    entry(name, EntryType::Regular, content.as_bytes(), "")
}

/// A tar archive with these headers as they are; the library would not write some of the names.
fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut archive = Vec::new();
    for entry in entries {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..entry.name.len()].copy_from_slice(&entry.name);
        header.as_old_mut().linkname[..entry.link.len()].copy_from_slice(&entry.link);
        header.set_entry_type(entry.kind);
        header.set_mode(0o644);
        header.set_size(entry.content.len() as u64);
        header.set_cksum();
        archive.extend(header.as_bytes());
        archive.extend(&entry.content);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

fn gz(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn bz2(content: &[u8]) -> Vec<u8> {
    let mut encoder = BzEncoder::new(Vec::new(), bzip2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// A place whose data set `x` is this archive; `more`: further keys of the file and of the set.
fn place(archive: &[u8], kind: &str, more: &str) -> Place {
    let server = Server::of(archive);
    Place::new(&(one(&format!("{}/x.{kind}", server.url), archive, kind) + more))
}

/// The archive is refused by name and entry; nothing is left of it.
fn refused(archive: &[u8], kind: &str, more: &str, words: &[&str]) {
    let place = place(archive, kind, more);
    let archive = format!("x.{kind}: ");
    let words: Vec<&str> = words.iter().copied().chain([archive.as_str()]).collect();
    place.refused(&["x"], &words);
    place.assert_nothing_left();
}

#[test]
fn what_is_wanted_is_unpacked() {
    let members = [
        Member { mode: 0o040_755, ..Member::file("set/", "") },
        Member::file("set/train.tsv", "train\n"),
        Member::file("set/parts/a/1.txt", "one"),
        Member::file("set/parts/b/2.txt", "two"),
        Member::file("set/other.txt", "not wanted"),
        Member::file("set/Icon\r", "not wanted"),
        Member::file("set/parts/._1.txt", "junk"),
        Member::file("__MACOSX/set/._train.tsv", "junk"),
        Member::file("beside.txt", "not wanted"),
    ];
    let more = "      strip: set\n      want: [train.tsv, parts/]\n";
    let entries: Vec<Entry> = members
        .iter()
        .map(|member| Entry {
            name: member.name.clone(),
            kind: if member.mode == 0o040_755 { EntryType::Directory } else { EntryType::Regular },
            content: member.content.clone(),
            link: Vec::new(),
        })
        .collect();
    let tar = tar(&entries);
    for (archive, kind) in [(zip(&members), "zip"), (gz(&tar), "tar.gz"), (bz2(&tar), "tar.bz2")] {
        let place = place(&archive, kind, more);
        place.fetch_well(&["x"]);
        let found: Vec<String> =
            place.files().into_iter().filter_map(|file| file.strip_prefix("data/X/").map(str::to_owned)).collect();
        let parts = ["parts", "parts/a", "parts/a/1.txt", "parts/b", "parts/b/2.txt"];
        assert_eq!(found, [&[".fetched.json"], &parts[..], &["train.tsv"]].concat(), "{kind}");
        assert_eq!(place.read("X/train.tsv") + &place.read("X/parts/b/2.txt"), "train\ntwo", "{kind}");
    }
}

#[test]
fn a_compressed_file() {
    let content = bytes(100_000);
    let place = place(&gz(&content), "gz", "");
    place.fetch_well(&["x"]);
    assert_eq!(fs_err::read(place.data("X/x")).unwrap(), content);
    refused(&gz(&content)[..50_000], "gz", "", &["cannot be unpacked"]);
    refused(&gz(&vec![0; 1_000_000]), "gz", "  max_unpacked_bytes: 10000\n", &["more than 10000 bytes"]);
}

/// Names as only macOS and Unix tell apart, and long ones, are as good as others.
#[test]
fn unusual_names_are_unpacked() {
    let long = format!("{}/{}.txt", "d".repeat(120), "f".repeat(120));
    let members =
        [Member::file("a", "1"), Member::file("A", "2"), Member::file(&long, "3"), Member::file("ü ñ/'\"", "4")];
    let pax_record = |key: &str, value: &str| {
        // The length counts its own three digits.
        format!("{} {key}={value}\n", key.len() + value.len() + 6)
    };
    let pax = pax_record("path", &long);
    assert_eq!(pax.len(), 255);
    let gnu = [long.as_bytes(), b"\0"].concat();
    let common = || [file("a", "1"), file("A", "2"), file("ü ñ/'\"", "4")];
    let by_gnu = [entry("././@LongLink", EntryType::GNULongName, &gnu, ""), file("cut off", "3")];
    let by_pax = [entry("pax", EntryType::XHeader, pax.as_bytes(), ""), file("cut off", "3")];
    for (archive, kind) in [
        (zip(&members), "zip"),
        (gz(&tar(&common().into_iter().chain(by_gnu).collect::<Vec<_>>())), "tar.gz"),
        (gz(&tar(&common().into_iter().chain(by_pax).collect::<Vec<_>>())), "tar.gz"),
    ] {
        let place = place(&archive, kind, "");
        place.fetch_well(&["x"]);
        assert_eq!([&place.read("X/a"), &place.read(&format!("X/{long}")), &place.read("X/ü ñ/'\"")], ["1", "3", "4"]);
        assert!(!place.data("X/cut off").exists());
    }
}

#[test]
fn names_that_lead_out_are_refused() {
    for (name, shown, why) in [
        ("../evil", "../evil", "leads out"),
        ("a/../../evil", "a/../../evil", "leads out"),
        ("a/..", "a/..", "leads out"),
        ("/evil", "/evil", "absolute"),
        ("//host/evil", "//host/evil", "absolute"),
        ("..\\evil", "..\\\\evil", "backslash"),
        ("a\\b", "a\\\\b", "backslash"),
        ("C:evil", "C:evil", "drive letter"),
        ("a/d:/evil", "a/d:/evil", "drive letter"),
        ("\\\\host\\evil", "evil", "backslash"),
    ] {
        let words = ["evil", shown, why];
        let words = if name.contains("evil") { &words[..] } else { &words[1..] };
        // A good member before it: nothing of the archive may stay. Wanted or not makes no difference.
        for more in ["", "      want: [good]\n"] {
            refused(&zip(&[Member::file("good", "1"), Member::file(name, "2")]), "zip", more, words);
            refused(&gz(&tar(&[file("good", "1"), file(name, "2")])), "tar.gz", more, words);
        }
        refused(&bz2(&tar(&[file("good", "1"), file(name, "2")])), "tar.bz2", "", words);
        let folder = [Member::file("good", "1"), Member { mode: 0o040_755, ..Member::file(&format!("{name}/"), "") }];
        refused(&zip(&folder), "zip", "", words);
        // By the long ways of saying a name.
        let gnu = [name.as_bytes(), b"\0"].concat();
        let by_gnu = [entry("././@LongLink", EntryType::GNULongName, &gnu, ""), file("good", "1")];
        refused(&gz(&tar(&by_gnu)), "tar.gz", "", words);
        let mut pax = format!("{} path={name}\n", name.len() + 8);
        if pax.len() != name.len() + 8 {
            pax = format!("{} path={name}\n", name.len() + 9);
        }
        let by_pax = [entry("pax", EntryType::XHeader, pax.as_bytes(), ""), file("good", "1")];
        refused(&gz(&tar(&by_pax)), "tar.gz", "", words);
    }
}

#[test]
fn names_that_are_no_text_are_refused() {
    refused(&zip(&[Member::file("good", "1"), Member::file("a\0b", "2")]), "zip", "", &["a\\0b", "NUL"]);
    refused(&zip(&[Member::file("good", "1"), Member::file("../evil\0.txt", "2")]), "zip", "", &["evil", "NUL"]);
    let by_gnu = [entry("././@LongLink", EntryType::GNULongName, b"a\0b\0", ""), file("good", "1")];
    refused(&gz(&tar(&by_gnu)), "tar.gz", "", &["a\\0b", "NUL"]);
    let odd = Entry { name: b"a\xffb".to_vec(), ..file("", "1") };
    refused(&gz(&tar(&[file("good", "1"), odd])), "tar.gz", "", &["UTF-8"]);
    let endless = [entry("././@LongLink", EntryType::GNULongName, &vec![b'n'; 1 << 20], ""), file("good", "1")];
    refused(&gz(&tar(&endless)), "tar.gz", "", &["nnnn", "a name of more than"]);
}

#[test]
fn links_and_devices_are_refused() {
    let link = |target: &str| Member { mode: 0o120_777, ..Member::file("link", target) };
    for (mode, why) in [(0o020_666, "device"), (0o060_666, "device"), (0o010_666, "pipe"), (0o140_666, "socket")] {
        refused(&zip(&[Member { mode, ..Member::file("odd", "") }]), "zip", "", &["`odd`", why]);
    }
    for more in ["", "      want: [good]\n"] {
        for target in ["/etc", "..", "good"] {
            let through = [Member::file("good", "1"), link(target), Member::file("link/evil", "2")];
            refused(&zip(&through), "zip", more, &["`link`", "symbolic link"]);
            for (kind, why) in [(EntryType::Symlink, "symbolic link"), (EntryType::Link, "hard link")] {
                let through = [file("good", "1"), entry("link", kind, b"", target), file("link/evil", "2")];
                refused(&gz(&tar(&through)), "tar.gz", more, &["`link`", why]);
            }
        }
    }
    for (kind, why) in [
        (EntryType::Char, "device"),
        (EntryType::Block, "device"),
        (EntryType::Fifo, "pipe"),
        (EntryType::GNUSparse, "sparse"),
        (EntryType::new(b'?'), "neither a file nor a folder"),
    ] {
        refused(&gz(&tar(&[file("good", "1"), entry("odd", kind, b"", "")])), "tar.gz", "", &["`odd`", why]);
    }
}

#[test]
fn encrypted_members_are_refused() {
    let secret = Member { flags: 1, ..Member::file("secret.txt", "0123456789abcdef") };
    refused(&zip(&[Member::file("good", "1"), secret]), "zip", "", &["`secret.txt`", "encrypted"]);
}

#[test]
fn bombs_are_stopped() {
    let zeros = vec![0; 5_000_000];
    let limit = "  max_unpacked_bytes: 1000000\n";
    let bomb = [Member::file("good", "1"), Member { content: zeros.clone(), ..Member::file("bomb", "") }];
    refused(&zip(&bomb), "zip", limit, &["`bomb`", "more than 1000000 bytes"]);
    let bomb = tar(&[file("good", "1"), entry("bomb", EntryType::Regular, &zeros, "")]);
    refused(&gz(&bomb), "tar.gz", limit, &["`bomb`", "more than 1000000 bytes"]);
    refused(&bz2(&bomb), "tar.bz2", limit, &["`bomb`", "more than 1000000 bytes"]);
    // One that nobody wants is read all the same, to get past it.
    let unwanted = format!("      want: [good]\n{limit}");
    refused(&gz(&bomb), "tar.gz", &unwanted, &["more than 1000000 bytes"]);
    // Many small ones add up.
    let many: Vec<Member> =
        (0..20).map(|i| Member { content: vec![0; 90_000], ..Member::file(&format!("part{i}"), "") }).collect();
    refused(&zip(&many), "zip", limit, &["`part11`", "more than 1000000 bytes"]);
}

/// A zip whose records say less than what comes out.
#[test]
fn a_zip_that_lies_about_its_size_is_refused() {
    let zeros = vec![0; 5_000_000];
    let mut archive = zip(&[Member { content: zeros, ..Member::file("bomb", "") }]);
    let size = 5_000_000u32.to_le_bytes();
    let places: Vec<usize> = (0..archive.len() - 4).filter(|&at| archive[at..at + 4] == size).collect();
    assert_eq!(places.len(), 2);
    for at in places {
        archive[at..at + 4].copy_from_slice(&10u32.to_le_bytes());
    }
    refused(&archive, "zip", "  max_unpacked_bytes: 1000000\n", &["`bomb`"]);
}

#[test]
fn too_many_members_are_refused() {
    let limit = "  max_entries: 50\n";
    let names: Vec<String> = (0..51).map(|i| format!("f{i}")).collect();
    let members: Vec<Member> = names.iter().map(|name| Member::file(name, "")).collect();
    let entries: Vec<Entry> = names.iter().map(|name| file(name, "")).collect();
    refused(&zip(&members), "zip", limit, &["more than 50 files and folders"]);
    refused(&gz(&tar(&entries)), "tar.gz", limit, &["more than 50 files and folders"]);
    place(&zip(&members[..50]), "zip", limit).fetch_well(&["x"]);
    place(&gz(&tar(&entries[..50])), "tar.gz", limit).fetch_well(&["x"]);
}

#[test]
fn damaged_archives_are_refused() {
    let text = String::from_utf8(bytes(20_000).iter().map(|byte| b'a' + byte % 26).collect()).unwrap();
    let good = zip(&[Member::file("a.txt", &text)]);
    let mut flipped = good.clone();
    flipped[5_000] ^= 1;
    refused(&flipped, "zip", "", &["`a.txt`", "cannot be unpacked"]);
    refused(&good[..good.len() / 2], "zip", "", &["cannot be unpacked"]);
    refused(b"<html>not found</html>", "zip", "", &["cannot be unpacked"]);
    let good = tar(&[file("a.txt", &text)]);
    refused(&gz(&good[..5_000]), "tar.gz", "", &["cannot be unpacked"]);
    refused(&gz(&good)[..5_000], "tar.gz", "", &["cannot be unpacked"]);
    refused(&bz2(&good)[..5_000], "tar.bz2", "", &["cannot be unpacked"]);
    refused(b"<html>not found</html>", "tar.gz", "", &["cannot be unpacked"]);
    // The checksum at the very end.
    let mut flipped = gz(&good);
    let end = flipped.len();
    flipped[end - 5] ^= 1;
    refused(&flipped, "tar.gz", "", &["cannot be unpacked"]);
}

#[test]
fn members_that_contradict_each_other_are_refused() {
    refused(&gz(&tar(&[file("a", "1"), file("a", "2")])), "tar.gz", "", &["`a`", "twice"]);
    refused(&gz(&tar(&[file("a", "1"), file("a/b", "2")])), "tar.gz", "", &["`a/b`", "folder in the place of a file"]);
    refused(&zip(&[Member::file("a/b", "1"), Member::file("a", "2")]), "zip", "", &["`a`", "twice"]);
    let sizes = [entry("pax", EntryType::XHeader, b"10 size=5\n", ""), file("a", "1")];
    refused(&gz(&tar(&sizes)), "tar.gz", "", &["`a`", "two sizes"]);
}

#[test]
fn what_is_wanted_must_be_there() {
    let archive = zip(&[Member::file("set/dev.tsv", "1")]);
    refused(
        &archive,
        "zip",
        "      strip: set\n      want: [dev.tsv, train.tsv]\n",
        &["no train.tsv in its folder set"],
    );
    refused(&archive, "zip", "      strip: other\n", &["no file in its folder other"]);
    refused(&archive, "zip", "      want: [parts/]\n", &["no parts/"]);
}
