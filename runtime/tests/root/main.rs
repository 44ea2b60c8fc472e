//! Containers, really made: needs root, and Debian's `busybox-static`.

mod confinement;
mod defaults;
mod exec;
mod mounts;
mod process;
mod resources;
mod support;
