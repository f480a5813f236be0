//! From a seed to a folder.

use crate::stories;
use crate::tasks::{self, File};
use crate::world::World;
use gpt1_artifacts::manifest::Manifest;
use gpt1_artifacts::output::{OutputDir, OutputError, write_atomic};
use gpt1_artifacts::progress::Progress;
use gpt1_artifacts::version;
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};

const README: &str = include_str!("../../../data/sample/README.md");

/// Every file of a seed: `README.md`, `corpus/*.txt`, `tasks/...`.
pub fn files(seed: u64) -> Vec<File> {
    let world = World::new(seed);
    let progress = Progress::brief("telling stories", stories::N_FILES as u64, "files");
    let mut files = vec![File { path: "README.md".to_owned(), content: README.to_owned() }];
    files.extend((0..stories::N_FILES).map(|number| {
        progress.inc(1);
        let path = format!("corpus/stories-{:02}.txt", number + 1);
        File { path, content: stories::file(&world, seed, number) }
    }));
    files.extend(
        tasks::files(&world, seed).into_iter().map(|file| File { path: format!("tasks/{}", file.path), ..file }),
    );
    files
}

/// Writes all files of a seed to `out`, at once, with a manifest; returns `out`.
pub fn write(seed: u64, out: &Path) -> Result<PathBuf, OutputError> {
    let mut manifest = Manifest::start("sample-data", version::SAMPLE_DATA, &json!({ "seed": seed }));
    let output = OutputDir::begin(out, &manifest.run_key())?;
    let files = files(seed);
    for file in &files {
        let path = output.join(&file.path);
        if let Some(folder) = path.parent() {
            fs_err::create_dir_all(folder)?;
        }
        write_atomic(&path, |w| w.write_all(file.content.as_bytes()))?;
    }
    let corpus_bytes: usize = files.iter().filter(|f| f.path.starts_with("corpus/")).map(|f| f.content.len()).sum();
    manifest.note("n_files", files.len());
    manifest.note("corpus_bytes", corpus_bytes);
    output.commit(manifest)
}
