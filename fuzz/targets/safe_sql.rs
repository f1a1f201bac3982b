//! See `bartizan_fuzz::safe_sql`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bartizan_fuzz::safe_sql(data));
