//! See `bartizan_fuzz::origin`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bartizan_fuzz::origin(data));
