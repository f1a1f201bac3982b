//! See `bartizan_fuzz::header`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bartizan_fuzz::header(data));
