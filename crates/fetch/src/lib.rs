//! Getting the real data: downloads that resume, checked against their digests, unpacked where the other programs look.
//!
//! A data set appears at once and complete, or not at all:
//!
//! ```text
//! data/.downloads/RTE.zip.partial   what has arrived; a later run continues there (.partial.json: of which version it is)
//! data/.downloads/RTE.zip           complete, its digest checked
//! data/.RTE.partial/                being unpacked
//! data/RTE/                         renamed into place; .fetched.json in it says what it was made from
//! ```

mod catalogue;
mod digest;
mod download;
mod error;
mod fetch;
mod http;
mod list;
mod names;
mod place;
mod record;
mod unpack;

pub use catalogue::{Catalogue, Dataset, Digests, Hex, Kind, Member, Name, OnRequest, Source, Url};
pub use error::FetchError;
pub use fetch::{Options, run};
pub use list::{list_json, list_table};
