//! What of the OCI runtime specification this runtime refuses.
//!
//! *Pure*, but for a look whether the host has what it takes.

use std::path::Path;

use oci_spec::runtime::{Linux, Process, Spec};

use super::PlanError;

/// Refuses a spec that asks for what is not carried out.
pub(super) fn check(spec: &Spec) -> Result<(), PlanError> {
    let mappings = spec.uid_mappings().is_some() || spec.gid_mappings().is_some();
    refuse(&[(mappings, "uidMappings")])?;
    if spec.annotations().iter().flatten().any(|(key, _)| key.is_empty()) {
        return Err(PlanError::invalid("annotations", "", "a key is empty"));
    }
    spec.process().as_ref().map_or(Ok(()), check_process)?;
    spec.linux().as_ref().map_or(Ok(()), check_linux)
}

/// Refuses a process that asks for what is not carried out.
pub(super) fn check_process(process: &Process) -> Result<(), PlanError> {
    let named = |field: &Option<String>| field.as_deref().is_some_and(|value| !value.is_empty());
    refuse(&[(named(process.command_line()), "process.commandLine")])
}

fn check_linux(linux: &Linux) -> Result<(), PlanError> {
    if let Some(rdt) = linux.intel_rdt() {
        return Err(match Path::new("/sys/fs/resctrl/schemata").exists() {
            true => PlanError::Unsupported("linux.intelRdt".to_owned()),
            false => {
                let class = rdt.clos_id().as_deref().unwrap_or_default();
                PlanError::invalid("linux.intelRdt", class.escape_default(), "this host has no resctrl file system")
            }
        });
    }
    Ok(())
}

fn refuse(fields: &[(bool, &str)]) -> Result<(), PlanError> {
    match fields.iter().find(|(asked, _)| *asked) {
        Some((_, field)) => Err(PlanError::Unsupported((*field).to_owned())),
        None => Ok(()),
    }
}
