//! See `bartizan_fuzz::jwks`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bartizan_fuzz::jwks(data));
