//! `pipelines/*.yaml` as written: variables and stages, every misspelt or misplaced key reported with its place.
//!
//! ```yaml
//! extends: pretrain.yaml          # its variables and stages, to which this file adds (optional)
//! vars:                           # what `--set name=value` may change; null: no value
//!   task: {default: rte, choices: [rte, cola]}
//!   seed: null
//! config: ${preset}               # given to the stages with params as --config
//! artifacts: ${out}               # where results are kept
//! target: evaluate                # what `run` makes when no target is named
//! stages:
//!   finetune:
//!     each: {task: [rte, cola]}    # a step for each value (optional): see each.rs
//!     run: finetune               # the program gpt1-finetune; a second word is its subcommand
//!     params: [finetune]          # sections (or section.key) of the preset that the result depends on
//!     set: {finetune.seed: "${seed}"}   # overrides of the preset: --set finetune.seed=...; none where seed is null
//!     args: {task: "${task}"}     # --task rte
//!     deps: {data: "${data}"}     # --data PATH: a path, or ${stage.out}, or ${stage.out}/folder; a flag that may be repeated
//!                                 # is written data[this] and data[that]
//!     cases:                      # additions for some settings
//!       - when: init == scratch
//!         args: {init: scratch}
//!     out: ${preset}/${task}/model      # the readable name of the result, below artifacts
//!     metrics: scores.json        # shown when the result is reused (optional)
//! ```

use crate::each::{Each, Values};
use crate::fields::{Fields, scalar_or_null};
use crate::stages::PROGRAMS;
use crate::template::is_name;
use gpt1_artifacts::problem::{Place, Problem, Problems};
use gpt1_artifacts::yaml::{self, Node, Text, Value};
use gpt1_artifacts::{config, preset, schema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// A whole definition, what it extends included.
#[derive(Debug)]
pub struct Definition {
    /// Variables, by name.
    pub vars: Vec<Variable>,
    /// The preset of the stages with `params`: a built-in name or the path of a file.
    pub config: Option<Text>,
    /// The folder of all results.
    pub artifacts: Text,
    /// The stage that `run` makes when none is named.
    pub target: Text,
    /// Stages in the order written.
    pub stages: Vec<Stage>,
}

/// The stages of a pipeline: what each runs, from what, with which parameters.
#[derive(Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct File {
    /// Another definition, to whose variables and stages this one adds; a path relative to this file.
    #[schemars(with = "Text")]
    pub extends: Option<Text>,
    /// What --set NAME=VALUE may change, by name: a value, null for no value, or a mapping with default and choices.
    #[schemars(schema_with = "variables")]
    pub vars: Vec<Variable>,
    /// The preset of the stages with params: tiny, small, gpt1, or the path of a file.
    #[schemars(with = "Text")]
    pub config: Option<Text>,
    /// The folder of all results.
    #[schemars(with = "Text")]
    pub artifacts: Option<Text>,
    /// The stage that run makes when none is named.
    #[schemars(with = "Text")]
    pub target: Option<Text>,
    /// Stages by name.
    #[schemars(schema_with = "stages")]
    pub stages: Vec<Stage>,
}

/// A variable.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Variable {
    /// Its name.
    #[schemars(skip)]
    pub name: Text,
    /// Its value unless --set gives another; null: no value.
    pub default: Option<Text>,
    /// The only values it may have; none listed: any.
    #[schemars(with = "Option<Vec<Text>>")]
    pub choices: Vec<Text>,
}

/// A stage as written.
#[derive(Debug, JsonSchema)]
pub struct Stage {
    /// Its name.
    #[schemars(skip)]
    pub name: Text,
    /// A step for each combination of these values: NAME: [VALUE, ...] or NAME: FIRST..LAST.
    #[schemars(with = "Option<BTreeMap<String, Values>>")]
    pub each: Vec<Each>,
    /// The program gpt1-...; a second word is its subcommand.
    #[schemars(schema_with = "runs")]
    pub run: Text,
    /// What always holds.
    #[schemars(flatten)]
    pub always: Part,
    /// Additions for some settings.
    #[schemars(with = "Option<Vec<Case>>")]
    pub cases: Vec<Case>,
    /// The readable name of the result, below artifacts.
    pub out: Text,
    /// A JSON file of the result, shown when the result is reused.
    #[schemars(with = "Text")]
    pub metrics: Option<Text>,
}

