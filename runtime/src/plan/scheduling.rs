//! When and where the kernel runs a process: scheduler, I/O priority, processors.
//!
//! *Pure.*

use oci_spec::runtime::{
    ExecCPUAffinity, IOPriorityClass, LinuxIOPriority, LinuxSchedulerFlag, LinuxSchedulerPolicy, Process,
    Scheduler as SchedulerSpec,
};

use super::{NumberSet, PlanError};

/// Nice values (sched(7)).
const NICE: std::ops::RangeInclusive<i32> = -20..=19;
/// Static priorities of SCHED_FIFO and SCHED_RR (sched(7)).
const REAL_TIME: std::ops::RangeInclusive<u32> = 1..=99;
/// Levels within a class of I/O priority (ioprio_set(2)).
const IO_LEVELS: std::ops::RangeInclusive<i64> = 0..=7;
/// `IOPRIO_CLASS_SHIFT` (ioprio_set(2)).
const IO_CLASS_SHIFT: u32 = 13;

/// How a process is scheduled. What is `None` stays as it was inherited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scheduling {
    pub(crate) scheduler: Option<Scheduler>,
    /// Class and level, as ioprio_set(2) takes them.
    pub(crate) io_priority: Option<u32>,
}

/// Arguments of sched_setattr(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scheduler {
    /// `SCHED_*`.
    pub(crate) policy: u32,
    /// `SCHED_FLAG_*`.
    pub(crate) flags: u64,
    pub(crate) nice: i32,
    pub(crate) priority: u32,
    /// Nanoseconds, as the two below.
    pub(crate) runtime: u64,
    pub(crate) deadline: u64,
    pub(crate) period: u64,
}

/// Processors for a process that joins a container; `None` leaves them to the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Affinity {
    /// Where it begins, before it is in the container's cgroup.
    pub(crate) initial: Option<NumberSet>,
    /// Where it stays.
    pub(crate) last: Option<NumberSet>,
}

/// Plans the scheduling of a process.
pub(super) fn plan(process: &Process) -> Result<Scheduling, PlanError> {
    Ok(Scheduling {
        scheduler: process.scheduler().as_ref().map(scheduler).transpose()?,
        io_priority: process.io_priority().as_ref().map(io_priority).transpose()?,
    })
}

fn scheduler(spec: &SchedulerSpec) -> Result<Scheduler, PlanError> {
    let (policy, real_time, deadline) = match spec.policy() {
        LinuxSchedulerPolicy::SchedOther => (libc::SCHED_OTHER, false, false),
        LinuxSchedulerPolicy::SchedFifo => (libc::SCHED_FIFO, true, false),
        LinuxSchedulerPolicy::SchedRr => (libc::SCHED_RR, true, false),
        LinuxSchedulerPolicy::SchedBatch => (libc::SCHED_BATCH, false, false),
        LinuxSchedulerPolicy::SchedIdle => (libc::SCHED_IDLE, false, false),
        LinuxSchedulerPolicy::SchedDeadline => (libc::SCHED_DEADLINE, false, true),
        LinuxSchedulerPolicy::SchedIso => {
            return Err(PlanError::invalid("process.scheduler.policy", "SCHED_ISO", "Linux reserves it and has none"));
        }
    };
    let nice = spec.nice().unwrap_or(0);
    if !NICE.contains(&nice) {
        return Err(PlanError::invalid("process.scheduler.nice", nice, "it must be between -20 and 19"));
    }
    let given = spec.priority().unwrap_or(0);
    let refused = |why| PlanError::invalid("process.scheduler.priority", given, why);
    let priority = u32::try_from(given).map_err(|_| refused("it is negative"))?;
    match (real_time, priority) {
        (true, priority) if !REAL_TIME.contains(&priority) => return Err(refused("it must be between 1 and 99")),
        (false, 1..) => return Err(refused("only SCHED_FIFO and SCHED_RR have one")),
        _ => {}
    }
    let times = [*spec.runtime(), *spec.deadline(), *spec.period()].map(|time| time.filter(|time| *time > 0));
    if !deadline && times.iter().any(Option::is_some) {
        let policy = spec.policy();
        return Err(PlanError::invalid("process.scheduler.policy", policy, "only SCHED_DEADLINE has a runtime"));
    }
    let flags = spec.flags().iter().flatten().fold(0, |all, flag| all | flag_bit(*flag));
    let [runtime, deadline, period] = times.map(Option::unwrap_or_default);
    Ok(Scheduler { policy: policy as u32, flags, nice, priority, runtime, deadline, period })
}

