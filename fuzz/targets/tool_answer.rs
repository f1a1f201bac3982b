//! See `bartizan_fuzz::tool_answer`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bartizan_fuzz::tool_answer(data));
