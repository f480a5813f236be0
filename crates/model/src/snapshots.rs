//! Snapshots: the model as it was on the way, each a model directory, `snapshots/update-000123` in that of the last one.

use crate::{Model, ModelError};
use gpt1_artifacts::numbered;
use std::io;
use std::path::{Path, PathBuf};

const FOLDER: &str = "snapshots";
const KIND: &str = "update";

impl Model {
    /// Writes the model as it is after `update` updates into `dir/snapshots`; `also` writes what else belongs to its
    /// directory. The snapshot appears in one step when all of it is on the disk; one of the same update is replaced.
    pub fn save_snapshot(
        &self,
        dir: &Path,
        update: u64,
        also: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<(), ModelError> {
        let name = format!("{KIND}-{update:06}");
        numbered::write(&dir.join(FOLDER), &name, |partial| {
            self.save(partial)?;
            Ok(also(partial)?)
        })
        .map(drop)
    }
}

/// The snapshots in a model directory: update and directory, in their order; none without a folder of them.
pub fn snapshots(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    numbered::list(&dir.join(FOLDER), KIND)
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
