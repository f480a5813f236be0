//! Downloads from servers that cut, stall, lie and move.

mod common;

use common::{Place, Reply, Server, bytes, git_blob, head, one, sha256, source};
use std::net::TcpListener;
use std::time::{Duration, Instant};

#[test]
fn a_file_arrives_once() {
    let content = bytes(300_000);
    let server = Server::of(&content);
    let place = Place::new(&one(&format!("{}/a/b/x.bin?download=1", server.url), &content, "file"));
    let ran = place.fetch_well(&["x"]);
    assert_eq!(ran.stdout, "x: data/X\n");
    assert_eq!(fs_err::read(place.data("X/x.bin")).unwrap(), content);
    assert_eq!(place.files(), ["data", "data/.downloads", "data/X", "data/X/.fetched.json", "data/X/x.bin"]);
    let record: serde_json::Value = serde_json::from_str(&place.read("X/.fetched.json")).unwrap();
    assert_eq!(record["sources"][0]["sha256"], sha256(&content).as_str());
    assert_eq!(record["files"][0]["bytes"], 300_000);

    let ran = place.fetch_well(&["x"]);
    assert_eq!(ran.stdout, "x: already there: data/X\n");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_cut_connection_is_continued() {
    let content = bytes(100_000);
    let served = content.clone();
    let server = Server::start(move |request, n| {
        let cut = if n < 3 { Some(20_000) } else { None };
        Reply { cut, ..Reply::file(request, &served, "v1") }
    });
    let place = Place::new(&one(&format!("{}/x.bin", server.url), &content, "file"));
    let ran = place.fetch_well(&["x"]);
    assert_eq!(fs_err::read(place.data("X/x.bin")).unwrap(), content);
    let asked: Vec<_> = server.requests().iter().map(|request| (request.start(), request.if_range.clone())).collect();
    let tag = || Some("\"v1\"".to_owned());
    assert_eq!(
        asked,
        [(None, None), (Some(20_000), tag()), (Some(40_000), tag()), (Some(60_000), tag())],
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("after 20000 bytes; again in"), "{}", ran.stderr);
}

#[test]
fn a_connection_that_brings_nothing_is_given_up() {
    let content = bytes(50_000);
    let served = content.clone();
    let server = Server::start(move |request, n| {
        let cut = Some(if n == 0 { 10_000 } else { 0 });
        Reply { cut, ..Reply::file(request, &served, "v1") }
    });
    let place = Place::new(&one(&format!("{}/x.bin", server.url), &content, "file"));
    place.refused(&["x"], &["tried 6 times", "10000 bytes", "data/.downloads/x.bin.partial"]);
    assert_eq!(server.requests().len(), 6);
    assert_eq!(fs_err::read(place.data(".downloads/x.bin.partial")).unwrap(), content[..10_000]);
    assert!(!place.data("X").exists());
}

#[test]
#[cfg(unix)]
fn an_interrupted_run_is_continued_by_the_next() {
    let content = bytes(100_000);
    let served = content.clone();
    let server = Server::start(move |request, n| {
        let stall = if n == 0 { Some(40_000) } else { None };
        Reply { stall, ..Reply::file(request, &served, "v1") }
    });
    let place = Place::new(&one(&format!("{}/x.bin", server.url), &content, "file"));
    let mut child = place.command().arg("x").spawn().unwrap();
    let partial = place.data(".downloads/x.bin.partial");
    wait_for(|| fs_err::metadata(&partial).is_ok_and(|file| file.len() == 40_000));
    let killed = std::process::Command::new("sh").args(["-c", &format!("kill -TERM {}", child.id())]).status().unwrap();
    assert!(killed.success());
    child.wait().unwrap();
    assert!(!place.data("X").exists());

    let list = place.fetch_well(&["--list"]).stdout;
    assert!(list.contains("not there; gpt1-fetch x (40 kB downloaded already)"), "{list}");
    place.fetch_well(&["x"]);
    assert_eq!(server.requests()[1].start(), Some(40_000));
    assert_eq!(fs_err::read(place.data("X/x.bin")).unwrap(), content);
    assert!(!partial.exists());
}

#[test]
fn a_server_without_ranges_begins_again() {
    let content = bytes(60_000);
    let served = content.clone();
    let server = Server::start(move |_, n| {
        let cut = if n == 0 { Some(30_000) } else { None };
        Reply { cut, ..Reply::new("200 OK", &served) }
    });
    let place = Place::new(&one(&format!("{}/x.bin", server.url), &content, "file"));
    place.fetch_well(&["x"]);
    assert_eq!(server.requests()[1].start(), Some(30_000));
    assert_eq!(fs_err::read(place.data("X/x.bin")).unwrap(), content);
}

/// The file changes while it is downloaded: halves of two versions are never put together, whether the server keeps to
/// If-Range or not.
#[test]
fn a_file_that_changed_begins_again() {
    let (old, new) = (vec![b'o'; 60_000], bytes(60_000));
    for honest in [true, false] {
        let (old, served) = (old.clone(), new.clone());
        let server = Server::start(move |request, n| match n {
            0 => Reply { cut: Some(30_000), ..Reply::file(request, &old, "v1") },
            _ if honest => Reply::file(request, &served, "v2"),
            _ => Reply::file(&common::Request { if_range: None, ..request.clone() }, &served, "v2"),
        });
        let place = Place::new(&one(&format!("{}/x.bin", server.url), &new, "file"));
        let ran = place.fetch_well(&["x"]);
        assert_eq!(fs_err::read(place.data("X/x.bin")).unwrap(), new);
        assert!(ran.stderr.contains("from the beginning"), "{}", ran.stderr);
        assert_eq!(server.requests().len(), if honest { 2 } else { 3 });
    }
}

/// 416 says that nothing is missing, or that what is there is no part of the file.
#[test]
fn a_range_that_is_not_there() {
    let content = bytes(30_000);
    let server = Server::of(&content);
    // The size is not listed, so only the server can say that the file is complete.
    let entry = |digest: &str| {
        format!("{}    - url: {}/x.bin\n      git_blob: {digest}\n      kind: file\n", head("x", "X"), server.url)
    };
    for (begun, n_requests) in [(content.clone(), 1), (bytes(40_000), 2)] {
        let place = Place::new(&entry(&git_blob(&content)));
        fs_err::create_dir_all(place.data(".downloads")).unwrap();
        fs_err::write(place.data(".downloads/x.bin.partial"), begun).unwrap();
        let before = server.requests().len();
        place.fetch_well(&["x"]);
        assert_eq!(server.requests().len() - before, n_requests);
        assert_eq!(fs_err::read(place.data("X/x.bin")).unwrap(), content);
    }
}

#[test]
fn a_wrong_digest_is_refused() {
    let (content, other) = (bytes(10_000), vec![0; 10_000]);
    let server = Server::of(&other);
    let url = format!("{}/x.bin", server.url);
    let place = Place::new(&one(&url, &content, "file"));
    place.refused(&["x"], &[&sha256(&content), &sha256(&other), "sha256", &url]);
    place.assert_nothing_left();

    let blob = format!("    - url: {url}\n      git_blob: {}\n      kind: file\n", git_blob(&content));
    let place = Place::new(&(head("x", "X") + &blob));
    place.refused(&["x"], &[&git_blob(&content), &git_blob(&other), "git_blob"]);
    place.assert_nothing_left();
}

#[test]
fn a_file_of_another_size_is_refused() {
    let content = bytes(10_000);
    for (length, n) in [(10_001, 10_001), (9_999, 9_999), (50_000_000, 0)] {
        let server = Server::start(move |_, _| Reply { length: Some(length), ..Reply::new("200 OK", &vec![7; n]) });
        let place = Place::new(&one(&format!("{}/x.bin", server.url), &content, "file"));
        place.refused(&["x"], &[&format!("a file of {length} bytes"), "says 10000"]);
        assert_eq!(server.requests().len(), 1);
        place.assert_nothing_left();
    }
}

#[test]
fn an_endless_answer_is_cut_off() {
    let content = bytes(10_000);
    for chunked in [true, false] {
        let server = Server::start(move |_, _| Reply {
            endless: true,
            chunked,
            length: None,
            ..Reply::new("200 OK", &vec![7; 100_000])
        });
        let place = Place::new(&one(&format!("{}/x.bin", server.url), &content, "file"));
        place.refused(&["x"], &["more than 10000", "says 10000"]);
        place.assert_nothing_left();
        // The server was not listened to until it had enough: only then does it count.
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(server.sent(), 0);
    }
}

#[test]
fn answers_without_a_length() {
    let content = bytes(70_000);
    for chunked in [true, false] {
        let served = content.clone();
        let server = Server::start(move |request, n| {
            let cut = if n == 0 { Some(20_000) } else { None };
            let reply = Reply::file(request, &served, "v1");
            // The first answer ends too early, which without a length only the listed size tells.
            Reply { chunked, length: None, cut, ..reply }
        });
        let place = Place::new(&one(&format!("{}/x.bin", server.url), &content, "file"));
        place.fetch_well(&["x"]);
        assert_eq!(server.requests()[1].start(), Some(20_000), "chunked: {chunked}");
        assert_eq!(fs_err::read(place.data("X/x.bin")).unwrap(), content);
    }
}

#[test]
fn redirects_are_followed() {
    let content = bytes(50_000);
    let served = content.clone();
    let server = Server::start(move |request, n| match request.path.as_str() {
        "/x.bin" => Reply::new("302 Found", b"").header("Location: /elsewhere/y"),
        "/elsewhere/y" => {
            let cut = if n == 1 { Some(10_000) } else { None };
            Reply { cut, ..Reply::file(request, &served, "v1") }
        }
        _ => Reply::new("301 Moved Permanently", b"").header("Location: /loop"),
    });
    let place = Place::new(&one(&format!("{}/x.bin", server.url), &content, "file"));
    place.fetch_well(&["x"]);
    assert_eq!(server.requests()[3].start(), Some(10_000), "the range goes with the redirect");
    assert_eq!(fs_err::read(place.data("X/x.bin")).unwrap(), content);

    let place = Place::new(&one(&format!("{}/loop", server.url), &content, "file"));
    place.refused(&["x"], &["redirected more than 10 times"]);
}

#[test]
fn a_stalled_server_is_asked_again() {
    let content = bytes(50_000);
    let served = content.clone();
    let server = Server::start(move |request, n| {
        let stall = [Some(0), Some(20_000), None][n.min(2)];
        Reply { stall, ..Reply::file(request, &served, "v1") }
    });
    let place = Place::new(&one(&format!("{}/x.bin", server.url), &content, "file"));
    let start = Instant::now();
    let ran = place.fetch_well(&["x", "--timeout", "0.3"]);
    assert!(start.elapsed() < Duration::from_secs(20));
    assert!(ran.stderr.contains("nothing has arrived for too long"), "{}", ran.stderr);
    assert_eq!(server.requests()[2].start(), Some(20_000));
    assert_eq!(fs_err::read(place.data("X/x.bin")).unwrap(), content);
}

/// Slow is not stalled: the whole takes longer than the time-out, no byte does.
#[test]
fn a_slow_server_is_waited_for() {
    let content = bytes(5_000);
    let served = content.clone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x.bin", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        _ = stream.read(&mut [0; 4096]).unwrap();
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n").unwrap();
        for piece in served.chunks(500) {
            std::thread::sleep(Duration::from_millis(150));
            stream.write_all(piece).unwrap();
        }
    });
    let place = Place::new(&one(&url, &content, "file"));
    let ran = place.fetch_well(&["x", "--timeout", "0.7"]);
    assert!(!ran.stderr.contains("again in"), "{}", ran.stderr);
}

