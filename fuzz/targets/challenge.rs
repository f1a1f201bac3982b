//! See `bartizan_fuzz::challenge`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bartizan_fuzz::challenge(data));
