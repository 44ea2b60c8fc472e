//! What the tests are made of: engines with nothing of their own on the host, and the demand that nothing stays.
//!
//! Everything here runs in the thread of the test that uses it.

mod command;
mod containerd;
mod daemon;
mod docker;
mod engine;
#[path = "../../e2e/harness/eventually.rs"]
mod eventually;
mod images;
mod podman;
#[path = "../../e2e/harness/processes.rs"]
mod processes;
#[path = "../../runtime/harness/scratch.rs"]
mod scratch;
mod serve;
mod terminal;
mod world;

pub(crate) use command::{Output, run, tool};
pub(crate) use containerd::Containerd;
pub(crate) use docker::SOCKET as DOCKER_SOCKET;
pub(crate) use engine::{Engine, Runtime};
pub(crate) use eventually::eventually;
pub(crate) use images::{BUSYBOX, REDIS};
pub(crate) use serve::Registry;
pub(crate) use terminal::Terminal;

use std::time::Duration;

/// Time that an engine may take for one command, or for the state that a command asks for; it takes a tenth.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
