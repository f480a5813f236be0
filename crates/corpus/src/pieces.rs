//! Long documents in pieces, cut where the encoder splits the text anyway.

use std::sync::Arc;

/// Bytes of the longest piece: documents up to this size are one piece and one row.
pub const PIECE_BYTES: usize = 4 << 20;

/// A document, or a stretch of a long one: what is encoded or counted at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The document's name.
    pub document: Arc<str>,
    /// The document's number in the corpus.
    pub index: u64,
    /// Where the piece begins in the document, in bytes.
    pub offset: u64,
    /// The text; never white space only.
    pub text: String,
    /// What lies between the last word of the document's piece before and the first of this one.
    pub gap: Gap,
}

/// The white space between two pieces. The encoder strips the ends of a text, so what stands for it (a line break is a
/// token) has to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Gap {
    /// None: the piece is the document's first, or the cut goes through a word longer than [`PIECE_BYTES`].
    #[default]
    None,
    /// Blanks.
    Space,
    /// A carriage return, but no line feed.
    CarriageReturn,
    /// A line feed.
    LineFeed,
}

impl Gap {
    /// A text that stands for it.
    pub fn text(self) -> &'static str {
        match self {
            Gap::None => "",
            Gap::Space => " ",
            Gap::CarriageReturn => "\r",
            Gap::LineFeed => "\n",
        }
    }

    fn of(white_space: &str) -> Gap {
        if white_space.contains('\n') {
            Gap::LineFeed
        } else if white_space.contains('\r') {
            Gap::CarriageReturn
        } else if white_space.is_empty() {
            Gap::None
        } else {
            Gap::Space
        }
    }
}

/// A document being cut.
#[derive(Debug)]
pub(crate) struct Document {
    name: Arc<str>,
    index: u64,
    offset: u64,
    begun: bool,
    gap: Gap,
}

impl Document {
    pub(crate) fn new(name: impl Into<Arc<str>>, index: u64) -> Document {
        Document { name: name.into(), index, offset: 0, begun: false, gap: Gap::None }
    }

    /// The next stretch of the document as a piece; none if it is white space only.
    pub(crate) fn piece(&mut self, text: &str) -> Option<Piece> {
        let offset = self.offset;
        self.offset += text.len() as u64;
        let from_word = text.trim_start_matches(is_space);
        if from_word.is_empty() {
            self.gap = self.gap.max(Gap::of(text));
            return None;
        }
        let leading = &text[..text.len() - from_word.len()];
        let trailing = &from_word[from_word.trim_end_matches(is_space).len()..];
        let gap = if self.begun { self.gap.max(Gap::of(leading)) } else { Gap::None };
        self.begun = true;
        self.gap = Gap::of(trailing);
        Some(Piece { document: Arc::clone(&self.name), index: self.index, offset, text: text.to_owned(), gap })
    }

    /// All pieces of a document whose text is at hand.
    pub(crate) fn pieces_of<E>(
        mut self,
        mut text: &str,
        sink: &mut dyn FnMut(Piece) -> Result<(), E>,
    ) -> Result<(), E> {
        while !text.is_empty() {
            let bytes = text.as_bytes();
            let end = if bytes.len() < PIECE_BYTES { bytes.len() } else { cut(&bytes[..PIECE_BYTES]) };
            let (head, rest) = text.split_at(end);
            if let Some(piece) = self.piece(head) {
                sink(piece)?;
            }
            text = rest;
        }
        Ok(())
    }
}

/// White space to the encoder: Unicode's, and U+001C to U+001F as in Python.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Where to cut a full window of UTF-8: after its last line feed, else after its last blank, else before its last
/// character, which may be incomplete. At least 1.
pub(crate) fn cut(window: &[u8]) -> usize {
    if let Some(at) = window.iter().rposition(|&b| b == b'\n') {
        return at + 1;
    }
    if let Some(at) = window.iter().rposition(u8::is_ascii_whitespace) {
        return at + 1;
    }
    let is_start = |&b: &u8| b & 0b1100_0000 != 0b1000_0000;
    match window.iter().rposition(is_start) {
        Some(at) if at > 0 && window.len() - at <= 4 => at,
        _ => window.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts() {
        assert_eq!(cut(b"ab\ncd ef"), 3);
        assert_eq!(cut(b"ab cd"), 3);
        assert_eq!(cut("ab\u{20ac}".as_bytes()), 2);
        assert_eq!(cut(&"ab\u{20ac}".as_bytes()[..4]), 2);
        assert_eq!(cut(&[0x80; 9]), 9);
        assert_eq!(cut("\u{20ac}".as_bytes()), 3);
    }

    #[test]
    fn gaps_between_pieces() {
        let mut document = Document::new("d", 0);
        assert_eq!(document.piece(" \n"), None);
        let mut next = |text| document.piece(text).map(|p| (p.offset, p.gap));
        assert_eq!(next("\na "), Some((2, Gap::None)));
        assert_eq!(next("b"), Some((5, Gap::Space)));
        assert_eq!(next("c\r"), Some((6, Gap::None)));
        assert_eq!(next(" \n "), None);
        assert_eq!(next("d\r"), Some((11, Gap::LineFeed)));
        assert_eq!(next("e"), Some((13, Gap::CarriageReturn)));
    }
}
