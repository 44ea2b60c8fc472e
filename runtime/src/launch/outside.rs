//! Whether a container that joins a pid namespace can be made outside of it.
//!
//! Runs in the monitor. Whoever lives in the namespace may trace what is born there (CAP_SYS_PTRACE), so init should be born
//! when nothing of the host's is left in it. What stands in the way is procfs: it shows the namespace of whoever mounts it,
//! unless the kernel takes that as an option (`pidns`, Linux 6.17).

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::plan::{ContainerPlan, MountKind};
use crate::sys::mount;
use crate::sys::namespace::CLONE_NEWTIME;

/// Makes a plan one that a process outside of the pid namespace `pids` can carry out; returns whether it is.
///
/// It is not where others have a part in the middle, who are told init's pid: hooks, systemd; nor where init has to be born into a
/// user namespace first.
pub(super) fn prepare(plan: &mut ContainerPlan, pids: &OwnedFd) -> bool {
    let namespaces = &plan.namespaces;
    let is_simple = namespaces.is_new(libc::CLONE_NEWNS)
        && !namespaces.is_own(libc::CLONE_NEWUSER)
        && !namespaces.is_new(CLONE_NEWTIME)
        && plan.mounts.iter().all(|mount| mount.id_map.is_none())
        && !plan.hooks.any_before_pivot()
        && plan.hooks.start_container.is_empty()
        && plan.unit.is_none();
    let file = format!("/proc/self/fd/{}", pids.as_raw_fd());
    if !is_simple || !is_taken(&file) {
        return false;
    }
    for mount in &mut plan.mounts {
        if matches!(&mount.kind, MountKind::Filesystem { fstype, .. } if fstype == "proc") {
            mount.options.data.push(("pidns".to_owned(), Some(file.clone())));
        }
    }
    true
}

/// Returns whether the kernel takes a pid namespace, by the path of its file, as an option of procfs.
fn is_taken(file: &str) -> bool {
    let Ok(file) = CString::new(file) else { return false };
    mount::fsopen(c"proc").is_ok_and(|context| mount::fsconfig_string(context.as_fd(), c"pidns", &file).is_ok())
}