/// What holds for some settings.
#[derive(Debug, JsonSchema)]
pub struct Case {
    /// VARIABLE == VALUE or VARIABLE != VALUE.
    #[schemars(with = "String")]
    pub when: Condition,
    /// What is added.
    #[schemars(flatten)]
    pub part: Part,
}

/// What a stage takes.
#[derive(Debug, Default, JsonSchema)]
pub struct Part {
    /// Sections (or section.key) of the preset that the result depends on.
    #[schemars(schema_with = "parameters")]
    pub params: Vec<Text>,
    /// Overrides of the preset: section.key: value.
    #[schemars(with = "Option<BTreeMap<String, Option<Text>>>")]
    pub set: Vec<(Text, Text)>,
    /// Arguments by flag, without its dashes; a variable without value leaves the flag out.
    #[schemars(with = "Option<BTreeMap<String, Option<Text>>>")]
    pub args: Vec<(Text, Text)>,
    /// Inputs by flag: a path, ${stage.out}, or ${stage.out}/folder.
    #[schemars(with = "Option<BTreeMap<String, Option<Text>>>")]
    pub deps: Vec<(Text, Text)>,
}

/// `variable == value` or `variable != value`.
#[derive(Debug)]
pub struct Condition {
    /// The variable; the place is that of the whole condition.
    pub variable: Text,
    /// Whether it must be equal.
    pub equal: bool,
    /// The value compared with; `null` for no value.
    pub value: String,
}

fn variables(generator: &mut SchemaGenerator) -> Schema {
    let (value, variable) = (<Option<Text>>::json_schema(generator), Variable::json_schema(generator));
    json_schema!({"type": ["object", "null"], "additionalProperties": {"anyOf": [value, variable]}})
}

fn stages(generator: &mut SchemaGenerator) -> Schema {
    let mut stage = Stage::json_schema(generator);
    let case = Case::json_schema(generator);
    // A flattened part has its keys among the others: only here is it known which are all.
    stage.insert("additionalProperties".to_owned(), false.into());
    if let Some(cases) = stage.pointer_mut("/properties/cases/items") {
        *cases = case.into();
        cases["additionalProperties"] = false.into();
    }
    json_schema!({"type": ["object", "null"], "additionalProperties": stage})
}

fn runs(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"enum": PROGRAMS.iter().map(|program| program.run).collect::<Vec<_>>()})
}

fn parameters(_: &mut SchemaGenerator) -> Schema {
    let sections = preset::json_schema()["properties"].as_object().into_iter().flatten();
    let names = sections.flat_map(|(section, inner)| {
        let keys = schema::keys(inner).into_iter().map(|key| format!("{section}.{key}")).collect::<Vec<_>>();
        std::iter::once(section.clone()).chain(keys)
    });
    json_schema!({"type": ["array", "null"], "items": {"enum": names.collect::<Vec<_>>()}})
}

/// The JSON Schema of a definition's file: what editors complete and check, and where [`load`] has the known keys from.
pub fn json_schema() -> &'static serde_json::Value {
    static FORM: LazyLock<serde_json::Value> = LazyLock::new(|| {
        let mut form = schema::of::<File>();
        // Lists and mappings may be left out.
        for at in [
            "",
            "/properties/stages/additionalProperties",
            "/properties/stages/additionalProperties/properties/cases/items",
        ] {
            if let Some(required) = form.pointer_mut(&format!("{at}/required")).and_then(|r| r.as_array_mut()) {
                required.retain(|key| key == "run" || key == "out" || key == "when");
            }
        }
        form
    });
    &FORM
}

/// The keys of a kind of mapping in a definition, by its place in the schema.
fn known(at: &str) -> Vec<&'static str> {
    json_schema().pointer(at).map_or_else(Vec::new, schema::keys)
}

const VARIABLE: &str = "/properties/vars/additionalProperties/anyOf/1";
const STAGE: &str = "/properties/stages/additionalProperties";
const CASE: &str = "/properties/stages/additionalProperties/properties/cases/items";

