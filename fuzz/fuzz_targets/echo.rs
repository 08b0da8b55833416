//! See `billing_tests::fuzzing::echo` for what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| billing_tests::fuzzing::echo(data));
