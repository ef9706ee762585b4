#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| lottery_fuzz_checks::check("http", input));
