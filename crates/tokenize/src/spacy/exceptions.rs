//! spaCy's exceptions: chunks whose words a list says.

use crate::hash::Map;
use std::sync::LazyLock;

/// One exception a line, its words with a space between them. The four of white space (tab, line break, space, no-break
/// space) are not there: no chunk is one of them.
const LIST: &str = include_str!("exceptions.txt");

/// Bytes of the longest exception; so that a long chunk is never hashed.
const MAX_BYTES: usize = 29;

static ENTRIES: LazyLock<Map<String, &'static str>> =
    LazyLock::new(|| LIST.lines().map(|entry| (entry.replace(' ', ""), entry)).collect());

/// The entry of an exception: its words with a space between them.
pub fn find(text: &str) -> Option<&'static str> {
    if text.len() > MAX_BYTES { None } else { ENTRIES.get(text).copied() }
}

/// The exceptions themselves.
pub fn all() -> impl Iterator<Item = &'static str> {
    ENTRIES.keys().map(String::as_str)
}

/// Calls `each` with the parts of the text, which is the exception that the entry is of.
pub fn split<'t>(text: &'t str, entry: &str, each: &mut impl FnMut(&'t str)) {
    let mut rest = text;
    for word in entry.split(' ') {
        let (head, tail) = rest.split_at(word.len());
        each(head);
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_whole() {
        assert_eq!(ENTRIES.len(), 1240);
        assert_eq!(ENTRIES.keys().map(String::len).max(), Some(MAX_BYTES));
        assert_eq!(find("can't've"), Some("ca n't 've"));
        assert_eq!(find(""), None);
    }
}
