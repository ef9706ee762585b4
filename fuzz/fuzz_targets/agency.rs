//! An agency whose central answers anything.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lottery_properties::agency::check(input));
