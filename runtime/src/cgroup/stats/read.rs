//! Reading the files behind [`DetailedStats`], on either version.

use std::path::Path;

use super::detailed::{CpuSet, DetailedStats, HugePages, MemoryEntry, MemoryEvents, Pids};
use super::{TICK_NS, number, parse, text};
use crate::cgroup::Cgroup;

/// Reads what the version 2 cgroup at `directory` accounts for.
pub(super) fn v2(directory: &Path, stats: &mut DetailedStats) {
    let file = |name: &str| text(&directory.join(name));
    let cpu = parse::flat(&file("cpu.stat"));
    let of = |key: &str| cpu.get(key).copied().unwrap_or(0);
    let usage = &mut stats.cpu.usage;
    [usage.total, usage.kernel, usage.user] =
        ["usage_usec", "system_usec", "user_usec"].map(|key| of(key).saturating_mul(1_000));
    stats.cpu.throttling.periods = of("nr_periods");
    stats.cpu.throttling.throttled_periods = of("nr_throttled");
    stats.cpu.throttling.throttled_time = of("throttled_usec").saturating_mul(1_000);
    stats.cpu.psi = parse::pressure(&file("cpu.pressure"));
    v2_memory(directory, stats);
    stats.pids = pids(directory);
    let io = file("io.stat");
    stats.blkio.io_service_bytes_recursive = parse::v2_devices(&io, [("rbytes", "Read"), ("wbytes", "Write")]);
    stats.blkio.io_serviced_recursive = parse::v2_devices(&io, [("rios", "Read"), ("wios", "Write")]);
    stats.blkio.psi = parse::pressure(&file("io.pressure"));
    for size in page_sizes() {
        let current = directory.join(format!("hugetlb.{size}.current"));
        if current.exists() {
            let events = parse::flat(&file(&format!("hugetlb.{size}.events")));
            let failcnt = events.get("max").copied().unwrap_or(0);
            stats.hugetlb.insert(size, HugePages { usage: number(&current), max: 0, failcnt });
        }
    }
}

fn v2_memory(directory: &Path, stats: &mut DetailedStats) {
    let file = |name: &str| directory.join(name);
    let memory = &mut stats.memory;
    let entry = |current: &str, limit: &str, peak: &str| MemoryEntry {
        limit: limit_or_none(&file(limit)),
        usage: number(&file(current)),
        max: number(&file(peak)),
        failcnt: 0,
    };
    if !file("memory.current").exists() {
        return;
    }
    memory.usage = entry("memory.current", "memory.max", "memory.peak");
    let swap = entry("memory.swap.current", "memory.swap.max", "memory.swap.peak");
    // Version 1, whose form this is, counts both together.
    memory.swap = MemoryEntry {
        limit: swap.limit.saturating_add(memory.usage.limit),
        usage: swap.usage.saturating_add(memory.usage.usage),
        ..swap
    };
    memory.raw = parse::flat(&text(&file("memory.stat")));
    memory.cache = memory.raw.get("file").copied().unwrap_or(0);
    memory.psi = parse::pressure(&text(&file("memory.pressure")));
    let events = parse::flat(&text(&file("memory.events")));
    let of = |key: &str| events.get(key).copied().unwrap_or(0);
    memory.event_count = MemoryEvents {
        low: of("low"),
        high: of("high"),
        max: of("max"),
        oom: of("oom"),
        oom_kill: of("oom_kill"),
        oom_group_kill: of("oom_group_kill"),
    };
}

