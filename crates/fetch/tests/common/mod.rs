//! A web server that misbehaves on demand, and the real program in a fresh folder.
#![allow(dead_code, reason = "each test program uses a part of it")]

use sha1::Digest;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a client asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub path: String,
    pub range: Option<String>,
    pub if_range: Option<String>,
}

impl Request {
    /// The first byte asked for.
    pub fn start(&self) -> Option<usize> {
        self.range.as_ref()?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// What to answer, and how to fail.
pub struct Reply {
    pub status: &'static str,
    pub headers: Vec<String>,
    pub body: Vec<u8>,
    /// `Content-Length`; none: the body ends with the connection.
    pub length: Option<usize>,
    pub chunked: bool,
    /// Close the connection after so many bytes of the body.
    pub cut: Option<usize>,
    /// Send nothing more after so many bytes of the body, but keep the connection.
    pub stall: Option<usize>,
    /// Send the body again and again.
    pub endless: bool,
}

impl Reply {
    pub fn new(status: &'static str, body: &[u8]) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            body: body.to_vec(),
            length: Some(body.len()),
            chunked: false,
            cut: None,
            stall: None,
            endless: false,
        }
    }

    pub fn header(mut self, header: impl Into<String>) -> Reply {
        self.headers.push(header.into());
        self
    }

    /// As an honest server answers.
    pub fn file(request: &Request, content: &[u8], etag: &str) -> Reply {
        let etag = format!("\"{etag}\"");
        let same = request.if_range.as_ref().is_none_or(|tag| *tag == etag);
        let reply = match request.start().filter(|_| same) {
            Some(start) if start >= content.len() => {
                Reply::new("416 Range Not Satisfiable", b"").header(format!("Content-Range: bytes */{}", content.len()))
            }
            Some(start) => Reply::new("206 Partial Content", &content[start..]).header(format!(
                "Content-Range: bytes {start}-{}/{}",
                content.len() - 1,
                content.len()
            )),
            None => Reply::new("200 OK", content),
        };
        reply.header(format!("ETag: {etag}"))
    }

    /// Sends it; returns how many bytes of the body went out.
    fn send(&self, stream: &mut TcpStream) -> std::io::Result<usize> {
        write!(stream, "HTTP/1.1 {}\r\nConnection: close\r\n", self.status)?;
        for header in &self.headers {
            write!(stream, "{header}\r\n")?;
        }
        match self.length {
            _ if self.chunked => write!(stream, "Transfer-Encoding: chunked\r\n\r\n")?,
            Some(length) => write!(stream, "Content-Length: {length}\r\n\r\n")?,
            None => write!(stream, "\r\n")?,
        }
        let end = self.cut.or(self.stall).unwrap_or(self.body.len()).min(self.body.len());
        let mut sent = 0;
        loop {
            for piece in self.body[..end].chunks(1000) {
                if self.chunked {
                    write!(stream, "{:x}\r\n", piece.len())?;
                }
                stream.write_all(piece)?;
                if self.chunked {
                    write!(stream, "\r\n")?;
                }
                sent += piece.len();
                if self.endless && sent > 200_000_000 {
                    return Ok(sent);
                }
            }
            if !self.endless {
                break;
            }
        }
        stream.flush()?;
        if self.stall.is_some() {
            // Until the client gives up.
            stream.set_read_timeout(Some(Duration::from_secs(60)))?;
            _ = std::io::Read::read(stream, &mut [0]);
        } else if self.chunked && self.cut.is_none() {
            write!(stream, "0\r\n\r\n")?;
        }
        Ok(sent)
    }
}

/// A server on the loopback interface, a thread for each connection.
pub struct Server {
    pub url: String,
    log: Arc<Mutex<Vec<Request>>>,
    sent: Arc<Mutex<usize>>,
}

impl Server {
    /// `answer` gets the request and how many there were before it.
    pub fn start(answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (log, sent) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(0)));
        let server = Server { url, log: log.clone(), sent: sent.clone() };
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, log, sent, answer) = (stream.unwrap(), log.clone(), sent.clone(), answer.clone());
                std::thread::spawn(move || {
                    let Some(request) = read_request(&stream) else { return };
                    let n = {
                        let mut log = log.lock().unwrap();
                        log.push(request.clone());
                        log.len() - 1
                    };
                    let reply = answer(&request, n);
                    // A client that has had enough is no error of the server.
                    let n_sent = reply.send(&mut stream).unwrap_or(0);
                    *sent.lock().unwrap() += n_sent;
                });
            }
        });
        server
    }

    /// Serves one file well.
    pub fn of(content: &[u8]) -> Server {
        let content = content.to_vec();
        Server::start(move |request, _| Reply::file(request, &content, "v1"))
    }

    pub fn requests(&self) -> Vec<Request> {
        self.log.lock().unwrap().clone()
    }

    /// Bytes of the bodies that were sent to their end; 200,000,000 of an endless one that nobody stopped.
    pub fn sent(&self) -> usize {
        *self.sent.lock().unwrap()
    }
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut request = Request { path: first.split(' ').nth(1)?.to_owned(), ..Request::default() };
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "range" => request.range = Some(value.to_owned()),
            "if-range" => request.if_range = Some(value.to_owned()),
            _ => {}
        }
    }
    Some(request)
}

