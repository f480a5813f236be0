//! `gpt1-evaluate table`: the scores of all tasks beside the paper's, and GLUE's average.

use crate::markdown::markdown;
use crate::paper;
use crate::results::{self, Run};
use anyhow::{Context, ensure};
use clap::Args;
use gpt1_artifacts::eprintln;
use gpt1_artifacts::output::write_atomic;
use gpt1_tasks::{Metric, Split, Task};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::Write;
use std::path::PathBuf;

/// The command line of `gpt1-evaluate table`.
#[derive(Args, Debug)]
pub struct TableArgs {
    /// Folders to search for scores.json, with all below them
    #[arg(value_name = "DIR", default_value = "artifacts")]
    pub folders: Vec<PathBuf>,
    /// The file to write, instead of standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// JSON instead of Markdown
    #[arg(long)]
    pub json: bool,
}

/// All scores, times 100.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// The kinds of training.
    pub columns: Vec<Column>,
    /// In the order of the paper's tables; a row for each metric.
    pub rows: Vec<Row>,
    /// GLUE's average of each column.
    pub glue: Vec<Average>,
    /// GLUE's average of the majority answers.
    pub glue_majority: Average,
    /// The paper's.
    pub glue_paper: Number,
    /// What the reader should know of the results, a line each.
    pub notes: Vec<String>,
}

/// Runs that differ in the seed alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// `pre-trained` or `scratch`, and what tells columns apart.
    pub name: String,
    /// `pretrained` or `scratch`, as in scores.json.
    pub init: String,
    /// Settings and size of the models; `None`: rows may differ in them, but each has one.
    pub settings: Option<BTreeMap<String, String>>,
}

/// A metric of a task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The task.
    pub task: Task,
    /// Its name in the paper's tables, such as `MNLI-mm`.
    pub name: String,
    /// The metric.
    pub metric: &'static str,
    /// Examples; `None` without results.
    pub n_examples: Option<usize>,
    /// A score for each column.
    pub scores: Vec<Option<Score>>,
    /// The majority answer's score.
    pub majority: Option<f64>,
    /// The paper's, of the task's first metric.
    pub paper: Option<Number>,
}

/// The score of one run or several.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// Their median.
    pub median: f64,
    /// Each, ascending.
    pub values: Vec<f64>,
}

/// A number of the paper.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Number {
    /// Times 100.
    pub score: f64,
    /// The number of its table.
    pub table: u8,
}

/// The mean over the tasks of GLUE of the mean of each task's metrics; MNLI's two sets are one task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Average {
    /// `None` without any task.
    pub score: Option<f64>,
    /// How many tasks of the nine it is of.
    pub n_tasks: usize,
    /// What is not in it.
    pub missing: Vec<String>,
}

/// Prints the table, or writes it to a file.
///
/// # Errors
/// A folder that is not there, or without results; an output that cannot be written.
pub fn run(args: &TableArgs) -> anyhow::Result<()> {
    for folder in &args.folders {
        ensure!(
            folder.is_dir(),
            "{}: no such folder\n  hint: name the folder of the results, that of --out or of make's OUT",
            folder.display()
        );
    }
    let found = results::find(&args.folders)?;
    ensure!(
        found.n_files > 0,
        "no scores.json in {}\n  hint: gpt1-evaluate --task TASK --model DIR --data DIR --out DIR writes one",
        args.folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
    );
    let table = Table::new(found);
    let text = if args.json { serde_json::to_string_pretty(&table)? + "\n" } else { markdown(&table) };
    match &args.out {
        Some(path) => {
            write_atomic(path, |file| file.write_all(text.as_bytes())).with_context(|| path.display().to_string())?;
            eprintln!("{}: the scores of {} evaluations", path.display(), table.n_scores());
        }
        None => _ = gpt1_artifacts::print(&text)?,
    }
    Ok(())
}

/// A row before anything is put into it.
struct Place {
    task: Task,
    name: &'static str,
    split: Split,
    group: Option<&'static str>,
    metric: Metric,
    paper: Option<Number>,
}

