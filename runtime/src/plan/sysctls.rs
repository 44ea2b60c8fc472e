//! Kernel parameters a container may set: those that are its own.
//!
//! *Pure.* Everything else below `/proc/sys` is the whole machine's, `kernel.core_pattern` with its
//! host-side program above all.

use std::path::PathBuf;

use oci_spec::runtime::Linux;

use super::{Namespaces, PlanError};

/// Parameters of an IPC namespace (ipc_namespaces(7)); those of message queues are `fs.mqueue.*`.
const IPC: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

/// Plans the parameters to set, sorted: as paths below `/proc/sys`, with their values.
pub(super) fn plan(linux: &Linux, namespaces: &Namespaces) -> Result<Vec<(PathBuf, String)>, PlanError> {
    let mut sysctls = Vec::new();
    for (name, value) in linux.sysctl().iter().flatten() {
        let refused = |why| PlanError::invalid("linux.sysctl", name.escape_default(), why);
        let path = path(name).ok_or_else(|| refused("it is no name of a kernel parameter"))?;
        let dotted = path.replace('/', ".");
        match namespace(&dotted) {
            None => return Err(refused("it belongs to the whole machine")),
            Some(kind) if !namespaces.is_own(kind) => {
                return Err(refused("the container shares the namespace it belongs to with the host"));
            }
            Some(_) if value.chars().any(char::is_control) => return Err(refused("its value has a control character")),
            Some(_) => sysctls.push((path.into(), value.clone())),
        }
    }
    sysctls.sort_unstable();
    Ok(sysctls)
}

/// Turns a name into a path as sysctl(8) does: the first separator tells which of `.` and `/` separates.
fn path(name: &str) -> Option<String> {
    let path = match name.find(['.', '/']).map(|at| name.as_bytes()[at]) {
        Some(b'.') => name
            .chars()
            .map(|c| {
                if c == '.' {
                    '/'
                } else if c == '/' {
                    '.'
                } else {
                    c
                }
            })
            .collect(),
        _ => name.to_owned(),
    };
    let is_sound = |part: &str| !matches!(part, "" | "." | "..") && !part.chars().any(char::is_control);
    path.split('/').all(is_sound).then_some(path)
}

/// Returns the kind of namespace a parameter belongs to, `None` for those of the machine.
fn namespace(dotted: &str) -> Option<i32> {
    if dotted.starts_with("net.") {
        Some(libc::CLONE_NEWNET)
    } else if dotted.starts_with("fs.mqueue.") || IPC.contains(&dotted) {
        Some(libc::CLONE_NEWIPC)
    } else if dotted == "kernel.domainname" {
        Some(libc::CLONE_NEWUTS)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(name: &str, own: i32) -> Result<Vec<(PathBuf, String)>, PlanError> {
        let mut linux = Linux::default();
        linux.set_sysctl(Some([(name.to_owned(), "1".to_owned())].into()));
        plan(&linux, &Namespaces { new: own, join: Vec::new() })
    }

    #[test]
    fn a_parameter_of_an_own_namespace_may_be_set() {
        let own = libc::CLONE_NEWNET | libc::CLONE_NEWIPC;
        for (name, path) in [
            ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
            ("net/ipv4/conf/eth0.100/rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
            ("net.ipv4.conf.eth0/100.rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
            ("kernel.shmmax", "kernel/shmmax"),
            ("fs.mqueue.msg_max", "fs/mqueue/msg_max"),
        ] {
            assert_eq!(planned(name, own).unwrap(), [(PathBuf::from(path), "1".to_owned())], "{name}");
        }
    }

    #[test]
    fn what_would_change_the_host_is_refused() {
        for name in
            ["kernel.core_pattern", "vm.swappiness", "net", "net.../x", "net/../kernel/core_pattern", "", "net.a\n"]
        {
            assert!(planned(name, libc::CLONE_NEWNET | libc::CLONE_NEWIPC).is_err(), "{name:?}");
        }
        assert!(planned("net.ipv4.ip_forward", 0).is_err(), "network of the host");
    }
}
