//! What the kernel keeps about a process across its execve: labels, personality, memory policy, scheduling.

use std::path::Path;

use super::error::{Act, InitError};
use crate::plan::{Labels, NumberSet, ProcessPlan, Scheduling};
use crate::sys::schedule;

/// Sets what needs the host's procfs, or what a child inherits.
pub(super) fn settle(plan: &ProcessPlan) -> Result<(), InitError> {
    label(&plan.labels)?;
    if let Some(persona) = plan.personality {
        schedule::set_personality(persona).act(&format!("set `linux.personality` to {persona:#x}"))?;
    }
    if let Some(policy) = &plan.memory_policy {
        let act = "set `linux.memoryPolicy`";
        schedule::set_memory_policy(policy.mode, policy.nodes.words()).act(act)?;
    }
    plan.affinity.last.as_ref().map_or(Ok(()), |last| pin(last, "process.execCPUAffinity.final"))
}

/// Restricts this process to processors.
fn pin(processors: &NumberSet, field: &str) -> Result<(), InitError> {
    schedule::set_affinity(processors.words()).act(&format!("set `{field}`"))
}

/// Sets how the program is scheduled; takes CAP_SYS_NICE to raise anything.
pub(super) fn schedule(plan: &Scheduling) -> Result<(), InitError> {
    if let Some(scheduler) = &plan.scheduler {
        schedule::set_scheduler(scheduler).act("set `process.scheduler`")?;
    }
    if let Some(priority) = plan.io_priority {
        schedule::set_io_priority(priority).act("set `process.ioPriority`")?;
    }
    Ok(())
}

/// Asks for labels at the coming execve. By the host's procfs, which no image can have replaced.
fn label(labels: &Labels) -> Result<(), InitError> {
    let write =
        |file: &str, text: &str| std::fs::write(file, text).act_on(&format!("write `{text}` to"), Path::new(file));
    if let Some(profile) = &labels.apparmor {
        // Below `apparmor/` since Linux 5.8 (LSM stacking); before, the only module has `attr` to itself.
        let stacked = "/proc/thread-self/attr/apparmor/exec";
        let file = if Path::new(stacked).exists() { stacked } else { "/proc/thread-self/attr/exec" };
        write(file, &format!("exec {profile}"))?;
    }
    if let Some(label) = &labels.selinux {
        write("/proc/thread-self/attr/exec", label)?;
        // The session keyring, made soon, is the container's too.
        write("/proc/thread-self/attr/keycreate", label)?;
    }
    Ok(())
}
