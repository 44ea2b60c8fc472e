//! What the C library of the static binary does too slowly.

#[cfg(all(any(target_env = "musl", test), target_arch = "x86_64"))]
mod copy;
