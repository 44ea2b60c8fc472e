//! Unpacks for real, so it needs root; see `lighter_images::fuzz::unpack`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lighter_images::fuzz::unpack(bytes));
