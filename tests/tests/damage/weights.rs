//! Model directories of ours, Hugging Face's and OpenAI's.

use crate::harness::{Damaged, SLACK, damage, folder, isolated, same};
use gpt1_model::{Config, Found, Model, read_released};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::path::Path;

const N_HEAD: usize = 4;

fn model() -> Model {
    let config = Config::of_paper(60, 20, 16, 2, N_HEAD);
    Model::init(config, 1)
}

/// The model whose values are those, tensor after tensor in that order.
fn with_values(model: &Model, order: &[usize], values: impl IntoIterator<Item = f32>) -> Model {
    let mut expected = model.clone();
    let mut values = values.into_iter();
    for &i in order {
        let range = model.params.layout.tensors[i].range.clone();
        expected.params.data[range].iter_mut().zip(&mut values).for_each(|(x, value)| *x = value);
    }
    expected
}

fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b))
}

fn is(found: &Found, expected: &Model) -> Result<(), String> {
    same("configuration", &found.model.config, &expected.config)?;
    if found.model == *expected { Ok(()) } else { Err("other values".to_owned()) }
}

/// A file of which the first bytes are a header and each error names it.
fn binary<'a>(path: &Path, lengths: &'a [std::ops::Range<usize>]) -> Damaged<'a> {
    Damaged { path: path.to_owned(), named: path.to_owned(), lengths, slack: SLACK, has_lines: false }
}

#[test]
fn safetensors() {
    isolated("weights::safetensors", || {
        let (dir, model) = (folder(), model());
        let dir = dir.path();
        model.save(dir).unwrap();
        let path = dir.join("model.safetensors");
        let (n_values, n_tensors) = (model.params.data.len(), model.params.layout.tensors.len());
        let n_header = fs_err::read(&path).unwrap().len() - 4 * n_values;
        let order: Vec<usize> = (0..n_tensors).collect();
        let check = |bytes: &[u8], found: Found| {
            is(&found, &with_values(&model, &order, floats(&bytes[bytes.len() - 4 * n_values..])))
        };
        damage(&binary(&path, std::slice::from_ref(&(0..n_header))), || Model::find(dir), check);
    });
}

/// f16 and bf16, in two parts.
#[test]
fn halves_in_parts() {
    isolated("weights::halves_in_parts", || {
        let (dir, mut model) = (folder(), model());
        let dir = dir.path();
        // Values that are the same in both halves.
        for (i, x) in model.params.data.iter_mut().enumerate() {
            *x = [0.5, -0.25, 1.5, 2.0][i % 4];
        }
        model.config.write(dir).unwrap();
        let half = |x: f32, dtype: Dtype| match dtype {
            Dtype::BF16 => (x.to_bits() >> 16) as u16,
            _ => {
                ((x.to_bits() >> 31) << 15
                    | (((x.to_bits() >> 23 & 255) + 15 - 127) << 10)
                    | (x.to_bits() >> 13 & 1023)) as u16
            }
        };
        let parts = [("a.safetensors", Dtype::F16), ("b.safetensors", Dtype::BF16)];
        for (part, (name, dtype)) in parts.into_iter().enumerate() {
            let of_part = model.params.layout.tensors.iter().enumerate().filter(|(i, _)| i % 2 == part);
            let tensors: Vec<_> = of_part
                .map(|(_, t)| {
                    let values = model.params.data[t.range.clone()].iter();
                    let data: Vec<u8> = values.flat_map(|x| half(*x, dtype).to_le_bytes()).collect();
                    (t.name.clone(), t.shape.clone(), data)
                })
                .collect();
            let views =
                tensors.iter().map(|(n, shape, data)| (n, TensorView::new(dtype, shape.clone(), data).unwrap()));
            fs_err::write(dir.join(name), safetensors::serialize(views, None).unwrap()).unwrap();
        }
        let index = dir.join("model.safetensors.index.json");
        let map: serde_json::Map<_, _> = model
            .params
            .layout
            .tensors
            .iter()
            .enumerate()
            .map(|(i, t)| (t.name.clone(), serde_json::json!(parts[i % 2].0)))
            .collect();
        fs_err::write(&index, serde_json::json!({"metadata": {}, "weight_map": map}).to_string()).unwrap();

        for (name, dtype) in parts {
            let path = dir.join(name);
            let bytes = fs_err::read(&path).unwrap();
            let n_header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            // What a tensor holds, by the library's own reader and another conversion.
            let check = |bytes: &[u8], found: Found| {
                let mut expected = model.clone();
                for (name, view) in SafeTensors::deserialize(bytes).unwrap().iter() {
                    let range = model.params.layout.find(name).unwrap().range.clone();
                    let halves = view.data().as_chunks().0.iter().map(|b| u16::from_le_bytes(*b));
                    let values = halves.map(|half| if dtype == Dtype::BF16 { bf16(half) } else { f16(half) });
                    expected.params.data[range].iter_mut().zip(values).for_each(|(x, value)| *x = value);
                }
                // A bit of a name of the type makes bf16 of f16.
                if found.dtypes.get("F16") == Some(&14) && found.dtypes.get("BF16") == Some(&14) {
                    return is(&found, &expected);
                }
                Ok(())
            };
            let lengths = 0..n_header;
            let file = Damaged { named: dir.to_owned(), ..binary(&path, std::slice::from_ref(&lengths)) };
            damage(&file, || Model::find(dir), check);
        }
        let file = Damaged { named: dir.to_owned(), ..Damaged::text(&index) };
        damage(&file, || Model::find(dir), |_, found| is(&found, &model));
    });
}

