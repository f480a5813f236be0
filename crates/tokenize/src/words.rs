//! From text to words: all steps before the byte pairs.

use crate::clean::{Chunk, each_chunk, replace_characters};
use crate::{ftfy, spacy};

/// The line break among the words.
pub const LINE_BREAK: &str = "\n";

/// Calls `each` with the lower-cased words of a text, in order: [`ftfy::fix_text`], [`crate::clean::standardize`],
/// [`spacy::split_words`], [`spacy::lowercase`]. A line break inside the text is [`LINE_BREAK`].
pub fn each_word(text: &str, mut each: impl FnMut(&str)) {
    let mut tail = Vec::new();
    each_chunk(&replace_characters(&ftfy::fix_text(text)), &mut |chunk| match chunk {
        Chunk::LineBreak => each(LINE_BREAK),
        Chunk::Letters(chunk, _) | Chunk::Other(chunk) => {
            spacy::split_chunk(chunk, &mut tail, &mut |word| each(&spacy::lowercase(word)));
        }
    });
}
