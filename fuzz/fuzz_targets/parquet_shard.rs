//! A token shard.
#![no_main]

use gpt1_fuzz::{check, file};
use gpt1_shard::{Split, Tokens};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = file("shards/train-00000.parquet", bytes);
    check(Tokens::open(path.parent().expect("in a folder"), Split::Train, &"a".repeat(64)));
});
