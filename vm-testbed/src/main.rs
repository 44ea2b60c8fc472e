//! Boots stock kernels in QEMU and runs the end-to-end scenarios inside.
fn main() {}
