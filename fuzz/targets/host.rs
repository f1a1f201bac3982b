//! See `bartizan_fuzz::host`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bartizan_fuzz::host(data));
