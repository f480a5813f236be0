//! Directories without safetensors: what to do with what they hold. Pickled weights are not read, as a pickle is a program;
//! PyTorch's own restricted reader converts them.

use crate::{ModelError, SHAPES_FILE};
use std::io;
use std::path::{Path, PathBuf};

/// Extensions under which PyTorch's pickles go.
const EXTENSIONS: [&str; 4] = ["bin", "pt", "pth", "ckpt"];

/// Reads the tensors of the files after the first argument and writes them to the first. Nothing in it needs an escape within
/// a shell's double quotation marks; tensors are cloned, as tied ones share memory, which safetensors does not allow.
const CONVERT: &str = "import sys, torch; from safetensors.torch import save_file; \
    t = {k: v.contiguous().clone() for f in sys.argv[2:] \
    for k, v in torch.load(f, map_location='cpu', weights_only=True).items()}; \
    save_file(t, sys.argv[1], metadata={'format': 'pt'})";

/// The error of a path that holds no safetensors, with what can be done: the Python command that converts PyTorch's files, if
/// these are there. An error of another kind if the path cannot be looked at.
pub fn no_weights(path: &Path) -> ModelError {
    match hint(path) {
        Ok(hint) => ModelError::NoWeights { path: path.to_owned(), hint },
        Err(error) => error.into(),
    }
}

fn hint(path: &Path) -> io::Result<String> {
    let (dir, pickles) = if fs_err::metadata(path)?.is_dir() {
        let mut files: Vec<PathBuf> = Vec::new();
        for entry in fs_err::read_dir(path)? {
            files.push(entry?.path());
        }
        files.sort();
        if path.join(SHAPES_FILE).exists() {
            return Ok(format!(
                "these are OpenAI's released weights: gpt1-model import --from {} --out DIR",
                quoted(path)
            ));
        }
        (path, weights_among(files))
    } else {
        (path.parent().unwrap_or(path), weights_among(vec![path.to_owned()]))
    };
    if pickles.is_empty() {
        return Ok(format!(
            "expected a directory with config.json and model.safetensors, as Hugging Face's save_pretrained writes it, or with OpenAI's params_0.npy to params_9.npy and {SHAPES_FILE}"
        ));
    }
    let files: Vec<String> = pickles.iter().map(|file| quoted(file)).collect();
    Ok(format!(
        "{} is a Python pickle, which is not read as it can run any program; this makes a model.safetensors of it, then give {} again:\n  python -c \"{CONVERT}\" {} {}",
        pickles[0].display(),
        quoted(dir),
        quoted(&dir.join("model.safetensors")),
        files.join(" "),
    ))
}

/// The pickles that hold the weights: all parts of `pytorch_model.bin`, else the first (another may be an optimiser's state).
fn weights_among(mut files: Vec<PathBuf>) -> Vec<PathBuf> {
    files.retain(|file| file.extension().is_some_and(|e| EXTENSIONS.iter().any(|known| e == *known)));
    let is_named = |file: &PathBuf| file.file_name().is_some_and(|n| n.to_string_lossy().starts_with("pytorch_model"));
    if files.iter().any(is_named) {
        files.retain(is_named);
    } else {
        files.truncate(1);
    }
    files
}

/// A path as an argument in a shell, for commands in messages.
pub fn quoted(path: &Path) -> String {
    gpt1_artifacts::shell::word(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_names_the_files() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("it's mine");
        fs_err::create_dir(&inner).unwrap();
        assert!(no_weights(&inner).to_string().contains("expected a directory with config.json"));
        fs_err::write(inner.join("optimizer.pt"), "").unwrap();
        fs_err::write(inner.join("pytorch_model-00001-of-00002.bin"), "").unwrap();
        fs_err::write(inner.join("pytorch_model-00002-of-00002.bin"), "").unwrap();
        let at = |name: &str| format!("'{}/it'\\''s mine/{name}'", dir.path().display());
        let end = format!(
            "\" {} {} {}",
            at("model.safetensors"),
            at("pytorch_model-00001-of-00002.bin"),
            at("pytorch_model-00002-of-00002.bin"),
        );
        let error = no_weights(&inner).to_string();
        assert!(error.ends_with(&end), "{error}\n{end}");
        assert!(!CONVERT.contains(['"', '$', '`', '\\', '!']));
        let error = no_weights(&inner.join("optimizer.pt")).to_string();
        assert!(error.ends_with(&format!("{} {}", at("model.safetensors"), at("optimizer.pt"))), "{error}");
        let error = no_weights(&inner.join("nothing")).to_string();
        assert!(error.contains("nothing"), "{error}");
    }
}
