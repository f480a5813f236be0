//! `encode` and `decode`: texts to ids and back, a line for each.

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use gpt1_artifacts::progress::Progress;
use gpt1_tokenize::{Encoder, Stages};
use rayon::prelude::*;
use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

/// Bytes of texts encoded at a time, about.
const BATCH_BYTES: usize = 4 << 20;

const CANNOT_WRITE: &str = "cannot write to standard output";

#[derive(Args)]
pub struct EncodeArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Each file is one text
    #[arg(long, conflicts_with = "json")]
    whole: bool,
    /// Print what every step makes of a text, as a JSON object: fixed, standardized, tokens, bpe, ids
    #[arg(long)]
    stages: bool,
}

#[derive(Args)]
pub struct InputArgs {
    /// The directory of vocab.json and merges.txt, or of OpenAI's two files
    #[arg(long)]
    tokenizer: PathBuf,
    /// Each line of text is a JSON string, which can hold line breaks
    #[arg(long)]
    json: bool,
    /// Files to read; without one, and for "-", standard input
    files: Vec<PathBuf>,
}

/// Writes a line for each text: its ids, or its stages.
pub fn encode(args: &EncodeArgs) -> Result<()> {
    let encoder = Encoder::from_dir(&args.input.tokenizer)?;
    let line_of = |text: &str| {
        if args.stages { line_of_stages(&encoder.stages(text)) } else { Ok(line_of_ids(&encoder.encode(text))) }
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut write = |texts: &[Cow<str>]| -> Result<()> {
        let lines: Vec<String> = texts.par_iter().map(|text| line_of(text)).collect::<Result<_>>()?;
        out.write_all(lines.concat().as_bytes()).context(CANNOT_WRITE)
    };
    for mut source in sources(&args.input.files)? {
        if args.whole {
            write(&[source.whole()?.into()])?;
            continue;
        }
        while let Some(lines) = source.next_lines()? {
            if args.input.json {
                let parse = |(i, line): (usize, &String)| {
                    serde_json::from_str(line).map(Cow::Owned).map_err(|error| {
                        let message = error.to_string();
                        let reason = message.split(" at line ").next().unwrap_or_default();
                        anyhow!("{}:{}: expected a JSON string: {reason}", lines.place(i), error.column())
                    })
                };
                write(&lines.texts.iter().enumerate().map(parse).collect::<Result<Vec<_>>>()?)?;
            } else {
                write(&lines.texts.iter().map(Cow::from).collect::<Vec<_>>())?;
            }
        }
    }
    out.flush().context(CANNOT_WRITE)
}

/// Writes the text of each line of ids.
pub fn decode(args: &InputArgs) -> Result<()> {
    let encoder = Encoder::from_dir(&args.tokenizer)?;
    let last = encoder.n_vocab() - 1;
    let mut out = BufWriter::new(io::stdout().lock());
    for mut source in sources(&args.files)? {
        while let Some(lines) = source.next_lines()? {
            for (i, line) in lines.texts.iter().enumerate() {
                let mut ids = Vec::new();
                for word in line.split_ascii_whitespace() {
                    match word.parse() {
                        Ok(id) if id as usize <= last => ids.push(id),
                        _ => bail!("{}: expected ids from 0 to {last}; found {word:?}", lines.place(i)),
                    }
                }
                let text = encoder.decode(&ids);
                let text = if args.json { serde_json::Value::String(text).to_string() } else { text };
                writeln!(out, "{text}").context(CANNOT_WRITE)?;
            }
        }
    }
    out.flush().context(CANNOT_WRITE)
}

/// Ids with one space between them and `\n` at the end.
fn line_of_ids(ids: &[u32]) -> String {
    let mut line = String::with_capacity(6 * ids.len() + 1);
    for (i, id) in ids.iter().enumerate() {
        let space = if i == 0 { "" } else { " " };
        _ = write!(line, "{space}{id}");
    }
    line.push('\n');
    line
}

fn line_of_stages(stages: &Stages) -> Result<String> {
    let mut line = Vec::new();
    stages.serialize(&mut serde_json::Serializer::with_formatter(&mut line, PythonStyle))?;
    line.push(b'\n');
    Ok(String::from_utf8(line)?)
}

/// JSON as Python's `json.dumps` writes it: a space after each comma and colon, and nothing but printable ASCII.
struct PythonStyle;

impl Formatter for PythonStyle {
    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.begin_array_value(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        for c in fragment.chars() {
            if c.is_ascii() && c != '\x7f' {
                write!(out, "{c}")?;
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, out: &mut W, escape: CharEscape) -> io::Result<()> {
        serde_json::ser::CompactFormatter.write_char_escape(out, escape)
    }
}

/// A file or standard input.
struct Source {
    name: String,
    reader: Box<dyn BufRead>,
    n_lines: u64,
    /// Of a file whose results do not run over the terminal.
    progress: Option<Progress>,
}

/// Some lines of a source, without their `\n`.
struct Lines<'s> {
    source: &'s str,
    /// The number of the first, from 1.
    first: u64,
    texts: Vec<String>,
}

impl Lines<'_> {
    /// Where a line stands, for messages.
    fn place(&self, i: usize) -> String {
        format!("{}:{}", self.source, self.first + i as u64)
    }
}

/// Opens all files, so that a wrong name is told before anything is written.
fn sources(files: &[PathBuf]) -> Result<Vec<Source>> {
    let standard_input = [PathBuf::from("-")];
    let files = if files.is_empty() { &standard_input } else { files };
    files.iter().map(|path| Source::open(path)).collect()
}

impl Source {
    fn open(path: &Path) -> Result<Source> {
        if path.as_os_str() == "-" {
            let name = "standard input".to_owned();
            return Ok(Source { name, reader: Box::new(io::stdin().lock()), n_lines: 0, progress: None });
        }
        let (name, file) = (path.display().to_string(), fs_err::File::open(path)?);
        let size = file.metadata()?.len();
        let progress = (!io::stdout().is_terminal()).then(|| Progress::brief(&name, size, "bytes"));
        Ok(Source { name, reader: Box::new(BufReader::with_capacity(1 << 16, file)), n_lines: 0, progress })
    }

    /// All of it as one text.
    fn whole(&mut self) -> Result<String> {
        let mut bytes = Vec::new();
        self.reader.read_to_end(&mut bytes).with_context(|| format!("cannot read {}", self.name))?;
        String::from_utf8(bytes).map_err(|error| {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            not_utf8(&self.name, before.split(|&byte| byte == b'\n').count() as u64, "file", &error)
        })
    }

    /// The next lines, some megabytes of them; none at the end.
    fn next_lines(&mut self) -> Result<Option<Lines<'_>>> {
        let first = self.n_lines + 1;
        let mut lines = Vec::new();
        let mut n_bytes = 0;
        while n_bytes < BATCH_BYTES {
            let mut line = Vec::new();
            let n = self.reader.read_until(b'\n', &mut line);
            n_bytes += match n.with_context(|| format!("cannot read {}", self.name))? {
                0 => break,
                n => n,
            };
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            self.n_lines += 1;
            let line = String::from_utf8(line);
            lines.push(line.map_err(|error| not_utf8(&self.name, self.n_lines, "line", &error))?);
        }
        if let Some(progress) = &self.progress {
            progress.inc(n_bytes as u64);
        }
        Ok((!lines.is_empty()).then_some(Lines { source: &self.name, first, texts: lines }))
    }
}

/// The error of invalid UTF-8 on a line of a source; `part` is what the bytes are counted in, the line or the file.
fn not_utf8(source: &str, line: u64, part: &str, error: &FromUtf8Error) -> anyhow::Error {
    let at = error.utf8_error().valid_up_to();
    anyhow!("{source}:{line}: invalid UTF-8 at byte {at} of the {part} (0x{:02x})", error.as_bytes()[at])
}
