//! What several targets use.

use gpt1_model::{Config, Model};
use gpt1_tokenize::{Encoder, Vocabulary};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The encoder of the golden vocabulary.
pub static ENCODER: LazyLock<Encoder> = LazyLock::new(|| {
    let vocab = include_bytes!("../../tests/golden/encoder/vocab.json").to_vec();
    let merges = include_bytes!("../../tests/golden/encoder/merges.txt").to_vec();
    let vocabulary = Vocabulary::parse(Path::new("vocab.json"), vocab, Path::new("merges.txt"), merges);
    Encoder::new(vocabulary.expect("the golden vocabulary is sound"))
});

/// The folder of a target's file, in memory where there is such a place; readers take paths.
static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    folder.expect("a temporary folder")
});

/// Writes the bytes to a file of that name, in a folder that is the target's own; gives its path.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = FOLDER.path().join(name);
    fs_err::create_dir_all(path.parent().expect("in a folder")).expect("a folder");
    fs_err::write(&path, bytes).expect("a file");
    path
}

/// A refusal names the file, or the folder that it is in.
pub fn check<T>(result: Result<T, impl std::fmt::Display>) {
    if let Err(error) = result {
        let message = error.to_string();
        assert!(message.contains(FOLDER.path().to_str().expect("UTF-8")), "{message}");
    }
}

/// A model directory in the folder, written once.
pub static MODEL: LazyLock<PathBuf> = LazyLock::new(|| {
    let config = Config::of_paper(5, 4, 2, 1, 1);
    let dir = FOLDER.path().join("model");
    fs_err::create_dir(&dir).expect("a folder");
    Model::init(config, 1).save(&dir).expect("a model");
    dir
});