/// Reads what the version 1 cgroups account for.
pub(super) fn v1(cgroup: &Cgroup, stats: &mut DetailedStats) {
    if let Some(directory) = cgroup.v1("memory") {
        let file = |name: &str| directory.join(name);
        let entry = |kind: &str| MemoryEntry {
            limit: number(&file(&format!("memory.{kind}limit_in_bytes"))),
            usage: number(&file(&format!("memory.{kind}usage_in_bytes"))),
            max: number(&file(&format!("memory.{kind}max_usage_in_bytes"))),
            failcnt: number(&file(&format!("memory.{kind}failcnt"))),
        };
        let memory = &mut stats.memory;
        [memory.usage, memory.swap, memory.kernel, memory.kernel_tcp] = ["", "memsw.", "kmem.", "kmem.tcp."].map(entry);
        memory.raw = parse::flat(&text(&file("memory.stat")));
        memory.cache = memory.raw.get("cache").copied().unwrap_or(0);
    }
    if let Some(directory) = cgroup.v1("cpuacct") {
        v1_usage(&directory, stats);
    }
    if let Some(directory) = cgroup.v1("cpu") {
        let cpu = parse::flat(&text(&directory.join("cpu.stat")));
        let of = |key: &str| cpu.get(key).copied().unwrap_or(0);
        let throttling = &mut stats.cpu.throttling;
        [throttling.periods, throttling.throttled_periods, throttling.throttled_time] =
            ["nr_periods", "nr_throttled", "throttled_time"].map(of);
    }
    if let Some(directory) = cgroup.v1("cpuset") {
        stats.cpuset = cpuset(&directory);
    }
    if let Some(directory) = cgroup.v1("pids") {
        stats.pids = pids(&directory);
    }
    if let Some(directory) = cgroup.v1("blkio") {
        // BFQ counts only what it schedules.
        let devices = |name: &str| {
            let of =
                |scheduler| parse::v1_devices(&text(&directory.join(format!("blkio.{scheduler}.{name}_recursive"))));
            Some(of("bfq")).filter(|figures| !figures.is_empty()).unwrap_or_else(|| of("throttle"))
        };
        stats.blkio.io_service_bytes_recursive = devices("io_service_bytes");
        stats.blkio.io_serviced_recursive = devices("io_serviced");
    }
    if let Some(directory) = cgroup.v1("hugetlb") {
        let of = |size: &str, name: &str| number(&directory.join(format!("hugetlb.{size}.{name}")));
        for size in page_sizes() {
            let [usage, max, failcnt] = ["usage_in_bytes", "max_usage_in_bytes", "failcnt"].map(|name| of(&size, name));
            stats.hugetlb.insert(size, HugePages { usage, max, failcnt });
        }
    }
}

fn v1_usage(directory: &Path, stats: &mut DetailedStats) {
    let file = |name: &str| text(&directory.join(name));
    let usage = &mut stats.cpu.usage;
    usage.total = number(&directory.join("cpuacct.usage"));
    let modes = parse::flat(&file("cpuacct.stat"));
    [usage.kernel, usage.user] =
        ["system", "user"].map(|key| modes.get(key).copied().unwrap_or(0).saturating_mul(TICK_NS));
    let numbers = |text: &str| text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    usage.percpu = numbers(&file("cpuacct.usage_percpu"));
    usage.percpu_kernel = numbers(&file("cpuacct.usage_percpu_sys"));
    usage.percpu_user = numbers(&file("cpuacct.usage_percpu_user"));
}

fn cpuset(directory: &Path) -> CpuSet {
    let file = |name: &str| text(&directory.join(format!("cpuset.{name}")));
    let flag = |name: &str| number(&directory.join(format!("cpuset.{name}")));
    CpuSet {
        cpus: parse::list(&file("cpus")),
        cpu_exclusive: flag("cpu_exclusive"),
        mems: parse::list(&file("mems")),
        mem_hardwall: flag("mem_hardwall"),
        mem_exclusive: flag("mem_exclusive"),
        memory_migrate: flag("memory_migrate"),
        memory_spread_page: flag("memory_spread_page"),
        memory_spread_slab: flag("memory_spread_slab"),
        memory_pressure: flag("memory_pressure"),
        sched_load_balance: flag("sched_load_balance"),
        sched_relax_domain_level: file("sched_relax_domain_level").trim().parse().unwrap_or(0),
    }
}

/// `pids.max` says `max` without limit, which is 0 in this form.
fn pids(directory: &Path) -> Pids {
    Pids { current: number(&directory.join("pids.current")), limit: number(&directory.join("pids.max")) }
}

fn limit_or_none(path: &Path) -> u64 {
    match text(path).trim() {
        "max" => u64::MAX,
        limit => limit.parse().unwrap_or(0),
    }
}

/// The sizes of huge pages this machine has.
fn page_sizes() -> Vec<String> {
    let entries = std::fs::read_dir("/sys/kernel/mm/hugepages").into_iter().flatten().flatten();
    entries.filter_map(|entry| parse::page_size(entry.file_name().to_str()?)).collect()
}