fn bf16(half: u16) -> f32 {
    f32::from_le_bytes([0, 0, half.to_le_bytes()[0], half.to_le_bytes()[1]])
}

fn f16(half: u16) -> f32 {
    let (sign, exponent, mantissa) = (half >> 15, i32::from(half >> 10 & 31), f32::from(half & 1023));
    let size = if exponent == 0 { mantissa * 2f32.powi(-24) } else { (1024.0 + mantissa) * 2f32.powi(exponent - 25) };
    if sign == 1 { -size } else { size }
}

#[test]
fn config_json() {
    isolated("weights::config_json", || {
        let (dir, model) = (folder(), model());
        let dir = dir.path();
        model.save(dir).unwrap();
        // What it says is read from it by other means.
        let check = |bytes: &[u8], found: Found| {
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
            is(&found, &Model { config, params: model.params.clone() })
        };
        // Sizes that do not fit the weights are an error of the weights.
        let file = Damaged { named: dir.to_owned(), ..Damaged::text(&dir.join("config.json")) };
        damage(&file, || Model::find(dir), check);
    });
}

#[test]
fn openai_release() {
    isolated("weights::openai_release", || {
        let (dir, model) = (folder(), model());
        let dir = dir.path();
        write_released(&model, dir);
        let n_tensors = model.params.layout.tensors.len();
        let order: Vec<usize> = [1, 0].into_iter().chain(2..n_tensors).collect();
        let read = || read_released(dir, N_HEAD);
        for i in [3, 4] {
            let check = |_: &[u8], found: Found| {
                let file = |i: usize| fs_err::read(dir.join(format!("params_{i}.npy"))).unwrap();
                let values = (0..10).flat_map(|i| {
                    let bytes = file(i);
                    // The header's length is in its first bytes.
                    let n_header = match bytes[6] {
                        1 => 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]])),
                        _ => 12 + u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize,
                    };
                    floats(&bytes[n_header..]).collect::<Vec<f32>>()
                });
                is(&found, &with_values(&model, &order, values))
            };
            let path = dir.join(format!("params_{i}.npy"));
            let file = Damaged { named: dir.to_owned(), ..binary(&path, std::slice::from_ref(&(0..128))) };
            damage(&file, read, check);
        }
        let shapes = dir.join("params_shapes.json");
        damage(&Damaged { named: dir.to_owned(), ..Damaged::text(&shapes) }, read, |_, found| is(&found, &model));
    });
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
