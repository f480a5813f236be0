//! The character classes of spaCy's patterns, with the Unicode tables of the reference.

use super::class_table::CLASSES;
use super::steps;

const LOWER: u8 = 1;
const UPPER: u8 = 2;
const SYMBOL: u8 = 4;
const WORD: u8 = 8;
const DIGIT: u8 = 16;

/// A lower-case letter of the Latin or Russian alphabet, or a letter of a script without case (Bengali, Hebrew, Arabic).
pub fn is_lower(c: char) -> bool {
    bits(c) & LOWER != 0
}

/// The same in upper case; the letters without case are in both.
pub fn is_upper(c: char) -> bool {
    bits(c) & UPPER != 0
}

/// A letter of either.
pub fn is_alpha(c: char) -> bool {
    bits(c) & (LOWER | UPPER) != 0
}

/// Unicode's general category So: ☺, °, ©.
pub fn is_symbol(c: char) -> bool {
    bits(c) & SYMBOL != 0
}

/// `\w`.
pub fn is_word(c: char) -> bool {
    bits(c) & WORD != 0
}

/// `\d`: decimal digits of all scripts.
pub fn is_digit(c: char) -> bool {
    bits(c) & DIGIT != 0
}

/// The bits of the last row at or before the character; rows are `(code point << 8) | bits`, ascending.
pub fn step_function(rows: &[u32], c: char) -> u8 {
    let n_before = rows.partition_point(|row| row >> 8 <= u32::from(c));
    if n_before == 0 { 0 } else { rows[n_before - 1] as u8 }
}

fn bits(c: char) -> u8 {
    steps::count(1);
    if c.is_ascii() { ASCII[c as usize] } else { step_function(&CLASSES, c) }
}

/// The classes of ASCII, spread out.
const ASCII: [u8; 128] = {
    let mut table = [0; 128];
    let mut row = 0;
    while CLASSES[row] >> 8 < 128 {
        let mut c = (CLASSES[row] >> 8) as usize;
        while c < 128 {
            table[c] = CLASSES[row] as u8;
            c += 1;
        }
        row += 1;
    }
    table
};
