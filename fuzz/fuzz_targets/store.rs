//! Files of any contents, opened as a store.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lottery_properties::store::check(input));
