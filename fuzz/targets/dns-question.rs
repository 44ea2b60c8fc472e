#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lighter_netns::dns::fuzz::question(bytes));
