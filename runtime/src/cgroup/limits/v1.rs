//! Files of version 1.
//!
//! *Pure.* Kernel documentation, admin-guide/cgroup-v1: memory, cpusets, blkio-controller, hugetlb, net_cls,
//! net_prio, pids; scheduler/sched-bwc, sched-rt-group.

use oci_spec::runtime::{LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxNetwork, LinuxThrottleDevice};

use super::both;
use super::facts::Facts;
use super::step::{Step, Target, Write};
use super::value::{Amount, SHARES, io_weight, refused, word};
use crate::cgroup::CgroupError;

pub(super) fn memory(memory: &LinuxMemory, facts: &Facts) -> Result<Vec<Step>, CgroupError> {
    let target = Target::v1("memory", "linux.resources.memory");
    let amount = |field: &str, value| Amount::read(|| target.key(field), value);
    let (limit, swap) = (amount(".limit", memory.limit())?, amount(".swap", memory.swap())?);
    let mut steps = Vec::new();
    let limit_file = |limit: Amount| target.write(".limit", "memory.limit_in_bytes", limit.v1());
    let swap_file = |swap: Amount| target.write(".swap", "memory.memsw.limit_in_bytes", swap.v1());
    match (limit, swap.filter(|_| facts.counts_swap)) {
        // Memory may never be more than memory and swap: raising needs the one first, lowering the other.
        (Some(limit), Some(swap)) => steps.push(Step::InSomeOrder(vec![limit_file(limit), swap_file(swap)])),
        // Who asks for no limit at all means swap too, which would hold the first write back.
        (Some(Amount::Unlimited), None) => {
            steps.push(Step::Optional(target.write(".limit", "memory.memsw.limit_in_bytes", "-1")));
            steps.push(Step::Write(limit_file(Amount::Unlimited)));
        }
        (Some(limit), None) => steps.push(Step::Write(limit_file(limit))),
        (None, Some(swap)) => steps.push(Step::Write(swap_file(swap))),
        (None, None) => {}
    }
    for (field, file, value) in [
        (".reservation", "memory.soft_limit_in_bytes", memory.reservation()),
        (".kernel", "memory.kmem.limit_in_bytes", memory.kernel()),
        (".kernelTCP", "memory.kmem.tcp.limit_in_bytes", memory.kernel_tcp()),
    ] {
        steps.extend(amount(field, value)?.map(|amount| target.step(field, file, amount.v1())));
    }
    steps.extend(memory.swappiness().map(|value| target.step(".swappiness", "memory.swappiness", value)));
    let disable = memory.disable_oom_killer().map(u8::from);
    steps.extend(disable.map(|value| target.step(".disableOOMKiller", "memory.oom_control", value)));
    let hierarchy = memory.use_hierarchy().map(u8::from);
    steps.extend(hierarchy.map(|value| target.step(".useHierarchy", "memory.use_hierarchy", value)));
    Ok(steps)
}

pub(super) fn cpu(cpu: &LinuxCpu) -> Result<Vec<Step>, CgroupError> {
    let target = Target::v1("cpu", "linux.resources.cpu");
    let mut steps = Vec::new();
    // Idle groups keep no shares of their own; the kernel gives them back with `idle` 0.
    steps.extend(cpu.idle().map(|idle| target.step(".idle", "cpu.idle", idle)));
    if let Some(shares) = cpu.shares().filter(|shares| *shares != 0 && cpu.idle() != Some(1)) {
        if !SHARES.contains(&shares) {
            let why = format!("`{shares}` is not between {} and {}", SHARES.start(), SHARES.end());
            return Err(refused(target.key(".shares"), why));
        }
        steps.push(target.step(".shares", "cpu.shares", shares));
    }
    steps.extend(bandwidth(cpu, target)?);
    let runtime = cpu.realtime_runtime().filter(|runtime| *runtime != 0);
    let runtime = runtime.map(|value| target.write(".realtimeRuntime", "cpu.rt_runtime_us", value));
    let period = cpu.realtime_period().filter(|period| *period != 0);
    let period = period.map(|value| target.write(".realtimePeriod", "cpu.rt_period_us", value));
    steps.extend(in_some_order([period, runtime]));
    Ok(steps)
}

