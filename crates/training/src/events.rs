//! TensorBoard's event file: the scalars of metrics.jsonl for people who watch several runs.
//!
//! Each record is framed as TensorFlow's TFRecord: length (u64), its masked CRC-32C, the data, its masked CRC-32C, little-endian.
//! The data is a protocol buffer:
//!
//! | message | fields |
//! |---|---|
//! | `Event` | 1 `wall_time` (double, seconds since 1970), 2 `step` (varint), 3 `file_version` (first record) or 5 `summary` |
//! | `Summary` | 1 `value`, repeated |
//! | `Summary.Value` | 1 `tag`, 2 `simple_value` (float) |
//!
//! The length of a record does not depend on the clock, so a run that continues writes what it cuts off again in the same
//! places, and a TensorBoard that reads the file meanwhile goes on.

use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The file's name: TensorBoard wants `tfevents` in it, others the whole pattern. Its times keep it out of digests
/// ([`gpt1_artifacts::digest::NOT_CONTENT`]).
const EVENTS: &str = "events.out.tfevents.0.gpt1";

/// Appends to the event file.
#[derive(Debug)]
pub(crate) struct Events {
    file: fs_err::File,
    n_bytes: u64,
}

impl Events {
    /// Opens the file in `dir` and keeps its first `keep_bytes`; it begins anew if it is shorter.
    pub fn open(dir: &Path, keep_bytes: u64) -> io::Result<Events> {
        let file = fs_err::OpenOptions::new().create(true).append(true).open(dir.join(EVENTS))?;
        let n_bytes = if file.metadata()?.len() < keep_bytes { 0 } else { keep_bytes };
        file.set_len(n_bytes)?;
        let mut events = Events { file, n_bytes };
        if n_bytes == 0 {
            events.append(&version(now()))?;
        }
        Ok(events)
    }

    /// One event: values by name, of the group `train` or of the held-out text. The tag is `group/name`, without the group at
    /// the beginning of the name: `train/loss`, `validation/loss`, `dev/accuracy`.
    pub fn write(&mut self, update: u64, group: &str, values: &[(&'static str, f64)]) -> io::Result<()> {
        let tags: Vec<(String, f32)> = values.iter().map(|(name, value)| (tag(group, name), *value as f32)).collect();
        self.append(&scalars(now(), update, &tags))
    }

    /// Makes everything so far durable; returns the file's length.
    pub fn sync(&mut self) -> io::Result<u64> {
        self.file.sync_all()?;
        Ok(self.n_bytes)
    }

    fn append(&mut self, data: &[u8]) -> io::Result<()> {
        let record = framed(data);
        self.file.write_all(&record)?;
        self.n_bytes += record.len() as u64;
        Ok(())
    }
}

fn tag(group: &str, name: &str) -> String {
    let own = name.strip_prefix(group).and_then(|rest| rest.strip_prefix('_')).unwrap_or(name);
    format!("{group}/{own}")
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// The first record's data.
fn version(wall_time: f64) -> Vec<u8> {
    let mut event = field_f64(1, wall_time);
    event.extend(field_bytes(3, b"brain.Event:2"));
    event
}

/// The data of an event with values by tag.
fn scalars(wall_time: f64, step: u64, values: &[(String, f32)]) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, value) in values {
        let mut one = field_bytes(1, tag.as_bytes());
        one.extend(field_f32(2, *value));
        summary.extend(field_bytes(1, &one));
    }
    let mut event = field_f64(1, wall_time);
    // A zero is not written, as in any protocol buffer of version 3.
    if step > 0 {
        event.push(2 << 3);
        event.extend(varint(step));
    }
    event.extend(field_bytes(5, &summary));
    event
}

/// A protocol buffer's wire types: 0 varint, 1 eight bytes, 2 bytes with their length, 5 four bytes.
fn field_f64(number: u8, value: f64) -> Vec<u8> {
    [&[number << 3 | 1][..], &value.to_le_bytes()].concat()
}

fn field_f32(number: u8, value: f32) -> Vec<u8> {
    [&[number << 3 | 5][..], &value.to_le_bytes()].concat()
}

fn field_bytes(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2][..], &varint(bytes.len() as u64), bytes].concat()
}

/// Seven bits a byte, the lowest first; the high bit says that more follow.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn framed(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked(crc32c(&length)).to_le_bytes(), data, &masked(crc32c(data)).to_le_bytes()].concat()
}

/// TFRecord's mask, so that the checksum of data that holds checksums is no weaker.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli, reflected), bit by bit: an event has a few hundred bytes.
fn crc32c(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by TensorBoard's own writer: tests/golden/tensorboard/make_golden.py.
    const GOLDEN: &[u8] = include_bytes!("../../../tests/golden/tensorboard/events.out.tfevents.0.gpt1");

    #[test]
    fn bytes_are_those_of_tensorboards_writer() {
        let tags = |values: &[(&str, f32)]| values.iter().map(|(tag, v)| ((*tag).to_owned(), *v)).collect::<Vec<_>>();
        let events = [
            version(1_700_000_000.25),
            scalars(1_700_000_001.5, 0, &tags(&[("validation/loss", 9.75)])),
            scalars(1_700_000_002.125, 10, &tags(&[("train/loss", 0.1), ("train/learning_rate", 2.5e-4)])),
            scalars(1_700_000_003.0, 300_000, &tags(&[("dev/accuracy", f32::NAN), ("x", -0.0), ("y", 0.0)])),
        ];
        let found: Vec<u8> = events.iter().flat_map(|event| framed(event)).collect();
        assert!(found == GOLDEN, "found\n{}\nexpected\n{}", found.escape_ascii(), GOLDEN.escape_ascii());
    }

    #[test]
    fn crc_of_the_standards_example() {
        // RFC 3720, B.4: 32 bytes of zero, of ones, and ascending; and the check value of the catalogue of CRCs.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn tags_name_their_group_once() {
        assert_eq!(tag("train", "loss"), "train/loss");
        assert_eq!(tag("validation", "validation_loss"), "validation/loss");
        assert_eq!(tag("validation", "perplexity"), "validation/perplexity");
        assert_eq!(tag("dev", "dev_f1"), "dev/f1");
        assert_eq!(tag("dev", "deviation"), "dev/deviation");
    }

    #[test]
    fn a_run_that_continues_cuts_off_and_one_that_cannot_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let length = || fs_err::metadata(dir.path().join(EVENTS)).unwrap().len();
        let mut events = Events::open(dir.path(), 0).unwrap();
        let first = events.sync().unwrap();
        events.write(1, "train", &[("loss", 1.0)]).unwrap();
        let kept = events.sync().unwrap();
        events.write(2, "train", &[("loss", 2.0)]).unwrap();
        assert_eq!(length(), 2 * kept - first);
        let mut events = Events::open(dir.path(), kept).unwrap();
        assert_eq!((events.sync().unwrap(), length()), (kept, kept));
        fs_err::write(dir.path().join(EVENTS), "torn").unwrap();
        let mut events = Events::open(dir.path(), kept).unwrap();
        assert_eq!((events.sync().unwrap(), length()), (first, first));
    }
}
