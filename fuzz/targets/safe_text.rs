//! See `bartizan_fuzz::safe_text`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bartizan_fuzz::safe_text(data));
