//! Strings whose lengths are written as differences (Parquet's DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY): whether the lengths
//! fit the page. The decoder makes room for as many as a page announces, and cuts what is too long.
//!
//! The lengths are in DELTA_BINARY_PACKED: the size of a block, of how many small blocks it is, the number of values and the
//! first; then for each block the smallest difference, the bits of each small block's differences, and these
//! (<https://parquet.apache.org/docs/file-format/data-pages/encodings/>).

/// Whether there are at most `n_values` lengths, and as many bytes after them as they say.
pub(crate) fn strings_fit(page: &[u8], n_values: u32) -> bool {
    let Some((lengths, strings)) = unpack(page, n_values) else { return false };
    fit(&lengths, strings)
}

/// The same where strings begin with a part of the one before, whose length stands in a list in front.
pub(crate) fn prefixes_fit(page: &[u8], n_values: u32) -> bool {
    let Some((prefixes, rest)) = unpack(page, n_values) else { return false };
    let Some((lengths, strings)) = unpack(rest, n_values) else { return false };
    let mut before = 0;
    let mut is_part = |(prefix, length): (&i32, &i32)| {
        let fits = (0..=before).contains(&i64::from(*prefix));
        before = i64::from(*prefix) + i64::from(*length);
        fits
    };
    prefixes.len() == lengths.len() && prefixes.iter().zip(&lengths).all(&mut is_part) && fit(&lengths, strings)
}

fn fit(lengths: &[i32], strings: &[u8]) -> bool {
    let sum = lengths.iter().try_fold(0, |sum, n| Some(sum + u64::try_from(*n).ok()?));
    sum.is_some_and(|sum| sum <= strings.len() as u64)
}

/// The numbers, at most `n_values`, and the bytes after them; none if they are not all there.
fn unpack(mut bytes: &[u8], n_values: u32) -> Option<(Vec<i32>, &[u8])> {
    let (block, n_small, total) = (varint(&mut bytes)?, varint(&mut bytes)?, varint(&mut bytes)?);
    let mut value = zigzag(&mut bytes)? as i32;
    if n_small == 0 || !block.is_multiple_of(128) || !block.is_multiple_of(n_small) || total > u64::from(n_values) {
        return None;
    }
    let per_small = usize::try_from(block / n_small).ok()?;
    if per_small == 0 || !per_small.is_multiple_of(32) {
        return None;
    }
    let total = total as usize;
    let mut values = Vec::with_capacity(total);
    values.extend((total > 0).then_some(value));
    while values.len() < total {
        let least = zigzag(&mut bytes)? as i32;
        let widths = bytes.split_off(..usize::try_from(n_small).ok()?)?;
        for width in widths {
            if values.len() >= total {
                break;
            }
            let packed = bytes.split_off(..(per_small / 8).checked_mul(usize::from(*width))?)?;
            for i in 0..per_small.min(total - values.len()) {
                let difference = bits(packed, i * usize::from(*width), *width)?;
                value = value.wrapping_add(least).wrapping_add(difference as i32);
                values.push(value);
            }
        }
    }
    Some((values, bytes))
}

/// A number of at most 32 bits that begins at a bit.
fn bits(bytes: &[u8], at: usize, width: u8) -> Option<u64> {
    if width > 32 {
        return None;
    }
    let mut window = [0; 8];
    let from = &bytes[(at / 8).min(bytes.len())..];
    let n = from.len().min(8);
    window[..n].copy_from_slice(&from[..n]);
    Some(u64::from_le_bytes(window) >> (at % 8) & ((1 << width) - 1))
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first()?;
        number |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return Some(number);
        }
    }
    None
}

fn zigzag(bytes: &mut &[u8]) -> Option<i64> {
    let number = varint(bytes)?;
    Some((number >> 1) as i64 ^ -((number & 1) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the format's specification, in blocks of 128: 7, 5, 3, 1, 2, 3, 4, 5, whose differences are -2 and 1.
    const NUMBERS: [u8; 17] = [128, 1, 4, 8, 14, 3, 2, 0, 0, 0, 0xc0, 0x3f, 0, 0, 0, 0, 0];

    #[test]
    fn numbers_of_the_specification() {
        let page = [&NUMBERS[..], b"ab"].concat();
        // Four differences of two bits a byte; 32 of them are 8 bytes.
        let (numbers, rest) = unpack(&page, 8).unwrap();
        assert_eq!((numbers, rest.len()), (vec![7, 5, 3, 1, 2, 3, 4, 5], page.len() - 18));
        assert_eq!(unpack(&page, 7), None);
        for cut in 0..18 {
            assert_eq!(unpack(&page[..cut], 8), None, "{cut}");
        }
    }

    #[test]
    fn lengths_that_do_not_fit() {
        let page = [&NUMBERS[..], &[0], &[b'a'; 30]].concat();
        assert!(strings_fit(&page, 8));
        assert!(!strings_fit(&page[..page.len() - 1], 8));
        // One string of 3 bytes: prefixes of 0 and of 1.
        let one = |n: u8| [128, 1, 4, 1, 2 * n];
        assert!(prefixes_fit(&[&one(0)[..], &one(3), b"abc"].concat(), 1));
        assert!(!prefixes_fit(&[&one(1)[..], &one(3), b"abc"].concat(), 1));
    }
}
