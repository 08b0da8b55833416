//! See `billing_fuzz::login` for what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| billing_fuzz::login(data));
