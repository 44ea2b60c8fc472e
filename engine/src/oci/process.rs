//! The process part of the runtime configuration: of the container's init and of every exec.

use std::collections::HashSet;

use oci_spec::runtime::{
    Capability, LinuxCapabilities, LinuxCapabilitiesBuilder, PosixRlimit, PosixRlimitBuilder, PosixRlimitType, Process,
    ProcessBuilder, User as OciUser, UserBuilder,
};

use super::ConfigError;
use crate::runtime::defaults;
use crate::spec::{ContainerSpec, Isolation, Ulimit};
use crate::user::User;

/// Search path of a container whose image sets none: Docker's.
const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Returns the process of the container's init.
pub(crate) fn process(
    spec: &ContainerSpec,
    hostname: &str,
    user: &User,
    capabilities: &HashSet<Capability>,
) -> Result<Process, ConfigError> {
    let builder = ProcessBuilder::default()
        .terminal(spec.tty)
        .user(identity(user)?)
        .args(spec.args.clone())
        .env(environment(spec, hostname, user))
        .cwd(&spec.working_dir)
        .capabilities(capability_sets(capabilities.clone(), user.uid == 0)?)
        .no_new_privileges(spec.isolation.no_new_privileges)
        .rlimits(spec.isolation.ulimits.iter().map(rlimit).collect::<Result<Vec<_>, _>>()?);
    let builder = match &spec.isolation.apparmor {
        Some(profile) => builder.apparmor_profile(profile),
        None => builder,
    };
    // always said, as the monitor that it is forked from has one of its own
    Ok(builder.oom_score_adj(spec.isolation.oom_score_adj.unwrap_or(0)).build()?)
}

/// Returns the five sets: only root's process keeps what bounds it; for others the bound limits setuid programs.
pub(crate) fn capability_sets(bounding: HashSet<Capability>, is_root: bool) -> Result<LinuxCapabilities, ConfigError> {
    let effective = if is_root { bounding.clone() } else { HashSet::new() };
    Ok(LinuxCapabilitiesBuilder::default()
        .bounding(bounding)
        .permitted(effective.clone())
        .effective(effective)
        .inheritable(HashSet::new())
        .ambient(HashSet::new())
        .build()?)
}

/// Returns a user in the configuration's form.
pub(crate) fn identity(user: &User) -> Result<OciUser, ConfigError> {
    Ok(UserBuilder::default().uid(user.uid).gid(user.gid).additional_gids(user.groups.clone()).build()?)
}

/// Completes the environment with what every process expects: PATH, HOSTNAME, HOME, and TERM on a terminal.
fn environment(spec: &ContainerSpec, hostname: &str, user: &User) -> Vec<String> {
    let mut env = spec.env.clone();
    let defaults = [
        Some(DEFAULT_PATH.to_owned()),
        Some(format!("HOSTNAME={hostname}")),
        Some(format!("HOME={}", user.home)),
        spec.tty.then(|| "TERM=xterm".to_owned()),
    ];
    for default in defaults.into_iter().flatten() {
        let name = default.split('=').next().unwrap_or_default().to_owned() + "=";
        if !env.iter().any(|pair| pair.starts_with(&name)) {
            env.push(default);
        }
    }
    env
}

/// Returns the capabilities that bound every process of the container.
pub(crate) fn capabilities(isolation: &Isolation) -> Result<HashSet<Capability>, ConfigError> {
    let all = || caps::runtime::procfs_all_supported(None).unwrap_or_else(|_| caps::all());
    let all = || all().iter().filter_map(|cap| parse(&cap.to_string()).ok()).collect::<HashSet<_>>();
    let is_all = |name: &String| name.eq_ignore_ascii_case("ALL");
    let mut set = if isolation.privileged { all() } else { defaults::capabilities() };
    if isolation.cap_drop.iter().any(is_all) {
        set.clear();
    }
    if isolation.cap_add.iter().any(is_all) {
        set.extend(all());
    }
    for name in isolation.cap_add.iter().filter(|name| !is_all(name)) {
        set.insert(parse(name)?);
    }
    for name in isolation.cap_drop.iter().filter(|name| !is_all(name)) {
        set.remove(&parse(name)?);
    }
    Ok(set)
}

pub(super) fn parse(name: &str) -> Result<Capability, ConfigError> {
    let upper = name.to_ascii_uppercase();
    let name_only = upper.strip_prefix("CAP_").unwrap_or(&upper);
    name_only.parse().map_err(|_| ConfigError::Capability(name.to_owned()))
}

/// Refuses capabilities and limits that there are not, before a container is made for them.
pub(crate) fn check(isolation: &Isolation) -> Result<(), ConfigError> {
    capabilities(isolation)?;
    isolation.ulimits.iter().try_for_each(|limit| rlimit(limit).map(drop))
}

fn rlimit(limit: &Ulimit) -> Result<PosixRlimit, ConfigError> {
    let name = format!("RLIMIT_{}", limit.name.to_ascii_uppercase());
    let kind: PosixRlimitType =
        serde_json::from_value(serde_json::Value::String(name)).map_err(|_| ConfigError::Ulimit(limit.name.clone()))?;
    Ok(PosixRlimitBuilder::default().typ(kind).soft(limit.soft).hard(limit.hard).build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(add: &[&str], drop: &[&str]) -> HashSet<Capability> {
        let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        capabilities(&Isolation { cap_add: texts(add), cap_drop: texts(drop), ..Isolation::default() }).unwrap()
    }

    #[test]
    fn capabilities_are_added_to_and_dropped_from_the_default_set() {
        assert_eq!(with(&[], &[]).len(), 14);
        assert_eq!(with(&[], &["ALL"]), HashSet::new());
        assert_eq!(with(&["NET_ADMIN"], &["all"]), HashSet::from([Capability::NetAdmin]));
        assert!(!with(&[], &["cap_chown"]).contains(&Capability::Chown));
        assert!(with(&["ALL"], &["SYS_ADMIN"]).contains(&Capability::SysTime));
        assert!(!with(&["ALL"], &["SYS_ADMIN"]).contains(&Capability::SysAdmin));
    }

    #[test]
    fn an_unknown_capability_is_refused() {
        let isolation = Isolation { cap_drop: vec!["FLY".into()], ..Isolation::default() };
        assert!(matches!(capabilities(&isolation), Err(ConfigError::Capability(name)) if name == "FLY"));
    }
}
