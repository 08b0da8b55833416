//! See `billing_tests::fuzzing::poll` for what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| billing_tests::fuzzing::poll(data));
