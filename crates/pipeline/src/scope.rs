//! The values of variables: the definition's defaults under the settings of the command line.

use crate::definition::{Condition, Definition, Variable};
use crate::each::Binding;
use crate::template::{self, Part};
use gpt1_artifacts::config::Setting;
use gpt1_artifacts::problem::{Place, Problem, Problems, unknown};
use gpt1_artifacts::yaml::Text;

/// What `--set` gave: a key without a dot sets a variable, a dotted key overrides a parameter of the preset.
#[derive(Debug, Default, Clone)]
pub struct Settings {
    /// Variables: name and value, an empty value for none.
    pub vars: Vec<(String, String)>,
    /// Parameters of the preset.
    pub overrides: Vec<Setting>,
}

impl Settings {
    /// Sorts the values of `--set`.
    pub fn parse(sets: &[String]) -> Result<Settings, Problems> {
        let mut settings = Settings::default();
        let mut problems = Vec::new();
        for set in sets {
            match set.split_once('=') {
                Some((key, _)) if key.contains('.') => settings.overrides.extend(Setting::parse(set)),
                Some((key, value)) if !key.is_empty() => settings.vars.push((key.to_owned(), value.to_owned())),
                _ => problems.push(Problem::new(
                    &Place::CommandLine(format!("--set {set}")),
                    "expected variable=value or section.key=value",
                )),
            }
        }
        Problems::check(problems, Some(settings))
    }
}

/// A text with its variables filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// Plain text.
    Text(String),
    /// A stage's result and what follows it.
    Result {
        /// The stage.
        stage: String,
        /// The text behind `${stage.out}`.
        inside: String,
    },
}

/// All variables with their values as texts, and the names of all stages.
pub struct Scope<'a> {
    /// What they are of.
    pub definition: &'a Definition,
    /// Of two of one name the first counts.
    values: Vec<(&'a str, Option<Text>)>,
}

