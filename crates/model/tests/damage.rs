//! Damaged files through the real readers: each is refused or read with the right content; nothing panics; and nothing takes
//! more memory than an honest file would.

use gpt1_model::{Config, Found, Model, ModelError, read_released};
use peak_alloc::PeakAlloc;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::ops::Range;
use std::path::Path;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Damaged versions of each file.
const N_MUTATIONS: u64 = 1500;
/// For names, messages and the file system's buffers, beside the contents.
const SLACK_BYTES: usize = 192 << 10;
const N_HEAD: usize = 4;

fn model() -> Model {
    let config = Config {
        vocab_size: 300,
        n_positions: 40,
        n_embd: 32,
        n_layer: 2,
        n_head: N_HEAD,
        n_units: None,
        embd_pdrop: 0.1,
        resid_pdrop: 0.1,
        attn_pdrop: 0.1,
        layer_norm_epsilon: 1e-5,
        initializer_range: 0.02,
    };
    Model::init(config, 1)
}

/// A change of some bytes, and where values were changed if nothing else was.
struct Mutation {
    bytes: Vec<u8>,
    what: String,
}

/// Numbers that no honest file has in such a place.
const ABSURD: [&str; 9] =
    ["0", "1", "-1", "4096", "65536", "4294967296", "9223372036854775807", "18446744073709551616", "1e300"];

/// Damages a file of which the bytes before `n_header` are not values.
fn mutate(honest: &[u8], n_header: usize, rng: &mut ChaCha8Rng) -> Mutation {
    let mut bytes = honest.to_vec();
    let below = |n: usize, rng: &mut ChaCha8Rng| (rng.next_u64() % n.max(1) as u64) as usize;
    let what = match rng.next_u32() % 8 {
        kind @ 0..3 => {
            let at = below(if kind == 0 { bytes.len() } else { n_header }, rng);
            let bit = below(8, rng);
            bytes[at] ^= 1 << bit;
            format!("bit {bit} of byte {at}")
        }
        3 => {
            let length = below(if rng.next_u32().is_multiple_of(2) { bytes.len() } else { n_header }, rng);
            bytes.truncate(length);
            format!("cut to {length} bytes")
        }
        4 => {
            // Lengths: the first bytes of both formats.
            let at = below(12.min(bytes.len() - 8), rng);
            let number = [u64::MAX, 1 << 62, u64::from(u32::MAX), bytes.len() as u64, 1 << 31, 0][below(6, rng)];
            bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
            format!("{number} at byte {at}")
        }
        5 | 6 => {
            let Range { start, end } = number_near(&bytes, below(n_header, rng), n_header);
            let absurd = ABSURD[below(ABSURD.len(), rng)];
            let shown = String::from_utf8_lossy(&bytes[start..end]).into_owned();
            bytes.splice(start..end, absurd.bytes());
            if rng.next_u32().is_multiple_of(2) {
                // A safetensors header of the right length.
                let length = u64::from_le_bytes(honest[..8].try_into().unwrap());
                let length = length.wrapping_add(absurd.len() as u64).wrapping_sub((end - start) as u64);
                if start >= 8 && honest[8] == b'{' {
                    bytes[..8].copy_from_slice(&length.to_le_bytes());
                }
            }
            format!("{absurd} for {shown:?} at byte {start}")
        }
        _ => {
            let (at, n) = (below(bytes.len(), rng), 1 + below(40, rng));
            let more: Vec<u8> = bytes.iter().copied().cycle().skip(below(honest.len(), rng)).take(n).collect();
            bytes.splice(at..at, more);
            format!("{n} bytes put in at {at}")
        }
    };
    Mutation { bytes, what }
}

/// The digits at or after a place.
fn number_near(bytes: &[u8], at: usize, n_header: usize) -> Range<usize> {
    let is_digit = |i: &usize| bytes[*i].is_ascii_digit();
    let start = (at..n_header).chain(8.min(n_header)..n_header).find(is_digit).unwrap_or_default();
    let end = (start..n_header).find(|i| !is_digit(i)).unwrap_or(n_header);
    start..end
}

/// Damages the file many times; `read` is the reader, `expected` what an honest reader must find if it accepts.
fn check(
    dir: &Path,
    name: &str,
    n_header: usize,
    read: impl Fn() -> Result<Found, ModelError>,
    expected: impl Fn(&[u8]) -> Model,
    slack: usize,
) {
    let path = dir.join(name);
    let honest = fs_err::read(&path).unwrap();
    let n_total: usize = fs_err::read_dir(dir).unwrap().map(|e| e.unwrap().metadata().unwrap().len() as usize).sum();
    let mut n_read = 0;
    for seed in 0..N_MUTATIONS {
        let Mutation { bytes, what } = mutate(&honest, n_header, &mut ChaCha8Rng::seed_from_u64(seed));
        if bytes == honest {
            continue;
        }
        let what = format!("{name}, seed {seed}: {what}");
        fs_err::write(&path, &bytes).unwrap();
        let before = ALLOCATOR.current_usage();
        ALLOCATOR.reset_peak_usage();
        let outcome = read();
        let peak = ALLOCATOR.peak_usage() - before;
        assert!(peak <= 2 * n_total + slack, "{what}: {peak} bytes allocated, the files have {n_total}");
        match outcome {
            Ok(found) => {
                n_read += 1;
                assert!(found.model == expected(&bytes), "{what}: read as another model");
            }
            Err(error) => {
                let message = error.to_string();
                assert!(message.contains(text(dir)) && message.len() > text(dir).len() + 20, "{what}: {message}");
            }
        }
    }
    fs_err::write(&path, &honest).unwrap();
    println!("{name}: {n_read} of {N_MUTATIONS} damaged versions are other valid files");
    // Values can change unnoticed; nearly all else cannot.
    assert!(n_read < N_MUTATIONS / 4, "{name}: {n_read} read");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The model whose values, from `n_header` on, are those of the damaged bytes; the honest one if these are of another number.
fn with_values(model: &Model, order: &[usize], values: &[u8]) -> Model {
    let mut expected = model.clone();
    let mut values = values.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b));
    for &i in order {
        let range = model.params.layout.tensors[i].range.clone();
        for x in &mut expected.params.data[range] {
            *x = values.next().unwrap();
        }
    }
    expected
}

