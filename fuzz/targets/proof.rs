//! See `bartizan_fuzz::proof`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bartizan_fuzz::proof(data));
