//! From a template to a sentence: slots, articles, capitals; and the embedded lists that hold both.

use std::collections::BTreeMap;

/// What stands in a slot: its name and its text.
pub type Slots<'a> = [(&'a str, &'a str)];

/// Fills `{slot}` from the slots, writes `a_` as "a" or "an" by the word that follows, and capitalises sentence starts.
///
/// A slot without text is a defect of the embedded lists; it stays as it is and the tests look for it.
pub fn fill(template: &str, slots: &Slots) -> String {
    finish(&fill_plain(template, slots))
}

/// [`fill`] without articles and capitals, for parts of sentences.
pub fn fill_plain(template: &str, slots: &Slots) -> String {
    let mut out = String::with_capacity(template.len() + 24);
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let Some(close) = rest[open..].find('}').map(|i| open + i) else { break };
        out.push_str(&rest[..open]);
        let name = &rest[open + 1..close];
        match slots.iter().find(|(slot, _)| *slot == name) {
            Some((_, text)) => out.push_str(text),
            None => out.push_str(&rest[open..=close]),
        }
        rest = &rest[close + 1..];
    }
    out.push_str(rest);
    out
}

/// Articles and capitals of a text whose slots are filled.
pub fn finish(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    let mut start = true;
    let mut words = text.split(' ').peekable();
    while let Some(word) = words.next() {
        let word = match word {
            "a_" | "A_" if words.peek().is_some_and(|next| is_vowel(next)) => "an",
            "a_" | "A_" => "a",
            other => other,
        };
        if start {
            capitalize_into(word, &mut out);
        } else {
            out.push_str(word);
        }
        start = word.ends_with(['.', '!', '?']);
        if words.peek().is_some() {
            out.push(' ');
        }
    }
    out
}

/// The text with a lower-case first letter.
pub fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_lowercase().collect::<String>() + chars.as_str())
}

/// The text with its punctuation set apart, as SST-2 and MRPC write it: "the soup was good ."
pub fn spaced(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if matches!(c, '.' | ',' | '!' | '?' | ':') {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

fn capitalize_into(word: &str, out: &mut String) {
    let mut chars = word.chars();
    out.extend(chars.next().into_iter().flat_map(char::to_uppercase));
    out.push_str(chars.as_str());
}

/// Whether "an" stands before the word.
pub fn is_vowel(word: &str) -> bool {
    word.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U'])
        && !["uni", "use", "eu", "one"].iter().any(|sound| word.starts_with(sound))
}

/// An embedded list: sections of lines.
#[derive(Debug, Clone)]
pub struct Lists(BTreeMap<&'static str, Vec<&'static str>>);

impl Lists {
    /// Reads `[section]` headers and the lines below them; `#` begins a comment line.
    pub fn parse(text: &'static str) -> Lists {
        let mut sections: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut section = "";
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                Some(name) => section = name,
                None => sections.entry(section).or_default().push(line),
            }
        }
        Lists(sections)
    }

    /// The lines of a section; empty if there is none.
    pub fn lines(&self, section: &str) -> &[&'static str] {
        self.0.get(section).map_or(&[], Vec::as_slice)
    }

    /// The lines of a section, each cut at " | ".
    pub fn rows(&self, section: &str) -> Vec<Vec<&'static str>> {
        self.lines(section).iter().map(|line| line.split(" | ").collect()).collect()
    }

    /// The texts of a section's lines that begin with the word `key`.
    pub fn keyed(&self, section: &str, key: &str) -> Vec<&'static str> {
        let texts = self.lines(section).iter().filter_map(|line| line.split_once(' '));
        texts.filter(|(word, _)| *word == key).map(|(_, text)| text).collect()
    }

    /// Keeps of a section only the lines at the given places, in that order.
    pub fn keep(&mut self, section: &str, places: &[usize]) {
        if let Some(lines) = self.0.get_mut(section) {
            *lines = places.iter().filter_map(|&i| lines.get(i).copied()).collect();
        }
    }

    /// Names of the sections.
    pub fn sections(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_articles_and_capitals() {
        let text = fill("{a} saw a_ {x}. a_ {y} sang!", &[("a", "Tom"), ("x", "owl"), ("y", "raven")]);
        assert_eq!(text, "Tom saw an owl. A raven sang!");
        assert_eq!(fill("what a_ {x} play!", &[("x", "unhappy")]), "What an unhappy play!");
        assert_eq!(spaced("Good, Tom."), "Good , Tom .");
        assert_eq!(lower_first("The mill"), "the mill");
    }

    #[test]
    fn sections_and_rows() {
        let lists = Lists::parse("# note\n[x]\na | b\n\n[y]\nfact {a} is.\n");
        assert_eq!(lists.rows("x"), vec![vec!["a", "b"]]);
        assert_eq!(lists.keyed("y", "fact"), vec!["{a} is."]);
        assert_eq!(lists.sections().collect::<Vec<_>>(), ["x", "y"]);
    }
}