#[test]
fn statuses() {
    let content = bytes(5_000);
    let served = content.clone();
    let server = Server::start(move |request, n| match n {
        0 => Reply::new("500 Internal Server Error", b"oops"),
        1 => Reply::new("503 Service Unavailable", b"oops"),
        2 => Reply::new("429 Too Many Requests", b"oops"),
        _ => Reply::file(request, &served, "v1"),
    });
    let place = Place::new(&one(&format!("{}/x.bin", server.url), &content, "file"));
    let ran = place.fetch_well(&["x"]);
    assert!(ran.stderr.contains("500 Internal Server Error"), "{}", ran.stderr);
    assert_eq!(fs_err::read(place.data("X/x.bin")).unwrap(), content);

    for status in ["404 Not Found", "403 Forbidden", "410 Gone", "204 No Content"] {
        let server = Server::start(move |_, _| Reply::new(status, b""));
        let place = Place::new(&one(&format!("{}/x.bin", server.url), &content, "file"));
        place.refused(&["x"], &[status, "/x.bin"]);
        assert_eq!(server.requests().len(), 1, "{status} is final");
        place.assert_nothing_left();
    }
}

#[test]
fn nobody_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let place = Place::new(&one(&format!("http://{address}/x.bin"), b"x", "file"));
    place.refused(&["x"], &["tried 6 times", "--mirror"]);
    place.assert_nothing_left();
    let place = Place::new(&one("http://no-such-host.invalid/x.bin", b"x", "file"));
    place.refused(&["x"], &["no-such-host.invalid"]);
}

