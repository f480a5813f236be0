//! gzip as gzip(1) reads it: several members one after the other, and whatever stands behind the last is ignored.

use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufRead, Read};

/// Decompresses gzip.
pub struct Gunzip<R> {
    inner: MultiGzDecoder<R>,
    n_read: u64,
}

impl<R: BufRead> Gunzip<R> {
    /// Decompresses what `reader` gives.
    pub fn new(reader: R) -> Gunzip<R> {
        Gunzip { inner: MultiGzDecoder::new(reader), n_read: 0 }
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(n) => {
                self.n_read += n as u64;
                Ok(n)
            }
            // Padding behind the last member; flate2 has no kind of error of its own for it.
            Err(error) if self.n_read > 0 && error.to_string() == "invalid gzip header" => Ok(0),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> io::Result<String> {
        let mut text = String::new();
        Gunzip::new(bytes).read_to_string(&mut text).map(|_| text)
    }

    #[test]
    fn members_and_padding() {
        let two = [gzip("one, "), gzip("two")].concat();
        assert_eq!(read(&two).unwrap(), "one, two");
        assert_eq!(read(&[&two[..], &[0; 600]].concat()).unwrap(), "one, two");
        assert!(read(&[0; 600]).is_err());
    }

    #[test]
    fn damage_is_found() {
        let good = gzip("some text that is long enough, some text that is long enough");
        assert!(read(&good[..good.len() - 9]).is_err(), "cut off");
        for at in [12, good.len() - 8, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(read(&bad).is_err(), "byte {at}");
        }
    }
}
