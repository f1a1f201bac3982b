//! See `bartizan_fuzz::list`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bartizan_fuzz::list(data));
