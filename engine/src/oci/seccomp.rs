//! Seccomp profiles of the user's own: Docker's JSON form, which has conditions where the runtime's has none.
//!
//! An entry counts if all that it includes holds and nothing that it excludes does: architecture, capabilities, kernel.

use std::collections::HashSet;

use oci_spec::runtime::{Arch, Capability, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSyscall};
use serde::Deserialize;

use super::ConfigError;

/// A profile as it is written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: LinuxSeccompAction,
    #[serde(default)]
    default_errno_ret: Option<u32>,
    #[serde(default)]
    architectures: Vec<Arch>,
    #[serde(default)]
    arch_map: Vec<Architectures>,
    #[serde(default)]
    syscalls: Vec<Entry>,
}

/// A machine, and those whose programs it runs as well.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Architectures {
    architecture: Arch,
    #[serde(default)]
    sub_architectures: Option<Vec<Arch>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    names: Vec<String>,
    action: LinuxSeccompAction,
    #[serde(default)]
    errno_ret: Option<u32>,
    #[serde(default)]
    args: Option<Vec<LinuxSeccompArg>>,
    #[serde(default)]
    includes: Condition,
    #[serde(default)]
    excludes: Condition,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Condition {
    caps: Vec<String>,
    arches: Vec<String>,
    min_kernel: Option<String>,
}

/// What conditions are about.
struct Host<'a> {
    capabilities: &'a HashSet<Capability>,
    /// Release of the kernel, its first two numbers.
    kernel: (u32, u32),
}

/// Names of this machine in the conditions (Go's) and in the map of architectures.
const MACHINE: (&str, Arch) =
    if cfg!(target_arch = "x86_64") { ("amd64", Arch::ScmpArchX86_64) } else { ("arm64", Arch::ScmpArchAarch64) };

/// Reads a profile for a container with these capabilities.
pub(super) fn profile(text: &str, capabilities: &HashSet<Capability>) -> Result<LinuxSeccomp, ConfigError> {
    let profile: Profile = serde_json::from_str(text).map_err(ConfigError::Seccomp)?;
    let kernel = nix::sys::utsname::uname().ok().and_then(|name| release(name.release().to_str()?));
    Ok(resolve(profile, &Host { capabilities, kernel: kernel.unwrap_or((0, 0)) }))
}

/// Checks that a text is a seccomp profile in Docker's form.
///
/// # Errors
/// [`ConfigError::Seccomp`], with the place where it is none.
pub fn check(text: &str) -> Result<(), ConfigError> {
    serde_json::from_str::<Profile>(text).map(|_| ()).map_err(ConfigError::Seccomp)
}

fn resolve(profile: Profile, host: &Host<'_>) -> LinuxSeccomp {
    let ours = profile.arch_map.into_iter().find(|map| map.architecture == MACHINE.1);
    let mapped = ours.map(|map| [vec![map.architecture], map.sub_architectures.unwrap_or_default()].concat());
    let architectures = mapped.unwrap_or(profile.architectures);
    let counting = profile.syscalls.into_iter().filter(|entry| counts(entry, host));
    let mut resolved = LinuxSeccomp::default();
    resolved
        .set_default_action(profile.default_action)
        .set_default_errno_ret(profile.default_errno_ret)
        .set_architectures(Some(architectures).filter(|list| !list.is_empty()))
        .set_syscalls(Some(counting.filter_map(syscall).collect()));
    resolved
}

fn syscall(entry: Entry) -> Option<LinuxSyscall> {
    let names: Vec<String> = entry.names.into_iter().chain(entry.name).collect();
    if names.is_empty() {
        return None;
    }
    let mut syscall = LinuxSyscall::default();
    syscall
        .set_names(names)
        .set_action(entry.action)
        .set_errno_ret(entry.errno_ret)
        .set_args(entry.args.filter(|args| !args.is_empty()));
    Some(syscall)
}

fn counts(entry: &Entry, host: &Host<'_>) -> bool {
    let (wanted, unwanted) = (&entry.includes, &entry.excludes);
    let has = |name: &String| super::process::parse(name).is_ok_and(|one| host.capabilities.contains(&one));
    let is_here = |arches: &[String]| arches.iter().any(|arch| arch == MACHINE.0);
    let reached = |least: &String| release(least).is_some_and(|least| host.kernel >= least);
    let included = (wanted.arches.is_empty() || is_here(&wanted.arches))
        && wanted.caps.iter().all(has)
        && wanted.min_kernel.as_ref().is_none_or(reached);
    let excluded =
        is_here(&unwanted.arches) || unwanted.caps.iter().any(has) || unwanted.min_kernel.as_ref().is_some_and(reached);
    included && !excluded
}

/// Returns the first two numbers of a kernel's release: `6.1.0-18-amd64` is 6.1.
fn release(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(text: &str, capabilities: &[Capability], kernel: (u32, u32)) -> Vec<String> {
        let capabilities = capabilities.iter().copied().collect();
        let resolved = resolve(serde_json::from_str(text).unwrap(), &Host { capabilities: &capabilities, kernel });
        let syscalls = resolved.syscalls().clone().unwrap_or_default();
        syscalls.iter().flat_map(|syscall| syscall.names().clone()).collect()
    }

    #[test]
    fn an_entry_counts_where_its_conditions_hold() {
        let text = r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
            {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
            {"name": "close", "action": "SCMP_ACT_ALLOW", "args": []},
            {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
            {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
            {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
            {"names": ["s390"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["s390x"]}}]}"#;
        assert_eq!(names(text, &[], (4, 7)), ["read", "write", "close", "clone"]);
        assert_eq!(names(text, &[Capability::SysAdmin], (5, 0)), ["read", "write", "close", "mount", "ptrace"]);
    }

    #[test]
    fn what_is_no_profile_is_refused() {
        assert!(check("{}").is_err());
        assert!(check(r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#).is_ok());
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String) {
            let _ = check(&text);
            let _ = release(&text);
        }
    }
}
