//! lighter
fn main() {}
