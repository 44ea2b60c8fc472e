//! A copy of this program that nobody can write, to enter containers from.
//!
//! A process of ours inside a container can be reached from there as `/proc/PID/exe`. Opened for writing at
//! the right moment, that was a way to replace the host's binary (CVE-2019-5736). A sealed copy cannot be
//! written by anybody, ever: a detached, read-only overlay of the program's directory, whose pages are
//! shared with the program on disk, or else a sealed memfd, which costs its size in memory.
//!
//! Runs first thing in the monitor, and in commands that exec.

mod memory;
mod overlay;

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::sync::OnceLock;

use nix::fcntl::AtFlags;
use nix::sys::prctl;
use nix::unistd::execveat;

/// The running program, as procfs shows it.
const SELF: &str = "/proc/self/exe";

/// Why no sealed copy could be made or entered.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The running program could not be looked at.
    #[error("look at the running program, `{SELF}`")]
    Look(#[source] io::Error),
    /// Neither an overlay nor a memfd could be made of it.
    #[error("make a sealed copy of the running program (an overlay: {overlay})")]
    Copy {
        /// Why it is no overlay.
        overlay: io::Error,
        /// Why it is no memfd either.
        #[source]
        memory: io::Error,
    },
    /// The copy could not be executed.
    #[error("execute the sealed copy of the running program")]
    Execute(#[source] io::Error),
}

/// Makes certain that this process runs from a sealed copy: returns if it does, else re-executes.
///
/// Call it first thing in a single-threaded process: the program starts anew with the same arguments and
/// environment. Descriptors without close-on-exec stay open.
///
/// # Errors
/// [`SealError`] when the copy cannot be made or executed; the process then goes on as it was.
pub fn ensure() -> Result<(), SealError> {
    let args: Vec<CString> = std::env::args_os().map(string).collect();
    if is_sealed() {
        // Executed by descriptor, a program is named after the descriptor's number: `3`.
        let name = args.first().and_then(|name| name.to_str().ok()).map(Path::new).and_then(Path::file_name);
        let _kept = name.map(|name| prctl::set_name(&string(name.to_owned())));
        return Ok(());
    }
    let copy = open()?;
    let env: Vec<CString> = std::env::vars_os().map(variable).collect();
    match execveat(copy.as_fd(), c"", &args, &env, AtFlags::AT_EMPTY_PATH) {
        Ok(never) => match never {},
        Err(errno) => Err(SealError::Execute(errno.into())),
    }
}

/// Opens a sealed copy of the running program: to be executed by its descriptor (execveat(2) with
/// `AT_EMPTY_PATH`, or as `/proc/self/fd/N`). Close-on-exec.
///
/// # Errors
/// [`SealError::Look`] and [`SealError::Copy`].
pub fn open() -> Result<OwnedFd, SealError> {
    let program = File::open(SELF).map_err(SealError::Look)?;
    if seals(&program) {
        return Ok(program.into());
    }
    let checked = |copy: File| match seals(&copy) {
        true => Ok(copy.into()),
        // Executing it would find itself not sealed, and begin again, for ever.
        false => Err(io::Error::other("the copy is not sealed")),
    };
    overlay::copy(&program).and_then(checked).or_else(|overlay| {
        memory::copy(&program).and_then(checked).map_err(|memory| SealError::Copy { overlay, memory })
    })
}

/// Tells whether this process runs from a sealed copy.
#[must_use]
pub fn is_sealed() -> bool {
    static SEALED: OnceLock<bool> = OnceLock::new();
    *SEALED.get_or_init(|| File::open(SELF).is_ok_and(|program| seals(&program)))
}

fn seals(program: &File) -> bool {
    memory::is_sealed(program) || overlay::is_sealed(program)
}

/// Arguments and variables come from an execve(2), where each ended at a NUL.
fn string(text: OsString) -> CString {
    CString::new(text.into_vec()).expect("no argument or variable of a process contains a NUL")
}

fn variable((mut name, value): (OsString, OsString)) -> CString {
    name.push("=");
    name.push(value);
    string(name)
}
