//! The program `gpt1-model`: what it takes in, what it refuses, what it writes.

use gpt1_model::{Config, Model};
use gpt1_tokenize::{Encoder, Vocabulary};
use safetensors::SafeTensors;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// The golden model that Hugging Face wrote, and a vocabulary of its size beside it.
fn hugging_face() -> (TempDir, Model) {
    let dir = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/model/model");
    for name in ["config.json", "model.safetensors"] {
        fs_err::copy(golden.join(name), dir.path().join(name)).unwrap();
    }
    vocabulary(37).write(dir.path()).unwrap();
    let model = Model::load(dir.path()).unwrap();
    (dir, model)
}

/// A vocabulary of `n` entries, an odd number: characters, twice, one merge, and the two of every vocabulary.
fn vocabulary(n: usize) -> Vocabulary {
    let alphabet: Vec<char> = ('a'..='z').take((n - 3) / 2).collect();
    Vocabulary::from_learned(&alphabet, &[("a".to_owned(), "b</w>".to_owned())]).unwrap()
}

fn gpt1_model(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gpt1-model"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses its arguments may be gone already.
    _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn succeed(arguments: &[&str], input: &str) -> (String, String) {
    let output = gpt1_model(arguments, input);
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{arguments:?}\n{stderr}");
    (stdout, stderr)
}

fn refuse(arguments: &[&str], input: &str, expected: &[&str]) {
    let output = gpt1_model(arguments, input);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}\n{message}");
    for part in expected {
        assert!(message.contains(part), "{arguments:?}\nexpected {part:?} in:\n{message}");
    }
}

fn import(from: &Path, out: &Path, more: &[&str]) -> Vec<String> {
    let arguments = [&["import", "--from", text(from), "--out", text(out)], more].concat();
    arguments.into_iter().map(str::to_owned).collect()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn refuse_import(from: &Path, more: &[&str], expected: &[&str]) {
    let out = tempfile::tempdir().unwrap();
    let out = out.path().join("out");
    let arguments = import(from, &out, more);
    refuse(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), "", expected);
    assert!(!out.exists());
}

fn succeed_import(from: &Path, more: &[&str]) -> (TempDir, PathBuf, String) {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let arguments = import(from, &out, more);
    let (_, message) = succeed(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), "");
    (dir, out, message)
}

#[test]
fn an_import_holds_the_same_model_and_vocabulary() {
    let (from, model) = hugging_face();
    let (_dir, out, message) = succeed_import(from.path(), &[]);
    assert!(message.contains("38 tensors of F32"), "{message}");
    assert!(message.contains("3 layers, 2 heads, 18 channels, 11 positions, 37 tokens"), "{message}");
    assert!(message.contains("vocabulary of 37 entries"), "{message}");
    assert_eq!(Model::load(&out).unwrap(), model);
    for name in ["vocab.json", "merges.txt"] {
        assert_eq!(fs_err::read(out.join(name)).unwrap(), fs_err::read(from.path().join(name)).unwrap(), "{name}");
    }
    assert_eq!(Encoder::from_dir(&out).unwrap().n_vocab(), 37);
    let manifest = fs_err::read_to_string(out.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["stage"], "import");
    for name in ["config.json", "model.safetensors"] {
        let digest = gpt1_artifacts::digest::path(&from.path().join(name)).unwrap();
        assert_eq!(manifest["inputs"][name]["digest"], digest, "{name}");
    }
    // The vocabulary from elsewhere, under OpenAI's names.
    let elsewhere = tempfile::tempdir().unwrap();
    for (name, theirs) in [("vocab.json", "encoder_bpe_40000.json"), ("merges.txt", "vocab_40000.bpe")] {
        fs_err::rename(from.path().join(name), elsewhere.path().join(theirs)).unwrap();
    }
    refuse_import(from.path(), &[], &["no vocabulary here"]);
    let (_dir, other, _) = succeed_import(from.path(), &["--tokenizer", text(elsewhere.path())]);
    assert_eq!(fs_err::read(out.join("vocab.json")).unwrap(), fs_err::read(other.join("vocab.json")).unwrap());
}

