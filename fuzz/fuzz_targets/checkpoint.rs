//! See `billing_tests::fuzzing::checkpoint` for what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| billing_tests::fuzzing::checkpoint(data));
