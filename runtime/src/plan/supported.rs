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
    refuse(&[(named(process.command_line()), "process.commandLine")])
}

fn check_linux(linux: &Linux) -> Result<(), PlanError> {
    refuse(&[
        (linux.net_devices().as_ref().is_some_and(|devices| !devices.is_empty()), "linux.netDevices"),
        (linux.intel_rdt().is_some(), "linux.intelRdt"),
    ])
}

fn refuse(fields: &[(bool, &str)]) -> Result<(), PlanError> {
    match fields.iter().find(|(asked, _)| *asked) {
        Some((_, field)) => Err(PlanError::Unsupported((*field).to_owned())),
        None => Ok(()),
    }
}
