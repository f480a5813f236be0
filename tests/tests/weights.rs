//! The released weights' way through the real binaries, at their full size: OpenAI's ten files, import, fine-tuning,
//! evaluation. The values are random.

use gpt1_tests::{succeed, text};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use std::io::{BufWriter, Write};
use std::path::Path;

const SEED: u64 = 20180611;
/// The released shape (paper 4.1).
const N_LAYER: usize = 12;
const N_EMBD: usize = 768;
const N_POSITIONS: usize = 512;
const N_VOCAB: usize = 40_478;
const N_PARAMS: usize = 116_534_784;

/// A tensor of the release: Hugging Face's name for it, its shape in params_shapes.json, and its first value's number.
struct Tensor {
    name: String,
    shape: Vec<usize>,
    first: usize,
}

impl Tensor {
    fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

/// The tensors in the release's order.
fn tensors() -> Vec<Tensor> {
    let c = N_EMBD;
    let mut list = vec![
        ("positions_embed.weight".to_owned(), vec![N_POSITIONS, c]),
        ("tokens_embed.weight".to_owned(), vec![N_VOCAB, c]),
    ];
    for l in 0..N_LAYER {
        for (name, shape) in [
            ("attn.c_attn.weight", vec![1, c, 3 * c]),
            ("attn.c_attn.bias", vec![3 * c]),
            ("attn.c_proj.weight", vec![1, c, c]),
            ("attn.c_proj.bias", vec![c]),
            ("ln_1.weight", vec![c]),
            ("ln_1.bias", vec![c]),
            ("mlp.c_fc.weight", vec![1, c, 4 * c]),
            ("mlp.c_fc.bias", vec![4 * c]),
            ("mlp.c_proj.weight", vec![1, 4 * c, c]),
            ("mlp.c_proj.bias", vec![c]),
            ("ln_2.weight", vec![c]),
            ("ln_2.bias", vec![c]),
        ] {
            list.push((format!("h.{l}.{name}"), shape));
        }
    }
    let mut first = 0;
    let with_place = |(name, shape): (String, Vec<usize>)| {
        let tensor = Tensor { name: format!("transformer.{name}"), shape, first };
        first += tensor.len();
        tensor
    };
    list.into_iter().map(with_place).collect()
}

/// Value number `i` of all: uniform with standard deviation 0.02, from splitmix64 of its number.
fn value(i: usize) -> f32 {
    let mut z = SEED.wrapping_add((i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let uniform = ((z ^ (z >> 31)) >> 40) as f32 / (1 << 24) as f32;
    0.0346 * (2.0 * uniform - 1.0)
}

/// `params_0.npy` to `params_9.npy`, cut as numpy.array_split does, and `params_shapes.json`.
fn write_release(dir: &Path, tensors: &[Tensor]) {
    let shapes: Vec<_> = tensors.iter().map(|tensor| &tensor.shape).collect();
    fs_err::write(dir.join("params_shapes.json"), json!(shapes).to_string()).unwrap();
    let mut start = 0;
    for i in 0..10 {
        let n = N_PARAMS / 10 + usize::from(i < N_PARAMS % 10);
        let mut file =
            BufWriter::with_capacity(1 << 20, fs_err::File::create(dir.join(format!("params_{i}.npy"))).unwrap());
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({n},), }}");
        file.write_all(b"\x93NUMPY\x01\0\x76\0").unwrap();
        writeln!(file, "{header:<117}").unwrap();
        for j in start..start + n {
            file.write_all(&value(j).to_le_bytes()).unwrap();
        }
        file.flush().unwrap();
        start += n;
    }
}

/// A vocabulary of the released size under OpenAI's names: 238 characters, each also at a word's end, and 40,000 merges of two.
fn write_vocabulary(dir: &Path) {
    let ascii = ('a'..='z').chain('0'..='9').chain(".,'\"!?;:()-$%&/".chars());
    let others = ('\u{c0}'..'\u{2af}').filter(|c| c.is_lowercase());
    let characters: Vec<char> = ascii.chain(others).chain('\u{4e00}'..).take(238).collect();
    let mut entries = vec!["<unk>".to_owned()];
    for end in ["", "</w>"] {
        entries.extend(characters.iter().map(|c| format!("{c}{end}")));
    }
    let mut merges = "#version: 0.2\n".to_owned();
    let pairs = characters.iter().flat_map(|a| characters.iter().map(move |b| (a, b)));
    for (a, b) in pairs.take(20_000) {
        for end in ["", "</w>"] {
            merges.extend([&format!("{a} {b}{end}"), "\n"]);
            entries.push(format!("{a}{b}{end}"));
        }
    }
    entries.push("\n</w>".to_owned());
    assert_eq!(entries.len(), N_VOCAB);
    let ids: serde_json::Map<String, Value> = entries.into_iter().zip(0..).map(|(e, id)| (e, json!(id))).collect();
    fs_err::write(dir.join("encoder_bpe_40000.json"), json!(ids).to_string()).unwrap();
    fs_err::write(dir.join("vocab_40000.bpe"), merges).unwrap();
}

/// The sample RTE, the first rows of each split.
fn write_task(dir: &Path) {
    let sample = dir.join("sample");
    succeed("sample-data", &["--seed", "5", "--out", text(&sample)]);
    fs_err::create_dir_all(dir.join("tasks/RTE")).unwrap();
    for (split, n) in [("train", 4), ("dev", 6)] {
        let whole = fs_err::read_to_string(sample.join(format!("tasks/RTE/{split}.tsv"))).unwrap();
        let rows: Vec<&str> = whole.lines().take(1 + n).collect();
        fs_err::write(dir.join(format!("tasks/RTE/{split}.tsv")), rows.join("\n") + "\n").unwrap();
    }
}

/// Every tensor of the imported model has the values that were written, to the bit.
fn check_imported(model: &Path, tensors: &[Tensor]) {
    let bytes = fs_err::read(model.join("model.safetensors")).unwrap();
    let found = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(found.len(), tensors.len());
    for tensor in tensors {
        let view = found.tensor(&tensor.name).unwrap();
        let shape: Vec<usize> = tensor.shape.iter().copied().skip_while(|n| *n == 1).collect();
        assert_eq!(view.shape(), shape, "{}", tensor.name);
        let values = view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b));
        let different = values.zip(tensor.first..).position(|(x, i)| x.to_bits() != value(i).to_bits());
        assert_eq!(different, None, "{}", tensor.name);
    }
}

