//! What the C library of the static binary does too slowly, and too late.

#[cfg(all(any(target_env = "musl", test), target_arch = "x86_64"))]
mod copy;
#[cfg(all(target_env = "musl", target_arch = "x86_64"))]
mod entry;
#[cfg(all(any(target_env = "musl", test), target_arch = "x86_64"))]
mod sealed;
