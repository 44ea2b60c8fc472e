#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lighter_images::fuzz::reference(bytes));
