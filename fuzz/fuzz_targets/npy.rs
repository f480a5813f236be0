//! One of the ten files of OpenAI's release, between others that hold a value each; in the first byte's place may stand the shapes.
#![no_main]

use gpt1_fuzz::{check, file};
use gpt1_model::read_released;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

/// Of a model with 4 positions, 5 tokens, 2 channels and a block.
const SHAPES: &str =
    "[[4, 2], [5, 2], [1, 2, 6], [6], [1, 2, 2], [2], [2], [2], [1, 2, 8], [8], [1, 8, 2], [2], [2], [2]]";

static OTHERS: LazyLock<()> = LazyLock::new(|| {
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }";
    let one = [b"\x93NUMPY\x01\0\x76\0", format!("{header:<117}\n").as_bytes(), &[0; 4]].concat();
    for i in 0..10 {
        file(&format!("released/params_{i}.npy"), &one);
    }
    file("released/params_shapes.json", SHAPES.as_bytes());
});

fuzz_target!(|bytes: &[u8]| {
    LazyLock::force(&OTHERS);
    let name = if bytes.first() == Some(&b'[') { "params_shapes.json" } else { "params_4.npy" };
    let path = file(&format!("released/{name}"), bytes);
    check(read_released(path.parent().expect("in a folder"), 1));
    if name == "params_shapes.json" {
        file("released/params_shapes.json", SHAPES.as_bytes());
    }
});