impl<'a> Scope<'a> {
    /// The definition's variables with the settings of the command line in place of their defaults.
    pub fn new(definition: &'a Definition, settings: &Settings, problems: &mut Vec<Problem>) -> Scope<'a> {
        let mut values: Vec<(&Variable, Option<Text>)> =
            definition.vars.iter().map(|v| (v, v.default.clone())).collect();
        let known: Vec<&str> = definition.vars.iter().map(|v| v.name.text.as_str()).collect();
        for (name, text) in &settings.vars {
            let place = Place::CommandLine(format!("--set {name}={text}"));
            match values.iter_mut().find(|(v, _)| v.name.text == *name) {
                Some((_, value)) => *value = (!text.is_empty()).then(|| Text { text: text.clone(), place }),
                None => problems.push(Problem::new(&place, unknown("variable", name, &known))),
            }
        }
        let names = values.iter().map(|(variable, value)| (variable.name.text.as_str(), value.clone())).collect();
        let scope = Scope { definition, values: names };
        for (variable, value) in &values {
            let Some(value) = value else { continue };
            scope.resolve(value, problems);
            let choices: Vec<&str> = variable.choices.iter().map(|c| c.text.as_str()).collect();
            if !choices.is_empty() && !choices.contains(&value.text.as_str()) {
                let what = format!("value of {}:", variable.name.text);
                problems.push(Problem::new(&value.place, unknown(&what, &value.text, &choices)));
            }
        }
        scope
    }

    /// The same with the values that a step has of its own.
    #[must_use]
    pub fn with(&self, binding: &'a Binding) -> Scope<'a> {
        let own = binding.iter().map(|(name, value)| (name.as_str(), Some(value.clone())));
        Scope { definition: self.definition, values: own.chain(self.values.iter().cloned()).collect() }
    }

    /// A text with its variables filled in; `None` if it is a variable without a value, or wrong.
    pub fn resolve(&self, text: &Text, problems: &mut Vec<Problem>) -> Option<Resolved> {
        self.expand(text, &mut Vec::new(), problems)
    }

    /// As [`Scope::resolve`], where a stage's result makes no sense.
    pub fn text(&self, text: &Text, problems: &mut Vec<Problem>) -> Option<String> {
        match self.resolve(text, problems)? {
            Resolved::Text(value) => Some(value),
            Resolved::Result { stage, .. } => {
                let message = format!("${{{stage}.out}} can only be an input: name it under deps");
                problems.push(Problem::new(&text.place, message));
                None
            }
        }
    }

    /// As [`Scope::resolve`], for a readable name: a variable that is a path stands for its last component (without
    /// `.yaml`), one that is a stage's result for the stage's name.
    pub fn name(&self, text: &Text, problems: &mut Vec<Problem>) -> Option<String> {
        let parts = template::parse(&text.text).map_err(|message| problems.push(Problem::new(&text.place, message)));
        let mut name = String::new();
        for part in parts.ok()? {
            match part {
                Part::Text(plain) => name.push_str(&plain),
                Part::Result(stage) => name.push_str(&stage),
                Part::Variable(variable) => {
                    let inner = Text { text: format!("${{{variable}}}"), place: text.place.clone() };
                    match self.resolve(&inner, problems) {
                        Some(Resolved::Text(value)) => name.push_str(last_component(&value)),
                        Some(Resolved::Result { stage, .. }) => name.push_str(&stage),
                        None => {
                            problems.push(Problem::new(&text.place, format!("the variable {variable} has no value")));
                            return None;
                        }
                    }
                }
            }
        }
        Some(name)
    }

    /// Where a text's value was written: that of its variable if it is nothing but a variable.
    pub fn origin(&self, text: &Text) -> Place {
        let mut place = text.place.clone();
        let mut at = text;
        // A circle of variables is reported elsewhere; here it only must end.
        for _ in 0..=self.values.len() {
            let parts = template::parse(&at.text).unwrap_or_default();
            let [Part::Variable(name)] = &parts[..] else { break };
            let Some((_, Some(value))) = self.values.iter().find(|(v, _)| v == name) else { break };
            place = value.place.clone();
            at = value;
        }
        place
    }

    /// Whether a condition holds.
    pub fn holds(&self, condition: &Condition, problems: &mut Vec<Problem>) -> bool {
        let variable = &condition.variable;
        let reference = Text { text: format!("${{{}}}", variable.text), place: variable.place.clone() };
        let value = match self.resolve(&reference, problems) {
            None => "null".to_owned(),
            Some(Resolved::Text(text)) => text,
            Some(Resolved::Result { stage, inside }) => format!("${{{stage}.out}}{inside}"),
        };
        (value == condition.value) == condition.equal
    }

    fn expand(&self, text: &Text, inside_of: &mut Vec<String>, problems: &mut Vec<Problem>) -> Option<Resolved> {
        let parts = match template::parse(&text.text) {
            Ok(parts) => parts,
            Err(message) => {
                problems.push(Problem::new(&text.place, message));
                return None;
            }
        };
        let alone = parts.len() == 1;
        let mut result = Resolved::Text(String::new());
        for (i, part) in parts.into_iter().enumerate() {
            let piece = match part {
                Part::Text(plain) => Some(Resolved::Text(plain)),
                Part::Result(stage) => self.result_of(stage, text, problems),
                Part::Variable(name) => {
                    let value = self.variable(&name, text, inside_of, problems)?;
                    if value.is_none() && !alone {
                        problems.push(Problem::new(&text.place, format!("the variable {name} has no value")));
                    }
                    value
                }
            };
            result = match (result, piece?) {
                (Resolved::Text(a), Resolved::Text(b)) => Resolved::Text(a + &b),
                (Resolved::Result { stage, inside }, Resolved::Text(b)) => {
                    Resolved::Result { stage, inside: inside + &b }
                }
                (Resolved::Text(_), result @ Resolved::Result { .. }) if i == 0 => result,
                (_, Resolved::Result { stage, .. }) => {
                    let message = format!("${{{stage}.out}} can only stand at the beginning of a path");
                    problems.push(Problem::new(&text.place, message));
                    return None;
                }
            };
        }
        Some(result)
    }

    /// The value of a variable; the outer `None` if something is wrong with it, the inner if it has none.
    #[allow(clippy::option_option, reason = "wrong and without a value are two things")]
    fn variable(
        &self,
        name: &str,
        text: &Text,
        inside_of: &mut Vec<String>,
        problems: &mut Vec<Problem>,
    ) -> Option<Option<Resolved>> {
        let Some((_, value)) = self.values.iter().find(|(v, _)| *v == name) else {
            let known: Vec<&str> = self.values.iter().map(|(name, _)| *name).collect();
            problems.push(Problem::new(&text.place, unknown("variable", name, &known)));
            return None;
        };
        let Some(value) = value else { return Some(None) };
        if inside_of.iter().any(|outer| outer == name) {
            problems.push(Problem::new(&value.place, format!("the variable {name} stands for itself")));
            return None;
        }
        inside_of.push(name.to_owned());
        let resolved = self.expand(value, inside_of, problems);
        inside_of.pop();
        resolved.map(Some)
    }

    fn result_of(&self, stage: String, text: &Text, problems: &mut Vec<Problem>) -> Option<Resolved> {
        let known: Vec<&str> = self.definition.stages.iter().map(|s| s.name.text.as_str()).collect();
        if !known.contains(&stage.as_str()) {
            problems.push(Problem::new(&text.place, unknown("stage", &stage, &known)));
            return None;
        }
        Some(Resolved::Result { stage, inside: String::new() })
    }
}

fn last_component(path: &str) -> &str {
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or(path);
    last.strip_suffix(".yaml").or_else(|| last.strip_suffix(".yml")).unwrap_or(last)
}
