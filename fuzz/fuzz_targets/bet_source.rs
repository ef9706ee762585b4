//! An agency's CSV file.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lottery_properties::bet_source::check(input));