fn flag_bit(flag: LinuxSchedulerFlag) -> u64 {
    let bit = match flag {
        LinuxSchedulerFlag::SchedResetOnFork => libc::SCHED_FLAG_RESET_ON_FORK,
        LinuxSchedulerFlag::SchedFlagReclaim => libc::SCHED_FLAG_RECLAIM,
        LinuxSchedulerFlag::SchedFlagDLOverrun => libc::SCHED_FLAG_DL_OVERRUN,
        LinuxSchedulerFlag::SchedFlagKeepPolicy => libc::SCHED_FLAG_KEEP_POLICY,
        LinuxSchedulerFlag::SchedFlagKeepParams => libc::SCHED_FLAG_KEEP_PARAMS,
        LinuxSchedulerFlag::SchedFlagUtilClampMin => libc::SCHED_FLAG_UTIL_CLAMP_MIN,
        LinuxSchedulerFlag::SchedFlagUtilClampMax => libc::SCHED_FLAG_UTIL_CLAMP_MAX,
    };
    bit as u64
}

fn io_priority(spec: &LinuxIOPriority) -> Result<u32, PlanError> {
    // `IOPRIO_CLASS_*`, `linux/ioprio.h`
    let class = match spec.class() {
        IOPriorityClass::IoprioClassRt => 1,
        IOPriorityClass::IoprioClassBe => 2,
        IOPriorityClass::IoprioClassIdle => 3,
    };
    let level = spec.priority();
    match u32::try_from(level) {
        Ok(number) if IO_LEVELS.contains(&level) => Ok(class << IO_CLASS_SHIFT | number),
        _ => Err(PlanError::invalid("process.ioPriority.priority", level, "it must be between 0 and 7")),
    }
}

/// Plans the processors of a process that joins a container; they are no matter of its init (config.md, "process").
pub(super) fn affinity(spec: Option<&ExecCPUAffinity>) -> Result<Affinity, PlanError> {
    let list = |field, list: &Option<String>| {
        let list = list.as_deref().filter(|list| !list.is_empty());
        let parse = |list| NumberSet::parse(list).ok_or_else(|| PlanError::invalid(field, list, "it is no list"));
        list.map(parse).transpose()
    };
    let Some(spec) = spec else { return Ok(Affinity::default()) };
    Ok(Affinity {
        initial: list("process.execCPUAffinity.initial", spec.initial())?,
        last: list("process.execCPUAffinity.final", spec.cpu_affinity_final())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(json: &str) -> Result<Scheduling, PlanError> {
        let head = r#"{"user":{"uid":0,"gid":0},"cwd":"/","args":["sh"],"#;
        plan(&serde_json::from_str(&format!("{head}{json}}}")).unwrap())
    }

    #[test]
    fn a_policy_has_the_parameters_that_are_its_own() {
        let plan = planned(r#""scheduler":{"policy":"SCHED_BATCH","nice":5,"flags":["SCHED_RESET_ON_FORK"]}"#).unwrap();
        let expected = Scheduler { policy: 3, flags: 1, nice: 5, ..Scheduler::default() };
        assert_eq!(plan.scheduler, Some(expected));
        let plan = planned(r#""scheduler":{"policy":"SCHED_DEADLINE","runtime":1000,"deadline":2000,"period":3000}"#);
        let expected = Scheduler { policy: 6, runtime: 1000, deadline: 2000, period: 3000, ..Scheduler::default() };
        assert_eq!(plan.unwrap().scheduler, Some(expected));
    }

    #[test]
    fn the_class_of_io_is_above_its_level() {
        let plan = planned(r#""ioPriority":{"class":"IOPRIO_CLASS_IDLE","priority":4}"#).unwrap();
        assert_eq!(plan.io_priority, Some(3 << 13 | 4));
    }

    #[test]
    fn values_out_of_range_are_refused_by_name() {
        for (json, name) in [
            (r#""scheduler":{"policy":"SCHED_OTHER","nice":20}"#, "scheduler.nice"),
            (r#""scheduler":{"policy":"SCHED_OTHER","priority":1}"#, "scheduler.priority"),
            (r#""scheduler":{"policy":"SCHED_RR","priority":100}"#, "scheduler.priority"),
            (r#""scheduler":{"policy":"SCHED_FIFO"}"#, "scheduler.priority"),
            (r#""scheduler":{"policy":"SCHED_FIFO","priority":-1}"#, "scheduler.priority"),
            (r#""scheduler":{"policy":"SCHED_OTHER","runtime":1}"#, "scheduler.policy"),
            (r#""scheduler":{"policy":"SCHED_ISO"}"#, "SCHED_ISO"),
            (r#""ioPriority":{"class":"IOPRIO_CLASS_BE","priority":8}"#, "ioPriority"),
            (r#""ioPriority":{"class":"IOPRIO_CLASS_BE","priority":-1}"#, "ioPriority"),
        ] {
            let error = planned(json).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
