//! From a [`ContainerSpec`] to the OCI runtime configuration that the runtime executes. Runs in the monitor.
//!
//! The result is also written to the run directory as `config.json`, so that what was asked of the kernel can be read.

mod mounts;
mod process;
mod resources;
mod seccomp;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use oci_spec::OciSpecError;
use oci_spec::runtime::{
    Capability, Linux, LinuxBuilder, LinuxDevice, LinuxNamespaceBuilder, LinuxNamespaceType, RootBuilder, Spec,
    SpecBuilder,
};

use crate::etc::EtcFiles;
use crate::joined::Joined;
use crate::runtime::defaults;
use crate::spec::{ContainerSpec, Ipc, Isolation, Mount, MountKind, Namespace};
use crate::user::User;
use crate::users::IdRange;

use process::process;
pub(crate) use process::{capabilities, capability_sets, check, identity};
pub(crate) use resources::device;
pub(crate) use resources::{limits, with_limits};
pub use seccomp::check as check_seccomp;

/// Why a specification has no runtime configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No such capability.
    #[error("`{0}` is no capability")]
    Capability(String),
    /// No such resource limit.
    #[error("`{0}` is no ulimit")]
    Ulimit(String),
    /// No rule of devices.
    #[error("`{0}` is no device rule: use TYPE MAJOR:MINOR ACCESS, as `c 10:229 rw`")]
    DeviceRule(String),
    /// No seccomp profile.
    #[error("read the seccomp profile")]
    Seccomp(#[source] serde_json::Error),
    /// A kernel parameter that is not the container's own.
    #[error("sysctl `{name}` is not allowed: {why}")]
    Sysctl {
        /// The parameter.
        name: String,
        /// Whose it is.
        why: &'static str,
    },
    /// A device could not be examined.
    #[error("make device `{path}` available")]
    Device {
        /// Path on the host.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The parts do not fit together.
    #[error("assemble the runtime configuration")]
    Build(#[from] OciSpecError),
}

/// What the configuration needs beside the specification.
pub(crate) struct Context<'a> {
    pub(crate) spec: &'a ContainerSpec,
    pub(crate) rootfs: &'a Path,
    pub(crate) hostname: &'a str,
    /// The namespace to join; `None` = the host's.
    pub(crate) network: Option<&'a Path>,
    /// Namespaces of other containers to join.
    pub(crate) joined: &'a Joined,
    pub(crate) cgroup: &'a str,
    pub(crate) etc: &'a EtcFiles,
    pub(crate) user: &'a User,
    /// Its users' ids on the host and the file of their namespace, if it has some of its own.
    pub(crate) users: Option<(IdRange, PathBuf)>,
    /// Sources of the mounts in `spec.mounts`, in that order; `None` for tmpfs.
    pub(crate) sources: &'a [Option<PathBuf>],
}

/// Version of the specification that other runtimes are told: crun refuses those that are newer than it is, and whatever it
/// says, a runtime does of a configuration what it knows.
const FOREIGN_VERSION: &str = "1.0.2";

/// Assembles the runtime configuration.
pub(crate) fn config(context: &Context<'_>) -> Result<Spec, ConfigError> {
    let spec = context.spec;
    let capabilities = capabilities(&spec.isolation)?;
    let mut builder = SpecBuilder::default()
        .version(if spec.runtime.is_some() { FOREIGN_VERSION } else { "1.2.0" })
        .root(RootBuilder::default().path(context.rootfs).readonly(spec.isolation.read_only).build()?)
        .process(process(spec, context.hostname, context.user, &capabilities)?)
        .mounts(mounts::mounts(context)?)
        .annotations(spec.annotations.clone().into_iter().collect::<std::collections::HashMap<_, _>>())
        .linux(linux(context, &capabilities)?);
    // a name set in a namespace of somebody else's would be set for them
    if spec.isolation.uts == Namespace::Private {
        builder = builder.hostname(context.hostname);
        if let Some(domain) = &spec.domainname {
            builder = builder.domainname(domain);
        }
    }
    let mut config = builder.build()?;
    if spec.isolation.uts != Namespace::Private {
        config.set_hostname(None); // oci-spec's default has one, and it would be set for all who share the namespace
    }
    Ok(config)
}

/// Returns what of the specification this host cannot give, one sentence each, where Docker goes on without it.
pub(crate) fn warnings(spec: &ContainerSpec) -> Vec<String> {
    let spared = spec.resources.oom_kill_disable && !resources::can_disable_oom_kill();
    let text =
        "the kernel cannot spare a container when memory runs out (cgroup version 2): oom_kill_disable is left out";
    spared.then(|| text.to_owned()).into_iter().collect()
}

fn linux(context: &Context<'_>, capabilities: &HashSet<Capability>) -> Result<Linux, ConfigError> {
    let isolation = &context.spec.isolation;
    let sysctls = context.spec.isolation.sysctls.iter();
    check_sysctls(isolation, context.network.is_some())?;
    let mut linux = LinuxBuilder::default()
        .namespaces(namespaces(context)?)
        .cgroups_path(context.cgroup)
        .resources(resources::resources(context.spec)?)
        .devices(devices(context.spec)?)
        .sysctl(
            sysctls.map(|(name, value)| (name.clone(), value.clone())).collect::<std::collections::HashMap<_, _>>(),
        );
    let is_shared =
        |mount: &Mount| matches!(mount.kind, MountKind::Bind { propagation, .. } if propagation.is_shared());
    if context.spec.mounts.iter().any(is_shared) {
        // else all mounts are cut off from the host's first, and none would ever reach it
        linux = linux.rootfs_propagation("shared");
    }
    let open = isolation.privileged || isolation.paths_unconfined;
    linux = linux.masked_paths(if open { Vec::new() } else { defaults::masked_paths() });
    linux = linux.readonly_paths(if open { Vec::new() } else { defaults::readonly_paths() });
    if let Some(text) = isolation.seccomp_profile.as_ref().filter(|_| !isolation.seccomp_unconfined) {
        linux = linux.seccomp(seccomp::profile(text, capabilities)?);
    } else if !isolation.privileged && !isolation.seccomp_unconfined {
        linux = linux.seccomp(defaults::seccomp(capabilities));
    }
    Ok(linux.build()?)
}

fn namespaces(context: &Context<'_>) -> Result<Vec<oci_spec::runtime::LinuxNamespace>, ConfigError> {
    let isolation = &context.spec.isolation;
    let joined = context.joined;
    let mut wanted = vec![(LinuxNamespaceType::Mount, None)];
    let not_the_hosts = [
        (isolation.pid != Namespace::Host, LinuxNamespaceType::Pid),
        (isolation.ipc != Ipc::Host, LinuxNamespaceType::Ipc),
        (isolation.uts != Namespace::Host, LinuxNamespaceType::Uts),
        (!isolation.host_cgroup, LinuxNamespaceType::Cgroup),
    ];
    wanted.extend(not_the_hosts.into_iter().filter(|one| one.0).map(|(_, kind)| (kind, joined.namespace(kind))));
    if let Some(path) = context.network {
        wanted.push((LinuxNamespaceType::Network, Some(path)));
    }
    if let Some((_, path)) = &context.users {
        wanted.push((LinuxNamespaceType::User, Some(path)));
    }
    let build = |(kind, path): (LinuxNamespaceType, Option<&Path>)| {
        let builder = LinuxNamespaceBuilder::default().typ(kind);
        path.into_iter().fold(builder, |builder, path| builder.path(path)).build()
    };
    Ok(wanted.into_iter().map(build).collect::<Result<_, _>>()?)
}

/// Refuses every kernel parameter that would change the host: only those of a namespace of the container's own pass.
fn check_sysctls(isolation: &Isolation, own_network: bool) -> Result<(), ConfigError> {
    const IPC: [&str; 9] = [
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.sem",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
        "kernel.shm_rmid_forced",
        "fs.mqueue",
    ];
    for name in isolation.sysctls.keys() {
        let dotted = name.replace('/', ".");
        let refuse = |why| Err(ConfigError::Sysctl { name: name.clone(), why });
        if dotted.starts_with("net.") {
            if !own_network {
                return refuse("it would change the host's network, which the container shares");
            }
        } else if IPC.iter().any(|known| dotted == *known || dotted.starts_with(&format!("{known}."))) {
            if matches!(isolation.ipc, Ipc::Host | Ipc::Container(_)) {
                return refuse("it would change an ipc namespace that the container shares");
            }
        } else {
            return refuse("it belongs to the whole host, not to a namespace");
        }
    }
    Ok(())
}

fn devices(spec: &ContainerSpec) -> Result<Vec<LinuxDevice>, ConfigError> {
    spec.devices.iter().map(|device| resources::device(&device.source, Path::new(&device.target))).collect()
}
