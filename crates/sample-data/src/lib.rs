//! Offline, seeded generator of the sample corpus and the sample tasks.
//!
//! One story world gives both: a corpus of short stories, and the twelve tasks of the paper plus WNLI and AX in their official file
//! formats, labelled by construction. Word lists and sentence templates lie in `data/sample/`; a seed decides who lives in
//! the village and what is true there. The same seed gives the same bytes.

pub mod random;
pub mod scene;
pub mod sentences;
pub mod stories;
pub mod tasks;
pub mod text;
pub mod world;
mod write;

pub use write::{files, write};
