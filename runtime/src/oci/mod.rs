//! Containers by the operations of the OCI runtime specification: made by one command, started by another.
//!
//! Runs in the commands of `lighter runtime`. Nothing stays resident: what a command leaves for the next is a
//! directory below the [`Root`], and the kernel, which has the last word on what runs.
//!
//! ```text
//! /run/lighter/runtime/<id>/   made by `create`, exclusively; locked (flock) by whoever changes the container
//!     state.json               [`Record`]: written first with the cgroup's name, then with the process
//!     config.json              the configuration as `create` read it: later changes have no effect
//!     start.sock               init waits here; gone once the container was started
//! ```
//!
//! ```text
//! create ─▶ created ── start ─▶ running ◀─ pause, resume ─▶ paused
//!               └─────────────────┴──── the process ends ──▶ stopped ── delete ─▶ nothing
//! ```

mod claim;
mod console;
mod container;
mod create;
mod delete;
mod error;
mod events;
mod exec;
mod features;
mod kill;
mod pause;
mod record;
mod root;
mod run;
mod source;
mod start;
mod template;
mod update;

pub use container::{Container, ContainerState, Status};
pub use create::CreateOptions;
pub use error::OciError;
pub use events::{Event, EventStream};
pub use exec::ExecOptions;
pub use features::features;
pub use record::Record;
pub use root::{DEFAULT_ROOT, Root};
pub use run::Running;
pub use source::{load_process, load_resources};
pub use template::{rootless_template, template};

/// The newest version of the specification whose configurations are carried out.
pub const SPEC_VERSION: &str = "1.3.0";
