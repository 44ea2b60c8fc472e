//! What a process of a container runs, and as whom.
//!
//! *Pure.*

use std::ffi::CString;
use std::path::PathBuf;

use nix::unistd::{Gid, Uid};
use oci_spec::runtime::{Linux, LinuxPersonalityDomain, Process};

use super::{
    Affinity, CapabilitySets, Labels, Limit, MemoryPolicy, PlanError, Scheduling, capabilities, labels, memory_policy,
    rlimits, scheduling,
};
use crate::cgroup::Cgroup;
use crate::seccomp::listener::{Agent, Identity};
use crate::seccomp::{self, Filter};

/// The permission bits a new file lacks when the spec does not say: what login shells set.
const DEFAULT_UMASK: u32 = 0o022;

/// A process, ready to be started.
#[derive(Debug)]
pub(crate) struct ProcessPlan {
    /// At least one, the program first.
    pub(crate) args: Vec<CString>,
    /// `NAME=value`; each name once.
    pub(crate) env: Vec<CString>,
    /// Absolute.
    pub(crate) cwd: PathBuf,
    pub(crate) user: User,
    pub(crate) umask: u32,
    pub(crate) capabilities: CapabilitySets,
    pub(crate) no_new_privileges: bool,
    pub(crate) filter: Option<Filter>,
    /// Who answers for calls that the filter hands on.
    pub(crate) agent: Option<Agent>,
    pub(crate) rlimits: Vec<Limit>,
    pub(crate) oom_score_adj: Option<i32>,
    pub(crate) scheduling: Scheduling,
    /// Processors of a process that joins a container.
    pub(crate) affinity: Affinity,
    /// `PER_*` (personality(2)).
    pub(crate) personality: Option<u64>,
    pub(crate) memory_policy: Option<MemoryPolicy>,
    pub(crate) labels: Labels,
    /// The name of the container's session keyring.
    pub(crate) keyring: CString,
}

/// The identity of a process, by numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: Uid,
    pub(crate) gid: Gid,
    pub(crate) additional: Vec<Gid>,
}

impl ProcessPlan {
    /// Returns the value of an environment variable.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        let value = |entry: &'_ CString| entry.to_str().ok()?.strip_prefix(name)?.strip_prefix('=').map(str::len);
        let entry = self.env.iter().find(|entry| value(entry).is_some())?;
        entry.to_str().ok().map(|entry| &entry[name.len() + 1..])
    }
}

/// Plans a process of the container whose cgroup is `cgroup`.
pub(super) fn plan(
    process: &Process,
    linux: Option<&Linux>,
    cgroup: &Cgroup,
    container: Identity,
) -> Result<ProcessPlan, PlanError> {
    if !process.cwd().is_absolute() {
        return Err(PlanError::invalid("process.cwd", process.cwd().display(), "it is not absolute"));
    }
    let adjustment = process.oom_score_adj();
    if adjustment.is_some_and(|adjustment| !(-1000..=1000).contains(&adjustment)) {
        let value = adjustment.unwrap_or_default();
        return Err(PlanError::invalid("process.oomScoreAdj", value, "it must be between -1000 and 1000"));
    }
    let profile = linux.and_then(|linux| linux.seccomp().as_ref());
    let filter = profile.map(seccomp::compile).transpose()?;
    let hands_on = filter.as_ref().is_some_and(|filter| filter.listener);
    Ok(ProcessPlan {
        agent: profile.filter(|_| hands_on).and_then(|profile| Agent::of(profile, container)),
        args: args(process)?,
        env: env(process)?,
        cwd: process.cwd().clone(),
        user: user(process)?,
        umask: process.user().umask().unwrap_or(DEFAULT_UMASK) & 0o777,
        capabilities: capabilities::plan(process.capabilities().as_ref())?,
        no_new_privileges: process.no_new_privileges().unwrap_or(false),
        filter,
        rlimits: rlimits::plan(process.rlimits().as_deref().unwrap_or_default())?,
        oom_score_adj: adjustment,
        scheduling: scheduling::plan(process)?,
        affinity: Affinity::default(),
        personality: linux.map_or(Ok(None), personality)?,
        memory_policy: linux.and_then(|linux| linux.memory_policy().as_ref()).map(memory_policy::plan).transpose()?,
        labels: labels::plan(process)?,
        keyring: keyring(cgroup)?,
    })
}

