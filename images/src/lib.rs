//! Images: reference → registry → store → layers → root filesystem.
//!
//! Everything here runs in the shell command's process (`pull`, `images`, `rmi`, `up`, `run`, `registry serve`); the monitor and a
//! container's init never touch the store. Between two commands nothing stays behind but plain files: an OCI image
//! layout under `ROOT/images` and one unpacked directory per layer under `ROOT/layers`.
//!
//! ```text
//! push::push ─ blobs ─▶ registry
//! pull::pull ─ registry (network thread) ─▶ blob ─▶ sha256 + copy ─▶ inflate + sha256 ─▶ extractor ─▶ layers/<key>/fs
//!                                          one pipeline of threads per layer; the reference is written last
//! ```

pub mod archive;
pub mod build;
mod content;
pub mod derive;
pub mod digest;
#[cfg(fuzzing)]
pub mod fuzz;
mod install;
mod layer;
mod manifest;
pub mod platform;
pub mod progress;
pub mod pull;
pub mod push;
pub mod reference;
pub mod registry;
pub mod regular_file;
pub mod remove_tree;
pub mod serve;
mod slots;
pub mod store;
mod sys;

pub use slots::Slots;

/// Most directories in one another that are gone into where each needs descriptors, of which a process usually may have 1024
/// (getrlimit(2)), and a place on the stack: of the 2 MiB of a thread, 5 KiB each without optimisation (measured 2026-11).
pub const DEEPEST: usize = 256;
/// Why no deeper one is.
pub const TOO_DEEP: &str = "it is deeper than 256 directories";
