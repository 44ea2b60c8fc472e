//! The project as the rest of lighter sees it: plain values, one concept a file.
//!
//! Runs in the command. Nothing here is text to be read again: durations, sizes, addresses and ports are types, defaults
//! are filled in, paths are absolute. Where a value stood in a file is asked of [`Project::span`].

mod build;
mod dependency;
mod develop;
mod endpoint;
mod file_object;
mod healthcheck;
mod hook;
mod isolation;
mod logging;
mod mount;
mod network;
mod port;
mod process;
mod project;
mod resources;
mod restart;
mod service;
mod volume;

pub use build::Build;
pub use dependency::{Condition, Dependency};
pub use develop::{WatchAction, WatchRule};
pub use endpoint::{Endpoint, ExtraHost, HostAddress, NetworkMode, Networking};
pub use file_object::{FileContent, FileGrant, FileObject};
pub use healthcheck::{Healthcheck, Probe};
pub use hook::{Hook, Hooks};
pub use isolation::{Device, Isolation, Namespace};
pub use logging::Logging;
pub use mount::{BindMount, ImageMount, Lender, Mount, MountKind, Propagation, TmpfsMount, VolumeMount, VolumesFrom};
pub use network::{Network, Range};
pub use port::{Port, PortRange, Protocol};
pub use process::{DEFAULT_STOP_GRACE, Process};
pub use project::Project;
pub use resources::{Blkio, NanoCpus, Resources, Ulimit};
pub use restart::RestartPolicy;
pub use service::{PullPolicy, Service};
pub use volume::Volume;
