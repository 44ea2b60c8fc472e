//! Bringing a process into a cgroup, by itself and without the lock that moving another takes.
//!
//! The parent opens, the child enters. On version 2 the clone itself starts the child inside
//! (`CLONE_INTO_CGROUP`). On version 1 the child writes `0` to `tasks`: a thread that moves itself
//! does not wait for the lock over all thread groups, which moving a process by `cgroup.procs` takes
//! and which costs up to 14 ms on a busy host (2026-11-21, Linux 6.18).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;

use super::error::read;
use super::hierarchy::{self, Kind};
use super::{Cgroup, CgroupError, delegation};

/// Open files by which a child enters a cgroup.
#[derive(Debug)]
pub(crate) struct Attachment {
    tasks: Vec<File>,
    unified: Option<File>,
}

impl Cgroup {
    /// Opens what a child needs to enter this cgroup, in every hierarchy where it exists.
    pub(crate) fn attachment(&self) -> Result<Attachment, CgroupError> {
        let mut attachment = Attachment { tasks: Vec::new(), unified: None };
        for hierarchy in hierarchy::host() {
            let directory = self.directory(hierarchy);
            let (path, unified) = match hierarchy.kind {
                Kind::V2 => (directory, true),
                Kind::V1(_) | Kind::Named(_) => (directory.join("tasks"), false),
            };
            match OpenOptions::new().read(unified).write(!unified).open(&path) {
                Ok(file) if unified => attachment.unified = Some(file),
                Ok(file) => attachment.tasks.push(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(CgroupError::file("open", &path, error)),
            }
        }
        Ok(attachment)
    }
}

impl Cgroup {
    /// Opens what a child needs to enter this cgroup beside the container's init, whose pid is `init`.
    ///
    /// An init that hands controllers on to cgroups of its own (systemd in a container) has left the
    /// container's cgroup, which takes no process any more: EBUSY (cgroups(7), "no internal processes").
    /// The child then starts where init is, as with runc.
    pub(crate) fn attachment_beside(&self, init: i32) -> Result<Attachment, CgroupError> {
        let mut attachment = self.attachment()?;
        let Some(hierarchy) = hierarchy::host().iter().find(|hierarchy| hierarchy.kind == Kind::V2) else {
            return Ok(attachment);
        };
        let control = self.directory(hierarchy).join("cgroup.subtree_control");
        if std::fs::read_to_string(control).is_ok_and(|controllers| !controllers.trim().is_empty()) {
            let file = PathBuf::from(format!("/proc/{init}/cgroup"));
            if let Some(directory) = delegation::unified_path(&read(&file)?, &hierarchy.mount) {
                let opened = File::open(&directory);
                attachment.unified = Some(opened.map_err(|error| CgroupError::file("open", &directory, error))?);
            }
        }
        Ok(attachment)
    }
}

impl Attachment {
    /// The version 2 directory to clone into.
    pub(crate) fn unified(&self) -> Option<BorrowedFd<'_>> {
        self.unified.as_ref().map(AsFd::as_fd)
    }

    /// Enters the version 1 cgroups. Runs in the child, before it enters a cgroup namespace, whose root
    /// is wherever the process then is.
    pub(crate) fn enter(&self) -> io::Result<()> {
        use std::io::Write as _;
        self.tasks.iter().try_for_each(|mut tasks| tasks.write_all(b"0"))
    }
}
