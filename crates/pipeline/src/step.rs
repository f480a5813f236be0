//! One stage of a definition with its variables filled in.

use crate::definition::{Part, Stage};
use crate::each::{self, Binding};
use crate::scope::{Resolved, Scope, Settings};
use crate::stages::{PROGRAMS, Program};
use gpt1_artifacts::config::Setting;
use gpt1_artifacts::preset::Preset;
use gpt1_artifacts::problem::{Place, Problem, unknown};
use gpt1_artifacts::yaml::{Node, Text};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, PathBuf};

/// A stage with everything that decides its result, but the content of its inputs.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its name: that of its stage, and the values it has of the stage's `each`.
    pub name: String,
    /// The stage's name in the definition.
    pub stage: String,
    /// What runs it.
    pub program: &'static Program,
    /// The value of `--config`, for a program that takes it.
    pub config: Option<String>,
    /// The values of `--set`, in order.
    pub sets: Vec<String>,
    /// The used parameters with their values, by dotted key.
    pub params: BTreeMap<String, Value>,
    /// Arguments by flag.
    pub args: BTreeMap<String, String>,
    /// Inputs by flag; where a flag is given several paths, by `flag[which]` ([`flag_of`]).
    pub deps: BTreeMap<String, Source>,
    /// The readable name of the result, below the artifacts folder.
    pub out: PathBuf,
    /// A JSON file of the result, to show when it is reused.
    pub metrics: Option<String>,
}

impl Step {
    /// The steps whose results it takes.
    pub fn needs(&self) -> impl Iterator<Item = &String> {
        self.deps.values().filter_map(|source| match source {
            Source::Result { stage, .. } => Some(stage),
            Source::Path(_) => None,
        })
    }
}

/// Where an input comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file or folder of the user's.
    Path(PathBuf),
    /// A stage's result, or something in it.
    Result {
        /// The step that makes it.
        stage: String,
        /// The path in its result; empty for the whole.
        inside: PathBuf,
    },
}

/// The preset of a definition.
pub(crate) struct Config {
    /// As `--config` names it.
    pub name: String,
    /// Its content.
    pub document: Node,
    /// Its values under the overrides of the command line, as far as these can be read.
    pub values: Value,
}

/// A stage being resolved.
pub(crate) struct StepBuilder<'a, 'p> {
    /// The stage as written.
    pub stage: &'a Stage,
    /// The values that this step has of the stage's `each`.
    pub binding: &'a Binding,
    /// Those of the steps of all stages, by stage.
    pub bindings: &'a BTreeMap<&'a str, Vec<Binding>>,
    /// The variables.
    pub scope: &'a Scope<'a>,
    /// What the command line gave.
    pub settings: &'a Settings,
    /// Where mistakes go.
    pub problems: &'p mut Vec<Problem>,
}

