//! The OCI runtime specification, clause by clause, against the runtime's command line.
//!
//! Every test is one obligation, stated by its name; docs/runtime-spec.md says which clause it is. The command under test is
//! `lighter runtime` of this checkout, or what the words of `LIGHTER_TEST_RUNTIME` name. Every test has a directory, a mount
//! and a network namespace of its own, and nothing of its containers may be left at its end. They need root and the host's
//! static busybox.

mod harness;

mod bundle;
mod capabilities;
mod cgroups;
mod devices;
mod features;
mod hooks;
mod lifecycle;
mod mount_options;
mod mounts;
mod namespaces;
mod paths;
mod process;
mod process_linux;
mod resources;
mod seccomp;
mod state;
mod table;
mod terminal;
mod user_namespaces;
mod values;
