//! Files of version 2.
//!
//! *Pure.* Kernel documentation, admin-guide/cgroup-v2.rst. What the configuration has from version 1 and
//! version 2 lacks is refused by name.

use std::collections::HashMap;

use oci_spec::runtime::{LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxNetwork, LinuxThrottleDevice};

use super::both;
use super::facts::Facts;
use super::step::{Step, Target};
use super::v1::in_some_order;
use super::value::{Amount, io_weight, io_weight_v2, refused, weight_of_shares};
use crate::cgroup::CgroupError;

const LACKING: &str = "cgroup version 2 has nothing like it";

pub(super) fn memory(memory: &LinuxMemory, facts: &Facts) -> Result<Vec<Step>, CgroupError> {
    let target = Target::v2("memory", "linux.resources.memory");
    let amount = |field: &str, value| Amount::read(|| target.key(field), value);
    let lacking = [
        (".kernel", amount(".kernel", memory.kernel())?.is_some_and(|kernel| kernel != Amount::Unlimited)),
        (".kernelTCP", amount(".kernelTCP", memory.kernel_tcp())?.is_some_and(|tcp| tcp != Amount::Unlimited)),
        (".swappiness", memory.swappiness().is_some()),
        (".disableOOMKiller", memory.disable_oom_killer() == Some(true)),
        (".useHierarchy", memory.use_hierarchy() == Some(false)),
    ];
    if let Some((field, _)) = lacking.into_iter().find(|(_, asked)| *asked) {
        return Err(refused(target.key(field), LACKING));
    }
    let limit = amount(".limit", memory.limit())?;
    let swap = swap(limit, amount(".swap", memory.swap())?, target)?.filter(|_| facts.counts_swap);
    let mut steps = Vec::new();
    steps.extend(swap.map(|swap| target.step(".swap", "memory.swap.max", swap)));
    if let Some(limit) = limit {
        let write = target.write(".limit", "memory.max", limit);
        steps.push(match memory.check_before_update() {
            Some(true) => Step::NotBelow { usage: "memory.current", write },
            _ => Step::Write(write),
        });
    }
    let reservation = amount(".reservation", memory.reservation())?;
    steps.extend(reservation.map(|reservation| target.step(".reservation", "memory.low", reservation)));
    Ok(steps)
}

/// The configuration limits memory and swap together, version 2 swap alone.
fn swap(limit: Option<Amount>, swap: Option<Amount>, target: Target) -> Result<Option<Amount>, CgroupError> {
    match (limit, swap) {
        // Who asks for no limit at all means swap too, as on version 1.
        (Some(Amount::Unlimited), None) => Ok(Some(Amount::Unlimited)),
        (None, Some(Amount::Of(_))) => Err(refused(target.key(".swap"), "it needs `memory.limit` beside it")),
        (Some(Amount::Of(limit)), Some(Amount::Of(swap))) => Ok(Some(Amount::Of(swap - limit))),
        (_, swap) => Ok(swap),
    }
}

pub(super) fn cpu(cpu: &LinuxCpu, facts: &Facts) -> Result<Vec<Step>, CgroupError> {
    let target = Target::v2("cpu", "linux.resources.cpu");
    if cpu.realtime_runtime().is_some_and(|runtime| runtime != 0) {
        return Err(refused(target.key(".realtimeRuntime"), LACKING));
    }
    if cpu.realtime_period().is_some_and(|period| period != 0) {
        return Err(refused(target.key(".realtimePeriod"), LACKING));
    }
    let mut steps = Vec::new();
    // An idle group has no weight of its own; the kernel gives it back with `idle` 0.
    steps.extend(cpu.idle().map(|idle| target.step(".idle", "cpu.idle", idle)));
    let shares = cpu.shares().filter(|shares| *shares != 0 && cpu.idle() != Some(1));
    steps.extend(shares.map(|shares| target.step(".shares", "cpu.weight", weight_of_shares(shares))));
    let max = match (both::quota(cpu)?, cpu.period().filter(|period| *period != 0)) {
        (Some(quota), Some(period)) => Some(target.write(".quota", "cpu.max", format!("{quota} {period}"))),
        (Some(quota), None) => Some(target.write(".quota", "cpu.max", quota)),
        // A quota must stand in front: the one that stands there stays.
        (None, Some(period)) => Some(target.write(".period", "cpu.max", format!("{} {period}", facts.quota))),
        (None, None) => None,
    };
    let burst = cpu.burst().map(|burst| target.write(".burst", "cpu.max.burst", burst));
    steps.extend(in_some_order([max, burst]));
    Ok(steps)
}

