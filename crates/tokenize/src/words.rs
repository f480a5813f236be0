//! From text to words: all steps before the byte pairs.

use crate::clean::replace_characters;
use crate::{ftfy, spacy};

/// The line break among the words.
pub const LINE_BREAK: &str = "\n";

/// Calls `each` with the lower-cased words of a text, in order: [`ftfy::fix_text`], [`crate::clean::standardize`],
/// [`spacy::split_words`], [`spacy::lowercase`]. A line break inside the text is [`LINE_BREAK`].
pub fn each_word(text: &str, mut each: impl FnMut(&str)) {
    spacy::split_words(&replace_characters(&ftfy::fix_text(text)), &mut |word| {
        if word == spacy::LINE_BREAK { each(LINE_BREAK) } else { each(&spacy::lowercase(word)) }
    });
}
