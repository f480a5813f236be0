//! The weights of a model directory.
#![no_main]

use gpt1_fuzz::{MODEL, check, file};
use gpt1_model::Model;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let dir = &*MODEL;
    file("model/model.safetensors", bytes);
    check(Model::find(dir));
});
