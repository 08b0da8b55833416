//! See `billing_fuzz::echo` for what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| billing_fuzz::echo(data));
