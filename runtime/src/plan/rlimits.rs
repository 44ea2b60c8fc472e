//! Resource limits of a process (getrlimit(2)).
//!
//! *Pure.*

use nix::sys::resource::Resource;
use oci_spec::runtime::{PosixRlimit, PosixRlimitType};

use super::PlanError;

/// A limit to set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) resource: Resource,
    pub(crate) name: &'static str,
    pub(crate) soft: u64,
    pub(crate) hard: u64,
}

/// Plans the limits of a process.
pub(super) fn plan(rlimits: &[PosixRlimit]) -> Result<Vec<Limit>, PlanError> {
    let mut limits: Vec<Limit> = Vec::new();
    for rlimit in rlimits {
        let (resource, name) = resource(rlimit.typ());
        if limits.iter().any(|limit| limit.resource == resource) {
            return Err(PlanError::invalid("process.rlimits", name, "it is given twice"));
        }
        if rlimit.soft() > rlimit.hard() {
            return Err(PlanError::invalid("process.rlimits", name, "its soft limit is above its hard limit"));
        }
        limits.push(Limit { resource, name, soft: rlimit.soft(), hard: rlimit.hard() });
    }
    Ok(limits)
}

fn resource(kind: PosixRlimitType) -> (Resource, &'static str) {
    match kind {
        PosixRlimitType::RlimitCpu => (Resource::RLIMIT_CPU, "RLIMIT_CPU"),
        PosixRlimitType::RlimitFsize => (Resource::RLIMIT_FSIZE, "RLIMIT_FSIZE"),
        PosixRlimitType::RlimitData => (Resource::RLIMIT_DATA, "RLIMIT_DATA"),
        PosixRlimitType::RlimitStack => (Resource::RLIMIT_STACK, "RLIMIT_STACK"),
        PosixRlimitType::RlimitCore => (Resource::RLIMIT_CORE, "RLIMIT_CORE"),
        PosixRlimitType::RlimitRss => (Resource::RLIMIT_RSS, "RLIMIT_RSS"),
        PosixRlimitType::RlimitNproc => (Resource::RLIMIT_NPROC, "RLIMIT_NPROC"),
        PosixRlimitType::RlimitNofile => (Resource::RLIMIT_NOFILE, "RLIMIT_NOFILE"),
        PosixRlimitType::RlimitMemlock => (Resource::RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK"),
        PosixRlimitType::RlimitAs => (Resource::RLIMIT_AS, "RLIMIT_AS"),
        PosixRlimitType::RlimitLocks => (Resource::RLIMIT_LOCKS, "RLIMIT_LOCKS"),
        PosixRlimitType::RlimitSigpending => (Resource::RLIMIT_SIGPENDING, "RLIMIT_SIGPENDING"),
        PosixRlimitType::RlimitMsgqueue => (Resource::RLIMIT_MSGQUEUE, "RLIMIT_MSGQUEUE"),
        PosixRlimitType::RlimitNice => (Resource::RLIMIT_NICE, "RLIMIT_NICE"),
        PosixRlimitType::RlimitRtprio => (Resource::RLIMIT_RTPRIO, "RLIMIT_RTPRIO"),
        PosixRlimitType::RlimitRttime => (Resource::RLIMIT_RTTIME, "RLIMIT_RTTIME"),
    }
}