pub(super) fn block_io(io: &LinuxBlockIo) -> Result<Vec<Step>, CgroupError> {
    let target = Target::v2("io", "linux.resources.blockIO");
    if io.leaf_weight().is_some_and(|weight| weight != 0) {
        return Err(refused(target.key(".leafWeight"), LACKING));
    }
    let mut steps = Vec::new();
    // BFQ has a file of its own, in its own scale; the other is of the cost model.
    let weighed = |field: &str, prefix: &str, weight: u16| {
        Step::FirstOf(vec![
            target.write(field, "io.bfq.weight", format!("{prefix}{weight}")),
            target.write(field, "io.weight", format!("{prefix}{}", io_weight_v2(weight))),
        ])
    };
    if let Some(weight) = io_weight(|| target.key(".weight"), io.weight())? {
        steps.push(weighed(".weight", "default ", weight));
    }
    for (at, device) in io.weight_device().iter().flatten().enumerate() {
        if device.leaf_weight().is_some_and(|weight| weight != 0) {
            return Err(refused(target.key(&format!(".weightDevice[{at}].leafWeight")), LACKING));
        }
        let field = format!(".weightDevice[{at}].weight");
        if let Some(weight) = io_weight(|| target.key(&field), device.weight())? {
            steps.push(weighed(&field, &format!("{}:{} ", device.major(), device.minor()), weight));
        }
    }
    let throttles: [(&str, &str, &Option<Vec<LinuxThrottleDevice>>); 4] = [
        ("ReadBps", "rbps", io.throttle_read_bps_device()),
        ("WriteBps", "wbps", io.throttle_write_bps_device()),
        ("ReadIOPS", "riops", io.throttle_read_iops_device()),
        ("WriteIOPS", "wiops", io.throttle_write_iops_device()),
    ];
    for (name, key, devices) in throttles {
        for (at, device) in devices.iter().flatten().enumerate() {
            // Version 1 takes a rule away by 0.
            let rate = Some(device.rate()).filter(|rate| *rate != 0).map_or("max".to_owned(), |rate| rate.to_string());
            let line = format!("{}:{} {key}={rate}", device.major(), device.minor());
            steps.push(target.step(&format!(".throttle{name}Device[{at}].rate"), "io.max", line));
        }
    }
    Ok(steps)
}

/// Network classes and priorities belong to version 1; BPF programs have taken their place.
pub(super) fn network(network: &LinuxNetwork) -> Result<(), CgroupError> {
    if network.class_id().is_some() {
        return Err(refused("linux.resources.network.classID", LACKING));
    }
    if network.priorities().as_ref().is_some_and(|priorities| !priorities.is_empty()) {
        return Err(refused("linux.resources.network.priorities", LACKING));
    }
    Ok(())
}

/// Files by name, values as they are; what has several lines is several rules, and the kernel reads one a write.
pub(super) fn unified(files: &HashMap<String, String>) -> Result<Vec<Step>, CgroupError> {
    let target = Target::v2("unified", "linux.resources.unified");
    let mut files: Vec<(&String, &String)> = files.iter().collect();
    files.sort_unstable();
    let mut steps = Vec::new();
    for (file, value) in files {
        let field = format!(".{}", file.escape_default());
        if file.is_empty() || matches!(file.as_str(), "." | "..") || file.contains(['/', '\0']) {
            return Err(refused(target.key(&field), "it is no name of a file"));
        }
        let lines = value.lines().filter(|_| value.trim_end().contains('\n'));
        let before = steps.len();
        steps.extend(lines.map(|line| target.step(&field, file, line)));
        if steps.len() == before {
            steps.push(target.step(&field, file, value));
        }
    }
    Ok(steps)
}
