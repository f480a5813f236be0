//! A pipeline, and the plan that is made of it.
#![no_main]

use gpt1_fuzz::{check, file};
use gpt1_pipeline::scope::Settings;
use gpt1_pipeline::{definition, plan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = file("pipeline.yaml", bytes);
    check(definition::load(&path).and_then(|definition| plan::build(&definition, &Settings::default(), None)));
});
