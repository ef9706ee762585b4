//! The central behind several connections that do anything.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lottery_properties::central::check(input));
