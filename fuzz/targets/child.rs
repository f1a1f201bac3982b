//! See `bartizan_fuzz::child`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bartizan_fuzz::child(data));
