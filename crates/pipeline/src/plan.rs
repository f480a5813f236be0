//! From a definition and the settings of the command line to the steps to run, in order.
//!
//! Everything that can be known to be wrong before any work is found here: variables, references, programs and their
//! flags, sections and values of the preset, paths that do not exist, circles, names given twice.

use crate::definition::Definition;
use crate::each::{self, Binding};
use crate::scope::{Scope, Settings};
use crate::step::{Config, Source, Step, StepBuilder, covers};
use gpt1_artifacts::preset::{self, Preset};
use gpt1_artifacts::problem::{Place, Problem, Problems, unknown};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The steps that make a target.
#[derive(Debug)]
pub struct Plan {
    /// The folder of all results.
    pub artifacts: PathBuf,
    /// The target's name: a step, or a stage, which stands for all of its steps.
    pub target: String,
    /// What the target needs, each after what it needs itself.
    pub steps: Vec<Step>,
}

impl Plan {
    /// The step of a stage that the target needs; else the mistake to report about `place`.
    pub fn step(&self, name: &str, place: &str) -> Result<&Step, Problems> {
        self.steps.iter().find(|s| s.name == name).ok_or_else(|| {
            let known: Vec<&str> = self.steps.iter().map(|s| s.name.as_str()).collect();
            let message = unknown("stage", name, &known);
            let target = &self.target;
            Problems(vec![Problem::new(
                &Place::CommandLine(place.to_owned()),
                format!("{message} (what {target} needs with these settings)"),
            )])
        })
    }
}

/// Resolves a definition for a target (the definition's own if `None`).
pub fn build(definition: &Definition, settings: &Settings, target: Option<&str>) -> Result<Plan, Problems> {
    let mut problems = Vec::new();
    let scope = Scope::new(definition, settings, &mut problems);
    let artifacts = scope.text(&definition.artifacts, &mut problems).map(PathBuf::from);
    if artifacts.is_none() && problems.is_empty() {
        let message = "artifacts has no value here: expected the folder of all results";
        problems.push(Problem::new(&definition.artifacts.place, message));
    }
    let config = read_config(&scope, definition, settings, &mut problems);
    let config = config.as_ref();
    let preset = config.map_or(&Value::Null, |config| &config.values);
    let bindings: BTreeMap<&str, Vec<Binding>> = definition
        .stages
        .iter()
        .map(|stage| (stage.name.text.as_str(), each::bindings(stage, preset, &mut problems)))
        .collect();
    if bindings.values().any(Vec::is_empty) {
        return Problems::check(problems, None);
    }
    let mut steps = Vec::new();
    let mut origins = Vec::new();
    for stage in &definition.stages {
        for binding in &bindings[stage.name.text.as_str()] {
            let scope = &scope.with(binding);
            let builder = StepBuilder { stage, binding, bindings: &bindings, scope, settings, problems: &mut problems };
            if let Some((step, places)) = builder.build(config) {
                steps.push(step);
                origins.push(places);
            }
        }
    }
    check_outs(&steps, definition, &mut problems);
    let names: Vec<&str> = definition.stages.iter().map(|s| s.name.text.as_str()).collect();
    let is_target = |step: &Step, target: &str| step.name == target || step.stage == target;
    let (target, place) = match target {
        Some(target) => (target.to_owned(), Place::CommandLine(format!("target {target}"))),
        None => (scope.text(&definition.target, &mut problems).unwrap_or_default(), definition.target.place.clone()),
    };
    if !names.contains(&target.as_str()) && !steps.iter().any(|step| is_target(step, &target)) {
        problems.push(Problem::new(&place, unknown("stage", &target, &names)));
    }
    let order = in_order(&steps, |step| is_target(step, &target), definition, &mut problems);
    for &i in &order {
        for (flag, source) in &steps[i].deps {
            if let (Source::Path(path), Some(place)) = (source, origins[i].get(flag))
                && let Err(error) = fs_err::metadata(path)
            {
                problems.push(Problem::new(place, format!("the input {flag} of {}: {error}", steps[i].stage)));
            }
        }
    }
    let steps = order.into_iter().map(|i| steps[i].clone()).collect();
    Problems::check(problems, artifacts.map(|artifacts| Plan { artifacts, target, steps }))
}

