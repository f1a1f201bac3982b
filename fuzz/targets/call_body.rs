//! See `bartizan_fuzz::call_body`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bartizan_fuzz::call_body(data));
