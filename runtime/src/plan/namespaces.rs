//! Which namespaces a container has of its own, which it joins, and which it shares with the host.
//!
//! *Pure.*

use std::path::PathBuf;

use oci_spec::runtime::{Linux, LinuxNamespaceType};

use super::PlanError;

/// The namespaces of a container. What is neither new nor joined is the host's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Namespaces {
    /// `CLONE_NEW*` flags of the namespaces to make.
    pub(crate) new: i32,
    /// Namespaces to join.
    pub(crate) join: Vec<Join>,
}

/// A namespace that exists already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Join {
    /// Its `CLONE_NEW*` flag.
    pub(crate) kind: i32,
    /// A file that names it: `/proc/PID/ns/net`, or a bind mount of one.
    pub(crate) path: PathBuf,
}

impl Namespaces {
    /// Tells whether the container has a namespace of this kind apart from the host's.
    pub(crate) fn is_own(&self, kind: i32) -> bool {
        self.is_new(kind) || self.join.iter().any(|join| join.kind == kind)
    }

    /// Tells whether the container gets a new namespace of this kind.
    pub(crate) fn is_new(&self, kind: i32) -> bool {
        self.new & kind != 0
    }

    /// Flags for the clone. The cgroup namespace is made later, by the child, once it is in its cgroup:
    /// the root of the namespace is where the process then is (cgroup_namespaces(7)).
    pub(crate) fn clone_flags(&self) -> u64 {
        (self.new & !libc::CLONE_NEWCGROUP) as u32 as u64
    }
}

/// Plans the namespaces of a container.
pub(super) fn plan(linux: &Linux) -> Result<Namespaces, PlanError> {
    let mut namespaces = Namespaces::default();
    for namespace in linux.namespaces().iter().flatten() {
        let kind = flag(namespace.typ())?;
        if namespaces.is_own(kind) {
            let why = "a namespace of that kind is named twice";
            return Err(PlanError::invalid("linux.namespaces", namespace.typ(), why));
        }
        match namespace.path() {
            Some(path) if !path.as_os_str().is_empty() => {
                namespaces.join.push(Join { kind, path: path.clone() });
            }
            _ => namespaces.new |= kind,
        }
    }
    // Without a new one, making the container's mounts would change those of whoever else lives there.
    if !namespaces.is_new(libc::CLONE_NEWNS) {
        return Err(PlanError::invalid("linux.namespaces", "mount", "a new mount namespace is needed"));
    }
    Ok(namespaces)
}

fn flag(kind: LinuxNamespaceType) -> Result<i32, PlanError> {
    match kind {
        LinuxNamespaceType::Mount => Ok(libc::CLONE_NEWNS),
        LinuxNamespaceType::Cgroup => Ok(libc::CLONE_NEWCGROUP),
        LinuxNamespaceType::Uts => Ok(libc::CLONE_NEWUTS),
        LinuxNamespaceType::Ipc => Ok(libc::CLONE_NEWIPC),
        LinuxNamespaceType::Pid => Ok(libc::CLONE_NEWPID),
        LinuxNamespaceType::Network => Ok(libc::CLONE_NEWNET),
        LinuxNamespaceType::User | LinuxNamespaceType::Time => {
            Err(PlanError::Unsupported(format!("linux.namespaces: {kind}")))
        }
    }
}

/// Returns the name of a kind of namespace, as `/proc/PID/ns` has it.
pub(crate) fn name(kind: i32) -> &'static str {
    match kind {
        libc::CLONE_NEWNS => "mnt",
        libc::CLONE_NEWCGROUP => "cgroup",
        libc::CLONE_NEWUTS => "uts",
        libc::CLONE_NEWIPC => "ipc",
        libc::CLONE_NEWPID => "pid",
        libc::CLONE_NEWNET => "net",
        libc::CLONE_NEWUSER => "user",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(json: &str) -> Result<Namespaces, PlanError> {
        plan(&serde_json::from_str(&format!(r#"{{"namespaces":{json}}}"#)).unwrap())
    }

    #[test]
    fn new_joined_and_shared_are_told_apart() {
        let namespaces =
            planned(r#"[{"type":"mount"},{"type":"cgroup"},{"type":"network","path":"/run/netns/a"}]"#).unwrap();
        assert_eq!(namespaces.clone_flags(), libc::CLONE_NEWNS as u64);
        assert!(namespaces.is_new(libc::CLONE_NEWCGROUP));
        assert!(namespaces.is_own(libc::CLONE_NEWNET) && !namespaces.is_new(libc::CLONE_NEWNET));
        assert!(!namespaces.is_own(libc::CLONE_NEWPID));
    }

    #[test]
    fn what_cannot_be_done_safely_is_refused() {
        assert!(planned(r#"[{"type":"pid"}]"#).is_err(), "no mount namespace");
        assert!(planned(r#"[{"type":"mount","path":"/proc/1/ns/mnt"}]"#).is_err(), "somebody else's mounts");
        assert!(planned(r#"[{"type":"mount"},{"type":"pid"},{"type":"pid"}]"#).is_err(), "twice");
        assert!(planned(r#"[{"type":"mount"},{"type":"user"}]"#).is_err(), "user");
    }
}
