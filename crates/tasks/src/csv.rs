//! Comma-separated values by RFC 4180: quoted fields may hold commas, line ends and doubled quotation marks. A
//! quotation mark inside an unquoted field is taken as it stands, as Python's `csv` does.

use std::path::Path;

use crate::TaskError;

/// A record and the line on which it begins, from 1.
#[derive(Debug, PartialEq)]
pub(crate) struct Record {
    pub line: usize,
    pub fields: Vec<String>,
}

/// Splits a text into records; lines without anything on them are passed over. `path` is named in errors.
pub(crate) fn parse(path: &Path, text: &str) -> Result<Vec<Record>, TaskError> {
    let mut records = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while !rest.is_empty() {
        let mut record = Record { line, fields: Vec::new() };
        loop {
            let (field, after) = field(rest).map_err(|message| TaskError::Csv { path: path.into(), line, message })?;
            line += rest[..rest.len() - after.len()].matches('\n').count();
            record.fields.push(field);
            rest = after;
            if let Some(next) = rest.strip_prefix(',') {
                rest = next;
                continue;
            }
            if let Some(next) = line_end(rest) {
                rest = next;
                line += 1;
            }
            break;
        }
        if record.fields != [""] {
            records.push(record);
        }
    }
    Ok(records)
}

/// The field at the beginning of `rest`, and what follows it: a comma, a line end or nothing.
fn field(rest: &str) -> Result<(String, &str), &'static str> {
    let Some(mut quoted) = rest.strip_prefix('"') else {
        let end = rest.find([',', '\n']).unwrap_or(rest.len());
        let end = if rest[..end].ends_with('\r') && !rest[end..].starts_with(',') { end - 1 } else { end };
        return Ok((rest[..end].to_owned(), &rest[end..]));
    };
    let mut field = String::new();
    loop {
        let Some(quote) = quoted.find('"') else {
            return Err("a quoted field begins here and never ends");
        };
        field.push_str(&quoted[..quote]);
        quoted = &quoted[quote + 1..];
        if let Some(next) = quoted.strip_prefix('"') {
            field.push('"');
            quoted = next;
        } else if quoted.is_empty() || quoted.starts_with(',') || line_end(quoted).is_some() {
            return Ok((field, quoted));
        } else {
            return Err("the quoted field that begins here is followed by neither a comma nor the end of the line");
        }
    }
}

/// What follows the line end at the beginning of `rest`: LF, CR LF, or a CR that is the last byte.
fn line_end(rest: &str) -> Option<&str> {
    rest.strip_prefix('\n').or_else(|| rest.strip_prefix("\r\n")).or_else(|| (rest == "\r").then_some(""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(text: &str) -> Vec<(usize, Vec<String>)> {
        parse(Path::new("x.csv"), text).unwrap().into_iter().map(|record| (record.line, record.fields)).collect()
    }

    fn record(line: usize, fields: &[&str]) -> (usize, Vec<String>) {
        (line, fields.iter().map(|&field| field.to_owned()).collect())
    }

    #[test]
    fn rfc_4180() {
        assert_eq!(fields(""), []);
        assert_eq!(fields("a,b\r\nc,\n\n,d"), [record(1, &["a", "b"]), record(2, &["c", ""]), record(4, &["", "d"])]);
        let text = "\"a, \"\"b\"\"\",\"c\nd\"\r\n\"\",e\"f\r";
        assert_eq!(fields(text), [record(1, &["a, \"b\"", "c\nd"]), record(3, &["", "e\"f"])]);
    }

    #[test]
    fn broken_quoting_is_placed() {
        let error = parse(Path::new("x.csv"), "a\nb,\"c\nd").unwrap_err();
        assert_eq!(error.to_string(), "x.csv:2: a quoted field begins here and never ends");
        assert!(parse(Path::new("x.csv"), "\"a\"b").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(table in prop::collection::vec(prop::collection::vec("[a,\"\r\n é]{0,6}", 2..4), 0..5)) {
            let quote = |field: &String| format!("\"{}\"", field.replace('"', "\"\""));
            let text: String =
                table.iter().map(|row| row.iter().map(quote).collect::<Vec<_>>().join(",") + "\r\n").collect();
            let found: Vec<Vec<String>> = fields(&text).into_iter().map(|(_, fields)| fields).collect();
            prop_assert_eq!(found, table);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[a,\"\r\n]{0,30}") {
            let _ = parse(Path::new("x.csv"), &text);
        }
    }
}
