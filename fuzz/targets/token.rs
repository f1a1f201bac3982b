//! See `bartizan_fuzz::token`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bartizan_fuzz::token(data));
