//! Paths of procfs and sysfs that tell about, or reach, the whole machine.

/// What of the machine's state no container may read. Interrupts and power figures are side channels.
const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// What may be read, not changed.
const READONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Returns the paths to hide: files read as empty, directories have no entries.
///
/// Reads which processors of this machine count thermal events, as those counters are hidden too.
#[must_use]
pub fn masked_paths() -> Vec<String> {
    let processors = std::fs::read_dir("/sys/devices/system/cpu").into_iter().flatten().flatten();
    let counters = processors.map(|entry| entry.path().join("thermal_throttle"));
    let mut masked: Vec<String> = MASKED.map(str::to_owned).into();
    masked.extend(counters.filter(|path| path.is_dir()).filter_map(|path| path.to_str().map(str::to_owned)));
    masked.sort_unstable();
    masked
}

/// Returns the paths to make read-only.
#[must_use]
pub fn readonly_paths() -> Vec<String> {
    READONLY.map(str::to_owned).into()
}
