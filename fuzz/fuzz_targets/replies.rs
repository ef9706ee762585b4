//! What the central sends.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lottery_properties::codec::check_replies(input));
