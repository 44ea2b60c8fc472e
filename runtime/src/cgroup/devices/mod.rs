//! Which devices the processes of a cgroup may use.
//!
//! Version 1 has a controller that takes rules as text; version 2 takes an eBPF program.

mod filter;
mod program;

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxResources};

use super::create::Made;
use super::{Cgroup, CgroupError};
use crate::trace::{self, Effect};

/// The key of the runtime configuration that has the rules.
const KEY: &str = "linux.resources.devices";

/// Makes sure that rules can be kept by what could be made of a cgroup.
///
/// Rules that allow everything ask for nothing.
pub(super) fn check(rules: &[LinuxDeviceCgroup], made: &Made) -> Result<(), CgroupError> {
    let refused = made.refused.iter().find(|(name, _)| matches!(name.as_str(), "devices" | "unified"));
    match refused {
        Some((name, error)) if program::restricts(rules) && !made.has("devices") => {
            let why = format!("the cgroups of `{name}` cannot be written here ({error})");
            Err(CgroupError::Refused { key: KEY.to_owned(), why })
        }
        _ => Ok(()),
    }
}

impl Cgroup {
    /// Tells whether device rules can be kept by what could be made of this cgroup.
    pub(crate) fn can_restrict_devices(&self, made: &Made) -> bool {
        let refused = |name: &str| made.refused.iter().any(|(known, _)| known == name);
        match self.v1("devices") {
            Some(_) => !refused("devices"),
            None => self.unified().is_some() && !refused("unified"),
        }
    }

    /// Puts the device rules of a cgroup that was just made into force, where they have to be there before whoever makes
    /// nodes is in it: version 1 takes them one after the other. They are taken out of `resources` then.
    ///
    /// # Errors
    /// As of [`limit`](Self::limit).
    pub(crate) fn restrict_devices_early(
        &self,
        resources: &mut LinuxResources,
        made: &Made,
    ) -> Result<(), CgroupError> {
        if self.v1("devices").is_none() {
            return Ok(());
        }
        let rules = resources.devices().clone().unwrap_or_default();
        check(&rules, made)?;
        restrict(self, &rules)?;
        resources.set_devices(None);
        Ok(())
    }
}

/// Puts the rules into force, in their order: later ones win. No rules change nothing.
///
/// Version 2 takes them at once. Version 1 takes one after the other: as long as that lasts, what a later rule allows is
/// still forbidden.
pub(super) fn restrict(cgroup: &Cgroup, rules: &[LinuxDeviceCgroup]) -> Result<(), CgroupError> {
    if rules.is_empty() {
        return Ok(());
    }
    if let Some(directory) = cgroup.v1("devices") {
        return restrict_v1(&directory, rules);
    }
    match cgroup.unified() {
        Some(directory) => {
            let failed = |source| CgroupError::Devices { path: directory.clone(), source };
            let program = program::compile(rules);
            let effect = || Effect::FilterDevices { cgroup: trace::text(&directory), instructions: program.len() };
            trace::step(effect, || filter::replace(&directory, &program)).map_err(failed)
        }
        None if program::restricts(rules) => {
            let why = format!("there is no cgroup `{}`", cgroup.path());
            Err(CgroupError::Refused { key: KEY.to_owned(), why })
        }
        None => Ok(()),
    }
}

fn restrict_v1(directory: &Path, rules: &[LinuxDeviceCgroup]) -> Result<(), CgroupError> {
    let mut files: [Option<File>; 2] = [None, None];
    for (at, rule) in rules.iter().enumerate() {
        let path = directory.join(if rule.allow() { "devices.allow" } else { "devices.deny" });
        let line = line(rule);
        let failed = |source| CgroupError::Limit {
            key: format!("{KEY}[{at}]"),
            source: Box::new(CgroupError::file(format!("write `{line}` to"), &path, source)),
        };
        let slot = &mut files[usize::from(rule.allow())];
        let file = match slot {
            Some(file) => file,
            None => slot.insert(OpenOptions::new().write(true).open(&path).map_err(failed)?),
        };
        trace::step(|| Effect::write(&path, &line), || file.write_all(line.as_bytes())).map_err(failed)?;
    }
    Ok(())
}

/// `c 1:3 rwm`, as `devices.allow` reads it; what is not given, or negative, is any.
fn line(rule: &LinuxDeviceCgroup) -> String {
    let any = |number: Option<i64>| number.filter(|number| *number >= 0).map_or("*".to_owned(), |n| n.to_string());
    let access = rule.access().as_deref().filter(|access| !access.is_empty()).unwrap_or("rwm");
    format!("{} {}:{} {access}", rule.typ().unwrap_or_default().as_str(), any(rule.major()), any(rule.minor()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_reads_as_the_controller_wants_it() {
        let lines = [
            (r#"{"allow":false}"#, "a *:* rwm"),
            (r#"{"allow":true,"type":"c","major":1,"minor":3,"access":"rw"}"#, "c 1:3 rw"),
            (r#"{"allow":true,"type":"b","major":8,"minor":-1,"access":"m"}"#, "b 8:* m"),
        ];
        for (rule, expected) in lines {
            assert_eq!(line(&serde_json::from_str(rule).unwrap()), expected);
        }
    }
}
