//! From `run`'s flags to what separates the container from the host.

use std::path::Path;

use lighter_engine::{Engine, Ipc, Isolation, Namespace};

use super::specification::pairs;
use super::{RunFlags, parse};
use crate::context::Context;
use crate::error::Failure;

/// Returns the privileges and namespaces.
pub(super) fn isolation(ctx: &Context, engine: &Engine, flags: &RunFlags) -> Result<Isolation, Failure> {
    let wishes = &flags.isolation;
    let mut isolation = Isolation {
        privileged: wishes.privileged,
        cap_add: wishes.cap_add.clone(),
        cap_drop: wishes.cap_drop.clone(),
        read_only: flags.mounts.read_only,
        ulimits: flags.limits.ulimit.iter().map(|text| parse::ulimit(text)).collect::<Result<_, _>>()?,
        sysctls: pairs("--sysctl", &wishes.sysctl)?,
        device_rules: wishes.device_cgroup_rule.clone(),
        pid: namespace(engine, "--pid", wishes.pid.as_deref())?,
        ipc: ipc(engine, wishes.ipc.as_deref())?,
        uts: namespace(engine, "--uts", wishes.uts.as_deref())?,
        own_users: wishes.userns.as_deref() == Some("private"),
        host_cgroup: wishes.cgroupns.as_deref() == Some("host"),
        oom_score_adj: flags.limits.oom_score_adj,
        ..Isolation::default()
    };
    for option in &wishes.security_opt {
        match seccomp_file(option) {
            Some(path) => isolation.seccomp_profile = Some(seccomp_profile(&ctx.invocation.path(path))?),
            None => isolation.apply_security_option(option)?,
        }
    }
    Ok(isolation)
}

/// Returns the file that an option names.
pub(crate) fn seccomp_file(option: &str) -> Option<&Path> {
    let (name, value) = option.split_once(['=', ':'])?;
    (name == "seccomp" && !matches!(value, "unconfined" | "builtin")).then(|| Path::new(value))
}

/// Reads and checks a seccomp profile.
pub(crate) fn seccomp_profile(path: &Path) -> Result<String, Failure> {
    let wrong = |why: String| Failure::text(format!("read the seccomp profile `{}`: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    lighter_engine::check_seccomp_profile(&text).map_err(|error| wrong(error.to_string()))?;
    Ok(text)
}

fn namespace(engine: &Engine, flag: &str, whose: Option<&str>) -> Result<Namespace, Failure> {
    Ok(match whose {
        None | Some("" | "private") => Namespace::Private,
        Some("host") => Namespace::Host,
        Some(text) => Namespace::Container(other(engine, flag, text, "private, host or container:NAME")?),
    })
}

fn ipc(engine: &Engine, whose: Option<&str>) -> Result<Ipc, Failure> {
    Ok(match whose {
        None | Some("" | "private") => Ipc::Private,
        Some("shareable") => Ipc::Shareable,
        Some("none") => Ipc::None,
        Some("host") => Ipc::Host,
        Some(text) => Ipc::Container(other(engine, "--ipc", text, "private, shareable, none, host or container:NAME")?),
    })
}

/// Returns the id of the container whose namespace is meant.
fn other(engine: &Engine, flag: &str, text: &str, known: &str) -> Result<String, Failure> {
    match text.strip_prefix("container:") {
        Some(name) => Ok(engine.find(name)?.id),
        None => Err(Failure::text(format!("{flag} `{text}`: use {known}"))),
    }
}
