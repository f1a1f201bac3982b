//! See `bartizan_fuzz::api_key`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bartizan_fuzz::api_key(data));
