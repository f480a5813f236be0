//! Configuration files: YAML with unknown keys, wrong types and missing keys refused at file, line and column.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read (the I/O error names it).
    #[error("cannot read the configuration: {0}")]
    Read(#[from] std::io::Error),
    /// The text is not what the configuration's type asks for.
    #[error("{path}:{line}:{column}: {message}")]
    Parse {
        /// The file, or the built-in preset's name.
        path: PathBuf,
        /// 1-based line.
        line: u64,
        /// 1-based column.
        column: u64,
        /// What was expected and found, with the lines around it.
        message: String,
    },
    /// An override `--set key=value` does not fit.
    #[error("--set {set}: {message}")]
    Set {
        /// The override as given.
        set: String,
        /// What is wrong with it.
        message: String,
    },
    /// A value is outside its range.
    #[error("{path}: {key} = {value}: expected {expected}")]
    Range {
        /// The file, or the built-in preset's name.
        path: PathBuf,
        /// Dotted key.
        key: String,
        /// The value found.
        value: String,
        /// The range that is allowed.
        expected: String,
    },
}

/// Reads a YAML file into `T`, then applies the overrides `a.b=c` (values are YAML scalars).
pub fn load<T: Serialize + DeserializeOwned>(path: &Path, sets: &[String]) -> Result<T, ConfigError> {
    let text = String::from_utf8(fs_err::read(path)?).map_err(|error| {
        let valid = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]).into_owned();
        let line = valid.matches('\n').count() as u64 + 1;
        let column = valid.rsplit('\n').next().map_or(0, |last| last.chars().count()) as u64 + 1;
        let message = "not valid UTF-8; save the file as UTF-8".to_owned();
        ConfigError::Parse { path: path.to_owned(), line, column, message }
    })?;
    from_text(path, &text, sets)
}

/// As [`load`], from text that stands under the name `path`.
pub fn from_text<T: Serialize + DeserializeOwned>(path: &Path, text: &str, sets: &[String]) -> Result<T, ConfigError> {
    let parsed: T = parse(path, text)?;
    if sets.is_empty() {
        return Ok(parsed);
    }
    // Not of the text: a key that it leaves to its default can be set too.
    let mut tree = serde_json::to_value(&parsed).map_err(std::io::Error::other)?;
    add_missing(&mut tree, parse(path, text)?);
    for set in sets {
        apply(&mut tree, set)?;
        // One at a time, so that the error can name the override that does not fit.
        T::deserialize(&tree)
            .map_err(|error| ConfigError::Set { set: set.clone(), message: explained(&error.to_string()) })?;
    }
    T::deserialize(&tree).map_err(|error| ConfigError::Set { set: sets.join(" "), message: error.to_string() })
}

fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, ConfigError> {
    let options = serde_yaml::options! { strict_booleans: true };
    serde_yaml::from_str_with_options(text, options).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
        ConfigError::Parse { path: path.to_owned(), line, column, message: error.to_string() }
    })
}

/// Adds what the text says and the type does not record.
fn add_missing(tree: &mut Value, written: Value) {
    let (Value::Object(tree), Value::Object(written)) = (tree, written) else { return };
    for (key, value) in written {
        match tree.get_mut(&key) {
            Some(at) => add_missing(at, value),
            None => _ = tree.insert(key, value),
        }
    }
}

/// What serde says of an unknown key, with the nearest of the known ones.
fn explained(message: &str) -> String {
    if !message.starts_with("unknown field") {
        return message.to_owned();
    }
    // unknown field `a`, expected one of `b`, `c`
    let mut names = message.split('`').skip(1).step_by(2);
    let key = names.next().unwrap_or_default();
    let known: Vec<&str> = names.collect();
    let hint = nearest(key, &known).map_or_else(String::new, |near| format!(" (did you mean {near}?)"));
    format!("there is no key {key}{hint}; known here: {}", known.join(", "))
}

/// Puts the value of `a.b=c` into the tree. A key that the tree lacks is added: whether it is one that is left out when it has
/// its default, or none at all, the type that the tree is read as will say.
fn apply(tree: &mut Value, set: &str) -> Result<(), ConfigError> {
    let wrong = |message: String| ConfigError::Set { set: set.to_owned(), message };
    let (key, value) =
        set.split_once('=').ok_or_else(|| wrong("expected KEY=VALUE, such as pretrain.batch_size=8".to_owned()))?;
    let value: Value = parse(Path::new("--set"), value).map_err(|error| wrong(error.to_string()))?;
    let mut at = tree;
    let mut so_far = String::new();
    for part in key.split('.') {
        let Value::Object(map) = at else {
            return Err(wrong(format!("{so_far} is a value, it has no key {part}")));
        };
        so_far = if so_far.is_empty() { part.to_owned() } else { format!("{so_far}.{part}") };
        at = map.entry(part).or_insert_with(|| Value::Object(serde_json::Map::new()));
    }
    *at = value;
    Ok(())
}

/// The known name nearest to a misspelt one, if it is near enough to be meant.
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let limit = 1 + name.chars().count() / 3;
    known.iter().map(|k| (edit_distance(name, k), *k)).filter(|(d, _)| *d <= limit).min().map(|(_, k)| k)
}

/// Levenshtein's distance.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replace = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        model: Inner,
    }
    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        n_layer: usize,
        rate: f64,
    }

    fn read(text: &str, sets: &[&str]) -> Result<Outer, ConfigError> {
        let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
        from_text(Path::new("a.yaml"), text, &sets)
    }

    #[test]
    fn misspelt_key_is_named_with_its_place() {
        let error = read("model:\n  rate: 1.0\n  n_layers: 3\n", &[]).unwrap_err();
        assert!(matches!(error, ConfigError::Parse { line: 3, column: 3, .. }), "{error:?}");
        assert!(error.to_string().starts_with("a.yaml:3:3: "), "{error}");
        assert!(error.to_string().contains("n_layer"), "{error}");
    }

    #[test]
    fn wrong_type_is_named_with_its_place() {
        let error = read("model:\n  rate: 1.0\n  n_layer: many\n", &[]).unwrap_err();
        assert!(matches!(error, ConfigError::Parse { line: 3, .. }), "{error:?}");
    }

    #[test]
    fn overrides() {
        let text = "model:\n  n_layer: 3\n  rate: 1.0\n";
        let outer = read(text, &["model.n_layer=5", "model.rate=2"]).unwrap();
        assert_eq!(outer.model, Inner { n_layer: 5, rate: 2.0 });
        let error = read(text, &["model.n_layers=5"]).unwrap_err().to_string();
        assert!(error.contains("did you mean n_layer?"), "{error}");
        assert!(read(text, &["model.n_layer=x"]).is_err());
        assert!(read(text, &["model.n_layer"]).is_err());
    }
}