impl<'a> StepBuilder<'a, '_> {
    /// The step, and where each of its inputs was written.
    pub fn build(mut self, config: Option<&Config>) -> Option<(Step, BTreeMap<String, Place>)> {
        let runs: Vec<&str> = PROGRAMS.iter().map(|p| p.run).collect();
        let run = &self.stage.run;
        let program = Program::find(&run.text);
        if program.is_none() {
            self.problems.push(Problem::new(&run.place, unknown("stage program", &run.text, &runs)));
        }
        let n_before = self.problems.len();
        let parts = self.parts();
        let (mut args, mut deps, mut places) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut given = BTreeSet::new();
        for part in &parts {
            for (flag, value) in &part.args {
                self.check_flag(program, flag, given.contains(&flag.text));
                if let Some(text) = self.scope.text(value, self.problems) {
                    given.insert(flag.text.clone());
                    args.insert(flag.text.clone(), text);
                }
            }
            for (flag, value) in &part.deps {
                self.check_flag(program, flag, given.contains(&flag.text));
                for (which, source) in self.sources(value) {
                    given.insert(flag.text.clone());
                    let flag = if which.is_empty() { flag.text.clone() } else { format!("{}[{which}]", flag.text) };
                    places.insert(flag.clone(), self.scope.origin(value));
                    deps.insert(flag, source);
                }
            }
        }
        let program = program?;
        // A flag that something is wrong with is not said to be missing as well.
        let is_right = self.problems.len() == n_before;
        for flag in program.required.iter().filter(|_| is_right) {
            if given.iter().any(|given| flag_of(given) == *flag) {
                continue;
            }
            let name = &self.stage.name;
            let is_named = parts.iter().any(|p| p.args.iter().chain(&p.deps).any(|(f, _)| f.text == *flag));
            let message = if is_named {
                format!("{} needs {flag}, which has no value here", name.text)
            } else {
                format!("{} needs {flag} under deps or args (gpt1-{} --{flag})", name.text, program.name())
            };
            self.problems.push(Problem::new(&name.place, message));
        }
        let (sets, params) = self.params(program, config, &parts);
        let out = self.out()?;
        let stage = self.stage.name.text.clone();
        let name = each::step_name(&stage, self.binding);
        let metrics = self.stage.metrics.as_ref().map(|m| m.text.clone());
        let config = config.filter(|_| program.takes_config).map(|config| config.name.clone());
        Some((Step { name, stage, program, config, sets, params, args, deps, out, metrics }, places))
    }

    fn parts(&mut self) -> Vec<&'a Part> {
        let stage = self.stage;
        let cases = stage.cases.iter().filter(|case| self.scope.holds(&case.when, self.problems));
        std::iter::once(&stage.always).chain(cases.map(|case| &case.part)).collect()
    }

    fn check_flag(&mut self, program: Option<&Program>, flag: &Text, given: bool) {
        if let Some(program) = program
            && !program.flags().contains(&flag_of(&flag.text))
        {
            let what = format!("flag of gpt1-{}", program.run);
            self.problems.push(Problem::new(&flag.place, unknown(&what, flag_of(&flag.text), &program.flags())));
        }
        if given {
            self.problems.push(Problem::new(&flag.place, format!("{} is given twice", flag.text)));
        }
    }

    /// The inputs that a text stands for; where they are several, each with what tells it from the others.
    fn sources(&mut self, value: &Text) -> Vec<(String, Source)> {
        match self.scope.resolve(value, self.problems) {
            None => Vec::new(),
            Some(Resolved::Text(path)) => vec![(String::new(), Source::Path(PathBuf::from(path)))],
            Some(Resolved::Result { stage, inside }) => {
                let inside = inside.trim_matches('/');
                if inside.split('/').any(|part| part == "..") {
                    self.problems.push(Problem::new(&value.place, "a path in a result cannot leave it (..)"));
                }
                let all = self.bindings.get(stage.as_str()).map_or(&[][..], Vec::as_slice);
                let found: Vec<_> = each::matching(all, self.binding)
                    .map(|(which, binding)| {
                        let stage = each::step_name(&stage, binding);
                        (which, Source::Result { stage, inside: PathBuf::from(inside) })
                    })
                    .collect();
                if found.is_empty() && !all.is_empty() {
                    let own = each::step_name(&self.stage.name.text, self.binding);
                    let message = format!("{stage} has no step with the values of {own}");
                    self.problems.push(Problem::new(&value.place, message));
                }
                found
            }
        }
    }

    /// The overrides that this stage gets and the values of the parameters it uses.
    fn params(
        &mut self,
        program: &Program,
        config: Option<&Config>,
        parts: &[&Part],
    ) -> (Vec<String>, BTreeMap<String, Value>) {
        let used: Vec<&Text> = parts.iter().flat_map(|p| &p.params).collect();
        let Some(config) = config.filter(|_| program.takes_config) else {
            let takes_none = !program.takes_config && !used.is_empty();
            // One that is named but cannot be used has been reported.
            let needs_some = program.takes_config && self.scope.definition.config.is_none();
            if takes_none {
                let message = format!("gpt1-{} takes no parameters of the preset", program.name());
                self.problems.push(Problem::new(&used[0].place, message));
            } else if needs_some {
                let message = format!("gpt1-{} takes --config: the key config is missing at the top", program.name());
                self.problems.push(Problem::new(&self.stage.name.place, message));
            }
            return (Vec::new(), BTreeMap::new());
        };
        if used.is_empty() {
            let message =
                format!("{}: list the sections of the preset that it uses under params", self.stage.name.text);
            self.problems.push(Problem::new(&self.stage.name.place, message));
        }
        let mut settings = Vec::new();
        for (key, value) in parts.iter().flat_map(|p| &p.set) {
            let place = self.scope.origin(value);
            let Some(value) = self.scope.text(value, self.problems) else { continue };
            if used.iter().any(|param| covers(&param.text, &key.text)) {
                settings.push(Setting { key: key.text.clone(), value, place });
            } else {
                let message = format!("{} does not list {} under params", self.stage.name.text, key.text);
                self.problems.push(Problem::new(&key.place, message));
            }
        }
        let is_used = |set: &&Setting| used.iter().any(|param| covers(&param.text, &set.key));
        settings.extend(self.settings.overrides.iter().filter(is_used).cloned());
        let sets = settings.iter().map(|set| format!("{}={}", set.key, set.value)).collect();
        match Preset::read(&config.document, &settings) {
            Ok(preset) => (sets, self.used_values(&preset, &used)),
            Err(problems) => {
                self.problems.extend(problems.0);
                (sets, BTreeMap::new())
            }
        }
    }

    fn used_values(&mut self, preset: &Preset, used: &[&Text]) -> BTreeMap<String, Value> {
        // By way of text, so that an f32 of 0.1 reads 0.1 in explanations.
        let text = serde_json::to_string(preset).expect("a preset is plain data");
        let tree: Value = serde_json::from_str(&text).expect("written a line above");
        let mut values = BTreeMap::new();
        for param in used {
            let mut at = &tree;
            for part in param.text.split('.') {
                let known: Vec<&str> = at.as_object().map_or_else(Vec::new, |m| m.keys().map(String::as_str).collect());
                let Some(next) = at.get(part) else {
                    let what = if at == &tree { "section of the preset" } else { "parameter" };
                    self.problems.push(Problem::new(&param.place, unknown(what, part, &known)));
                    at = &Value::Null;
                    break;
                };
                at = next;
            }
            match at {
                Value::Object(section) => {
                    values.extend(section.iter().map(|(key, v)| (format!("{}.{key}", param.text), v.clone())));
                }
                value => {
                    values.insert(param.text.clone(), value.clone());
                }
            }
        }
        values
    }

    fn out(&mut self) -> Option<PathBuf> {
        let out = &self.stage.out;
        let path = PathBuf::from(self.scope.name(out, self.problems)?);
        let plain =
            path.components().all(|c| matches!(c, Component::Normal(n) if !n.to_string_lossy().starts_with('.')));
        if !plain || path.as_os_str().is_empty() {
            let message = format!("{}: expected a path below artifacts, without . or ..", path.display());
            self.problems.push(Problem::new(&out.place, message));
        } else if path.starts_with("store") {
            self.problems.push(Problem::new(&out.place, "store is where all results are kept; choose another name"));
        }
        Some(path)
    }
}

/// The flag of an input, without what tells it from others of the same flag.
pub fn flag_of(input: &str) -> &str {
    input.split('[').next().unwrap_or(input)
}

/// Whether the parameter `param` of a stage (a section or a key) includes the dotted key.
pub(crate) fn covers(param: &str, key: &str) -> bool {
    key == param || key.strip_prefix(param).is_some_and(|rest| rest.starts_with('.'))
}
