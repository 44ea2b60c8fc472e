//! What of the OCI runtime specification this runtime refuses.
//!
//! *Pure.*

use oci_spec::runtime::{Linux, Process, Spec};

use super::PlanError;

/// Refuses a spec that asks for what is not carried out.
pub(super) fn check(spec: &Spec) -> Result<(), PlanError> {
    let mappings = spec.uid_mappings().is_some() || spec.gid_mappings().is_some();
    refuse(&[(mappings, "uidMappings")])?;
    spec.process().as_ref().map_or(Ok(()), check_process)?;
    spec.linux().as_ref().map_or(Ok(()), check_linux)
}

/// Refuses a process that asks for what is not carried out.
pub(super) fn check_process(process: &Process) -> Result<(), PlanError> {
    let named = |field: &Option<String>| field.as_deref().is_some_and(|value| !value.is_empty());
    refuse(&[
        (named(process.apparmor_profile()), "process.apparmorProfile"),
        (named(process.selinux_label()), "process.selinuxLabel"),
        (process.io_priority().is_some(), "process.ioPriority"),
        (process.scheduler().is_some(), "process.scheduler"),
        (process.exec_cpu_affinity().is_some(), "process.execCPUAffinity"),
        (named(process.command_line()), "process.commandLine"),
    ])
}

fn check_linux(linux: &Linux) -> Result<(), PlanError> {
    let any = |mappings: &Option<Vec<_>>| mappings.as_ref().is_some_and(|mappings| !mappings.is_empty());
    refuse(&[
        (any(linux.uid_mappings()) || any(linux.gid_mappings()), "linux.uidMappings"),
        (linux.net_devices().as_ref().is_some_and(|devices| !devices.is_empty()), "linux.netDevices"),
        (linux.mount_label().as_deref().is_some_and(|label| !label.is_empty()), "linux.mountLabel"),
        (linux.intel_rdt().is_some(), "linux.intelRdt"),
        (linux.memory_policy().is_some(), "linux.memoryPolicy"),
        (linux.personality().is_some(), "linux.personality"),
        (linux.time_offsets().as_ref().is_some_and(|offsets| !offsets.is_empty()), "linux.timeOffsets"),
    ])
}

fn refuse(fields: &[(bool, &str)]) -> Result<(), PlanError> {
    match fields.iter().find(|(asked, _)| *asked) {
        Some((_, field)) => Err(PlanError::Unsupported((*field).to_owned())),
        None => Ok(()),
    }
}