impl Table {
    /// Puts a table together from what was found.
    pub fn new(found: results::Found) -> Table {
        let results::Found { runs, mut notes, .. } = found;
        let places = places();
        let n_elsewhere = runs.iter().filter(|run| !places.iter().any(|place| place.is_of(run))).count();
        if n_elsewhere > 0 {
            notes.push(format!("left out: {n_elsewhere} results on other splits than development sets"));
        }
        let columns = columns(&places, &runs, &mut notes);
        let rows: Vec<Row> = places.iter().flat_map(|place| rows(place, &runs, &columns, &mut notes)).collect();
        let of_column = |column: usize| glue(&rows, |row| row.scores[column].as_ref().map(|score| score.median));
        let averages = (0..columns.len()).map(of_column).collect();
        let glue_majority = glue(&rows, |row| row.majority);
        let glue_paper = Number { score: paper::GLUE, table: paper::GLUE_TABLE };
        Table { columns, rows, glue: averages, glue_majority, glue_paper, notes }
    }

    /// How many scores of first metrics are in it.
    fn n_scores(&self) -> usize {
        let first = self.rows.iter().filter(|row| row.task.metrics().first().is_some_and(|m| m.name() == row.metric));
        first.flat_map(|row| row.scores.iter().flatten()).map(|score| score.values.len()).sum()
    }
}

/// The rows there are, with the paper's numbers.
fn places() -> Vec<Place> {
    let mut places = Vec::new();
    for &task in Task::all() {
        let mut add = |name, split, group, number: Option<Number>| {
            for (i, &metric) in task.metrics().iter().enumerate() {
                places.push(Place { task, name, split, group, metric, paper: number.filter(|_| i == 0) });
            }
        };
        if task.paper().is_empty() {
            add(task.title(), Split::Dev, None, None);
        }
        for number in task.paper() {
            let &gpt1_tasks::Paper { name, score, table, split, group } = number;
            add(name, split, group, Some(Number { score, table }));
        }
    }
    places
}

impl Place {
    /// Whether a run belongs here. AX is one set, whichever split it was read as.
    fn is_of(&self, run: &Run) -> bool {
        let split = if self.task.trained_on() == self.task { run.split } else { Split::Dev };
        run.task == self.task && split == self.split && run.parts.contains_key(&self.group())
    }

    fn group(&self) -> Option<String> {
        self.group.map(str::to_owned)
    }

    /// The numbers of examples of the runs that belong here: more than one if they were made on different data.
    fn sizes(&self, runs: &[Run]) -> BTreeSet<usize> {
        runs.iter().filter(|run| self.is_of(run)).map(|run| run.parts[&self.group()].n).collect()
    }
}

/// A column for each way to initialise; or, if a row has results of several settings for one of them, for each setting.
fn columns(places: &[Place], runs: &[Run], notes: &mut Vec<String>) -> Vec<Column> {
    let mut kinds: BTreeSet<(&str, &BTreeMap<String, String>)> = BTreeSet::new();
    let mut several = false;
    for place in places {
        for n in place.sizes(runs) {
            let here = runs.iter().filter(|run| place.is_of(run) && run.parts[&place.group()].n == n);
            let here: BTreeSet<_> = here.map(|run| (run.init.as_str(), &run.settings)).collect();
            several |= here.iter().map(|(init, _)| init).collect::<BTreeSet<_>>().len() < here.len();
            kinds.extend(here);
        }
    }
    let all: BTreeSet<&String> = kinds.iter().flat_map(|(_, settings)| settings.keys()).collect();
    let value =
        |settings: &BTreeMap<String, String>, key: &String| settings.get(key).cloned().unwrap_or("unknown".into());
    let differs =
        |key: &&String| kinds.iter().map(|(_, settings)| value(settings, key)).collect::<BTreeSet<_>>().len() > 1;
    let different: Vec<&String> = all.into_iter().filter(differs).collect();
    let title = |init: &str| if init == "pretrained" { "pre-trained".to_owned() } else { init.to_owned() };
    if several {
        let column = |&(init, settings): &(&str, &BTreeMap<String, String>)| {
            let told: Vec<String> = different.iter().map(|key| format!("{key} {}", value(settings, key))).collect();
            let name = [title(init)].into_iter().chain(told).collect::<Vec<_>>().join(", ");
            Column { name, init: init.to_owned(), settings: Some(settings.clone()) }
        };
        return kinds.iter().map(column).collect();
    }
    if !different.is_empty() {
        let different: Vec<&str> = different.iter().map(|key| key.as_str()).collect();
        notes.push(format!("settings differ between rows or columns: {}", different.join(", ")));
    }
    let inits: BTreeSet<&str> = kinds.iter().map(|(init, _)| *init).collect();
    inits.into_iter().map(|init| Column { name: title(init), init: init.to_owned(), settings: None }).collect()
}

