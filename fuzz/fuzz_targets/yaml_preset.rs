//! A preset.
#![no_main]

use gpt1_artifacts::preset::Preset;
use gpt1_fuzz::{check, file};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = file("preset.yaml", bytes);
    check(Preset::load(path.to_str().expect("UTF-8"), &[]));
});
