//! Containers, really made: needs root, and Debian's `busybox-static`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end, and say where")]

mod attributes;
mod broken;
mod confinement;
mod defaults;
mod devices;
mod exec;
mod limits;
mod mounts;
mod namespaces;
mod process;
mod propagation;
mod races;
mod resources;
mod seccomp;
mod support;
mod users;
