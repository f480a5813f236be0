//! Decoding: any ids, those of no entry too, give a text that can be encoded again.
#![no_main]

use gpt1_fuzz::ENCODER;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Two bytes an id, so that most are entries; then four, so that most are none.
    let near: Vec<u32> = bytes.as_chunks::<2>().0.iter().map(|id| u32::from(u16::from_le_bytes(*id)) % 4096).collect();
    let far: Vec<u32> = bytes.as_chunks::<4>().0.iter().map(|id| u32::from_le_bytes(*id)).collect();
    for ids in [near, far] {
        let text = ENCODER.decode(&ids);
        assert!(ids.is_empty() || !text.is_empty() || ids.iter().all(|&id| (id as usize) < ENCODER.n_vocab()));
        ENCODER.encode(&text);
    }
});
