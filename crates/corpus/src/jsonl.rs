//! .jsonl: a line is a document, the field `text` of a JSON object. Blank lines are passed over.

use crate::error::CorpusError;
use crate::{CorpusFile, Reading};
use serde::Deserialize;
use std::io::{BufRead, BufReader, Read};

/// Bytes of the longest line.
const MAX_LINE_BYTES: u64 = 256 << 20;

#[derive(Deserialize)]
struct Line {
    text: Option<String>,
}

/// Streams one file line by line.
pub(crate) fn read<E: From<CorpusError>>(file: &CorpusFile, reading: &mut Reading<'_, E>) -> Result<(), E> {
    let path = file.path.as_path();
    let mut input = BufReader::with_capacity(1 << 16, fs_err::File::open(path).map_err(CorpusError::Io)?);
    let mut buffer = Vec::new();
    let (mut offset, mut line) = (0, 0);
    loop {
        buffer.clear();
        line += 1;
        let n_read = input.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut buffer);
        let n_read = n_read.map_err(CorpusError::Io)? as u64;
        if n_read == 0 {
            return Ok(());
        }
        if n_read == MAX_LINE_BYTES && buffer.last() != Some(&b'\n') {
            return Err(CorpusError::LineTooLong { path: path.to_owned(), line, limit: MAX_LINE_BYTES }.into());
        }
        let text = std::str::from_utf8(&buffer).map_err(|error| CorpusError::InvalidUtf8 {
            path: path.to_owned(),
            line,
            offset: offset + error.valid_up_to() as u64,
            byte: buffer[error.valid_up_to()],
        })?;
        let text = if line == 1 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
        if !text.trim().is_empty() {
            let text = text_of(file, line, text.trim_end_matches(['\n', '\r']))?;
            reading.document(format!("{}#{line}", file.name)).pieces_of(&text, reading.sink)?;
        }
        offset += n_read;
        reading.report(file, offset);
    }
}

fn text_of(file: &CorpusFile, line: u64, json: &str) -> Result<String, CorpusError> {
    match serde_json::from_str::<Line>(json) {
        Ok(Line { text: Some(text) }) => Ok(text),
        Ok(Line { text: None }) => Err(no_text(file, line, json)),
        Err(error) if error.is_data() => Err(no_text(file, line, json)),
        Err(error) => Err(CorpusError::NotJson { path: file.path.clone(), line, message: message(&error) }),
    }
}

/// What stands on the line instead.
fn no_text(file: &CorpusFile, line: u64, json: &str) -> CorpusError {
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
            Some(Value::String(_)) => "more than one field of that name".to_owned(),
            Some(value) => format!("{} in it", kind(value)),
            None if fields.is_empty() => "no field".to_owned(),
            None => format!("the fields {}", crate::some_names(fields.keys())),
        },
        Ok(other) => format!("{} instead of an object", kind(&other)),
        Err(error) => message(&error),
    };
    CorpusError::NoTextField { path: file.path.clone(), line, found }
}

/// What serde_json says, without the number that the line has to it.
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&place) {
        Some(message) => format!("{message}, column {}", error.column()),
        None => text,
    }
}
