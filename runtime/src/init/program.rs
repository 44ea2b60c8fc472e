//! lighter's own init as a program: pid 1 of containers that another OCI runtime makes.
//!
//! Runs in the container, as its user and as confined as the program that it starts.

use std::convert::Infallible;
use std::ffi::CString;
use std::io;

use nix::errno::Errno;
use nix::unistd::{execvp, write};

use super::reaper;
use crate::sys::process::exit_now;

/// Exit codes of what cannot be executed, as shells and docker-run(1) have them.
const NOT_FOUND: i32 = 127;
const NOT_EXECUTABLE: i32 = 126;

/// Runs a program, looked for in PATH, and ends as it ends; meanwhile hands signals on to it, and reaps what others leave.
///
/// # Errors
/// There is no program, or no process can be made for it.
pub fn be_init(arguments: &[CString]) -> nix::Result<Infallible> {
    let program = arguments.first().ok_or(Errno::EINVAL)?;
    let child = reaper::split(|| {
        let Err(errno) = execvp(program, arguments);
        let text = format!("docker-init: execute `{}`: {}\n", program.to_string_lossy(), io::Error::from(errno));
        let _ = write(io::stderr(), text.as_bytes()); // nobody is left to tell
        exit_now(if errno == Errno::ENOENT { NOT_FOUND } else { NOT_EXECUTABLE })
    })?;
    reaper::reap(&child)
}
