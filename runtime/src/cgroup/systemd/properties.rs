//! Planned limits → properties of a unit (systemd.resource-control(5)).
//!
//! *Pure.* systemd writes its own idea of a unit's limits to the same files whenever it is reloaded, so it
//! must know them. It knows some, and rounds some; the files are written exactly after it.

use super::bus::Value;
use crate::cgroup::limits::step::{Step, Version, Write};
use crate::cgroup::stats::list;

/// Properties to set, each with the first version of systemd that has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Properties(pub(super) Vec<Property>);

/// A property to set.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) value: Value,
    pub(super) since: u32,
}

impl Properties {
    pub(super) fn set(&mut self, name: &str, value: Value) {
        self.set_since(0, name, value);
    }

    fn set_since(&mut self, since: u32, name: &str, value: Value) {
        self.0.push(Property { name: name.to_owned(), value, since });
    }

    /// Tells whether any needs a version newer than the oldest that is supported.
    pub(super) fn depend_on_version(&self) -> bool {
        self.0.iter().any(|property| property.since > 0)
    }

    /// Returns those that systemd `version` has, as `StartTransientUnit` takes them.
    pub(super) fn for_version(&self, version: u32) -> Value {
        let known = self.0.iter().filter(|property| property.since <= version);
        let properties = known.map(|property| Value::property(&property.name, property.value.clone()));
        Value::Array("(sv)", properties.collect())
    }
}

/// How the value of a file becomes that of a property.
#[derive(Clone, Copy)]
enum Form {
    /// A number, or `max`, or -1.
    Number,
    /// A list of processors or nodes, as a bit mask.
    Mask,
    /// Whether the whole cgroup is killed together.
    OomPolicy,
    /// 1 is the weight 0; 0 cannot be said.
    Idle,
}

use Version::{V1, V2};

/// Version, file, property, form, first version of systemd that has it.
const TABLE: [(Version, &str, &str, Form, u32); 16] = [
    (V1, "memory.limit_in_bytes", "MemoryLimit", Form::Number, 0),
    (V1, "cpu.shares", "CPUShares", Form::Number, 0),
    (V1, "blkio.weight", "BlockIOWeight", Form::Number, 0),
    (V1, "pids.max", "TasksMax", Form::Number, 0),
    (V2, "memory.max", "MemoryMax", Form::Number, 0),
    (V2, "memory.high", "MemoryHigh", Form::Number, 0),
    (V2, "memory.low", "MemoryLow", Form::Number, 0),
    (V2, "memory.min", "MemoryMin", Form::Number, 240),
    (V2, "memory.swap.max", "MemorySwapMax", Form::Number, 0),
    (V2, "memory.oom.group", "OOMPolicy", Form::OomPolicy, 253),
    (V2, "cpu.weight", "CPUWeight", Form::Number, 0),
    (V2, "cpu.idle", "CPUWeight", Form::Idle, 252),
    (V2, "pids.max", "TasksMax", Form::Number, 0),
    (V2, "cpuset.cpus", "AllowedCPUs", Form::Mask, 244),
    (V2, "cpuset.mems", "AllowedMemoryNodes", Form::Mask, 244),
    (V2, "io.weight", "IOWeight", Form::Number, 0),
];

/// Translates what systemd knows of a plan.
pub(super) fn of_limits(steps: &[Step]) -> Properties {
    let mut properties = Properties::default();
    let writes: Vec<&Write> = steps.iter().flat_map(Step::writes).collect();
    for write in &writes {
        let known = TABLE.iter().find(|(version, file, ..)| (*version, *file) == (write.version, write.file.as_str()));
        let Some((_, _, name, form, since)) = known else { continue };
        if let Some(value) = form.read(write.value.trim()) {
            properties.set_since(*since, name, value);
        }
    }
    quota(&writes, &mut properties);
    properties
}

impl Form {
    fn read(self, text: &str) -> Option<Value> {
        match self {
            // systemd takes no limit of 0 tasks; who runs is not affected.
            Self::Number if text == "0" => Some(Value::U64(1)),
            Self::Number => amount(text).map(Value::U64),
            Self::Mask => Some(Value::Array("y", mask(&list(text)).into_iter().map(Value::Byte).collect())),
            Self::OomPolicy => match text {
                "1" => Some(Value::str("kill")),
                "0" => Some(Value::str("continue")),
                _ => None,
            },
            Self::Idle => (text == "1").then_some(Value::U64(0)),
        }
    }
}

