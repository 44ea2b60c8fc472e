//! podman, docker and containerd with lighter as their OCI runtime, the archives of images that they exchange with it, and Docker
//! Compose beside it.
//!
//! Every test is one obligation, stated by its name. The engines are the host's packages, or what `.ci/packages.sh` unpacked;
//! each is started for one test alone, with a directory, a network namespace and a `/run` of its own, and neither it nor its
//! containers may leave anything. What an engine shows is compared with what it shows when runc runs its containers. The tests
//! need root and the images of `tests/images/build.sh`.

#[path = "../build/mod.rs"]
mod build_suite;
mod harness;

mod archives;
mod build;
mod compose;
mod exec;
mod exit_codes;
mod lifecycle;
mod memory;
mod namespaces;
mod network;
mod options;
mod registry;
mod serve;
mod terminal;
mod transcript;
