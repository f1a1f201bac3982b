//! See `bartizan_fuzz::sse`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bartizan_fuzz::sse(data));
