//! Namespaces to join, opened and checked before there is a child.
//!
//! Runs in the monitor.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sched::{CloneFlags, setns};

use super::LaunchError;
use crate::plan::{Join, Namespaces, namespace_name};
use crate::sys;

/// Open namespaces.
#[derive(Debug)]
pub(super) struct Joins {
    /// Those the child joins itself: `CLONE_NEW*` flag and file.
    pub(super) others: Vec<(i32, OwnedFd)>,
    /// A pid namespace: a process is born into it, so its parent must point there before the clone.
    pub(super) pid: Option<OwnedFd>,
}

/// Opens the namespaces a plan names, and makes certain that each is of the kind it should be.
pub(super) fn open(namespaces: &Namespaces) -> Result<Joins, LaunchError> {
    let mut joins = Joins { others: Vec::new(), pid: None };
    for join in &namespaces.join {
        let file = open_one(join).map_err(|source| LaunchError::Namespace {
            kind: namespace_name(join.kind),
            path: join.path.display().to_string(),
            source,
        })?;
        match join.kind {
            libc::CLONE_NEWPID => joins.pid = Some(file),
            kind => joins.others.push((kind, file)),
        }
    }
    Ok(joins)
}

fn open_one(join: &Join) -> io::Result<OwnedFd> {
    let file: OwnedFd = File::open(&join.path)?.into();
    match sys::namespace::kind(file.as_fd()) {
        Ok(kind) if kind == join.kind => Ok(file),
        Ok(kind) => Err(io::Error::other(format!("it is a {} namespace", namespace_name(kind)))),
        Err(_) => Err(io::Error::other("it is no namespace")),
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
