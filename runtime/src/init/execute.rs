//! Finding the program and becoming it.

use std::convert::Infallible;
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access, execve};

use super::binary::{self, Program};
use super::channel::FailureKind;
use super::error::InitError;
use crate::plan::ProcessPlan;

/// Where programs are looked for when the environment has no PATH: Docker's default.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Replaces this process by the program of the plan; returns only if that fails.
pub(super) fn replace(plan: &ProcessPlan, env: &[CString]) -> Result<Infallible, InitError> {
    let name = &plan.args[0];
    let path = find(name, plan.variable("PATH").unwrap_or(DEFAULT_PATH))?;
    match execve(&path, &plan.args, env) {
        Ok(never) => match never {},
        Err(errno) => Err(explain(Path::new(OsStr::from_bytes(path.to_bytes())), errno)),
    }
}

/// Looks for the program, so that one that is missing is told of before anybody waits for it.
///
/// As root: whether its user may execute it shows when it does.
pub(super) fn check(plan: &ProcessPlan) -> Result<(), InitError> {
    let name = &plan.args[0];
    let path = find(name, plan.variable("PATH").unwrap_or(DEFAULT_PATH))?;
    let path = PathBuf::from(OsStr::from_bytes(path.to_bytes()));
    runnable(&path).map_err(|errno| explain(&path, errno))
}

/// Finds a program as a shell does: by its path if it has a slash, else in the directories of PATH.
fn find(name: &CStr, path: &str) -> Result<CString, InitError> {
    if name.to_bytes().contains(&b'/') {
        return Ok(name.to_owned());
    }
    let mut refused = None;
    for directory in path.split(':') {
        let directory = if directory.is_empty() { "." } else { directory };
        let candidate = Path::new(directory).join(OsStr::from_bytes(name.to_bytes()));
        match runnable(&candidate) {
            Ok(()) => return CString::new(candidate.into_os_string().as_bytes()).map_err(|_| not_found(name, path)),
            Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            Err(errno) => refused = refused.or(Some((candidate, errno))),
        }
    }
    match refused {
        Some((candidate, errno)) => Err(explain(&candidate, errno)),
        None => Err(not_found(name, path)),
    }
}

fn runnable(candidate: &PathBuf) -> nix::Result<()> {
    access(candidate, AccessFlags::X_OK)?;
    if candidate.is_dir() { Err(Errno::EACCES) } else { Ok(()) }
}

fn not_found(name: &CStr, path: &str) -> InitError {
    // Engines look for these words to tell this from other failures.
    let act = format!("execute `{}`: executable file not found in PATH `{path}`", name.to_string_lossy());
    InitError { kind: FailureKind::NotFound, act, errno: None }
}

/// Says why the kernel refused, as far as the file itself shows it.
fn explain(path: &Path, errno: Errno) -> InitError {
    let program = head(path).map(|head| binary::inspect(&head));
    let (kind, because) = match (errno, program) {
        (Errno::ENOENT, Some(Program::Script(interpreter))) => {
            (FailureKind::NotFound, Some(format!("its interpreter `{interpreter}` is missing")))
        }
        (Errno::ENOENT, Some(Program::Elf { loader: Some(loader), .. })) => {
            (FailureKind::NotFound, Some(format!("the library loader `{loader}` it needs is missing")))
        }
        (Errno::ENOENT | Errno::ENOTDIR, _) => (FailureKind::NotFound, None),
        (Errno::ENOEXEC, Some(Program::Elf { machine, .. })) if machine != binary::OWN_MACHINE => {
            let (its, own) = (binary::machine_name(machine), binary::machine_name(binary::OWN_MACHINE));
            (FailureKind::NotInvocable, Some(format!("it is for {its}, this machine is {own}")))
        }
        (Errno::ENOEXEC, Some(Program::Unknown)) => {
            (FailureKind::NotInvocable, Some("it is neither a program nor a script that begins with `#!`".to_owned()))
        }
        (Errno::EACCES, _) if path.is_dir() => (FailureKind::NotInvocable, Some("it is a directory".to_owned())),
        _ => (FailureKind::NotInvocable, None),
    };
    match because {
        Some(because) => {
            InitError { kind, act: format!("execute `{}`: {because}", path.display()), errno: Some(errno) }
        }
        None => InitError { kind, act: format!("execute `{}`", path.display()), errno: Some(errno) },
    }
}

fn head(path: &Path) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(8 * 1024).read_to_end(&mut head).ok()?;
    Some(head)
}
