//! JSON Schemas of our own types, and reading YAML by them with every mistake reported.
//!
//! The types are the source: `#[derive(JsonSchema)]` gives the schema that editors use, and [`read`] checks a file by the same
//! schema. What it knows of the language is what those types give: `properties`, `required`, `additionalProperties`, `items`, `type`,
//! `oneOf`/`enum`/`const` of texts, and the four bounds of numbers.

use crate::problem::{Problem, unknown};
use crate::yaml::{Node, Value};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Number, Value as Json};

/// The schema of a type (draft 7, which YAML language servers know), without references.
pub fn of<T: JsonSchema>() -> Json {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// The keys that a schema's objects may have.
pub fn keys(schema: &Json) -> Vec<&str> {
    schema["properties"].as_object().map_or_else(Vec::new, |all| all.keys().map(String::as_str).collect())
}

/// The value of a node, which messages call `name`, as the schema describes it; `None` if something is wrong with it.
pub fn read(node: &Node, schema: &Json, name: &str, problems: &mut Vec<Problem>) -> Option<Json> {
    match &node.value {
        Value::Null if allows(schema, "null") => Some(Json::Null),
        Value::Map(entries) if allows(schema, "object") => read_object(node, entries, schema, name, problems),
        Value::List(items) if allows(schema, "array") => {
            let items: Vec<_> = items.iter().map(|item| read(item, &schema["items"], name, problems)).collect();
            items.into_iter().collect::<Option<Vec<Json>>>().map(Json::Array)
        }
        Value::Text(text) => match scalar(text, schema) {
            Ok(value) => Some(value),
            Err(message) => {
                problems.push(Problem::new(&node.place, format!("{name}{message}")));
                None
            }
        },
        other => {
            let name = if name.is_empty() { String::new() } else { format!("{name}: ") };
            let message = format!("{name}expected {}, found {}", expected(schema), other.kind());
            problems.push(Problem::new(&node.place, message));
            None
        }
    }
}

fn read_object(
    node: &Node,
    entries: &[(crate::yaml::Text, Node)],
    schema: &Json,
    name: &str,
    problems: &mut Vec<Problem>,
) -> Option<Json> {
    let n_before = problems.len();
    let mut object = Map::new();
    for (i, (key, value)) in entries.iter().enumerate() {
        if entries[..i].iter().any(|(earlier, _)| earlier.text == key.text) {
            problems.push(Problem::new(&key.place, format!("the key {} stands here a second time", key.text)));
        }
        let Some(inner) = schema["properties"].get(&key.text) else {
            let of = if name.is_empty() { String::new() } else { format!(" of {name}") };
            problems.push(Problem::new(&key.place, unknown(&format!("key{of}"), &key.text, &keys(schema))));
            continue;
        };
        let dotted = if name.is_empty() { key.text.clone() } else { format!("{name}.{}", key.text) };
        if let Some(value) = read(value, inner, &dotted, problems) {
            object.insert(key.text.clone(), value);
        }
    }
    for required in schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str) {
        if !entries.iter().any(|(key, _)| key.text == required) {
            problems.push(Problem::new(&node.place, format!("the key {required} is missing here")));
        }
    }
    (problems.len() == n_before).then_some(Json::Object(object))
}

/// A scalar as the schema's type; the error is what to say behind its name.
fn scalar(text: &str, schema: &Json) -> Result<Json, String> {
    let choices = choices(schema);
    if !choices.is_empty() {
        let fits = choices.contains(&text);
        return if fits { Ok(Json::from(text)) } else { Err(format!(": {}", unknown("value", text, &choices))) };
    }
    let wrong = || Err(format!(": expected {}, found {text}", expected(schema)));
    let number: Number = if allows(schema, "integer") {
        match (text.parse::<u64>(), text.parse::<i64>()) {
            (Ok(number), _) => number.into(),
            (_, Ok(number)) => number.into(),
            _ => return wrong(),
        }
    } else if allows(schema, "number") {
        match text.parse::<f64>().ok().and_then(Number::from_f64) {
            Some(number) => number,
            None => return wrong(),
        }
    } else if allows(schema, "boolean") {
        return text.parse::<bool>().map(Json::Bool).or_else(|_| wrong());
    } else if allows(schema, "string") {
        return Ok(Json::from(text));
    } else {
        return wrong();
    };
    let x = number.as_f64().unwrap_or(f64::NAN);
    let fits = Bounds::of(schema).fit(x);
    if fits { Ok(Json::Number(number)) } else { Err(format!(" = {text}: expected {}", expected(schema))) }
}

/// Whether values of a JSON type are among those that the schema allows.
fn allows(schema: &Json, kind: &str) -> bool {
    match &schema["type"] {
        Json::String(only) => only == kind,
        Json::Array(several) => several.iter().any(|one| one == kind),
        // A type of variants, or anything.
        _ => kind == "string" && !choices(schema).is_empty(),
    }
}

/// The texts that are allowed, where these are listed.
fn choices(schema: &Json) -> Vec<&str> {
    let listed = schema["enum"].as_array().into_iter().flatten();
    let variants = schema["oneOf"].as_array().into_iter().flatten();
    listed.chain(variants.flat_map(|v| [&v["const"], &v["enum"][0]])).filter_map(Json::as_str).collect()
}

/// The bounds of a number.
struct Bounds {
    /// At least, or above.
    low: Option<(f64, bool)>,
    /// At most, or below.
    high: Option<(f64, bool)>,
}

impl Bounds {
    fn of(schema: &Json) -> Bounds {
        let bound = |closed: &str, open: &str| {
            let number = |key: &str| schema[key].as_f64();
            number(open).map(|x| (x, false)).or_else(|| number(closed).map(|x| (x, true)))
        };
        Bounds { low: bound("minimum", "exclusiveMinimum"), high: bound("maximum", "exclusiveMaximum") }
    }

    fn fit(&self, x: f64) -> bool {
        self.low.is_none_or(|(low, closed)| x > low || closed && x >= low)
            && self.high.is_none_or(|(high, closed)| x < high || closed && x <= high)
    }
}

/// What the schema asks for, in words.
fn expected(schema: &Json) -> String {
    let kind = match () {
        () if allows(schema, "integer") => "a whole number",
        () if allows(schema, "number") => "a number",
        () if allows(schema, "boolean") => "true or false",
        () if allows(schema, "object") => return format!("a mapping with {}", keys(schema).join(", ")),
        () if allows(schema, "array") => "a list",
        () if !choices(schema).is_empty() => return choices(schema).join(" or "),
        () => "a text",
    };
    let Bounds { low, high } = Bounds::of(schema);
    let high = high.map_or_else(String::new, |(x, closed)| format!(" to {}{x}", if closed { "" } else { "below " }));
    let low = low.map_or_else(String::new, |(x, closed)| match closed {
        true if high.is_empty() => format!(", at least {x}"),
        true => format!(" from {x}"),
        false => format!(" above {x}"),
    });
    let null = if allows(schema, "null") { ", or null" } else { "" };
    format!("{kind}{low}{high}{null}")
}
