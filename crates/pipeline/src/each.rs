//! `each`: a stage that is written once and stands for a step for each combination of some values.
//!
//! ```yaml
//! finetune:
//!   each: {task: [rte, cola], layers: 0..model.n_layer}   # a list, or whole numbers up to a number or parameter, both included
//!   args: {task: "${task}"}                               # its names are variables of this stage
//!   out: ${task}-${layers}
//! ```
//!
//! The steps are named `finetune-rte-0` and so on. `${finetune.out}` in another stage means the steps whose values are those of that
//! stage's own `each`: in one with `task` and `layers` a single step, in one without them all steps, whose paths are then given
//! under a repeated flag.

use crate::definition::Stage;
use crate::template::is_name;
use gpt1_artifacts::problem::Problem;
use gpt1_artifacts::yaml::Text;
use schemars::JsonSchema;
use serde_json::Value;

/// A name of `each` and the values it takes.
#[derive(Debug)]
pub struct Each {
    /// The variable.
    pub name: Text,
    /// Its values.
    pub values: Values,
}

/// The values of a name of `each`.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Values {
    /// As listed.
    List(Vec<Text>),
    /// `FIRST..LAST`, both included; the last may be a parameter of the preset.
    Range(Text),
}

/// The values that one step of a stage has; none for a stage without `each`.
pub type Binding = Vec<(String, Text)>;

/// The values of all steps of a stage, the last name of `each` changing fastest; none if something is wrong with them. `preset`
/// is a tree of values.
pub fn bindings(stage: &Stage, preset: &Value, problems: &mut Vec<Problem>) -> Vec<Binding> {
    let n_before = problems.len();
    let mut bindings = vec![Vec::new()];
    for Each { name, values } in &stage.each {
        let values = match values {
            Values::List(values) => values.clone(),
            Values::Range(range) => match numbers(&range.text, preset) {
                Ok(numbers) => numbers.map(|n| Text { text: n.to_string(), place: range.place.clone() }).collect(),
                Err(message) => {
                    problems.push(Problem::new(&range.place, message));
                    Vec::new()
                }
            },
        };
        for (i, value) in values.iter().enumerate() {
            if !is_name(&value.text) {
                let message =
                    format!("{:?} becomes part of a step's name: expected letters, digits, - and _", value.text);
                problems.push(Problem::new(&value.place, message));
            } else if values[..i].iter().any(|earlier| earlier.text == value.text) {
                problems.push(Problem::new(&value.place, format!("{} stands here a second time", value.text)));
            }
        }
        let mut longer = Vec::new();
        for binding in &bindings {
            for value in &values {
                longer.push([&binding[..], &[(name.text.clone(), value.clone())]].concat());
            }
        }
        bindings = longer;
    }
    if problems.len() > n_before { Vec::new() } else { bindings }
}

/// The name of the step of a stage with these values.
pub fn step_name(stage: &str, binding: &Binding) -> String {
    let values = binding.iter().map(|(_, value)| value.text.as_str());
    std::iter::once(stage).chain(values).collect::<Vec<_>>().join("-")
}

/// Of a stage's steps those whose values do not contradict `own`, each with the values that `own` leaves open, joined.
pub fn matching<'a>(all: &'a [Binding], own: &'a Binding) -> impl Iterator<Item = (String, &'a Binding)> {
    let fixed = |name: &str| own.iter().find(|(other, _)| other == name).map(|(_, value)| value.text.as_str());
    all.iter().filter_map(move |binding| {
        let mut open = Vec::new();
        for (name, value) in binding {
            match fixed(name) {
                Some(own) if own != value.text => return None,
                Some(_) => {}
                None => open.push(value.text.as_str()),
            }
        }
        Some((open.join("-"), binding))
    })
}

/// The numbers of `FIRST..LAST`, at most a thousand.
fn numbers(range: &str, preset: &Value) -> Result<std::ops::RangeInclusive<u64>, String> {
    let expected = || format!("{range}: expected a list, or FIRST..LAST in whole numbers, such as 0..model.n_layer");
    let (first, last) = range.split_once("..").ok_or_else(expected)?;
    let number = |text: &str| {
        let parameter = || preset.pointer(&format!("/{}", text.replace('.', "/")))?.as_u64();
        text.parse().ok().or_else(parameter).ok_or_else(expected)
    };
    let (first, last) = (number(first.trim())?, number(last.trim())?);
    if last < first || last - first >= 1000 {
        return Err(format!("{range}: from {first} to {last} are not 1 to 1000 values"));
    }
    Ok(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ranges() {
        let preset = json!({"model": {"n_layer": 3, "rate": 0.1}});
        assert_eq!(numbers("0..model.n_layer", &preset).unwrap(), 0..=3);
        assert_eq!(numbers("2..4", &preset).unwrap(), 2..=4);
        for wrong in ["3", "a..2", "0..model.rate", "0..model.none", "4..2", "0..5000", "-1..2"] {
            assert!(numbers(wrong, &preset).is_err(), "{wrong}");
        }
    }
}
