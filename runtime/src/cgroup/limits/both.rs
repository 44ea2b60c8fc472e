//! Limits that both versions keep in files of nearly the same name.
//!
//! *Pure.*

use oci_spec::runtime::{LinuxCpu, LinuxHugepageLimit, LinuxPids, LinuxRdma};

use super::step::{Step, Target, Version};
use super::value::{Amount, refused, word};
use crate::cgroup::CgroupError;

fn target(version: Version, controller: &'static str, object: &'static str) -> Target {
    match version {
        Version::V1 => Target::v1(controller, object),
        Version::V2 => Target::v2(controller, object),
    }
}

/// Processors and memory nodes: lists such as `0-2,7` (cpuset(7), "List format").
pub(super) fn cpuset(cpu: &LinuxCpu, version: Version) -> Result<Vec<Step>, CgroupError> {
    let target = target(version, "cpuset", "linux.resources.cpu");
    let mut steps = Vec::new();
    // An empty list asks for nothing, as runc has it.
    for (field, file, list) in [(".cpus", "cpuset.cpus", cpu.cpus()), (".mems", "cpuset.mems", cpu.mems())] {
        let Some(list) = list.as_deref().filter(|list| !list.is_empty()) else { continue };
        if list.chars().any(|character| !matches!(character, '0'..='9' | '-' | ',' | ':' | '/' | ' ')) {
            return Err(refused(target.key(field), format!("`{}` is no list of numbers", list.escape_default())));
        }
        steps.push(target.step(field, file, list));
    }
    Ok(steps)
}

/// The number of tasks: -1 is unlimited, 0 is a limit (runtime-spec 1.3, config-linux.md, "PIDs").
pub(super) fn pids(pids: &LinuxPids, version: Version) -> Result<Vec<Step>, CgroupError> {
    let target = target(version, "pids", "linux.resources.pids");
    let value = match (pids.limit(), version) {
        (..-1, _) => return Err(refused(target.key(".limit"), format!("`{}` is below -1", pids.limit()))),
        (-1, _) => "max".to_owned(),
        // A clone into the cgroup counts, a move does not; to who is inside, 0 and 1 are the same.
        (0, Version::V2) => "1".to_owned(),
        (limit, _) => limit.to_string(),
    };
    Ok(vec![target.step(".limit", "pids.max", value)])
}

/// Huge pages, when they are used and, where the kernel counts that, when they are reserved.
pub(super) fn huge_pages(limits: &[LinuxHugepageLimit], version: Version) -> Result<Vec<Step>, CgroupError> {
    let target = target(version, "hugetlb", "linux.resources.hugepageLimits");
    let file = match version {
        Version::V1 => "limit_in_bytes",
        Version::V2 => "max",
    };
    let mut steps = Vec::new();
    for (at, limit) in limits.iter().enumerate() {
        let (size, bytes) = (limit.page_size(), limit.limit());
        if !is_page_size(size) {
            let why = format!("`{}` is no size such as `2MB`", size.escape_default());
            return Err(refused(target.key(&format!("[{at}].pageSize")), why));
        }
        let field = format!("[{at}].limit");
        let value = match bytes {
            ..-1 => return Err(refused(target.key(&field), format!("`{bytes}` is below -1"))),
            -1 if version == Version::V2 => "max".to_owned(),
            bytes => bytes.to_string(),
        };
        steps.push(target.step(&field, format!("hugetlb.{size}.{file}"), &value));
        // Linux 5.7
        steps.push(Step::Optional(target.write(&field, format!("hugetlb.{size}.rsvd.{file}"), value)));
    }
    Ok(steps)
}

/// `<size><unit-prefix>B`, as in the names of the kernel's files.
fn is_page_size(text: &str) -> bool {
    let number = text.strip_suffix("KB").or_else(|| text.strip_suffix("MB")).or_else(|| text.strip_suffix("GB"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Handles and objects of RDMA devices, a line for each device.
pub(super) fn rdma(devices: &[(&String, &LinuxRdma)], version: Version) -> Result<Vec<Step>, CgroupError> {
    let target = target(version, "rdma", "linux.resources.rdma");
    let mut steps = Vec::new();
    for (device, limits) in devices {
        let field = format!(".{}", device.escape_default());
        let mut line = word(|| target.key(&field), device)?.to_owned();
        let pairs = [("hca_handle", limits.hca_handles()), ("hca_object", limits.hca_objects())];
        if pairs.iter().all(|(_, value)| value.is_none()) {
            return Err(refused(target.key(&field), "neither `hcaHandles` nor `hcaObjects` is given"));
        }
        for (name, value) in pairs {
            line.extend(value.map(|value| format!(" {name}={value}")));
        }
        steps.push(target.step(&field, "rdma.max", line));
    }
    Ok(steps)
}

/// A time of the processor per period, as both versions have it.
pub(super) fn quota(cpu: &LinuxCpu) -> Result<Option<Amount>, CgroupError> {
    let key = || "linux.resources.cpu.quota".to_owned();
    // Any negative quota is none (sched-bwc.rst).
    let quota = Amount::read(key, cpu.quota().map(|quota| quota.max(-1)))?;
    match (quota, cpu.burst()) {
        (Some(Amount::Of(quota)), Some(burst)) if burst > quota.unsigned_abs() => {
            Err(refused("linux.resources.cpu.burst", format!("`{burst}` is more than the quota, `{quota}`")))
        }
        _ => Ok(quota),
    }
}