#[test]
fn a_file_without_a_known_digest() {
    let content = bytes(5_000);
    let server = Server::of(&content);
    let place = Place::new(&format!("{}    - url: {}/x.bin\n      kind: file\n", head("x", "X"), server.url));
    place.refused(&["x"], &[&sha256(&content), &git_blob(&content), "5000 bytes", "--accept-unknown-digest"]);
    assert!(!place.data("X").exists());
    let ran = place.fetch_well(&["x", "--accept-unknown-digest"]);
    assert!(ran.stderr.contains("warning"), "{}", ran.stderr);
    assert_eq!(fs_err::read(place.data("X/x.bin")).unwrap(), content);
    // It was there already, and was not sent again.
    assert_eq!(server.sent(), 5_000);
}

#[test]
fn a_mirror_has_all_files() {
    let content = bytes(5_000);
    let server = Server::of(&content);
    let place = Place::new(&one("https://nowhere.invalid/deep/x.bin", &content, "file"));
    place.fetch_well(&["x", "--mirror", &format!("{}/mirror/", server.url)]);
    assert_eq!(server.requests()[0].path, "/mirror/x.bin");
    place.refused(&["x", "--mirror", "mirror"], &["--mirror", "begins with https://"]);
    assert_eq!(fs_err::read(place.data("X/x.bin")).unwrap(), content);
}

