//! Namespaces to join, opened and checked before there is a child.
//!
//! Runs in the monitor.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use nix::sched::{CloneFlags, setns};

use super::{LaunchError, users};
use crate::plan::{ContainerPlan, Join, namespace_name};
use crate::sys;

/// Open namespaces.
#[derive(Debug)]
pub(super) struct Joins {
    /// Those the child joins itself: `CLONE_NEW*` flag and file.
    pub(super) others: Vec<(i32, OwnedFd)>,
    /// A pid namespace: a process is born into it, so its parent must point there before the clone.
    pub(super) pid: Option<OwnedFd>,
    /// The user namespace: one that exists, or one that was just made.
    pub(super) users: Option<OwnedFd>,
}

/// Opens the namespaces a plan names, and makes certain that each is of the kind it should be; makes the user
/// namespace if there is to be a new one.
pub(super) fn open(plan: &ContainerPlan) -> Result<Joins, LaunchError> {
    let users = plan.users.as_ref().map(|mappings| users::make(mappings, "linux")).transpose()?;
    let mut joins = Joins { others: Vec::new(), pid: None, users };
    for join in &plan.namespaces.join {
        let file = open_one(join).map_err(|source| LaunchError::Namespace {
            kind: namespace_name(join.kind),
            path: join.path.display().to_string(),
            source,
        })?;
        match join.kind {
            libc::CLONE_NEWPID => joins.pid = Some(file),
            libc::CLONE_NEWUSER => joins.users = Some(file),
            kind => joins.others.push((kind, file)),
        }
    }
    Ok(joins)
}

fn open_one(join: &Join) -> io::Result<OwnedFd> {
    let file: OwnedFd = File::open(&join.path)?.into();
    match sys::namespace::kind(file.as_fd()) {
        Ok(kind) if kind == join.kind => refuse_own(join, file),
        Ok(kind) => Err(io::Error::other(format!("it is a {} namespace", namespace_name(kind)))),
        Err(_) => Err(io::Error::other("it is no namespace")),
    }
}

/// Refuses the monitor's own namespace of a kind whose being shared would let a container change the host: its
/// mounts are set up, and the root exchanged, in the mount namespace; in the user namespace it would have all rights
/// while it looks as if it had few.
fn refuse_own(join: &Join, file: OwnedFd) -> io::Result<OwnedFd> {
    if !matches!(join.kind, libc::CLONE_NEWNS | libc::CLONE_NEWUSER) {
        return Ok(file);
    }
    let own = std::fs::metadata(format!("/proc/self/ns/{}", namespace_name(join.kind)))?;
    let stat = nix::sys::stat::fstat(&file)?;
    match (stat.st_dev, stat.st_ino) == (own.dev(), own.ino()) {
        true => Err(io::Error::other("it is the host's")),
        false => Ok(file),
    }
}

/// The caller's children are born into another pid namespace while this lives.
#[derive(Debug)]
pub(crate) struct PidNamespace {
    own: File,
}

impl PidNamespace {
    /// Points the caller's future children to the pid namespace of `target`: its file, or a pidfd.
    pub(crate) fn enter(target: &OwnedFd) -> Result<Self, LaunchError> {
        let own = File::open("/proc/self/ns/pid").map_err(LaunchError::clone)?;
        point_children_to(target.as_fd()).map_err(LaunchError::clone)?;
        Ok(Self { own })
    }
}

impl Drop for PidNamespace {
    fn drop(&mut self) {
        // One's own pid namespace can always be chosen again (setns(2)): this cannot fail.
        let _cannot_fail = point_children_to(self.own.as_fd());
    }
}

fn point_children_to(namespace: BorrowedFd<'_>) -> io::Result<()> {
    Ok(setns(namespace, CloneFlags::CLONE_NEWPID)?)
}
