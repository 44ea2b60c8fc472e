//! An OCI runtime: it turns a runtime [`Spec`](oci_spec::runtime::Spec) into an isolated process.
//!
//! What it is given is ready: the root filesystem is mounted at `spec.root.path`, a network
//! namespace to join exists at its path. What it gives back is a process, waiting just before
//! its execve(2), and the handles to start, join, measure, stop and reap it.
//!
//! Which process runs what:
//!
//! ```text
//! monitor (single-threaded, sealed)            container's init (pid 1)
//! ─────────────────────────────────            ────────────────────────────────
//! plan::  spec → checked plan
//! cgroup:: directories, limits
//! sys::process::spawn ───── clone3 ──────────▶ init::run   numbered steps
//! launch::Created     ◀──── ready ───────────  waits
//! Created::start      ───── go ──────────────▶ last steps, execve
//! launch::Init        ◀──── end of file ─────  the container's program
//! ```
//!
//! [`exec`] takes the same road into a container that already runs. Whoever wants to know calls [`trace::to`] first: each
//! step is then recorded, in whichever process it is done.

pub mod cgroup;
pub mod defaults;
pub mod exec;
pub mod hooks;
mod init;
pub mod launch;
pub mod oci;
mod plan;
pub mod process;
pub mod sealed;
mod seccomp;
mod sys;
pub mod terminal;
pub mod trace;

pub use init::be_init;
pub use sys::socket;