#[test]
fn the_second_of_two_waits() {
    let content = bytes(100_000);
    let served = content.clone();
    let (go, wait) = std::sync::mpsc::channel();
    let wait = std::sync::Mutex::new(wait);
    let server = Server::start(move |request, n| {
        if n == 0 {
            _ = wait.lock().unwrap().recv();
        }
        Reply::file(request, &served, "v1")
    });
    let place = Place::new(&one(&format!("{}/x.bin", server.url), &content, "file"));
    let first = place.command().arg("x").spawn().unwrap();
    wait_for(|| server.requests().len() == 1);
    let mut second = place.command().arg("x").spawn().unwrap();
    let mut said = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(second.stderr.as_mut().unwrap()), &mut said).unwrap();
    assert_eq!(said, "x: another gpt1-fetch is fetching it; waiting\n");
    go.send(()).unwrap();
    for (child, said) in [(first, "x: data/X\n"), (second, "x: already there: data/X\n")] {
        let ran = child.wait_with_output().unwrap();
        assert!(ran.status.success());
        assert_eq!(String::from_utf8(ran.stdout).unwrap(), said);
    }
    assert_eq!(server.requests().len(), 1);
}

/// A limit on the size of files stands for a full disk: writing fails in the same place, with another number.
#[test]
#[cfg(unix)]
fn a_full_disk_keeps_what_has_arrived() {
    let content = bytes(1_000_000);
    let server = Server::of(&content);
    let place = Place::new(&one(&format!("{}/x.bin", server.url), &content, "file"));
    let program = env!("CARGO_BIN_EXE_gpt1-fetch");
    let mut command = std::process::Command::new("sh");
    command.current_dir(place.path("")).env("NO_PROXY", "*");
    command.args(["-c", &format!("ulimit -f 800; trap '' XFSZ; exec '{program}' x --datasets datasets.yaml")]);
    let ran = common::Ran::from(command.output().unwrap());
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("x.bin.partial") && ran.stderr.contains("make room"), "{}", ran.stderr);
    let kept = fs_err::metadata(place.data(".downloads/x.bin.partial")).unwrap().len() as usize;
    assert!(kept > 100_000 && kept < 1_000_000, "{kept}");
    place.fetch_well(&["x"]);
    assert_eq!(server.requests()[1].start(), Some(kept));
    assert_eq!(fs_err::read(place.data("X/x.bin")).unwrap(), content);
}

#[test]
fn a_folder_that_cannot_be() {
    let place = Place::new(&one("http://nowhere.invalid/x.bin", b"x", "file"));
    fs_err::write(place.path("data"), "a file").unwrap();
    place.refused(&["x"], &["data"]);
    fs_err::remove_file(place.path("data")).unwrap();
    fs_err::create_dir(place.path("data")).unwrap();
    fs_err::write(place.data("X"), "a file").unwrap();
    place.refused(&["x"], &["data/X", "expected a folder"]);
    assert_eq!(place.read("X"), "a file");
}

#[test]
fn several_files_come_together_or_not_at_all() {
    let (a, b) = (bytes(2_000), bytes(3_000));
    let (served_a, served_b) = (a.clone(), b.clone());
    let server = Server::start(move |request, n| match request.path.as_str() {
        "/a" => Reply::file(request, &served_a, "a"),
        _ if n == 1 => Reply::new("404 Not Found", b""),
        _ => Reply::file(request, &served_b, "b"),
    });
    let both = [
        head("x", "X"),
        source(&format!("{}/a", server.url), &a, "file"),
        source(&format!("{}/b", server.url), &b, "file"),
        "      to: sub/c\n".to_owned(),
    ];
    let place = Place::new(&both.concat());
    place.refused(&["x"], &["404"]);
    assert!(!place.data("X").exists());
    place.fetch_well(&["x"]);
    // The first was complete.
    let paths: Vec<String> = server.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/a", "/b", "/b"]);
    assert_eq!(fs_err::read(place.data("X/a")).unwrap(), a);
    assert_eq!(fs_err::read(place.data("X/sub/c")).unwrap(), b);
}

fn wait_for(mut what: impl FnMut() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_secs(30), "waited in vain");
        std::thread::sleep(Duration::from_millis(5));
    }
}