/// What a run printed.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// A fresh folder with a list of data sets.
pub struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub fn new(datasets: &str) -> Place {
        let place = Place { dir: tempfile::tempdir().unwrap() };
        fs_err::write(place.path("datasets.yaml"), datasets).unwrap();
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn data(&self, name: &str) -> PathBuf {
        self.path("data").join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs_err::read_to_string(self.data(name)).unwrap()
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gpt1-fetch"));
        command.current_dir(self.dir.path()).args(["--datasets", "datasets.yaml", "--pause", "0.01"]);
        command.env("NO_PROXY", "*").env_remove("SSL_CERT_FILE");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn fetch(&self, arguments: &[&str]) -> Ran {
        self.command().args(arguments).output().unwrap().into()
    }

    /// Runs it and expects success.
    pub fn fetch_well(&self, arguments: &[&str]) -> Ran {
        let ran = self.fetch(arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran
    }

    /// Runs it and expects it to refuse, saying all of `words`.
    pub fn refused(&self, arguments: &[&str], words: &[&str]) -> Ran {
        let ran = self.fetch(arguments);
        assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
        for word in words {
            assert!(ran.stderr.contains(word), "no `{word}` in: {}", ran.stderr);
        }
        ran
    }

    /// All files and folders below the place, but the locks and the list of data sets.
    pub fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        walk(self.dir.path(), self.dir.path(), &mut files);
        files.retain(|file| file != "datasets.yaml" && !file.contains(".lock"));
        files.sort();
        files
    }

    /// Asserts that a refused data set has left nothing behind, inside or outside.
    pub fn assert_nothing_left(&self) {
        assert_eq!(self.files(), ["data", "data/.downloads"]);
    }
}

fn walk(root: &Path, dir: &Path, files: &mut Vec<String>) {
    for entry in fs_err::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        files.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        if path.is_dir() && !path.is_symlink() {
            walk(root, &path, files);
        }
    }
}

/// A data set `x` of one file.
pub fn one(url: &str, content: &[u8], kind: &str) -> String {
    format!("{}{}", head("x", "X"), source(url, content, kind))
}

/// The beginning of a data set.
pub fn head(name: &str, folder: &str) -> String {
    format!("- name: {name}\n  title: The set {name}\n  licence: free\n  folder: {folder}\n  files:\n")
}

/// One of its files, with size and digest.
pub fn source(url: &str, content: &[u8], kind: &str) -> String {
    format!("    - url: {url}\n      bytes: {}\n      sha256: {}\n      kind: {kind}\n", content.len(), sha256(content))
}

pub fn sha256(content: &[u8]) -> String {
    hex(&sha2::Sha256::digest(content))
}

pub fn git_blob(content: &[u8]) -> String {
    let blob = [format!("blob {}\0", content.len()).as_bytes(), content].concat();
    hex(&sha1::Sha1::digest(blob))
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from_digit(digit.into(), 16).unwrap())
        .collect()
}

/// Bytes that no two places share.
pub fn bytes(n: usize) -> Vec<u8> {
    let mut state: u32 = 12345;
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            (state >> 24) as u8
        })
        .collect()
}

/// A member of a zip archive.
#[derive(Clone)]
pub struct Member {
    pub name: Vec<u8>,
    pub content: Vec<u8>,
    /// Unix's mode with the kind of file.
    pub mode: u32,
    pub flags: u16,
}

impl Member {
    pub fn file(name: &str, content: &str) -> Member {
        Member { name: name.into(), content: content.into(), mode: 0o100_644, flags: 0 }
    }
}

/// A zip archive, written by hand: no library would write some of the names.
pub fn zip(members: &[Member]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for member in members {
        let offset = archive.len() as u32;
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&member.content).unwrap();
        let packed = encoder.finish().unwrap();
        let mut crc = flate2::Crc::new();
        crc.update(&member.content);
        // Version, flags, method 8, time, date, checksum, sizes, length of the name, no extra field.
        let mut common = Vec::new();
        for value in [20, member.flags, 8, 0, 0x21] {
            common.extend(value.to_le_bytes());
        }
        for value in [crc.sum(), packed.len() as u32, member.content.len() as u32] {
            common.extend(value.to_le_bytes());
        }
        common.extend((member.name.len() as u16).to_le_bytes());
        common.extend(0u16.to_le_bytes());
        archive.extend(b"PK\x03\x04");
        archive.extend(&common);
        archive.extend(&member.name);
        archive.extend(packed);
        directory.extend(b"PK\x01\x02");
        // Made by Unix.
        directory.extend([20, 3]);
        directory.extend(&common);
        // No comment, disk 0, no internal attributes.
        directory.extend([0; 6]);
        directory.extend((member.mode << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(&member.name);
    }
    let offset = archive.len() as u32;
    archive.extend(&directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    for _ in 0..2 {
        archive.extend((members.len() as u16).to_le_bytes());
    }
    archive.extend((directory.len() as u32).to_le_bytes());
    archive.extend(offset.to_le_bytes());
    archive.extend([0, 0]);
    archive
}
