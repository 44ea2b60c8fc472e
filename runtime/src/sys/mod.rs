//! Wrappers around system calls that `nix` lacks, one call each.
//!
//! Everything unsafe of this crate is below this module. A wrapper checks nothing and decides
//! nothing: it turns safe types into the call's arguments and its answer into a `Result`.

pub(crate) mod bpf;
pub(crate) mod descriptor;
pub(crate) mod keyring;
pub mod mount;
pub(crate) mod namespace;
pub(crate) mod process;
pub(crate) mod pty;
pub(crate) mod schedule;
pub(crate) mod seccomp;
pub(crate) mod shared;
pub(crate) mod signal;
pub(crate) mod slot;
pub mod socket;
