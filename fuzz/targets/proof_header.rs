//! See `bartizan_fuzz::proof_header`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bartizan_fuzz::proof_header(data));
