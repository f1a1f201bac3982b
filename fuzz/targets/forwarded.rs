//! See `bartizan_fuzz::forwarded`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bartizan_fuzz::forwarded(data));
