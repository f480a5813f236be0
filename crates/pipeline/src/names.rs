//! What lies in a folder of results beside what a plan asks for: all names, all results, and what was left behind.

use crate::definition::Definition;
use crate::scope::{Scope, Settings};
use crate::store::{Record, read_record};
use crate::template::{self, Part};
use gpt1_artifacts::output::UNFINISHED_OUTPUT;
use gpt1_artifacts::problem::Problems;
use std::io;
use std::path::{Component, Path, PathBuf};

/// A readable name.
#[derive(Debug)]
pub struct Name {
    /// Relative to the folder of results.
    pub name: PathBuf,
    /// The result that it points to, as `PROGRAM/KEY`; it may be gone.
    pub id: String,
}

/// Something in the store.
#[derive(Debug)]
pub struct Item {
    /// Its path.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// What it takes on the disk.
    pub n_bytes: u64,
}

/// The kinds of [`Item`].
#[derive(Debug)]
pub enum Kind {
    /// A result, as `PROGRAM/KEY`, with its record if there is one.
    Result(String, Option<Box<Record>>),
    /// What an interrupted run would go on with.
    Interrupted,
    /// What nobody will use: a result that was set aside, or half removed.
    Leftover,
}

/// The folder of results of a definition, and the readable names that its stages can have whatever the settings.
pub fn patterns(definition: &Definition, settings: &Settings) -> Result<(PathBuf, Vec<Pattern>), Problems> {
    let mut problems = Vec::new();
    let scope = Scope::new(definition, settings, &mut problems);
    let artifacts = scope.text(&definition.artifacts, &mut problems).map(PathBuf::from);
    let outs = definition.stages.iter().map(|stage| Pattern(template::parse(&stage.out.text).unwrap_or_default()));
    Problems::check(problems, artifacts.map(|artifacts| (artifacts, outs.collect())))
}

/// The readable name of a stage, whose variables stand for anything.
#[derive(Debug)]
pub struct Pattern(Vec<Part>);

impl Pattern {
    /// Whether a name can be this stage's.
    pub fn fits(&self, name: &Path) -> bool {
        fits(&self.0, &name.to_string_lossy())
    }
}

fn fits(parts: &[Part], name: &str) -> bool {
    match parts.split_first() {
        None => name.is_empty(),
        Some((Part::Text(text) | Part::Result(text), rest)) => {
            name.strip_prefix(text.as_str()).is_some_and(|name| fits(rest, name))
        }
        Some((Part::Variable(_), rest)) => {
            let ends = name.char_indices().skip(1).map(|(i, _)| i).chain([name.len()]);
            ends.take_while(|end| !name[..*end].contains('/')).any(|end| end > 0 && fits(rest, &name[end..]))
        }
    }
}

/// All readable names below a folder of results.
pub fn all(artifacts: &Path) -> io::Result<Vec<Name>> {
    let mut found = Vec::new();
    collect(artifacts, Path::new(""), &mut found)?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn collect(artifacts: &Path, below: &Path, found: &mut Vec<Name>) -> io::Result<()> {
    for entry in fs_err::read_dir(artifacts.join(below))? {
        let entry = entry?;
        let name = below.join(entry.file_name());
        let kind = entry.file_type()?;
        if entry.file_name().to_string_lossy().starts_with('.') || name == Path::new("store") {
            continue;
        }
        if kind.is_dir() {
            collect(artifacts, &name, found)?;
        } else if kind.is_symlink() {
            found.extend(result_of(&fs_err::read_link(entry.path())?).map(|id| Name { name, id }));
        }
    }
    Ok(())
}

/// The result that a link's text names: `../store/PROGRAM/KEY`.
fn result_of(target: &Path) -> Option<String> {
    let parts: Vec<_> = target.components().skip_while(|part| *part == Component::ParentDir).collect();
    match parts[..] {
        [Component::Normal(store), Component::Normal(program), Component::Normal(key)] if store == "store" => {
            Some(format!("{}/{}", program.to_string_lossy(), key.to_string_lossy()))
        }
        _ => None,
    }
}

/// Everything in the store but locks and records.
pub fn items(artifacts: &Path) -> io::Result<Vec<Item>> {
    let store = artifacts.join("store");
    let mut items = Vec::new();
    if !store.is_dir() {
        return Ok(items);
    }
    for program in fs_err::read_dir(&store)? {
        let program = program?;
        if !program.file_type()?.is_dir() {
            continue;
        }
        for entry in fs_err::read_dir(program.path())? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let kind = if path.extension().is_some_and(|e| e == "lock" || e == "json") {
                continue;
            } else if name.starts_with('.') && name.ends_with(UNFINISHED_OUTPUT) {
                Kind::Interrupted
            } else if name.starts_with('.') || name.contains(".unused") || name.ends_with(".replaced") {
                Kind::Leftover
            } else {
                let id = format!("{}/{name}", program.file_name().to_string_lossy());
                Kind::Result(id, read_record(&path).map(Box::new))
            };
            items.push(Item { n_bytes: on_disk(&path)?, path, kind });
        }
    }
    items.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(items)
}

/// The bytes that a file or folder takes on the disk; links are not followed.
fn on_disk(path: &Path) -> io::Result<u64> {
    let metadata = fs_err::symlink_metadata(path)?;
    #[cfg(unix)]
    let own = std::os::unix::fs::MetadataExt::blocks(&metadata) * 512;
    #[cfg(not(unix))]
    let own = metadata.len();
    if !metadata.is_dir() {
        return Ok(own);
    }
    let mut sum = own;
    for entry in fs_err::read_dir(path)? {
        sum += on_disk(&entry?.path())?;
    }
    Ok(sum)
}

/// Bytes for people: `12 kB`, `467.0 MB`, `1.4 GB`.
pub fn bytes(n: u64) -> String {
    let n = n as f64;
    match n {
        ..1e6 => format!("{:.0} kB", (n / 1e3).ceil()),
        ..1e9 => format!("{:.1} MB", n / 1e6),
        _ => format!("{:.1} GB", n / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_the_pattern_of_their_stage() {
        let pattern = Pattern(template::parse("${preset}/${task}-from-${init}/finetune").unwrap());
        for name in ["tiny/rte-from-pretrain/finetune", "my-own/cola-from-a-from-b/finetune"] {
            assert!(pattern.fits(Path::new(name)), "{name}");
        }
        for name in
            ["tiny/rte/finetune", "tiny/x/rte-from-pretrain/finetune", "/rte-from-a/finetune", "t/r-from-a/fine"]
        {
            assert!(!pattern.fits(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!([1, 4096, 467_000_000, 1_400_000_000].map(bytes), ["1 kB", "5 kB", "467.0 MB", "1.4 GB"]);
    }
}
