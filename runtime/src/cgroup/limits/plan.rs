//! Resources of the configuration → values for files.
//!
//! *Pure.* Every value is checked here, before anything is written.

use oci_spec::runtime::{LinuxMemory, LinuxResources};

use super::facts::Facts;
use super::step::{Step, Version};
use super::value::refused;
use super::{both, v1, v2};
use crate::cgroup::CgroupError;

/// What to write, and what the user should know.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) warnings: Vec<String>,
}

/// Plans all limits but the device rules.
///
/// # Errors
/// [`CgroupError::Refused`] for a value that is none, or that no controller of this host can keep.
pub(super) fn plan(resources: &LinuxResources, facts: &Facts) -> Result<Plan, CgroupError> {
    let mut plan = Plan::default();
    let home = |controller: &str, key: &str| {
        let missing = || refused(key, format!("this host has no controller `{controller}`"));
        facts.version(controller).ok_or_else(missing)
    };
    if let Some(memory) = resources.memory().filter(|memory| *memory != LinuxMemory::default()) {
        check(&memory)?;
        plan.steps.extend(match home("memory", "linux.resources.memory")? {
            Version::V1 => v1::memory(&memory, facts)?,
            Version::V2 => v2::memory(&memory, facts)?,
        });
        if memory.swap().is_some_and(|swap| swap != 0) && !facts.counts_swap {
            // Docker asks for it wherever memory is limited, and goes on as well.
            plan.warnings.push("swap is not limited: this kernel does not account for it".to_owned());
        }
    }
    if let Some(cpu) = resources.cpu() {
        plan.steps.extend(match facts.version("cpu") {
            Some(Version::V2) => v2::cpu(cpu, facts)?,
            Some(Version::V1) | None => v1::cpu(cpu)?,
        });
        let version = facts.version("cpuset").unwrap_or(Version::V1);
        plan.steps.extend(both::cpuset(cpu, version)?);
    }
    if let Some(pids) = resources.pids() {
        plan.steps.extend(both::pids(pids, home("pids", "linux.resources.pids.limit")?)?);
    }
    if let Some(io) = resources.block_io() {
        plan.steps.extend(match home("blkio", "linux.resources.blockIO")? {
            Version::V1 => v1::block_io(io)?,
            Version::V2 => v2::block_io(io)?,
        });
    }
    if let Some(limits) = resources.hugepage_limits().as_ref().filter(|limits| !limits.is_empty()) {
        plan.steps.extend(both::huge_pages(limits, home("hugetlb", "linux.resources.hugepageLimits")?)?);
    }
    if let Some(devices) = resources.rdma().as_ref().filter(|devices| !devices.is_empty()) {
        let mut devices: Vec<_> = devices.iter().collect();
        devices.sort_unstable_by_key(|(name, _)| *name);
        plan.steps.extend(both::rdma(&devices, home("rdma", "linux.resources.rdma")?)?);
    }
    if let Some(network) = resources.network() {
        plan.steps.extend(self::network(network, facts)?);
    }
    if let Some(files) = resources.unified().as_ref().filter(|files| !files.is_empty()) {
        if !facts.v2 {
            let first = files.keys().min().map_or("", String::as_str);
            let key = format!("linux.resources.unified.{}", first.escape_default());
            return Err(refused(key, "this host has cgroup version 1 only"));
        }
        plan.steps.extend(v2::unified(files)?);
    }
    // A step for a controller that is nowhere: only processors and processor sets come this far.
    match plan.steps.iter().find(|step| facts.version(step.first().controller).is_none()) {
        Some(step) => {
            let write = step.first();
            Err(refused(&write.key, format!("this host has no controller `{}`", write.controller)))
        }
        None => Ok(plan),
    }
}

fn network(network: &oci_spec::runtime::LinuxNetwork, facts: &Facts) -> Result<Vec<Step>, CgroupError> {
    let mut steps = Vec::new();
    let all_v1 = !facts.v2 || facts.version("memory") == Some(Version::V1);
    if !all_v1 {
        v2::network(network)?;
    }
    steps.extend(v1::class_id(network));
    steps.extend(v1::priorities(network)?);
    let absent = |step: &&Step| facts.version(step.first().controller) != Some(Version::V1);
    match steps.iter().find(absent).map(Step::first) {
        Some(write) => Err(refused(&write.key, format!("this host has no controller `{}`", write.controller))),
        None => Ok(steps),
    }
}

/// Relations that hold on both versions.
fn check(memory: &LinuxMemory) -> Result<(), CgroupError> {
    if let Some(swappiness) = memory.swappiness().filter(|value| *value > 100) {
        return Err(refused("linux.resources.memory.swappiness", format!("`{swappiness}` is more than 100")));
    }
    match (memory.limit(), memory.swap()) {
        (Some(limit), Some(swap)) if swap > 0 && swap < limit => {
            let why = format!("`{swap}` is for memory and swap together, and less than the memory's `{limit}`");
            Err(refused("linux.resources.memory.swap", why))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
