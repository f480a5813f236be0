//! Taking a mapping of a definition apart, with every mistake of form reported.

use gpt1_artifacts::problem::{Problem, unknown};
use gpt1_artifacts::yaml::{Node, Text, Value};

/// The entries of a mapping, taken by key; what does not fit becomes a problem.
pub struct Fields<'a> {
    entries: &'a [(Text, Node)],
    node: &'a Node,
    /// Where they go.
    pub problems: &'a mut Vec<Problem>,
}

impl<'a> Fields<'a> {
    /// The mapping at `node` with the keys that are known; unknown and repeated ones are reported.
    pub fn new(node: &'a Node, what: &str, known: &[&str], problems: &'a mut Vec<Problem>) -> Option<Fields<'a>> {
        let Value::Map(entries) = &node.value else {
            let message = format!("expected a mapping with {}, found {}", known.join(", "), node.value.kind());
            problems.push(Problem::new(&node.place, message));
            return None;
        };
        report_repeated(entries, problems);
        for (key, _) in entries {
            if !known.contains(&key.text.as_str()) {
                problems.push(Problem::new(&key.place, unknown(what, &key.text, known)));
            }
        }
        Some(Fields { entries, node, problems })
    }

    fn get(&self, key: &str) -> Option<&'a Node> {
        self.entries.iter().find(|(k, _)| k.text == key).map(|(_, node)| node)
    }

    /// The scalar at a key; `None` for null, and where there is none.
    pub fn text_or_null(&mut self, key: &str) -> Option<Text> {
        self.get(key).and_then(|node| scalar_or_null(node, self.problems))
    }

    /// As [`Fields::text_or_null`], but null is a mistake.
    pub fn text(&mut self, key: &str) -> Option<Text> {
        let node = self.get(key)?;
        if matches!(node.value, Value::Null) {
            self.problems.push(Problem::new(&node.place, format!("the key {key} has no value")));
        }
        scalar_or_null(node, self.problems)
    }

    /// As [`Fields::text`], but the key must be there.
    pub fn required(&mut self, key: &str) -> Option<Text> {
        if self.get(key).is_none() {
            self.problems.push(Problem::new(&self.node.place, format!("the key {key} is missing here")));
        }
        self.text(key)
    }

    /// The items at a key; none for null, and where there is no key.
    pub fn list(&mut self, key: &str) -> Vec<Node> {
        match self.get(key).map(|node| (&node.value, node)) {
            None | Some((Value::Null, _)) => Vec::new(),
            Some((Value::List(items), _)) => items.clone(),
            Some((other, node)) => {
                let message = format!("{key}: expected a list, found {}", other.kind());
                self.problems.push(Problem::new(&node.place, message));
                Vec::new()
            }
        }
    }

    /// The scalars of the list at a key.
    pub fn texts(&mut self, key: &str) -> Vec<Text> {
        self.list(key).iter().filter_map(|item| scalar_or_null(item, self.problems)).collect()
    }

    /// The entries of the mapping at a key, in order; none for null, and where there is no key.
    pub fn map(&mut self, key: &str) -> Vec<(Text, Node)> {
        match self.get(key).map(|node| (&node.value, node)) {
            None | Some((Value::Null, _)) => Vec::new(),
            Some((Value::Map(entries), _)) => {
                report_repeated(entries, self.problems);
                entries.clone()
            }
            Some((other, node)) => {
                let message = format!("{key}: expected a mapping, found {}", other.kind());
                self.problems.push(Problem::new(&node.place, message));
                Vec::new()
            }
        }
    }

    /// As [`Fields::map`], of scalars; an entry without value is left out.
    pub fn text_map(&mut self, key: &str) -> Vec<(Text, Text)> {
        let entries = self.map(key);
        entries.into_iter().filter_map(|(key, node)| Some((key, scalar_or_null(&node, self.problems)?))).collect()
    }
}

fn report_repeated(entries: &[(Text, Node)], problems: &mut Vec<Problem>) {
    for (i, (key, _)) in entries.iter().enumerate() {
        if entries[..i].iter().any(|(earlier, _)| earlier.text == key.text) {
            problems.push(Problem::new(&key.place, format!("the key {} stands here a second time", key.text)));
        }
    }
}

/// A scalar, or `None` for null.
pub fn scalar_or_null(node: &Node, problems: &mut Vec<Problem>) -> Option<Text> {
    match &node.value {
        Value::Null => None,
        Value::Text(text) => Some(Text { text: text.clone(), place: node.place.clone() }),
        other => {
            problems.push(Problem::new(&node.place, format!("expected a single value, found {}", other.kind())));
            None
        }
    }
}
