//! NumPy's `.npy` files (`numpy.lib.format`): magic, version, length of the header, the header - a Python dictionary of
//! `descr`, `fortran_order` and `shape`, padded with spaces - and the values.

use crate::ModelError;
use serde::Deserialize;
use std::io::{ErrorKind, Read};
use std::path::Path;

const MAGIC: &[u8] = b"\x93NUMPY";
/// No header is longer: NumPy itself refuses to read more than 10,000 bytes.
const MAX_HEADER_BYTES: u32 = 1 << 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    descr: serde_json::Value,
    fortran_order: bool,
    shape: Vec<u64>,
}

/// Opens a file of little-endian f32 in C order; returns how many values it holds, which its size confirms, and the file where
/// they begin.
pub(crate) fn open(path: &Path) -> Result<(usize, fs_err::File), ModelError> {
    let wrong = |message: String| ModelError::Npy { path: path.to_owned(), message };
    let mut file = fs_err::File::open(path)?;
    let n_bytes = file.metadata()?.len();
    let mut at = 0;
    let mut take = |buffer: &mut [u8]| match file.read_exact(buffer) {
        Ok(()) => {
            at += buffer.len() as u64;
            Ok(at)
        }
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Err(wrong(format!("it ends after {n_bytes} bytes, within the header; the file is truncated")))
        }
        Err(error) => Err(error.into()),
    };
    let mut start = [0; 8];
    take(&mut start)?;
    let (magic, version) = start.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(wrong(format!("expected the first bytes {MAGIC:x?}, found {magic:x?}")));
    }
    let n_header = match version {
        [1, 0] => {
            let mut length = [0; 2];
            take(&mut length)?;
            u32::from(u16::from_le_bytes(length))
        }
        [2, 0] => {
            let mut length = [0; 4];
            take(&mut length)?;
            u32::from_le_bytes(length)
        }
        _ => return Err(wrong(format!("expected version 1.0 or 2.0, found {}.{}", version[0], version[1]))),
    };
    if n_header > MAX_HEADER_BYTES {
        return Err(wrong(format!("expected a header of at most {MAX_HEADER_BYTES} bytes, found one of {n_header}")));
    }
    let mut header = vec![0; n_header as usize];
    let at = take(&mut header)?;
    let Header { descr, fortran_order, shape } = parse(&header).map_err(&wrong)?;
    if descr != "<f4" {
        return Err(wrong(format!("expected values of type \"<f4\", found {descr}")));
    }
    if fortran_order && shape.len() > 1 {
        return Err(wrong(format!("expected values in C order, found Fortran order (shape {shape:?})")));
    }
    let n_values = shape.iter().try_fold(1u64, |product, n| product.checked_mul(*n));
    let expected = n_values.and_then(|n| n.checked_mul(4)?.checked_add(at));
    if expected != Some(n_bytes) {
        let expected = expected.map_or("more than any file has".to_owned(), |n| n.to_string());
        return Err(wrong(format!(
            "shape {shape:?} asks for {expected} bytes, the file has {n_bytes}; it is truncated or damaged"
        )));
    }
    Ok((((n_bytes - at) / 4) as usize, file))
}

/// Reads the dictionary by way of JSON, which it is but for its quotation marks, its tuple and a comma at the end.
fn parse(header: &[u8]) -> Result<Header, String> {
    let text = String::from_utf8_lossy(header);
    let shown = || format!("expected the header's dictionary, found {:?}", text.chars().take(200).collect::<String>());
    let inner = text.trim_end().strip_suffix('}').ok_or_else(shown)?.trim_end();
    let inner = inner.strip_suffix(',').unwrap_or(inner);
    let json = format!("{inner}}}").replace('\'', "\"").replace("False", "false").replace("True", "true");
    let json = json.replace(",)", "]").replace(')', "]").replace('(', "[");
    serde_json::from_str(&json).map_err(|error| format!("{}: {error}", shown()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of that version with that dictionary and `n` zeros.
    fn file(version: u8, dictionary: &str, n: usize) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([version, 0]);
        match version {
            1 => bytes.extend((dictionary.len() as u16).to_le_bytes()),
            _ => bytes.extend((dictionary.len() as u32).to_le_bytes()),
        }
        bytes.extend(dictionary.as_bytes());
        bytes.resize(bytes.len() + 4 * n, 0);
        bytes
    }

    fn opened(bytes: &[u8]) -> Result<usize, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npy");
        fs_err::write(&path, bytes).unwrap();
        let (n_values, mut file) = open(&path).map_err(|error| error.to_string())?;
        let mut rest = Vec::new();
        file.read_to_end(&mut rest).unwrap();
        assert_eq!(rest.len(), 4 * n_values);
        Ok(n_values)
    }

    #[test]
    fn any_shape_in_c_order() {
        for (version, dictionary, n) in [
            (1, "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }          \n", 3),
            (2, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }\n", 6),
            (1, "{'shape': (), 'fortran_order': False, 'descr': '<f4'}", 1),
            (1, "{'descr': '<f4', 'fortran_order': True, 'shape': (4,), }\n", 4),
            (1, "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 5), }\n", 0),
        ] {
            assert_eq!(opened(&file(version, dictionary, n)), Ok(n), "{dictionary}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_what_it_is() {
        let one = "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }";
        let mut longer = file(1, one, 3);
        longer.push(0);
        for (bytes, expected) in [
            (file(1, &one.replace("<f4", "<f8"), 3), "found \"<f8\""),
            (file(1, &one.replace("<f4", ">f4"), 3), "found \">f4\""),
            (file(1, &one.replace("'<f4'", "[('a', '<f4')]"), 3), "found [[\"a\",\"<f4\"]]"),
            (file(1, &one.replace("False", "True").replace("3,", "3, 2"), 6), "Fortran order"),
            (file(1, &one.replace("3,", "-3,"), 3), "invalid value: integer `-3`"),
            (file(1, &one.replace("3,", "4294967296, 4294967296, 4294967296"), 3), "more than any file has"),
            (file(1, &one.replace("shape", "shapes"), 3), "unknown field `shapes`"),
            (file(1, "{}", 3), "missing field"),
            (file(1, "", 3), "expected the header's dictionary"),
            (file(3, one, 3), "found 3.0"),
            (file(1, one, 2), "asks for 79 bytes, the file has 75"),
            (longer, "asks for 79 bytes, the file has 80"),
            (file(1, one, 3)[..40].to_vec(), "ends after 40 bytes"),
            (Vec::new(), "ends after 0 bytes"),
            (b"PK\x03\x04 a zip file".to_vec(), "found [50, 4b, 3, 4, 20, 61]"),
            ([MAGIC, &[2, 0, 255, 255, 255, 255]].concat(), "found one of 4294967295"),
        ] {
            let error = opened(&bytes).unwrap_err();
            assert!(error.contains(expected) && error.contains("x.npy"), "expected {expected:?} in {error}");
        }
    }
}