#[test]
fn released_weights_of_full_size_are_imported_fine_tuned_and_scored() {
    let dir = tempfile::tempdir().unwrap();
    let [release, model, tuned, scores] = ["release", "model", "tuned", "scores"].map(|name| dir.path().join(name));
    let tensors = tensors();
    assert_eq!(tensors.iter().map(Tensor::len).sum::<usize>(), N_PARAMS);
    fs_err::create_dir(&release).unwrap();
    write_release(&release, &tensors);
    write_vocabulary(&release);
    write_task(dir.path());

    succeed("model", &["import", "--from", text(&release), "--out", text(&model)]);
    check_imported(&model, &tensors);
    for (name, theirs) in [("vocab.json", "encoder_bpe_40000.json"), ("merges.txt", "vocab_40000.bpe")] {
        assert_eq!(fs_err::read(model.join(name)).unwrap(), fs_err::read(release.join(theirs)).unwrap(), "{name}");
    }
    fs_err::remove_dir_all(&release).unwrap();
    let sampled =
        succeed("pretrain", &["sample", "--model", text(&model), "--prompt", "A dark night", "--length", "3"]);
    assert!(sampled.starts_with("a dark night"), "{sampled}");

    let data = dir.path().join("tasks");
    let arguments = ["--task", "rte", "--data", text(&data)];
    let settings = ["--config", "gpt1", "--set", "finetune.n_epochs=1", "--set", "finetune.max_train_examples=4"];
    let (init, out) = (["--init", text(&model)], ["--out", text(&tuned)]);
    let table = succeed("finetune", &[&settings[..], &arguments, &init, &out].concat());
    assert!(table.contains("accuracy"), "{table}");
    succeed(
        "evaluate",
        &[&arguments[..], &["--model", text(&tuned), "--split", "dev", "--out", text(&scores)]].concat(),
    );
    let json: Value = serde_json::from_str(&fs_err::read_to_string(scores.join("scores.json")).unwrap()).unwrap();
    let accuracy = json["metrics"]["accuracy"].as_f64().unwrap();
    assert!(json["n"] == 6 && (0.0..=1.0).contains(&accuracy), "{json}");

    // The fine-tuned model loads again, with its three tokens and two classes.
    let info: Value = serde_json::from_str(&succeed("model", &["info", "--model", text(&tuned), "--json"])).unwrap();
    assert_eq!(info["config"]["vocab_size"], N_VOCAB + 3);
    assert_eq!(info["n_params"], N_PARAMS + 3 * N_EMBD + 2 * N_EMBD + 2);
    assert_eq!(info["n_vocab"], N_VOCAB);
}
