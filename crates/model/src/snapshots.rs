//! Snapshots: the model as it was on the way, each a model directory, `snapshots/update-000123` in that of the last one.

use crate::{Model, ModelError};
use std::io;
use std::path::{Path, PathBuf};

const FOLDER: &str = "snapshots";

impl Model {
    /// Writes the model as it is after `update` updates into `dir/snapshots`; `also` writes what else belongs to its
    /// directory. The snapshot appears in one step when all of it is on the disk; one of the same update is replaced.
    pub fn save_snapshot(
        &self,
        dir: &Path,
        update: u64,
        also: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<(), ModelError> {
        let folder = dir.join(FOLDER);
        fs_err::create_dir_all(&folder)?;
        let (partial, path) = (folder.join(".partial"), folder.join(format!("update-{update:06}")));
        // Left by a run that was killed here, or after it and before its checkpoint.
        for old in [&partial, &path] {
            if old.exists() {
                fs_err::remove_dir_all(old)?;
            }
        }
        fs_err::create_dir(&partial)?;
        self.save(&partial)?;
        also(&partial)?;
        fs_err::File::open(&partial)?.sync_all()?;
        fs_err::rename(&partial, &path)?;
        Ok(fs_err::File::open(&folder)?.sync_all()?)
    }
}

/// The snapshots in a model directory: update and directory, in their order; none without a folder of them.
pub fn snapshots(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let folder = dir.join(FOLDER);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if let Some(update) = name.to_str().and_then(|n| n.strip_prefix("update-")).and_then(|n| n.parse().ok()) {
            found.push((update, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::tests::config;

    #[test]
    fn snapshots_are_models_in_the_order_of_their_updates() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(snapshots(dir.path()).unwrap(), []);
        let models: Vec<Model> = (0..3).map(|seed| Model::init(config(), seed)).collect();
        let vocabulary = |dir: &Path| fs_err::write(dir.join("vocab.json"), "{}");
        // What a killed run leaves is no snapshot and in nobody's way.
        fs_err::create_dir_all(dir.path().join("snapshots/.partial/x")).unwrap();
        for (model, update) in models.iter().zip([2_000_000, 0, 30]) {
            models[0].save_snapshot(dir.path(), update, vocabulary).unwrap();
            model.save_snapshot(dir.path(), update, vocabulary).unwrap();
        }
        let found = snapshots(dir.path()).unwrap();
        assert_eq!(found.iter().map(|(update, _)| *update).collect::<Vec<_>>(), [0, 30, 2_000_000]);
        for ((_, path), model) in found.iter().zip([&models[1], &models[2], &models[0]]) {
            assert_eq!(Model::load(path).unwrap(), *model);
            assert!(path.join("vocab.json").exists());
        }
        assert!(found[1].1.ends_with("snapshots/update-000030"));
        assert_eq!(fs_err::read_dir(dir.path().join("snapshots")).unwrap().count(), 3);
        let full = models[0].save_snapshot(dir.path(), 30, |_| Err(io::Error::other("no space"))).unwrap_err();
        assert!(full.to_string().contains("no space"));
    }
}