/// The row of a place; one for each set of data, if the results are of several.
fn rows(place: &Place, runs: &[Run], columns: &[Column], notes: &mut Vec<String>) -> Vec<Row> {
    let sizes = place.sizes(runs);
    let row = |n_examples: Option<usize>| {
        // Of a set that was read under two names each model counts once.
        let mut models = HashSet::new();
        let here: Vec<&Run> = runs
            .iter()
            .filter(|run| place.is_of(run) && Some(run.parts[&place.group()].n) == n_examples)
            .filter(|run| models.insert(&run.model))
            .collect();
        let value = |of: &serde_json::Map<String, serde_json::Value>| of.get(place.metric.name())?.as_f64();
        let scores = columns.iter().map(|column| {
            let of_column = here.iter().filter(|run| {
                run.init == column.init && column.settings.as_ref().is_none_or(|settings| *settings == run.settings)
            });
            let mut values: Vec<f64> =
                of_column.filter_map(|run| value(&run.parts[&place.group()].metrics)).map(times_100).collect();
            values.sort_by(f64::total_cmp);
            median(&values).map(|median| Score { median, values })
        });
        let scores = scores.collect();
        let mut majority: Vec<f64> =
            here.iter().filter_map(|run| value(run.parts[&place.group()].majority.as_ref()?)).map(times_100).collect();
        majority.sort_by(f64::total_cmp);
        let name = match n_examples {
            Some(n) if sizes.len() > 1 => format!("{} ({n} examples)", place.name),
            _ => place.name.to_owned(),
        };
        let metric = place.metric.name();
        Row { task: place.task, name, metric, n_examples, scores, majority: median(&majority), paper: place.paper }
    };
    if sizes.is_empty() {
        return vec![row(None)];
    }
    repeated_seeds(place, runs, notes);
    sizes.iter().map(|&n| row(Some(n))).collect()
}

/// Notes results that are told apart by nothing: they count as repetitions, which they may not be.
fn repeated_seeds(place: &Place, runs: &[Run], notes: &mut Vec<String>) {
    if place.group.is_some() || place.task.metrics().first() != Some(&place.metric) {
        return;
    }
    let mut by_seed: BTreeMap<_, Vec<&Run>> = BTreeMap::new();
    for run in runs.iter().filter(|run| place.is_of(run)) {
        by_seed.entry((&run.init, &run.settings, run.parts[&None].n, run.seed)).or_default().push(run);
    }
    for ((init, _, _, seed), same) in by_seed {
        let models: HashSet<&String> = same.iter().map(|run| &run.model).collect();
        if models.len() > 1 {
            notes.push(format!(
                "{}, {init}, seed {seed}: {} results that differ in what scores.json does not tell: {}",
                place.name,
                models.len(),
                same.iter().map(|run| run.path.display().to_string()).collect::<Vec<_>>().join(", ")
            ));
        }
    }
}

/// GLUE's average of a column.
fn glue(rows: &[Row], score: impl Fn(&Row) -> Option<f64>) -> Average {
    let mut missing = Vec::new();
    let mut tasks = Vec::new();
    for name in paper::GLUE_TASKS {
        let mut sets: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.task.name() == name) {
            sets.entry(row.name.split(" (").next().unwrap_or_default()).or_default().push(row);
        }
        let mut means = Vec::new();
        for (name, rows) in sets {
            let scored: Vec<(Option<usize>, f64)> =
                rows.iter().filter_map(|row| Some((row.n_examples, score(row)?))).collect();
            let n_data = scored.iter().map(|(n, _)| n).collect::<BTreeSet<_>>().len();
            match n_data {
                0 => missing.push(name.to_owned()),
                1 => means.push(mean(scored.iter().map(|(_, value)| *value))),
                _ => missing.push(format!("{name} (of {n_data} sets of data)")),
            }
        }
        if !means.is_empty() {
            tasks.push(mean(means.into_iter()));
        }
    }
    let score = (!tasks.is_empty()).then(|| mean(tasks.iter().copied()));
    Average { score, n_tasks: tasks.len(), missing }
}

/// To eight decimals, so that 0.58 does not become 57.99999999999999.
fn times_100(value: f64) -> f64 {
    (1e10 * value).round() / 1e8
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}

/// Of ascending values; of an even number the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let n = values.len();
    (n > 0).then(|| f64::midpoint(values[(n - 1) / 2], values[n / 2]))
}