#[test]
fn what_cannot_be_imported_says_why_and_what_to_do() {
    let (from, model) = hugging_face();
    let dir = from.path();
    refuse_import(dir, &["--n-head", "3"], &["--n-head 3", "says 2"]);
    // Another vocabulary: larger, and smaller.
    vocabulary(39).write(dir).unwrap();
    refuse_import(dir, &[], &["the model has 37 tokens", "39 entries", "--tokenizer"]);
    vocabulary(35).write(dir).unwrap();
    refuse_import(
        dir,
        &[],
        &["37 tokens", "35 entries", "the last 2 are special tokens", "resize_token_embeddings(35)"],
    );
    vocabulary(37).write(dir).unwrap();

    model.clone().add_tokens(1, 1).params.save(&dir.join("model.safetensors")).unwrap();
    Config { n_layer: 4, ..model.config.clone() }.write(dir).unwrap();
    refuse_import(
        dir,
        &[],
        &["tokens_embed.weight has shape [38, 18], expected [37, 18]", "h.3.ln_1.weight is missing (shape [18])"],
    );
    model.save(dir).unwrap();

    fs_err::rename(dir.join("model.safetensors"), dir.join("pytorch_model.bin")).unwrap();
    let target = format!("{0}/model.safetensors {0}/pytorch_model.bin", dir.display());
    refuse_import(dir, &[], &["pickle", "python -c \"", "weights_only=True", &target]);
    refuse_import(&dir.join("pytorch_model.bin"), &[], &["python -c \"", &target]);
    refuse_import(&dir.join("nothing"), &[], &["nothing"]);
    fs_err::write(dir.join("params_shapes.json"), "[]").unwrap();
    refuse_import(dir, &[], &["params_shapes.json", "found 0"]);
    refuse(&["info", "--model", text(dir)], "", &["gpt1-model import --from"]);
}

#[test]
fn information_for_people_and_programs() {
    let (from, model) = hugging_face();
    let (_dir, out, _) = succeed_import(from.path(), &[]);
    let (json, _) = succeed(&["info", "--model", text(&out), "--json"], "");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["n_params"], model.params.data.len());
    assert_eq!(json["config"]["n_embd"], 18);
    assert_eq!(json["parts"]["token embedding"], 37 * 18);
    assert_eq!(json["parts"]["position embedding"], 11 * 18);
    assert_eq!(json["parts"]["attention"], 3 * (18 * 54 + 54 + 18 * 18 + 18));
    let sum: u64 = json["parts"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(json["n_params"], sum);
    assert_eq!((&json["n_vocab"], &json["made_by"]["stage"]), (&37.into(), &"import".into()));
    let (text, _) = succeed(&["info", "--model", text(&out)], "");
    assert!(text.contains("3 layers") && text.contains("made by     import"), "{text}");
}

#[test]
fn logits_of_each_line() {
    let (from, model) = hugging_face();
    let out = from.path().join("logits.safetensors");
    let arguments = ["logits", "--model", text(from.path()), "--out", text(&out)];
    let tensors = |expected: [&[u32]; 2]| {
        let bytes = fs_err::read(&out).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(tensors.len(), expected.len());
        for (i, ids) in expected.iter().enumerate() {
            let view = tensors.tensor(&(i + 1).to_string()).unwrap();
            assert_eq!(view.shape(), [ids.len(), 37]);
            // The sampler computes them token by token.
            let ready = gpt1_model::SamplingModel::new(&model, gpt1_kernels::Precision::F32);
            let mut sampler = gpt1_model::Sampler::new(&ready);
            let found: Vec<f32> = view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            for (row, id) in found.chunks(37).zip(*ids) {
                let off = row.iter().zip(sampler.feed(*id)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(off < 1e-4, "line {}: off by {off}", i + 1);
            }
        }
    };
    succeed(&arguments, "3 1 36\n7\n");
    tensors([&[3, 1, 36], &[7]]);
    let with_text = [&arguments[..], &["--text"]].concat();
    succeed(&with_text, "ab\nA b.\n");
    let encoder = Encoder::from_dir(from.path()).unwrap();
    tensors([&encoder.encode("ab"), &encoder.encode("A b.")]);

    fs_err::remove_file(&out).unwrap();
    refuse(&arguments, "1 2\n1 37\n", &["standard input:2", "ids from 0 to 36, found 37"]);
    refuse(&arguments, "1 -2\n", &["standard input:1", "\"-2\""]);
    refuse(&arguments, "1\n\n", &["standard input:2", "1 to 11 tokens, found 0"]);
    refuse(&arguments, &"1 ".repeat(12), &["standard input:1", "found 12"]);
    assert!(!out.exists());
}