/// Period, quota and burst bound one another, and the groups above and below bound them.
fn bandwidth(cpu: &LinuxCpu, target: Target) -> Result<Vec<Step>, CgroupError> {
    let quota = both::quota(cpu)?.map(|quota| target.write(".quota", "cpu.cfs_quota_us", quota.v1()));
    let period = cpu.period().filter(|period| *period != 0);
    let period = period.map(|period| target.write(".period", "cpu.cfs_period_us", period));
    let burst = cpu.burst().map(|burst| target.write(".burst", "cpu.cfs_burst_us", burst));
    Ok(in_some_order([period, quota, burst]).into_iter().collect())
}

/// Returns the step that makes the writes there are.
pub(super) fn in_some_order<const N: usize>(writes: [Option<Write>; N]) -> Option<Step> {
    let mut writes: Vec<Write> = writes.into_iter().flatten().collect();
    match writes.len() {
        0 => None,
        1 => writes.pop().map(Step::Write),
        _ => Some(Step::InSomeOrder(writes)),
    }
}

pub(super) fn block_io(io: &LinuxBlockIo) -> Result<Vec<Step>, CgroupError> {
    let target = Target::v1("blkio", "linux.resources.blockIO");
    let mut steps = Vec::new();
    // CFQ had the plain names until Linux 5.0, BFQ has its own.
    let weighed = |field: &str, names: [&str; 2], line: &str| {
        Step::FirstOf(names.iter().map(|name| target.write(field, *name, line)).collect())
    };
    if let Some(weight) = io_weight(|| target.key(".weight"), io.weight())? {
        steps.push(weighed(".weight", ["blkio.weight", "blkio.bfq.weight"], &weight.to_string()));
    }
    if let Some(weight) = io_weight(|| target.key(".leafWeight"), io.leaf_weight())? {
        steps.push(target.step(".leafWeight", "blkio.leaf_weight", weight));
    }
    for (at, device) in io.weight_device().iter().flatten().enumerate() {
        let (number, field) = (format!("{}:{}", device.major(), device.minor()), format!(".weightDevice[{at}].weight"));
        let leaf = format!(".weightDevice[{at}].leafWeight");
        if let Some(weight) = io_weight(|| target.key(&field), device.weight())? {
            let line = format!("{number} {weight}");
            steps.push(weighed(&field, ["blkio.weight_device", "blkio.bfq.weight_device"], &line));
        }
        if let Some(weight) = io_weight(|| target.key(&leaf), device.leaf_weight())? {
            steps.push(target.step(&leaf, "blkio.leaf_weight_device", format!("{number} {weight}")));
        }
    }
    let throttles: [(&str, &str, &Option<Vec<LinuxThrottleDevice>>); 4] = [
        ("ReadBps", "read_bps", io.throttle_read_bps_device()),
        ("WriteBps", "write_bps", io.throttle_write_bps_device()),
        ("ReadIOPS", "read_iops", io.throttle_read_iops_device()),
        ("WriteIOPS", "write_iops", io.throttle_write_iops_device()),
    ];
    for (name, file, devices) in throttles {
        for (at, device) in devices.iter().flatten().enumerate() {
            let field = format!(".throttle{name}Device[{at}].rate");
            // A rate of 0 takes the rule away.
            let line = format!("{}:{} {}", device.major(), device.minor(), device.rate());
            steps.push(target.step(&field, format!("blkio.throttle.{file}_device"), line));
        }
    }
    Ok(steps)
}

pub(super) fn class_id(network: &LinuxNetwork) -> Option<Step> {
    let target = Target::v1("net_cls", "linux.resources.network");
    network.class_id().map(|class| target.step(".classID", "net_cls.classid", class))
}

pub(super) fn priorities(network: &LinuxNetwork) -> Result<Vec<Step>, CgroupError> {
    let target = Target::v1("net_prio", "linux.resources.network");
    let step = |(at, interface): (usize, &oci_spec::runtime::LinuxInterfacePriority)| {
        let field = format!(".priorities[{at}]");
        let name = word(|| target.key(&field), interface.name())?;
        Ok(target.step(&field, "net_prio.ifpriomap", format!("{name} {}", interface.priority())))
    };
    network.priorities().iter().flatten().enumerate().map(step).collect()
}