/// Reads a definition and what it extends; all mistakes of form are reported together.
pub fn load(path: &Path) -> Result<Definition, Problems> {
    let mut problems = Vec::new();
    let file = read(path, &mut problems, &mut Vec::new());
    let definition = file.and_then(|(file, top)| {
        let mut need = |value: Option<Text>, key: &str| {
            if value.is_none() {
                problems.push(Problem::new(&top, format!("the key {key} is missing")));
            }
            value
        };
        let (artifacts, target) = (need(file.artifacts, "artifacts"), need(file.target, "target"));
        let (vars, config, stages) = (file.vars, file.config, file.stages);
        Some(Definition { vars, config, artifacts: artifacts?, target: target?, stages })
    });
    Problems::check(problems, definition)
}

/// Reads a file and puts it on top of what it extends; with the place of its first key.
fn read(path: &Path, problems: &mut Vec<Problem>, reading: &mut Vec<PathBuf>) -> Option<(File, Place)> {
    let top = match config::read_text(path).and_then(|text| Ok(yaml::parse(path, &text)?)) {
        Ok(top) => top,
        Err(found) => {
            problems.extend(found.0);
            return None;
        }
    };
    reading.push(path.canonicalize().unwrap_or_else(|_| path.to_owned()));
    let mut fields = Fields::new(&top, "key", &known(""), problems)?;
    let mut file = File::default();
    if let Some(base) = fields.text("extends") {
        let base_path = path.parent().unwrap_or(Path::new("")).join(&base.text);
        if base_path.canonicalize().is_ok_and(|p| reading.contains(&p)) {
            fields.problems.push(Problem::new(&base.place, format!("{} extends itself", base.text)));
        } else if base_path.is_file() {
            file = read(&base_path, fields.problems, reading).map(|(base, _)| base).unwrap_or_default();
        } else {
            fields.problems.push(Problem::new(&base.place, format!("no such file: {}", base_path.display())));
        }
    }
    file.config = fields.text("config").or(file.config);
    file.artifacts = fields.text("artifacts").or(file.artifacts);
    file.target = fields.text("target").or(file.target);
    for (name, node) in fields.map("vars") {
        if !is_name(&name.text) {
            fields.problems.push(Problem::new(&name.place, not_a_name("variable", &name.text)));
        }
        let variable = variable(name, &node, fields.problems);
        file.vars.retain(|v| v.name.text != variable.name.text);
        file.vars.push(variable);
    }
    for (name, node) in fields.map("stages") {
        if !is_name(&name.text) {
            fields.problems.push(Problem::new(&name.place, not_a_name("stage", &name.text)));
        }
        if let Some(other) = file.stages.iter().find(|s| s.name.text == name.text) {
            let message = format!("the stage {} is defined at {} already", name.text, other.name.place);
            fields.problems.push(Problem::new(&name.place, message));
        }
        file.stages.extend(stage(name, &node, fields.problems));
    }
    Some((file, top.place))
}

fn not_a_name(what: &str, name: &str) -> String {
    format!("{name:?} cannot name a {what}: expected letters, digits, - and _")
}

fn variable(name: Text, node: &Node, problems: &mut Vec<Problem>) -> Variable {
    if !matches!(node.value, Value::Map(_)) {
        return Variable { name, default: scalar_or_null(node, problems), choices: Vec::new() };
    }
    let Some(mut fields) = Fields::new(node, "key of a variable", &known(VARIABLE), problems) else {
        return Variable { name, default: None, choices: Vec::new() };
    };
    let (default, choices) = (fields.text_or_null("default"), fields.texts("choices"));
    Variable { name, default, choices }
}

fn stage(name: Text, node: &Node, problems: &mut Vec<Problem>) -> Option<Stage> {
    let mut fields = Fields::new(node, "key of a stage", &known(STAGE), problems)?;
    let each = fields.map("each").into_iter().filter_map(|(name, node)| values(name, &node, fields.problems)).collect();
    let always = part(&mut fields);
    let mut cases = Vec::new();
    for case in fields.list("cases") {
        let Some(mut inner) = Fields::new(&case, "key of a case", &known(CASE), fields.problems) else { continue };
        let part = part(&mut inner);
        if let Some(when) = inner.required("when").and_then(|when| condition(when, inner.problems)) {
            cases.push(Case { when, part });
        }
    }
    let metrics = fields.text("metrics");
    let (run, out) = (fields.required("run"), fields.required("out"));
    Some(Stage { name, each, run: run?, always, cases, out: out?, metrics })
}

