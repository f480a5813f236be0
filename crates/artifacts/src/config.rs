//! Configuration files: YAML in which every unknown key, wrong type, missing key and value out of range is reported at once, with
//! file, line and column, under the overrides of the command line.

use crate::problem::{Place, Problem, Problems};
use crate::schema;
use crate::yaml::{self, Node};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::Path;

/// An override of a configuration: `section.key=value`, and where it was written.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The dotted key.
    pub key: String,
    /// The value, as YAML.
    pub value: String,
    /// Where it was written.
    pub place: Place,
}

impl Setting {
    /// The value of `--set`.
    ///
    /// # Errors
    /// It has no key, or no `=`.
    pub fn parse(set: &str) -> Result<Setting, Problem> {
        let place = Place::CommandLine(format!("--set {set}"));
        match set.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                Ok(Setting { key: key.to_owned(), value: value.to_owned(), place })
            }
            _ => Err(Problem::new(&place, "expected KEY=VALUE, such as pretrain.batch_size=8")),
        }
    }
}

/// Settings from the values of `--set`.
///
/// # Errors
/// All that are no settings.
pub fn settings(sets: &[String]) -> Result<Vec<Setting>, Problems> {
    let mut problems = Vec::new();
    let settings =
        sets.iter().filter_map(|set| Setting::parse(set).map_err(|problem| problems.push(problem)).ok()).collect();
    Problems::check(problems, Some(settings))
}

/// Reads a YAML file as text.
///
/// # Errors
/// It cannot be read, or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, Problems> {
    let bytes = fs_err::read(path).map_err(|error| Problem::new(&Place::top(path), format!("{error}")))?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]).into_owned();
        let line = valid.matches('\n').count() as u64 + 1;
        let column = valid.rsplit('\n').next().map_or(0, |last| last.chars().count()) as u64 + 1;
        let place = Place::File { path: path.into(), line, column };
        Problem::new(&place, "not valid UTF-8; save the file as UTF-8").into()
    })
}

/// Reads YAML text that stands under the name `path` into a type that holds places itself (`serde_yaml::Spanned`).
///
/// # Errors
/// The first mistake.
pub fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, Problems> {
    let options = serde_yaml::options! { strict_booleans: true };
    serde_yaml::from_str_with_options(text, options).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
        Problem::new(&Place::File { path: path.into(), line, column }, error.to_string()).into()
    })
}

/// The value of a document under settings, as the type with this schema describes it; all mistakes are added to `problems`.
/// With the value comes the document with the settings in it, to look up places.
pub fn read<T: DeserializeOwned>(
    document: &Node,
    settings: &[Setting],
    schema: &Value,
    problems: &mut Vec<Problem>,
) -> Option<(T, Node)> {
    let mut document = document.clone();
    for Setting { key, value, place } in settings {
        match yaml::parse(Path::new("--set"), value) {
            Ok(value) => document.set(key, value.at(place)),
            Err(problem) => problems.push(Problem::new(place, format!("{key}: {}", problem.message))),
        }
    }
    let value = schema::read(&document, schema, "", problems)?;
    match T::deserialize(value) {
        Ok(value) => Some((value, document)),
        Err(error) => {
            problems.push(Problem::new(&document.place, error.to_string()));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemars::JsonSchema;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, JsonSchema, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        model: Inner,
        #[serde(default)]
        kind: Kind,
    }
    #[derive(Debug, Deserialize, JsonSchema, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[schemars(range(min = 1, max = 9))]
        n_layer: usize,
        #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
        rate: f64,
        limit: Option<u64>,
    }
    #[derive(Debug, Deserialize, JsonSchema, PartialEq, Default)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        /// One.
        #[default]
        One,
        /// Other.
        Other,
    }

    fn read(text: &str, sets: &[&str]) -> Result<Outer, Vec<String>> {
        let settings: Vec<Setting> = sets.iter().map(|set| Setting::parse(set).unwrap()).collect();
        let mut problems = Vec::new();
        let document = yaml::parse(Path::new("a.yaml"), text).unwrap();
        let value = super::read(&document, &settings, &schema::of::<Outer>(), &mut problems);
        let problems: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.place, p.message)).collect();
        if problems.is_empty() { Ok(value.unwrap().0) } else { Err(problems) }
    }

    #[test]
    fn values_are_read() {
        let found = read("model: {n_layer: 3, rate: 5.0e-1, limit: 7}\nkind: other\n", &[]).unwrap();
        assert_eq!(found, Outer { model: Inner { n_layer: 3, rate: 0.5, limit: Some(7) }, kind: Kind::Other });
    }

    #[test]
    fn every_mistake_is_reported_at_its_place() {
        let text = "model:\n  n_layers: 3\n  rate: 1.0\n  limit: many\nkind: on\nmodel2:\n  a: 1\n";
        let expected = [
            "a.yaml:2:3: unknown key of model n_layers (did you mean n_layer?); known: n_layer, rate, limit",
            "a.yaml:3:9: model.rate = 1: expected a number from 0 to below 1",
            "a.yaml:4:10: model.limit: expected a whole number, at least 0, or null, found many",
            "a.yaml:2:3: the key n_layer is missing here",
            "a.yaml:5:7: kind: unknown value on (did you mean one?); known: one, other",
            "a.yaml:6:1: unknown key model2 (did you mean model?); known: model, kind",
        ];
        assert_eq!(read(text, &[]).unwrap_err(), expected);
        let twice = read("model: {n_layer: 3, n_layer: 10, rate: [1], limit:}\n", &[]).unwrap_err();
        let expected = [
            "a.yaml:1:21: the key n_layer stands here a second time",
            "a.yaml:1:30: model.n_layer = 10: expected a whole number from 1 to 9",
            "a.yaml:1:40: model.rate: expected a number from 0 to below 1, found a list",
        ];
        assert_eq!(twice, expected);
    }

    #[test]
    fn overrides() {
        let text = "model:\n  n_layer: 3\n  rate: 0.5\n  limit: 1\n";
        let outer = read(text, &["model.n_layer=5", "model.rate=0", "model.limit=null", "kind=other"]).unwrap();
        assert_eq!(outer, Outer { model: Inner { n_layer: 5, rate: 0.0, limit: None }, kind: Kind::Other });
        let wrong =
            ["model.n_layers=5", "modle.rate=2", "model.n_layer=x", "model.rate=[1", "model.limit.a=1", "kind="];
        let expected = [
            "--set model.rate=[1: model.rate: not valid YAML: ",
            "--set model.n_layers=5: unknown key of model n_layers (did you mean n_layer?); known: n_layer, rate, limit",
            "--set modle.rate=2: unknown key modle (did you mean model?); known: model, kind",
            "--set model.n_layer=x: model.n_layer: expected a whole number from 1 to 9, found x",
            "--set model.limit.a=1: model.limit: expected a whole number, at least 0, or null, found a mapping",
            "--set kind=: kind: expected one or other, found nothing (null)",
        ];
        let found = read(text, &wrong).unwrap_err();
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for expected in expected {
            assert!(found.iter().any(|line| line.starts_with(expected)), "{expected} in {found:#?}");
        }
    }
}
