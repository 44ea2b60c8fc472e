//! Limits: memory, processor, processes, block devices through libcgroups; devices by ourselves.
//!
//! libcgroups 0.7 knows the files of both versions. What it lacks is beside this module: device rules
//! of version 2, out-of-memory events, killing at once, entering without the global lock. It is asked
//! only when something is to be limited, as it reads mountinfo anew for each controller (1.6 ms).

use std::path::Path;

use libcgroups::common::{CgroupManager, ControllerOpt};
use libcgroups::{v1, v2};
use oci_spec::runtime::{LinuxMemory, LinuxResources};

use super::create::Made;
use super::hierarchy::{self, Kind};
use super::{Cgroup, CgroupError, devices};

impl Cgroup {
    /// Changes the limits of this cgroup; what `resources` leaves out stays as it is.
    ///
    /// Returns what the user should know: limits this kernel knows nothing of, and that are implied
    /// rather than asked for by most callers (swap).
    ///
    /// # Errors
    /// [`CgroupError::Limit`] and [`CgroupError::Devices`] for what the kernel refuses.
    pub fn update(&self, resources: &LinuxResources) -> Result<Vec<String>, CgroupError> {
        let mut warnings = Vec::new();
        let limits = self.prepare(resources, &mut warnings);
        if limits != LinuxResources::default() {
            self.apply(&limits)?;
        }
        // After libcgroups, which on version 1 adds devices of its own to those that are allowed.
        if let Some(rules) = resources.devices().as_ref().filter(|rules| !rules.is_empty()) {
            devices::restrict(self, rules)?;
        }
        Ok(warnings)
    }

    /// Limits a cgroup that was just made.
    ///
    /// # Errors
    /// Also [`CgroupError::Unavailable`] when a limit needs a controller this host keeps from us.
    pub(crate) fn limit(&self, resources: &LinuxResources, made: &Made) -> Result<Vec<String>, CgroupError> {
        for (what, controllers) in needed(resources) {
            let refused = made.refused.iter().find(|(name, _)| controllers.contains(&name.as_str()));
            if let Some((name, error)) = refused {
                let why = format!("the cgroups of `{name}` cannot be written here ({error})");
                return Err(CgroupError::Unavailable { what, why });
            }
        }
        self.update(resources)
    }

    /// Takes out what libcgroups must not see.
    fn prepare(&self, resources: &LinuxResources, warnings: &mut Vec<String>) -> LinuxResources {
        let mut limits = resources.clone();
        limits.set_devices(None);
        if let Some(memory) = limits.memory() {
            let memory = self.without_swap(*memory, warnings);
            limits.set_memory(Some(memory).filter(|memory| *memory != LinuxMemory::default()));
        }
        limits
    }

    /// Drops a swap limit where the kernel does not count swap, as Docker does, and says so.
    fn without_swap(&self, mut memory: LinuxMemory, warnings: &mut Vec<String>) -> LinuxMemory {
        let v1 = || self.v1("memory").map(|directory| directory.join("memory.memsw.limit_in_bytes"));
        let v2 = || self.unified().map(|directory| directory.join("memory.swap.max"));
        let counted = v1().or_else(v2).is_some_and(|file| file.exists());
        if memory.swap().is_some() && !counted {
            warnings.push("swap is not limited: this kernel does not account for it".to_owned());
            memory = copy_without_swap(memory);
        }
        memory
    }

    fn apply(&self, limits: &LinuxResources) -> Result<(), CgroupError> {
        let disable_oom_killer = limits.memory().and_then(|memory| memory.disable_oom_killer()).unwrap_or(false);
        let options = ControllerOpt { resources: limits, disable_oom_killer, oom_score_adj: None, freezer_state: None };
        let has_v1 = hierarchy::host().iter().any(|hierarchy| matches!(hierarchy.kind, Kind::V1(_)));
        let unified = hierarchy::host().iter().find(|hierarchy| hierarchy.kind == Kind::V2);
        match unified {
            Some(hierarchy) if !has_v1 => {
                v2::manager::Manager::new(hierarchy.mount.clone(), Path::new(self.path()).to_owned())
                    .and_then(|manager| manager.apply(&options))
                    .map_err(|source| self.refused(source))
            }
            _ => v1::Manager::new(Path::new(self.path()))
                .and_then(|manager| manager.apply(&options))
                .map_err(|source| self.refused(source)),
        }
    }

    fn refused(&self, source: impl std::error::Error + Send + Sync + 'static) -> CgroupError {
        CgroupError::Limit { path: self.path().to_owned(), source: Box::new(source) }
    }
}

fn copy_without_swap(memory: LinuxMemory) -> LinuxMemory {
    let mut copy = LinuxMemory::default();
    copy.set_limit(memory.limit())
        .set_reservation(memory.reservation())
        .set_kernel(memory.kernel())
        .set_kernel_tcp(memory.kernel_tcp())
        .set_swappiness(memory.swappiness())
        .set_disable_oom_killer(memory.disable_oom_killer());
    copy
}

/// Lists what is asked for, and the controllers either version would keep it with.
fn needed(resources: &LinuxResources) -> Vec<(&'static str, &'static [&'static str])> {
    let cpu = resources.cpu().as_ref();
    let sets = cpu.is_some_and(|cpu| cpu.cpus().is_some() || cpu.mems().is_some());
    let restricted = resources.devices().as_ref().is_some_and(|rules| !rules.is_empty());
    let asked: [(bool, &'static str, &'static [&'static str]); 6] = [
        (resources.memory().is_some(), "limit memory", &["memory"]),
        (cpu.is_some(), "limit processor time", &["cpu"]),
        (sets, "choose processors", &["cpuset"]),
        (resources.pids().is_some(), "limit the number of processes", &["pids"]),
        (resources.block_io().is_some(), "limit block devices", &["blkio"]),
        (restricted, "restrict devices", &["devices"]),
    ];
    asked.into_iter().filter(|(asked, ..)| *asked).map(|(_, what, controllers)| (what, controllers)).collect()
}