fn values(name: Text, node: &Node, problems: &mut Vec<Problem>) -> Option<Each> {
    if !is_name(&name.text) {
        problems.push(Problem::new(&name.place, not_a_name("variable", &name.text)));
    }
    let values = match &node.value {
        Value::List(items) => Values::List(items.iter().filter_map(|item| scalar_or_null(item, problems)).collect()),
        _ => Values::Range(scalar_or_null(node, problems)?),
    };
    if matches!(&values, Values::List(values) if values.is_empty()) {
        problems.push(Problem::new(&node.place, format!("{}: no values", name.text)));
    }
    Some(Each { name, values })
}

fn condition(when: Text, problems: &mut Vec<Problem>) -> Option<Condition> {
    let words: Vec<&str> = when.text.split_whitespace().collect();
    match words[..] {
        [variable, operator @ ("==" | "!="), value] if is_name(variable) => Some(Condition {
            variable: Text { text: variable.to_owned(), place: when.place },
            equal: operator == "==",
            value: value.to_owned(),
        }),
        _ => {
            let message = format!("{:?}: expected `variable == value` or `variable != value`", when.text);
            problems.push(Problem::new(&when.place, message));
            None
        }
    }
}

fn part(fields: &mut Fields) -> Part {
    Part {
        params: fields.texts("params"),
        set: fields.text_map("set"),
        args: fields.text_map("args"),
        deps: fields.text_map("deps"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.yaml");
        fs_err::write(&path, text).unwrap();
        let prefix = format!("{}/", dir.path().display());
        let found = load(&path).unwrap_err().0;
        found.iter().map(|p| format!("{}: {}", p.place, p.message).replace(&prefix, "")).collect()
    }

    #[test]
    fn every_mistake_of_form_is_reported_at_once() {
        let found = problems(
            "vars:\n  seed: [1]\n  seed: 2\nartifact: a\ntarget: t\nstages:\n  t:\n    runs: shard\n    out: t\n    \
             params: shards\n    cases:\n      - when: a = b\n",
        );
        let expected = [
            "p.yaml:4:1: unknown key artifact (did you mean artifacts?); known: extends, vars, config, artifacts, target, stages",
            "p.yaml:3:3: the key seed stands here a second time",
            "p.yaml:2:9: expected a single value, found a list",
            "p.yaml:8:5: unknown key of a stage runs (did you mean run?); known: each, run, params, set, args, deps, cases, out, metrics",
            "p.yaml:10:13: params: expected a list, found a single value",
            "p.yaml:12:15: \"a = b\": expected `variable == value` or `variable != value`",
            "p.yaml:8:5: the key run is missing here",
            "p.yaml:1:1: the key artifacts is missing",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn extends_adds_and_refuses_a_circle() {
        let dir = tempfile::tempdir().unwrap();
        let base = "vars:\n  a: 1\n  b: 2\nartifacts: x\ntarget: s\nstages:\n  s: {run: shard, out: s}\n";
        fs_err::write(dir.path().join("base.yaml"), base).unwrap();
        let more = "extends: base.yaml\nvars:\n  b: 3\ntarget: t\nstages:\n  t: {run: shard, out: t}\n";
        fs_err::write(dir.path().join("more.yaml"), more).unwrap();
        let definition = load(&dir.path().join("more.yaml")).unwrap();
        let names: Vec<&str> = definition.stages.iter().map(|s| s.name.text.as_str()).collect();
        assert_eq!((names, definition.target.text.as_str()), (vec!["s", "t"], "t"));
        let b = definition.vars.iter().find(|v| v.name.text == "b").unwrap();
        assert_eq!(b.default.as_ref().unwrap().text, "3");
        fs_err::write(dir.path().join("self.yaml"), "extends: self.yaml\nartifacts: x\ntarget: s\n").unwrap();
        assert!(load(&dir.path().join("self.yaml")).unwrap_err().to_string().contains("extends itself"));
    }
}
