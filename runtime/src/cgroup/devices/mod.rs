//! Which devices the processes of a cgroup may use.
//!
//! Version 1 has a controller that takes rules as text; version 2 takes an eBPF program.

mod program;

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

use oci_spec::runtime::LinuxDeviceCgroup;

use super::error::write;
use super::{Cgroup, CgroupError};
use crate::sys;

/// Puts the rules into force, in their order: later ones win.
pub(super) fn restrict(cgroup: &Cgroup, rules: &[LinuxDeviceCgroup]) -> Result<(), CgroupError> {
    if let Some(directory) = cgroup.v1("devices") {
        return restrict_v1(&directory, rules);
    }
    match cgroup.unified() {
        Some(directory) => restrict_v2(&directory, rules),
        None => Err(CgroupError::Unavailable {
            what: "restrict devices",
            why: format!("there is no cgroup `{}`", cgroup.path()),
        }),
    }
}

fn restrict_v1(directory: &Path, rules: &[LinuxDeviceCgroup]) -> Result<(), CgroupError> {
    for rule in rules {
        let file = if rule.allow() { "devices.allow" } else { "devices.deny" };
        write(&directory.join(file), &rule.to_string())?;
    }
    Ok(())
}

fn restrict_v2(directory: &Path, rules: &[LinuxDeviceCgroup]) -> Result<(), CgroupError> {
    let failed = |source| CgroupError::Devices { path: directory.to_owned(), source };
    let cgroup = File::open(directory).map_err(failed)?;
    let loaded = sys::bpf::load_device_program(&program::compile(rules)).map_err(|errno| failed(errno.into()))?;
    sys::bpf::attach_device_program(cgroup.as_fd(), loaded.as_fd()).map_err(|errno| failed(errno.into()))
}
