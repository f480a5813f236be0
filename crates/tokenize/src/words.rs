//! From text to words: all steps before the byte pairs.

use crate::clean::{is_space, replace_characters};
use crate::{ftfy, spacy};

/// The line break among the words.
pub const LINE_BREAK: &str = "\n";

/// A way to split texts: calls the function with each word of a text, in order.
pub type EachWord = fn(&str, &mut dyn FnMut(&str));

/// Calls `each` with the lower-cased words of a text, in order: [`ftfy::fix_text`], [`crate::clean::standardize`],
/// [`spacy::split_words`], [`spacy::lowercase`]. A line break inside the text is [`LINE_BREAK`].
pub fn each_word(text: &str, each: &mut dyn FnMut(&str)) {
    spacy::split_words(&replace_characters(&ftfy::fix_text(text)), &mut |word| {
        if word == spacy::LINE_BREAK { each(LINE_BREAK) } else { each(&spacy::lowercase(word)) }
    });
}

/// Calls `each` with what stands between white space, as it is: for a text that is words already.
pub fn each_ready_word(text: &str, each: &mut dyn FnMut(&str)) {
    text.split(is_space).filter(|word| !word.is_empty()).for_each(each);
}
