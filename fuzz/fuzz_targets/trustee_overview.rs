//! See `billing_fuzz::trustee_overview` for what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| billing_fuzz::trustee_overview(data));
