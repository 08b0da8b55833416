//! See `billing_fuzz::error_body` for what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| billing_fuzz::error_body(data));
