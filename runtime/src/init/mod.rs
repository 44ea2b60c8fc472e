//! What happens between clone and execve, inside the container's processes.
//!
//! Runs in the container's first process and in exec'ed ones: one thread, a copy of the monitor's
//! memory, all privileges, nothing of the container's code yet. Nobody can see an error here: it goes
//! up the channel as one message that names the step, the object and the cause.

mod arrival;
mod attributes;
mod beneath;
mod binary;
mod cgroupfs;
mod channel;
mod classic;
mod container;
mod copy_up;
mod credentials;
mod devices;
mod error;
mod execute;
mod home;
mod joined;
mod limits;
mod mask;
mod mounts;
mod pivot;
mod place;
mod program;
mod ready;
mod reaper;
mod stdio;
mod sysctl;
mod terminal;
mod trees;

pub(crate) use beneath::RootDirectory;
pub(crate) use cgroupfs::CgroupView;
pub(crate) use channel::{Channel, Failure, FailureKind, Report, Stage, limit_waits, not_in_time};
pub(crate) use container::{ContainerStart, cross as cross_container, run as run_container, run_ready};
pub(crate) use joined::{JoinedStart, cross as cross_over, run as run_joined};
pub use program::be_init;
pub(crate) use trees::{MountMaps, Trees, prepare};