/// All in one test: the allocator counts for the whole process.
#[test]
fn damaged_files_are_refused_or_read_right() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let model = model();
    let n_tensors = model.params.layout.tensors.len();

    model.save(dir).unwrap();
    let file = fs_err::read(dir.join("model.safetensors")).unwrap();
    let n_header = file.len() - 4 * model.params.data.len();
    let order: Vec<usize> = (0..n_tensors).collect();
    let expected = |bytes: &[u8]| with_values(&model, &order, &bytes[bytes.len() - 4 * model.params.data.len()..]);
    check(dir, "model.safetensors", n_header, || Model::find(dir), expected, SLACK_BYTES);

    // What config.json says is read from it by other means. A model of thousands of layers has as many missing tensors.
    let config = fs_err::read(dir.join("config.json")).unwrap();
    let expected = |bytes: &[u8]| {
        let json: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        let number = |key: &str, default: f64| json.get(key).map_or(default, |v| v.as_f64().unwrap());
        let (size, rate) = (|key| number(key, f64::NAN) as usize, |key, default| number(key, default) as f32);
        let config = Config {
            vocab_size: size("vocab_size"),
            n_positions: size("n_positions"),
            n_embd: size("n_embd"),
            n_layer: size("n_layer"),
            n_head: size("n_head"),
            n_units: None,
            embd_pdrop: rate("embd_pdrop", 0.1),
            resid_pdrop: rate("resid_pdrop", 0.1),
            attn_pdrop: rate("attn_pdrop", 0.1),
            layer_norm_epsilon: rate("layer_norm_epsilon", 1e-5),
            initializer_range: rate("initializer_range", 0.02),
        };
        Model { config, params: model.params.clone() }
    };
    check(dir, "config.json", config.len(), || Model::find(dir), expected, 64 << 20);

    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write_released(&model, dir);
    let order: Vec<usize> = [1, 0].into_iter().chain(2..n_tensors).collect();
    let read = || read_released(dir, N_HEAD);
    let file = fs_err::read(dir.join("params_4.npy")).unwrap();
    let expected = |_: &[u8]| {
        let values = (0..10).flat_map(|i| fs_err::read(dir.join(format!("params_{i}.npy"))).unwrap()[128..].to_vec());
        with_values(&model, &order, &values.collect::<Vec<u8>>())
    };
    check(dir, "params_4.npy", 128, read, expected, SLACK_BYTES);
    assert_eq!(fs_err::read(dir.join("params_4.npy")).unwrap(), file);
    let shapes = fs_err::read(dir.join("params_shapes.json")).unwrap();
    check(dir, "params_shapes.json", shapes.len(), read, |_| model.clone(), SLACK_BYTES);
}

/// As OpenAI did: all values, position embedding first, in ten files.
fn write_released(model: &Model, dir: &Path) {
    let mut tensors: Vec<_> = model.params.layout.tensors.iter().collect();
    tensors.swap(0, 1);
    let shapes: Vec<Vec<usize>> = tensors
        .iter()
        .enumerate()
        .map(|(i, t)| if i >= 2 && t.shape.len() == 2 { [&[1], &t.shape[..]].concat() } else { t.shape.clone() })
        .collect();
    fs_err::write(dir.join("params_shapes.json"), serde_json::to_string(&shapes).unwrap()).unwrap();
    let all: Vec<f32> = tensors.iter().flat_map(|t| model.params.data[t.range.clone()].to_vec()).collect();
    let size = all.len().div_ceil(10);
    for i in 0..10 {
        let part = &all[i * size..all.len().min((i + 1) * size)];
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({},), }}", part.len());
        // Both versions, with 128 bytes before the values.
        let mut bytes =
            if i % 2 == 0 { b"\x93NUMPY\x02\0\x74\0\0\0".to_vec() } else { b"\x93NUMPY\x01\0\x76\0".to_vec() };
        let width = 127 - bytes.len();
        bytes.extend(format!("{header:<width$}\n").bytes());
        bytes.extend(part.iter().flat_map(|x| x.to_le_bytes()));
        fs_err::write(dir.join(format!("params_{i}.npy")), bytes).unwrap();
    }
}