/// The preset with everything that is wrong with it and with the overrides of the command line, each of which must concern some
/// stage.
fn read_config(
    scope: &Scope,
    definition: &Definition,
    settings: &Settings,
    problems: &mut Vec<Problem>,
) -> Option<Config> {
    let name = definition.config.as_ref()?;
    let named_at = scope.origin(name);
    let name = scope.text(name, problems)?;
    let document = preset::open(&name, &named_at).map_err(|found| problems.extend(found.0)).ok()?;
    let preset = match Preset::read(&document, &settings.overrides) {
        Ok(preset) => Some(preset),
        Err(found) => {
            problems.extend(found.0);
            Preset::read(&document, &[]).ok()
        }
    };
    let parts =
        || definition.stages.iter().flat_map(|s| std::iter::once(&s.always).chain(s.cases.iter().map(|c| &c.part)));
    for set in &settings.overrides {
        let is_known = !problems.iter().any(|problem| problem.place == set.place);
        if is_known && !parts().flat_map(|p| &p.params).any(|param| covers(&param.text, &set.key)) {
            let message = format!("no stage of this definition uses the parameter {}", set.key);
            problems.push(Problem::new(&set.place, message));
        }
    }
    Some(Config { name, document, values: serde_json::to_value(preset).unwrap_or_default() })
}

/// No two results may have the same readable name, nor may one lie in another.
fn check_outs(steps: &[Step], definition: &Definition, problems: &mut Vec<Problem>) {
    for (i, step) in steps.iter().enumerate() {
        for other in &steps[..i] {
            if step.out.starts_with(&other.out) || other.out.starts_with(&step.out) {
                let stage = definition.stages.iter().find(|s| s.name.text == step.stage).expect("made from it");
                let message = format!(
                    "out {} collides with that of {} ({})",
                    step.out.display(),
                    other.name,
                    other.out.display()
                );
                problems.push(Problem::new(&stage.out.place, message));
            }
        }
    }
}

/// The steps that the target needs, each after its inputs; circles anywhere in the definition are reported.
fn in_order(
    steps: &[Step],
    is_target: impl Fn(&Step) -> bool,
    definition: &Definition,
    problems: &mut Vec<Problem>,
) -> Vec<usize> {
    let mut walk = Walk { steps, path: Vec::new(), done: Vec::new(), circles: Vec::new() };
    for i in (0..steps.len()).filter(|i| is_target(&steps[*i])) {
        walk.visit(i);
    }
    let order = walk.done.clone();
    for i in 0..steps.len() {
        walk.visit(i);
    }
    for circle in walk.circles {
        let first = steps.iter().find(|step| step.name == circle[0]).expect("the walk is over them");
        let stage = definition.stages.iter().find(|s| s.name.text == first.stage).expect("made from it");
        let message = format!("these stages wait for each other: {}", circle.join(" -> "));
        problems.push(Problem::new(&stage.name.place, message));
    }
    order
}

struct Walk<'a> {
    steps: &'a [Step],
    path: Vec<usize>,
    done: Vec<usize>,
    circles: Vec<Vec<String>>,
}

impl Walk<'_> {
    fn visit(&mut self, i: usize) {
        if self.done.contains(&i) {
            return;
        }
        if let Some(start) = self.path.iter().position(|&p| p == i) {
            let mut names: Vec<String> = self.path[start..].iter().map(|&p| self.steps[p].name.clone()).collect();
            names.push(self.steps[i].name.clone());
            self.circles.push(names);
            return;
        }
        self.path.push(i);
        let steps = self.steps;
        for name in steps[i].needs() {
            if let Some(needed) = steps.iter().position(|s| s.name == *name) {
                self.visit(needed);
            }
        }
        self.path.pop();
        self.done.push(i);
    }
}
