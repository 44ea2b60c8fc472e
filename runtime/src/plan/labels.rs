//! What a security module of the kernel confines a process by: an AppArmor profile, an SELinux label.
//!
//! Reads which modules this kernel runs: a label that nobody enforces would confine less than was asked for.

use std::path::Path;

use oci_spec::runtime::Process;

use super::PlanError;

/// `Y` where AppArmor is enabled.
const APPARMOR: &str = "/sys/module/apparmor/parameters/enabled";
/// Exists where SELinux is enabled and its file system is mounted.
const SELINUX: &str = "/sys/fs/selinux/enforce";

/// Labels a process takes on when it executes its program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Labels {
    pub(crate) apparmor: Option<String>,
    pub(crate) selinux: Option<String>,
}

/// Plans the labels of a process.
pub(super) fn plan(process: &Process) -> Result<Labels, PlanError> {
    let apparmor = text("process.apparmorProfile", process.apparmor_profile())?;
    if let Some(profile) = apparmor {
        let enabled = std::fs::read_to_string(APPARMOR).is_ok_and(|text| text.starts_with('Y'));
        enforced("process.apparmorProfile", profile, enabled, "AppArmor is not enabled on this host")?;
    }
    let selinux = text("process.selinuxLabel", process.selinux_label())?;
    if let Some(label) = selinux {
        enforced("process.selinuxLabel", label, has_selinux(), NO_SELINUX)?;
    }
    Ok(Labels { apparmor: apparmor.map(str::to_owned), selinux: selinux.map(str::to_owned) })
}

/// Plans the label of what the container's own file systems hold.
pub(super) fn mount_label(label: &Option<String>) -> Result<Option<&str>, PlanError> {
    let label = text("linux.mountLabel", label)?;
    if let Some(label) = label {
        enforced("linux.mountLabel", label, has_selinux(), NO_SELINUX)?;
    }
    Ok(label)
}

const NO_SELINUX: &str = "SELinux is not enabled on this host";

fn has_selinux() -> bool {
    Path::new(SELINUX).exists()
}

fn text<'a>(field: &'static str, value: &'a Option<String>) -> Result<Option<&'a str>, PlanError> {
    let value = value.as_deref().filter(|value| !value.is_empty());
    match value.filter(|value| value.chars().any(char::is_control)) {
        Some(value) => Err(PlanError::invalid(field, value.escape_default(), "it has a control character")),
        None => Ok(value),
    }
}

fn enforced(field: &'static str, value: &str, enabled: bool, why: &'static str) -> Result<(), PlanError> {
    if enabled { Ok(()) } else { Err(PlanError::invalid(field, value, why)) }
}
