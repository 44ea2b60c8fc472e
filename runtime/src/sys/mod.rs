//! Wrappers around system calls that `nix` lacks, one call each.
//!
//! Everything unsafe of this crate is below this module.

pub(crate) mod process;
pub(crate) mod pty;