/// No limit is the highest number.
fn amount(text: &str) -> Option<u64> {
    match text.strip_prefix("default ").unwrap_or(text) {
        "max" | "-1" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// Bit n of byte n / 8 stands for processor n.
fn mask(numbers: &[u16]) -> Vec<u8> {
    let mut mask = vec![0; numbers.iter().max().map_or(0, |highest| usize::from(highest / 8) + 1)];
    numbers.iter().for_each(|number| mask[usize::from(number / 8)] |= 1 << (number % 8));
    mask
}

/// Length of a period of the quota when none is given; microseconds (sched-bwc.rst).
const PERIOD: u64 = 100_000;

/// The quota and its period: one file on version 2, two on version 1; in systemd, time in each second.
fn quota(writes: &[&Write], properties: &mut Properties) {
    let value = |version: Version, file: &str| {
        let write = writes.iter().find(|write| write.version == version && write.file == file)?;
        Some(write.value.as_str())
    };
    let (quota, period) = match value(V2, "cpu.max") {
        Some(max) => (max.split_whitespace().next(), max.split_whitespace().nth(1)),
        None => (value(V1, "cpu.cfs_quota_us"), value(V1, "cpu.cfs_period_us")),
    };
    let period = period.and_then(|period| period.parse().ok());
    if let Some(period) = period {
        properties.set_since(242, "CPUQuotaPeriodUSec", Value::U64(period));
    }
    if let Some(quota) = quota.and_then(amount) {
        properties.set("CPUQuotaPerSecUSec", Value::U64(time_in_a_second(quota, period.unwrap_or(PERIOD))));
    }
}

/// systemd keeps whole percents, 10 ms of a second: rounded up, so that the exact quota fits below.
fn time_in_a_second(quota: u64, period: u64) -> u64 {
    if quota == u64::MAX || period == 0 {
        return u64::MAX;
    }
    let exact = (u128::from(quota) * 1_000_000).div_ceil(u128::from(period));
    u64::try_from(exact.next_multiple_of(10_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cgroup::limits;

    fn properties(json: &str, v1: &[&str]) -> Vec<(String, Value, u32)> {
        let steps = limits::planned_for_tests(&serde_json::from_str(json).unwrap(), v1);
        of_limits(&steps).0.into_iter().map(|property| (property.name, property.value, property.since)).collect()
    }

    fn number(name: &str, value: u64, since: u32) -> (String, Value, u32) {
        (name.to_owned(), Value::U64(value), since)
    }

    const LIMITS: &str = r#"{
        "memory": {"limit": 100, "swap": 150, "reservation": 50},
        "cpu": {"shares": 1024, "quota": 12345, "period": 100000, "cpus": "0,9"},
        "pids": {"limit": -1}
    }"#;

    #[test]
    fn version_2_tells_systemd_what_it_knows() {
        let expected = [
            number("MemorySwapMax", 50, 0),
            number("MemoryMax", 100, 0),
            number("MemoryLow", 50, 0),
            number("CPUWeight", 100, 0),
            ("AllowedCPUs".to_owned(), Value::Array("y", vec![Value::Byte(1), Value::Byte(2)]), 244),
            number("TasksMax", u64::MAX, 0),
            number("CPUQuotaPeriodUSec", 100_000, 242),
            number("CPUQuotaPerSecUSec", 130_000, 0),
        ];
        assert_eq!(properties(LIMITS, &[]), expected);
    }

    #[test]
    fn version_1_tells_systemd_what_it_knows() {
        let expected = [
            number("MemoryLimit", 100, 0),
            number("CPUShares", 1024, 0),
            number("TasksMax", u64::MAX, 0),
            number("CPUQuotaPeriodUSec", 100_000, 242),
            number("CPUQuotaPerSecUSec", 130_000, 0),
        ];
        assert_eq!(properties(LIMITS, &["memory", "cpu", "cpuset", "pids"]), expected);
    }

    #[test]
    fn files_by_name_are_told_as_well() {
        let json = r#"{"unified":{"memory.high":"max","memory.oom.group":"1","cpu.idle":"1","rdma.max":"x"}}"#;
        let policy = ("OOMPolicy".to_owned(), Value::str("kill"), 253);
        assert_eq!(properties(json, &[]), [number("CPUWeight", 0, 252), number("MemoryHigh", u64::MAX, 0), policy]);
    }

    #[test]
    fn an_older_systemd_is_told_less() {
        let mut properties = Properties::default();
        properties.set("Delegate", Value::Bool(true));
        properties.set_since(244, "AllowedCPUs", Value::Byte(1));
        assert!(properties.depend_on_version());
        let names = |version| match properties.for_version(version) {
            Value::Array("(sv)", properties) => properties.len(),
            other => panic!("{other:?}"),
        };
        assert_eq!((names(243), names(244)), (1, 2));
    }

    proptest! {
        #[test]
        fn the_quota_systemd_keeps_is_never_less(quota in 1u64..1 << 50, period in 1u64..2_000_000) {
            let kept = time_in_a_second(quota, period);
            prop_assert!(u128::from(kept) * u128::from(period) >= u128::from(quota) * 1_000_000);
            prop_assert_eq!(kept % 10_000, 0);
        }
    }
}
