//! Damaged files of every format that the programs read, through the readers that they read them with.
//!
//! Each of 10,000 versions of a file (bits flipped, cut, extended, blocks and lines swapped, doubled or lost, absurd lengths and
//! numbers, delimiters and invalid UTF-8 put in) is refused with a message that names the file, or read with the content that
//! its bytes have by other means; none panics, takes more than five seconds or more than twice the memory of the honest file.
//!
//! | environment | |
//! |---|---|
//! | `GPT1_DAMAGE_MUTATIONS` | versions of each file, 10000 if not set |
//! | `GPT1_DAMAGE_SEED` | the seed of the first; a failure names its own |

#![allow(clippy::case_sensitive_file_extension_comparisons, reason = "the names are our own")]

mod harness;
mod mutate;
mod parquet_files;
mod records;
mod tasks;
mod texts;
mod weights;
mod yaml;
