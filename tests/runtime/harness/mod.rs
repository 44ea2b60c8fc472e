//! What the tests are made of: bundles, the runtime as a command, and the demand that nothing stays.
//!
//! Everything here runs in the thread of the test that uses it.

mod command;
mod config;
mod console;
mod container;
#[path = "../../e2e/harness/eventually.rs"]
mod eventually;
#[path = "../../e2e/harness/processes.rs"]
mod processes;
mod rootfs;
mod scratch;
mod sys;
mod world;

pub(crate) use command::{Output, run, runtime, tool};
pub(crate) use config::Config;
pub(crate) use console::Listener;
pub(crate) use container::{Container, inside, refused};
pub(crate) use eventually::eventually;
