//! .jsonl: a line is a document, the field `text` of a JSON object. Blank lines are passed over.

use super::pieces::Document;
use super::{CorpusFile, Sink};
use crate::error::ShardError;
use serde::Deserialize;
use std::io::{BufRead, BufReader, Read};

/// Bytes of the longest line.
const MAX_LINE_BYTES: u64 = 256 << 20;

#[derive(Deserialize)]
struct Line {
    text: Option<String>,
}

/// Streams one file line by line.
pub(super) fn read(file: &CorpusFile, index: &mut u64, sink: &mut Sink<'_>) -> Result<(), ShardError> {
    let mut input = BufReader::with_capacity(1 << 16, fs_err::File::open(&file.path)?);
    let mut buffer = Vec::new();
    let (mut offset, mut line) = (0, 0);
    loop {
        buffer.clear();
        line += 1;
        let n_read = input.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut buffer)? as u64;
        if n_read == 0 {
            return Ok(());
        }
        if n_read == MAX_LINE_BYTES && buffer.last() != Some(&b'\n') {
            return Err(ShardError::LineTooLong { path: file.path.clone(), line, limit: MAX_LINE_BYTES });
        }
        let text = std::str::from_utf8(&buffer).map_err(|error| ShardError::InvalidUtf8 {
            path: file.path.clone(),
            line,
            offset: offset + error.valid_up_to() as u64,
            byte: buffer[error.valid_up_to()],
        })?;
        let text = if line == 1 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
        if !text.trim().is_empty() {
            let document = Document::new(format!("{}#{line}", file.name), *index);
            *index += 1;
            document.pieces_of(&text_of(file, line, text)?, sink)?;
        }
        offset += n_read;
    }
}

fn text_of(file: &CorpusFile, line: u64, json: &str) -> Result<String, ShardError> {
    match serde_json::from_str::<Line>(json) {
        Ok(Line { text: Some(text) }) => Ok(text),
        Ok(Line { text: None }) => Err(no_text(file, line, json)),
        Err(error) if error.is_data() => Err(no_text(file, line, json)),
        Err(error) => Err(ShardError::NotJson { path: file.path.clone(), line, message: error.to_string() }),
    }
}

/// What stands on the line instead.
fn no_text(file: &CorpusFile, line: u64, json: &str) -> ShardError {
    use serde_json::Value;
    let kind = |value: &Value| match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    let found = match serde_json::from_str(json) {
        Ok(Value::Object(fields)) => match fields.get("text") {
            Some(value) => format!("{} in it", kind(value)),
            None if fields.is_empty() => "no field".to_owned(),
            None => format!("the fields {}", super::some_names(fields.keys())),
        },
        Ok(other) => format!("{} instead of an object", kind(&other)),
        Err(error) => error.to_string(),
    };
    ShardError::NoTextField { path: file.path.clone(), line, found }
}
