//! See `bartizan_fuzz::safe_arg`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bartizan_fuzz::safe_arg(data));
