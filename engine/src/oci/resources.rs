//! Limits and devices in the runtime configuration.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nix::sys::stat::{major, minor};
use oci_spec::runtime::{
    LinuxBlockIo, LinuxCpu, LinuxDevice, LinuxDeviceBuilder, LinuxDeviceCgroup, LinuxDeviceCgroupBuilder,
    LinuxDeviceType, LinuxMemoryBuilder, LinuxPidsBuilder, LinuxResources, LinuxResourcesBuilder,
    LinuxThrottleDeviceBuilder, LinuxWeightDeviceBuilder, Spec,
};

use super::ConfigError;
use crate::runtime::cgroup::Cgroup;
use crate::runtime::defaults;
use crate::spec::{ContainerSpec, DeviceWeight, Resources, Throttle, Throttled};

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
    let any = [limits.memory, limits.memory_reservation, limits.memory_swappiness].iter().any(Option::is_some);
    if any || limits.oom_kill_disable {
        builder = builder.memory(memory(limits)?);
    }
    if let Some(cpu) = cpu(limits) {
        builder = builder.cpu(cpu);
    }
    if let Some(pids) = limits.pids {
        builder = builder.pids(LinuxPidsBuilder::default().limit(pids).build()?);
    }
    if limits.blkio_weight.is_some() || !limits.blkio_weight_devices.is_empty() || !limits.blkio_throttles.is_empty() {
        builder = builder.block_io(block_io(limits)?);
    }
    Ok(builder.build()?)
}

fn block_io(limits: &Resources) -> Result<LinuxBlockIo, ConfigError> {
    let weight = |one: &DeviceWeight| {
        let node = device_node(&one.device)?;
        Ok(LinuxWeightDeviceBuilder::default().major(node.major).minor(node.minor).weight(one.weight).build()?)
    };
    let throttles = |what: Throttled| {
        let of_this_kind = limits.blkio_throttles.iter().filter(|one| one.what == what);
        let throttle = |one: &Throttle| {
            let node = device_node(&one.device)?;
            Ok(LinuxThrottleDeviceBuilder::default().major(node.major).minor(node.minor).rate(one.rate).build()?)
        };
        of_this_kind.map(throttle).collect::<Result<Vec<_>, ConfigError>>()
    };
    let mut io = LinuxBlockIo::default();
    let weights = limits.blkio_weight_devices.iter().map(weight).collect::<Result<Vec<_>, ConfigError>>()?;
    io.set_weight(limits.blkio_weight).set_weight_device(some(weights));
    io.set_throttle_read_bps_device(some(throttles(Throttled::ReadBytes)?));
    io.set_throttle_write_bps_device(some(throttles(Throttled::WriteBytes)?));
    io.set_throttle_read_iops_device(some(throttles(Throttled::Reads)?));
    io.set_throttle_write_iops_device(some(throttles(Throttled::Writes)?));
    Ok(io)
}

/// An empty list is not written: it would be a limit that limits nothing.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
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
    if let Some(swappiness) = limits.memory_swappiness {
        memory = memory.swappiness(swappiness);
    }
    if limits.oom_kill_disable && can_disable_oom_kill() {
        memory = memory.disable_oom_killer(true);
    }
    Ok(memory.build()?)
}

fn cpu(limits: &Resources) -> Option<LinuxCpu> {
    let mut cpu = LinuxCpu::default();
    if let Some(nano_cpus) = limits.nano_cpus {
        let quota = u128::from(nano_cpus) * u128::from(CPU_PERIOD) / 1_000_000_000;
        cpu.set_period(Some(CPU_PERIOD)).set_quota(Some(i64::try_from(quota).unwrap_or(i64::MAX)));
    }
    cpu.set_period(limits.cpu_period.or(cpu.period()));
    cpu.set_quota(limits.cpu_quota.or(cpu.quota()));
    cpu.set_shares(limits.cpu_shares);
    cpu.set_realtime_period(limits.cpu_rt_period).set_realtime_runtime(limits.cpu_rt_runtime);
    cpu.set_cpus(limits.cpuset_cpus.clone()).set_mems(limits.cpuset_mems.clone());
    Some(cpu).filter(|cpu| *cpu != LinuxCpu::default())
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
    for text in &spec.isolation.device_rules {
        rules.push(device_rule(text).ok_or_else(|| ConfigError::DeviceRule(text.clone()))?);
    }
    Ok(rules)
}

/// Reads `TYPE MAJOR:MINOR ACCESS`, `*` for any number: `c 42:* rmw`.
fn device_rule(text: &str) -> Option<LinuxDeviceCgroup> {
    let mut words = text.split_ascii_whitespace();
    let (kind, numbers, access) = (words.next()?, words.next()?, words.next()?);
    let kind = match kind {
        "a" => LinuxDeviceType::A,
        "b" => LinuxDeviceType::B,
        "c" => LinuxDeviceType::C,
        _ => return None,
    };
    let number = |text: &str| if text == "*" { Some(None) } else { text.parse::<u32>().ok().map(Some) };
    let (major, minor) = numbers.split_once(':')?;
    let (major, minor) = (number(major)?, number(minor)?);
    if words.next().is_some() || access.is_empty() || access.contains(|c| !"rwm".contains(c)) {
        return None;
    }
    let mut rule = LinuxDeviceCgroup::default();
    rule.set_allow(true).set_typ(Some(kind)).set_access(Some(access.to_owned()));
    rule.set_major(major.map(i64::from)).set_minor(minor.map(i64::from));
    Some(rule)
}

/// Returns the device node to make at `target`, a copy of the host's at `source`.
pub(crate) fn device(source: &Path, target: &Path) -> Result<LinuxDevice, ConfigError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_device_rule_is_a_type_two_numbers_and_an_access() {
        let rule = device_rule("c 42:* rmw").unwrap();
        assert_eq!((rule.typ(), rule.major(), rule.minor()), (Some(LinuxDeviceType::C), Some(42), None));
        for wrong in ["", "c", "c 1:3", "c 1 r", "x 1:3 r", "c 1:3 x", "c -1:3 r", "c 1:3 r r"] {
            assert!(device_rule(wrong).is_none(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_device_rule_panics(text: String) {
            let _ = device_rule(&text);
        }
    }
}
