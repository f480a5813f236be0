//! A YAML document as a tree in which every key and value knows its place.
//!
//! Serde's derived types stop at the first mistake; over a tree all of them can be reported at once.

use crate::problem::{Place, Problem};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::{DuplicateKeyPolicy, Spanned};
use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A scalar as text: a word, number or boolean of the definition.
#[derive(Debug, Clone)]
pub struct Text {
    /// The scalar; numbers and booleans in their plain form.
    pub text: String,
    /// Where it stands.
    pub place: Place,
}

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number", "boolean"]})
    }
}

/// A YAML value and its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it begins.
    pub place: Place,
    /// What it is.
    pub value: Value,
}

/// What a [`Node`] is.
#[derive(Debug, Clone)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// A scalar.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file; a key may stand twice.
    Map(Vec<(Text, Node)>),
}

impl Value {
    /// How messages call this kind of value.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing (null)",
            Value::Text(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

impl Node {
    /// The entry of a mapping, the last if it stands there twice; `None` for other nodes.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().rev().find(|(name, _)| name.text == key).map(|(_, node)| node)
    }

    /// Puts a value at a dotted key in place of what is there; the mappings on the way are made if there are none.
    pub fn set(&mut self, key: &str, value: Node) {
        let (first, rest) = key.split_once('.').map_or((key, None), |(first, rest)| (first, Some(rest)));
        if !matches!(self.value, Value::Map(_)) {
            *self = Node { place: value.place.clone(), value: Value::Map(Vec::new()) };
        }
        let Value::Map(entries) = &mut self.value else { return };
        let at = entries.iter().rposition(|(name, _)| name.text == first).unwrap_or_else(|| {
            let name = Text { text: first.to_owned(), place: value.place.clone() };
            entries.push((name, Node { place: value.place.clone(), value: Value::Null }));
            entries.len() - 1
        });
        match rest {
            Some(rest) => entries[at].1.set(rest, value),
            None => entries[at].1 = value,
        }
    }

    /// The same with all places replaced by one.
    #[must_use]
    pub fn at(self, place: &Place) -> Node {
        let value = match self.value {
            Value::List(items) => Value::List(items.into_iter().map(|item| item.at(place)).collect()),
            Value::Map(entries) => {
                let text = |text: Text| Text { text: text.text, place: place.clone() };
                Value::Map(entries.into_iter().map(|(key, value)| (text(key), value.at(place))).collect())
            }
            other => other,
        };
        Node { place: place.clone(), value }
    }
}

/// Reads the text of a YAML file that stands under the name `path`.
pub fn parse(path: &Path, text: &str) -> Result<Node, Problem> {
    let path: Arc<Path> = Arc::from(path);
    let options = serde_yaml::options! {
        strict_booleans: true,
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        with_snippet: false,
    };
    match serde_yaml::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(raw) => Ok(place_node(raw, &path)),
        Err(error) => {
            let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
            let message = error.to_string();
            // The position stands in front of the message already.
            let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
            Err(Problem::new(&Place::File { path, line, column }, format!("not valid YAML: {message}")))
        }
    }
}

enum Raw {
    Null,
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

fn place_node(raw: Spanned<Raw>, path: &Arc<Path>) -> Node {
    let place = place_of(&raw, path);
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Text(text) => Value::Text(text),
        Raw::List(items) => Value::List(items.into_iter().map(|item| place_node(item, path)).collect()),
        Raw::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| (Text { place: place_of(&key, path), text: key.value }, place_node(value, path)))
                .collect(),
        ),
    };
    Node { place, value }
}

fn place_of<T>(spanned: &Spanned<T>, path: &Arc<Path>) -> Place {
    let at = spanned.referenced;
    Place::File { path: path.clone(), line: at.line(), column: at.column() }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_know_their_place() {
        let node = parse(Path::new("a.yaml"), "# comment\nvars:\n  seed: 1\n  rate: 1.0e-5\n  none:\n  list: [a, b]\n");
        let Value::Map(top) = node.unwrap().value else { panic!("a mapping") };
        assert_eq!((top[0].0.text.as_str(), top[0].0.place.to_string().as_str()), ("vars", "a.yaml:2:1"));
        let Value::Map(vars) = &top[0].1.value else { panic!("a mapping") };
        let found: Vec<String> =
            vars.iter().map(|(k, v)| format!("{} {} {} {}", k.text, k.place, v.place, v.value.kind())).collect();
        assert_eq!(found[0], "seed a.yaml:3:3 a.yaml:3:9 a single value");
        assert!(matches!(&vars[1].1.value, Value::Text(t) if t == "0.00001"));
        assert_eq!(found[3], "list a.yaml:6:3 a.yaml:6:9 a list");
        assert!(matches!(vars[2].1.value, Value::Null));
    }

    #[test]
    fn keys_may_repeat_and_syntax_errors_have_a_place() {
        let node = parse(Path::new("a.yaml"), "a: 1\na: 2\n").unwrap();
        assert!(matches!(node.value, Value::Map(entries) if entries.len() == 2));
        let problem = parse(Path::new("a.yaml"), "a: 1\nb: [1, 2\nc: 3\n").unwrap_err();
        assert_eq!(problem.place.to_string(), "a.yaml:3:2", "{problem:?}");
    }
}