/// Returns the execution domain; the specification has no flags for it.
fn personality(linux: &Linux) -> Result<Option<u64>, PlanError> {
    let Some(personality) = linux.personality() else { return Ok(None) };
    if let Some(flag) = personality.flags().iter().flatten().next() {
        return Err(PlanError::invalid("linux.personality.flags", flag.escape_default(), "no flag is defined"));
    }
    // `linux/personality.h`
    Ok(Some(match personality.domain() {
        LinuxPersonalityDomain::PerLinux => 0x0,
        LinuxPersonalityDomain::PerLinux32 => 0x8,
    }))
}

fn string(field: &'static str, text: &str) -> Result<CString, PlanError> {
    CString::new(text).map_err(|_| PlanError::invalid(field, text.escape_default(), "it contains a NUL"))
}

fn args(process: &Process) -> Result<Vec<CString>, PlanError> {
    let args = process.args().as_deref().filter(|args| !args.is_empty());
    let args = args.ok_or_else(|| PlanError::missing("process.args"))?;
    args.iter().map(|argument| string("process.args", argument)).collect()
}

/// Keeps the last of several values of one name, at the place of the first.
fn env(process: &Process) -> Result<Vec<CString>, PlanError> {
    let mut entries: Vec<(&str, &str)> = Vec::new();
    for entry in process.env().iter().flatten() {
        let (name, _) = entry.split_once('=').unwrap_or((entry, ""));
        if name.is_empty() {
            return Err(PlanError::invalid("process.env", entry.escape_default(), "it has no name"));
        }
        match entries.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = entry,
            None => entries.push((name, entry)),
        }
    }
    entries.iter().map(|(_, entry)| string("process.env", entry)).collect()
}

/// The kernel keeps `uid_t` -1 for "leave it as it is": no identity (setresuid(2)).
fn user(process: &Process) -> Result<User, PlanError> {
    let user = process.user();
    let groups = user.additional_gids().as_deref().unwrap_or_default();
    if [user.uid(), user.gid()].iter().chain(groups).any(|id| *id == u32::MAX) {
        return Err(PlanError::invalid("process.user", u32::MAX, "it is no valid id"));
    }
    let additional = groups.iter().copied().map(Gid::from_raw).collect();
    Ok(User { uid: Uid::from_raw(user.uid()), gid: Gid::from_raw(user.gid()), additional })
}

/// The init and later processes of one container find the same keyring by this name.
fn keyring(cgroup: &Cgroup) -> Result<CString, PlanError> {
    string("linux.cgroupsPath", &format!("lighter:{}", cgroup.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(json: &str) -> Result<ProcessPlan, PlanError> {
        let container = Identity {
            id: "test".to_owned(),
            bundle: "/".into(),
            annotations: None,
            status: oci_spec::runtime::ContainerState::Created,
            init: None,
        };
        plan(&serde_json::from_str(json).unwrap(), None, &Cgroup::open("/lighter/test").unwrap(), container)
    }

    #[test]
    fn the_last_value_of_a_variable_counts() {
        let plan =
            planned(r#"{"user":{"uid":0,"gid":0},"cwd":"/","args":["sh"],"env":["A=1","PATH=/bin","A=2","B=x=y"]}"#)
                .unwrap();
        assert_eq!(plan.env, [c"A=2".into(), c"PATH=/bin".into(), c"B=x=y".into()] as [CString; 3]);
        assert_eq!(plan.variable("B"), Some("x=y"));
        assert_eq!(plan.variable("PAT"), None);
    }

    #[test]
    fn nonsense_is_refused() {
        for json in [
            r#"{"user":{"uid":0,"gid":0},"cwd":"/","args":[]}"#,
            r#"{"user":{"uid":0,"gid":0},"cwd":"tmp","args":["sh"]}"#,
            r#"{"user":{"uid":4294967295,"gid":0},"cwd":"/","args":["sh"]}"#,
            r#"{"user":{"uid":0,"gid":0},"cwd":"/","args":["a\u0000b"]}"#,
            r#"{"user":{"uid":0,"gid":0},"cwd":"/","args":["sh"],"env":["=x"]}"#,
            r#"{"user":{"uid":0,"gid":0},"cwd":"/","args":["sh"],"oomScoreAdj":2000}"#,
        ] {
            assert!(planned(json).is_err(), "{json}");
        }
    }
}
