//! Which namespaces a container has of its own, which it joins, and which it shares with the host.
//!
//! *Pure.*

use std::path::PathBuf;

use oci_spec::runtime::{Linux, LinuxNamespaceType};

use super::{IdMappings, PlanError};
use crate::sys::namespace::CLONE_NEWTIME;

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
    /// the root of the namespace is where the process then is (cgroup_namespaces(7)). User and time
    /// namespaces are made earlier, to be set up before anybody lives in them.
    pub(crate) fn clone_flags(&self) -> u64 {
        (self.new & !(libc::CLONE_NEWCGROUP | libc::CLONE_NEWUSER | CLONE_NEWTIME)) as u32 as u64
    }
}

/// Plans the namespaces of a container.
pub(super) fn plan(linux: &Linux) -> Result<Namespaces, PlanError> {
    let mut namespaces = Namespaces::default();
    for namespace in linux.namespaces().iter().flatten() {
        let kind = flag(namespace.typ());
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
    // Without one, making the container's mounts would change the host's.
    if !namespaces.is_own(libc::CLONE_NEWNS) {
        return Err(PlanError::invalid("linux.namespaces", "mount", "a mount namespace of its own is needed"));
    }
    Ok(namespaces)
}

/// Plans the ids of a new user namespace; `None` when there is none to be made.
pub(super) fn id_mappings(linux: &Linux, namespaces: &Namespaces) -> Result<Option<IdMappings>, PlanError> {
    let (uids, gids) = (linux.uid_mappings().as_ref(), linux.gid_mappings().as_ref());
    if namespaces.is_new(libc::CLONE_NEWUSER) {
        return IdMappings::read("linux", uids, gids).map(Some);
    }
    let refused = |field, why| Err(PlanError::invalid(field, "", why));
    let why = match namespaces.is_own(libc::CLONE_NEWUSER) {
        true => "the user namespace that is joined has its own",
        false => "the container has no user namespace",
    };
    let given = |mappings: Option<&Vec<_>>| mappings.is_some_and(|mappings| !mappings.is_empty());
    match (given(uids), given(gids)) {
        (true, _) => refused("linux.uidMappings", why),
        (_, true) => refused("linux.gidMappings", why),
        _ => Ok(None),
    }
}

/// Returns the `CLONE_NEW*` flag of a kind of namespace.
pub(crate) fn flag(kind: LinuxNamespaceType) -> i32 {
    match kind {
        LinuxNamespaceType::Mount => libc::CLONE_NEWNS,
        LinuxNamespaceType::Cgroup => libc::CLONE_NEWCGROUP,
        LinuxNamespaceType::Uts => libc::CLONE_NEWUTS,
        LinuxNamespaceType::Ipc => libc::CLONE_NEWIPC,
        LinuxNamespaceType::Pid => libc::CLONE_NEWPID,
        LinuxNamespaceType::Network => libc::CLONE_NEWNET,
        LinuxNamespaceType::User => libc::CLONE_NEWUSER,
        LinuxNamespaceType::Time => CLONE_NEWTIME,
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
        CLONE_NEWTIME => "time",
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
        assert!(planned(r#"[{"type":"mount"},{"type":"pid"},{"type":"pid"}]"#).is_err(), "twice");
    }

    #[test]
    fn maps_and_a_new_user_namespace_need_each_other() {
        let user = r#""namespaces":[{"type":"mount"},{"type":"user"}]"#;
        let joined = r#""namespaces":[{"type":"mount"},{"type":"user","path":"/proc/7/ns/user"}]"#;
        let none = r#""namespaces":[{"type":"mount"}]"#;
        let map = |name: &str| format!(r#""{name}":[{{"containerID":0,"hostID":1,"size":1}}]"#);
        let (uids, gids) = (map("uidMappings"), map("gidMappings"));
        let planned = |parts: &[&str]| {
            let linux: Linux = serde_json::from_str(&format!("{{{}}}", parts.join(","))).unwrap();
            id_mappings(&linux, &plan(&linux).unwrap())
        };
        assert!(planned(&[user, &uids, &gids]).unwrap().is_some());
        assert!(planned(&[joined]).unwrap().is_none() && planned(&[none]).unwrap().is_none());
        for (parts, field) in [
            (&[user][..], "linux.uidMappings"),
            (&[user, &uids], "linux.gidMappings"),
            (&[none, &uids], "linux.uidMappings"),
            (&[none, &gids], "linux.gidMappings"),
            (&[joined, &gids], "linux.gidMappings"),
        ] {
            let error = planned(parts).unwrap_err().to_string();
            assert!(error.contains(field), "{error}");
        }
    }
}
