//! What a container gets when nobody says otherwise: Docker's sandbox, exactly.
//!
//! *Pure*; used by whoever writes a [`Spec`](oci_spec::runtime::Spec). Lists compared with moby's
//! `daemon/pkg/oci/defaults.go` and `profiles/seccomp` as of 2026-08.

mod capabilities;
mod devices;
mod mounts;
mod paths;
mod seccomp;
mod seccomp_names;

pub use capabilities::capabilities;
pub use devices::devices;
pub use mounts::mounts;
pub use paths::{masked_paths, readonly_paths};
pub use seccomp::seccomp;
