//! Containers, really made: needs root, and Debian's `busybox-static`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end, and say where")]

mod attributes;
mod confinement;
mod defaults;
mod exec;
mod limits;
mod mounts;
mod namespaces;
mod process;
mod resources;
mod seccomp;
mod support;
mod users;
