//! See `bartizan_fuzz::redaction`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bartizan_fuzz::redaction(data));
