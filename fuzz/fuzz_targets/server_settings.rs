//! The server's INI file.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lottery_properties::settings::check_server(input));
