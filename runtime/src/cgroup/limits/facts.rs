//! What a plan must know of the host and of the cgroup.

use super::step::Version;
use crate::cgroup::Cgroup;
use crate::cgroup::hierarchy::{self, Kind};

/// What a plan depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// The version 1 controllers of the host.
    pub(super) v1: Vec<String>,
    /// Whether there is a version 2 hierarchy.
    pub(super) v2: bool,
    /// Whether the kernel counts swap.
    pub(super) counts_swap: bool,
    /// The quota that stands in `cpu.max` of version 2.
    pub(super) quota: String,
}

impl Facts {
    /// Returns where `controller` is: version 2 has what version 1 has not taken.
    pub(super) fn version(&self, controller: &str) -> Option<Version> {
        match self.v1.iter().any(|known| known == controller) {
            true => Some(Version::V1),
            false if self.v2 => Some(Version::V2),
            false => None,
        }
    }

    /// Looks, as far as `resources` need it.
    pub(super) fn observe(cgroup: &Cgroup, resources: &oci_spec::runtime::LinuxResources) -> Self {
        let v2 = hierarchy::host().iter().find(|hierarchy| hierarchy.kind == Kind::V2);
        let mut facts = Self::of_host();
        if resources.memory().is_some() {
            facts.counts_swap = facts.sees_swap(cgroup);
        }
        let period_alone = resources.cpu().as_ref().is_some_and(|cpu| cpu.period().is_some() && cpu.quota().is_none());
        if let (true, Some(Version::V2), Some(v2)) = (period_alone, facts.version("cpu"), v2) {
            let stands = std::fs::read_to_string(cgroup.directory(v2).join("cpu.max")).unwrap_or_default();
            facts.quota = stands.split_whitespace().next().unwrap_or("max").to_owned();
        }
        facts
    }

    /// Looks at the host alone.
    pub(super) fn of_host() -> Self {
        let v1 = hierarchy::host().iter().flat_map(|hierarchy| match &hierarchy.kind {
            Kind::V1(controllers) => controllers.clone(),
            Kind::Named(_) | Kind::V2 => Vec::new(),
        });
        let v2 = hierarchy::host().iter().any(|hierarchy| hierarchy.kind == Kind::V2);
        Self { v1: v1.collect(), v2, counts_swap: true, quota: "max".to_owned() }
    }

    fn sees_swap(&self, cgroup: &Cgroup) -> bool {
        let file = match self.version("memory") {
            Some(Version::V1) => cgroup.v1("memory").map(|directory| directory.join("memory.memsw.limit_in_bytes")),
            _ => cgroup.unified().map(|directory| directory.join("memory.swap.max")),
        };
        // A cgroup that is still to be made does not tell yet.
        file.is_none_or(|file| file.exists())
    }
}
