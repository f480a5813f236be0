//! The one mutator: what disks, networks and editors do to files, and what somebody may put into one.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::fmt::Write;
use std::ops::Range;

/// Numbers that no honest file has.
const ABSURD: [u64; 9] =
    [0, 1, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 40, 0x7fff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff];
/// The same and others as text.
const ABSURD_TEXTS: [&str; 12] = [
    "0",
    "1",
    "-1",
    "4096",
    "65536",
    "4294967296",
    "9223372036854775807",
    "18446744073709551616",
    "1e300",
    "1e999",
    "NaN",
    "0.1",
];
/// What has a meaning in one of the formats, or is not UTF-8.
const DELIMITERS: [&[u8]; 30] = [
    b"\"",
    b"'",
    b"\t",
    b"\n",
    b"\r\n",
    b"\r",
    b",",
    b":",
    b": ",
    b"{",
    b"}",
    b"[",
    b"]",
    b"- ",
    b"#",
    b"&a ",
    b"*a",
    b"|",
    b"!",
    b"${",
    b"\\u",
    b"\\",
    b"<schema>",
    b"&amp;",
    b"\0",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
];
/// What opens and can be opened in it again; a few thousand of it overflow the stack of a reader that does not count.
const NESTING: [&str; 5] = ["[", "{\"a\":", "- ", "{a: ", "&a ["];

/// A damaged file, and what was done to it.
pub struct Mutation {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// For messages.
    pub what: String,
}

/// Damages a file in one to three places; `lengths` are the bytes in which a binary format has lengths, counts and names, none
/// in text. The seed decides all.
pub fn mutate(honest: &[u8], lengths: &[Range<usize>], seed: u64) -> Mutation {
    let mut rng = Random(ChaCha8Rng::seed_from_u64(seed));
    let mut bytes = honest.to_vec();
    let mut what = String::new();
    let n_places = if rng.one_in(5) { 2 + rng.below(2) } else { 1 };
    for _ in 0..n_places {
        if !what.is_empty() {
            what.push_str("; ");
        }
        damage(&mut bytes, lengths, &mut rng, &mut what);
    }
    Mutation { bytes, what }
}

fn damage(bytes: &mut Vec<u8>, lengths: &[Range<usize>], rng: &mut Random, what: &mut String) {
    let at = rng.place(bytes, lengths);
    // Writing to a string cannot fail.
    _ = match rng.below(if lengths.is_empty() { 16 } else { 13 }) {
        0..3 if !bytes.is_empty() => {
            let bit = rng.below(8);
            bytes[at] ^= 1 << bit;
            write!(what, "bit {bit} of byte {at}")
        }
        3 => {
            bytes.truncate(at);
            write!(what, "cut to {at} bytes")
        }
        4 => {
            let n = 1 + rng.below(64);
            let kind = rng.below(3);
            let more: Vec<u8> = (0..n).map(|_| [0, rng.0.next_u32() as u8, b' '][kind]).collect();
            bytes.extend(more);
            write!(what, "{n} bytes of kind {kind} at the end")
        }
        5 => {
            let n = 1 + rng.below(64.min(bytes.len() / 2 + 1));
            let other = rng.below(bytes.len() + 1);
            for i in 0..n.min(bytes.len() - at.max(other).min(bytes.len())) {
                bytes.swap(at + i, other + i);
            }
            write!(what, "{n} bytes at {at} and {other} change places")
        }
        6 => {
            let n = 1 + rng.below(64);
            let block = bytes[at..bytes.len().min(at + n)].to_vec();
            let to = rng.below(bytes.len() + 1);
            bytes.splice(to..to, block);
            write!(what, "{n} bytes at {at} again at {to}")
        }
        7 => {
            let end = bytes.len().min(at + 1 + rng.below(64));
            bytes[at..end].fill(0);
            write!(what, "zeros from {at} to {end}")
        }
        8 => {
            let end = bytes.len().min(at + 1 + rng.below(64));
            bytes.drain(at..end);
            write!(what, "without the bytes from {at} to {end}")
        }
        9 | 10 if !lengths.is_empty() => {
            let number = if rng.one_in(4) { bytes.len() as u64 } else { ABSURD[rng.below(ABSURD.len())] };
            let field = match rng.below(4) {
                0 => number.to_le_bytes()[..2].to_vec(),
                1 => number.to_le_bytes()[..4].to_vec(),
                2 => number.to_le_bytes().to_vec(),
                _ => varint(number),
            };
            // In the place of what is there, or, as a varint may be longer, of one byte.
            let end = bytes.len().min(at + if rng.one_in(3) { 1 } else { field.len() });
            let n = field.len();
            bytes.splice(at..end, field);
            write!(what, "{number} in {n} bytes for those from {at} to {end}")
        }
        9..12 => {
            let Range { start, end } = number_at(bytes, at);
            let absurd = ABSURD_TEXTS[rng.below(ABSURD_TEXTS.len())];
            bytes.splice(start..end, absurd.bytes());
            write!(what, "{absurd} for bytes {start} to {end}")
        }
        12 => {
            let put = DELIMITERS[rng.below(DELIMITERS.len())];
            let times = if rng.one_in(20) { 3000 } else { 1 };
            let put = if rng.one_in(20) { NESTING[rng.below(NESTING.len())].as_bytes() } else { put };
            bytes.splice(at..at, put.repeat(times));
            write!(what, "{:?}, {times} times, put in at {at}", String::from_utf8_lossy(put))
        }
        kind => lines(bytes, kind, at, rng, what),
    };
}

/// Drops, doubles or swaps a line.
fn lines(bytes: &mut Vec<u8>, kind: usize, at: usize, rng: &mut Random, what: &mut String) -> std::fmt::Result {
    let mut all: Vec<Vec<u8>> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    if all.is_empty() {
        return write!(what, "nothing");
    }
    let line = (bytes[..at].split(|byte| *byte == b'\n').count() - 1).min(all.len() - 1);
    let other = rng.below(all.len());
    let verb = match kind {
        13 => {
            all.remove(line);
            "dropped"
        }
        14 => {
            all.insert(other, all[line].clone());
            "doubled"
        }
        _ => {
            all.swap(line, other);
            "swapped"
        }
    };
    *bytes = all.concat();
    write!(what, "line {} {verb} ({})", line + 1, other + 1)
}

/// A number as Thrift and protocol buffers write it.
fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 127 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// The digits at or after a place; nothing where there are none.
fn number_at(bytes: &[u8], at: usize) -> Range<usize> {
    let is_digit = |i: &usize| bytes[*i].is_ascii_digit();
    let Some(start) = (at..bytes.len()).find(is_digit) else { return at..at };
    let end = (start..bytes.len()).find(|i| !is_digit(i)).unwrap_or(bytes.len());
    start..end
}

struct Random(ChaCha8Rng);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        (self.0.next_u64() % n.max(1) as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// A byte of the file, in two of three cases one of its lengths.
    fn place(&mut self, bytes: &[u8], lengths: &[Range<usize>]) -> usize {
        let n: usize = lengths.iter().map(ExactSizeIterator::len).sum();
        if n == 0 || self.one_in(3) {
            return self.below(bytes.len());
        }
        let at = self.below(n);
        let mut places = lengths.iter().cloned().flatten();
        places.nth(at).unwrap_or_default().min(bytes.len().saturating_sub(1))
    }
}
