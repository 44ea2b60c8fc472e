//! Limits and devices in the runtime configuration.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nix::sys::stat::{major, minor};
use oci_spec::runtime::{
    LinuxBlockIoBuilder, LinuxCpuBuilder, LinuxDevice, LinuxDeviceBuilder, LinuxDeviceCgroup, LinuxDeviceCgroupBuilder,
    LinuxDeviceType, LinuxMemoryBuilder, LinuxPidsBuilder, LinuxResources, LinuxResourcesBuilder, Spec,
};

use super::ConfigError;
use crate::runtime::cgroup::Cgroup;
use crate::runtime::defaults;
use crate::spec::{ContainerSpec, Resources};

/// Length of a CFS period in µs when only a number of CPUs is given: the kernel's default.
const CPU_PERIOD: u64 = 100_000;

/// Returns the limits and the device rules.
pub(super) fn resources(spec: &ContainerSpec) -> Result<LinuxResources, ConfigError> {
    let mut resources = limits(&spec.resources)?;
    resources.set_devices(Some(device_rules(spec)?));
    Ok(resources)
}

/// Returns a configuration with the limits that the specification has now.
pub(crate) fn with_limits(config: &Spec, spec: &ContainerSpec) -> Result<Spec, ConfigError> {
    let mut config = config.clone();
    let mut linux = config.linux().clone().unwrap_or_default();
    linux.set_resources(Some(resources(spec)?));
    config.set_linux(Some(linux));
    Ok(config)
}

/// Returns the limits alone: what is not limited is left out.
pub(crate) fn limits(limits: &Resources) -> Result<LinuxResources, ConfigError> {
    let mut builder = LinuxResourcesBuilder::default();
    if limits.memory.is_some() || limits.memory_reservation.is_some() || limits.oom_kill_disable {
        builder = builder.memory(memory(limits)?);
    }
    if let Some(cpu) = cpu(limits)? {
        builder = builder.cpu(cpu);
    }
    if let Some(pids) = limits.pids {
        builder = builder.pids(LinuxPidsBuilder::default().limit(pids).build()?);
    }
    if let Some(weight) = limits.blkio_weight {
        builder = builder.block_io(LinuxBlockIoBuilder::default().weight(weight).build()?);
    }
    Ok(builder.build()?)
}

/// Returns whether this host can spare a container from the OOM killer: version 2 of cgroups has no such switch.
pub(super) fn can_disable_oom_kill() -> bool {
    let any = Cgroup::open("/lighter").map(|cgroup| cgroup.files()).unwrap_or_default();
    any.iter().any(|(controller, _)| controller == "memory")
}

fn memory(limits: &Resources) -> Result<oci_spec::runtime::LinuxMemory, ConfigError> {
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let mut memory = LinuxMemoryBuilder::default();
    if let Some(limit) = limits.memory {
        // as much swap as memory, Docker's default
        memory = memory.limit(bytes(limit)).swap(limits.memory_swap.unwrap_or(bytes(limit.saturating_mul(2))));
    }
    if let Some(reservation) = limits.memory_reservation {
        memory = memory.reservation(bytes(reservation));
    }
    if limits.oom_kill_disable && can_disable_oom_kill() {
        memory = memory.disable_oom_killer(true);
    }
    Ok(memory.build()?)
}

fn cpu(limits: &Resources) -> Result<Option<oci_spec::runtime::LinuxCpu>, ConfigError> {
    let mut cpu = LinuxCpuBuilder::default();
    if let Some(nano_cpus) = limits.nano_cpus {
        let quota = u128::from(nano_cpus) * u128::from(CPU_PERIOD) / 1_000_000_000;
        cpu = cpu.period(CPU_PERIOD).quota(i64::try_from(quota).unwrap_or(i64::MAX));
    }
    if let Some(period) = limits.cpu_period {
        cpu = cpu.period(period);
    }
    if let Some(quota) = limits.cpu_quota {
        cpu = cpu.quota(quota);
    }
    if let Some(shares) = limits.cpu_shares {
        cpu = cpu.shares(shares);
    }
    if let Some(cpus) = &limits.cpuset_cpus {
        cpu = cpu.cpus(cpus);
    }
    if let Some(mems) = &limits.cpuset_mems {
        cpu = cpu.mems(mems);
    }
    let any = limits.nano_cpus.is_some()
        || limits.cpu_period.is_some()
        || limits.cpu_quota.is_some()
        || limits.cpu_shares.is_some()
        || limits.cpuset_cpus.is_some()
        || limits.cpuset_mems.is_some();
    Ok(if any { Some(cpu.build()?) } else { None })
}

fn device_rules(spec: &ContainerSpec) -> Result<Vec<LinuxDeviceCgroup>, ConfigError> {
    if spec.isolation.privileged {
        return Ok(vec![LinuxDeviceCgroupBuilder::default().allow(true).access("rwm").build()?]);
    }
    let mut rules = defaults::devices();
    for device in &spec.devices {
        let node = device_node(&device.source)?;
        rules.push(
            LinuxDeviceCgroupBuilder::default()
                .allow(true)
                .typ(node.kind)
                .major(node.major)
                .minor(node.minor)
                .access(device.permissions.clone())
                .build()?,
        );
    }
    Ok(rules)
}

/// Returns the device node to make at `target`, a copy of the host's at `source`.
pub(super) fn device(source: &Path, target: &Path) -> Result<LinuxDevice, ConfigError> {
    let node = device_node(source)?;
    Ok(LinuxDeviceBuilder::default()
        .path(target)
        .typ(node.kind)
        .major(node.major)
        .minor(node.minor)
        .file_mode(node.mode)
        .uid(node.uid)
        .gid(node.gid)
        .build()?)
}

struct Node {
    kind: LinuxDeviceType,
    major: i64,
    minor: i64,
    mode: u32,
    uid: u32,
    gid: u32,
}

fn device_node(path: &Path) -> Result<Node, ConfigError> {
    let error = |source| ConfigError::Device { path: path.to_owned(), source };
    let metadata = fs::metadata(path).map_err(error)?;
    let kind = if metadata.file_type().is_char_device() {
        LinuxDeviceType::C
    } else if metadata.file_type().is_block_device() {
        LinuxDeviceType::B
    } else {
        return Err(error(io::Error::other("it is no device")));
    };
    let number = |part: u64| i64::try_from(part).unwrap_or(-1);
    Ok(Node {
        kind,
        major: number(major(metadata.rdev())),
        minor: number(minor(metadata.rdev())),
        mode: metadata.mode() & 0o777,
        uid: metadata.uid(),
        gid: metadata.gid(),
    })
}
