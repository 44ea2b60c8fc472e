//! An OCI spec, checked and turned into what init has to do.
//!
//! *Pure*, but for looks at what the host has (cgroups, security modules); runs in the monitor (or the command that
//! execs), before the clone. What the spec asks for and this runtime does not do is refused here by name: nothing is
//! ignored that confines.

mod capabilities;
mod devices;
mod error;
mod id_mappings;
mod labels;
mod memory_policy;
pub(crate) mod mount_options;
mod mounts;
mod namespaces;
mod net_devices;
mod number_set;
mod process;
mod propagation;
mod rlimits;
mod scheduling;
mod supported;
mod sysctls;
mod time;

use std::path::{Path, PathBuf};

use oci_spec::runtime::{ContainerState, Linux, LinuxDeviceCgroup, LinuxDeviceType, LinuxResources, Spec};

use crate::cgroup::{Cgroup, Driver, Unit};
use crate::defaults;
use crate::hooks::{self, Hooks};
use crate::seccomp::listener::Identity;

pub(crate) use capabilities::CapabilitySets;
pub(crate) use devices::Device;
pub use error::PlanError;
use error::check_path;
pub(crate) use id_mappings::IdMappings;

pub(crate) use labels::Labels;
pub(crate) use memory_policy::MemoryPolicy;
pub(crate) use mount_options::MountOptions;
pub(crate) use mounts::{MountKind, MountPlan};
pub(crate) use namespaces::{Join, Namespaces, flag as namespace_flag, name as namespace_name};
pub(crate) use net_devices::NetDevice;
pub(crate) use number_set::NumberSet;
pub(crate) use process::{ProcessPlan, User};
pub(crate) use propagation::Propagation;
pub(crate) use rlimits::Limit;
pub(crate) use scheduling::{Affinity, Scheduler, Scheduling};

/// A container, ready to be made.
#[derive(Debug)]
pub(crate) struct ContainerPlan {
    pub(crate) namespaces: Namespaces,
    /// The maps of the user namespace to make.
    pub(crate) users: Option<IdMappings>,
    /// What `timens_offsets` of the time namespace to make shall say.
    pub(crate) time_offsets: Option<String>,
    pub(crate) cgroup: Cgroup,
    /// The unit whose cgroup that is, when systemd is to make it.
    pub(crate) unit: Option<Unit>,
    pub(crate) resources: LinuxResources,
    /// The spec itself forbids no device.
    pub(crate) devices_implied: bool,
    pub(crate) root: RootPlan,
    pub(crate) mounts: Vec<MountPlan>,
    /// Nodes to make below `/dev`; `None` when `/dev` is somebody's directory, mounted into the container.
    pub(crate) devices: Option<Vec<Device>>,
    pub(crate) masked: Vec<PathBuf>,
    pub(crate) readonly: Vec<PathBuf>,
    /// Paths below `/proc/sys` and values.
    pub(crate) sysctls: Vec<(PathBuf, String)>,
    pub(crate) net_devices: Vec<NetDevice>,
    pub(crate) hostname: Option<String>,
    pub(crate) domainname: Option<String>,
    pub(crate) process: ProcessPlan,
    pub(crate) hooks: Hooks,
}

/// The root filesystem, mounted by the caller.
#[derive(Debug)]
pub(crate) struct RootPlan {
    /// Absolute.
    pub(crate) path: PathBuf,
    pub(crate) readonly: bool,
    pub(crate) propagation: Propagation,
}

/// Plans a container.
pub(crate) fn container(id: &str, spec: &Spec, bundle: &Path, driver: Driver) -> Result<ContainerPlan, PlanError> {
    supported::check(spec)?;
    let process = spec.process().as_ref().ok_or_else(|| PlanError::missing("process"))?;
    let linux = spec.linux().as_ref().ok_or_else(|| PlanError::missing("linux"))?;
    let namespaces = namespaces::plan(linux)?;
    let users = namespaces::id_mappings(linux, &namespaces)?;
    let (cgroup, unit) = cgroup(id, linux, driver)?;
    let mounts = mounts::plan(spec.mounts().as_deref().unwrap_or_default(), bundle, linux.mount_label())?;
    let process = process::plan(process, Some(linux), &cgroup, identity(id, spec, bundle))?;
    check_ids(&namespaces, users.as_ref(), &mounts, &process.user)?;
    Ok(ContainerPlan {
        root: root(spec, linux, bundle)?,
        devices: devices::plan(linux, &mounts)?,
        masked: paths("linux.maskedPaths", linux.masked_paths())?,
        readonly: paths("linux.readonlyPaths", linux.readonly_paths())?,
        sysctls: sysctls::plan(linux, &namespaces)?,
        net_devices: net_devices::plan(linux, &namespaces)?,
        hostname: host_name("hostname", spec.hostname(), &namespaces)?,
        domainname: host_name("domainname", spec.domainname(), &namespaces)?,
        time_offsets: time::plan(linux, &namespaces)?,
        process,
        users,
        resources: resources(linux),
        devices_implied: linux
            .resources()
            .as_ref()
            .is_none_or(|all| all.devices().iter().flatten().all(|rule| rule.allow())),
        unit,
        hooks: hooks::plan(spec.hooks().as_ref())?,
        namespaces,
        cgroup,
        mounts,
    })
}

/// Plans another process of a container.
///
/// `init` is the pid of the container's first process. An agent learns the container's id from the last part of its
/// cgroup's path, which is all that is known of it here.
pub(crate) fn process(
    container: &Spec,
    process: &oci_spec::runtime::Process,
    cgroup: &Cgroup,
    init: i32,
) -> Result<ProcessPlan, PlanError> {
    supported::check_process(process)?;
    let id = cgroup.path().rsplit(['/', ':']).next().unwrap_or_default();
    let identity =
        Identity { status: ContainerState::Running, init: Some(init), ..identity(id, container, Path::new("")) };
    let mut plan = process::plan(process, container.linux().as_ref(), cgroup, identity)?;
    plan.affinity = scheduling::affinity(process.exec_cpu_affinity().as_ref())?;
    Ok(plan)
}

fn identity(id: &str, spec: &Spec, bundle: &Path) -> Identity {
    let (annotations, status) = (spec.annotations().clone(), ContainerState::Created);
    Identity { id: id.to_owned(), bundle: bundle.to_owned(), annotations, status, init: None }
}

/// Ids must exist in the user namespace, and maps of a mount must come from somewhere.
fn check_ids(
    namespaces: &Namespaces,
    users: Option<&IdMappings>,
    mounts: &[MountPlan],
    user: &User,
) -> Result<(), PlanError> {
    let own = namespaces.is_own(libc::CLONE_NEWUSER);
    let lacks = |mount: &MountPlan| mount.id_map.as_ref().is_some_and(|map| map.mappings.is_none() && !own);
    if let Some(index) = mounts.iter().position(lacks) {
        let why = "the container has no user namespace, and the mount no maps of its own";
        return Err(PlanError::invalid(format!("mounts[{index}].options"), "idmap", why));
    }
    let Some(users) = users else { return Ok(()) };
    let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
    let unmapped = |field, id: u32| Err(PlanError::invalid(field, id, "it is not mapped in the user namespace"));
    match (users.outside_uid(uid), users.outside_gid(gid)) {
        (None, _) => unmapped("process.user.uid", uid),
        (_, None) => unmapped("process.user.gid", gid),
        _ => Ok(()),
    }
}

/// Returns the limits, with device rules that begin with "nothing" and end with what every container may use.
///
/// The specification obliges to supply the default devices (config-linux.md, "Default Devices"), which are of no use if
/// they may not be opened; engines send a list that leaves them out, as runc adds them. Who may use everything needs no
/// such list.
fn resources(linux: &Linux) -> LinuxResources {
    let mut resources = linux.resources().clone().unwrap_or_default();
    let own = resources.devices().clone().unwrap_or_default();
    if !own.last().is_some_and(allows_everything) {
        let mut rules = defaults::devices();
        let usable = rules.split_off(1);
        if own.first() == rules.first() {
            rules.clear();
        }
        // what is allowed after all that is forbidden is in force, and need not be said again
        let allowed = own.iter().rposition(|rule| !rule.allow()).map_or(0, |last| last + 1);
        let missing: Vec<_> = usable.into_iter().filter(|rule| !own[allowed..].contains(rule)).collect();
        rules.extend(own);
        rules.extend(missing);
        resources.set_devices(Some(rules));
    }
    resources
}

fn allows_everything(rule: &LinuxDeviceCgroup) -> bool {
    let any = |number: Option<i64>| number.is_none_or(|number| number < 0);
    let all_kinds = matches!(rule.typ(), None | Some(LinuxDeviceType::A));
    let all_access =
        rule.access().as_deref().is_none_or(|access| access.is_empty() || "rwm".chars().all(|c| access.contains(c)));
    rule.allow() && all_kinds && any(rule.major()) && any(rule.minor()) && all_access
}

fn cgroup(id: &str, linux: &Linux, driver: Driver) -> Result<(Cgroup, Option<Unit>), PlanError> {
    let path = linux.cgroups_path().as_ref().map(|path| path.to_str().ok_or(path)).transpose();
    let path = path.map_err(|path| PlanError::invalid("linux.cgroupsPath", path.display(), "it is not UTF-8"))?;
    if driver == Driver::Systemd {
        let unit = Unit::plan(path.filter(|path| !path.is_empty()), id)?;
        return Ok((unit.cgroup().clone(), Some(unit)));
    }
    // A relative path is the runtime's to place (config-linux.md, "Cgroups Path").
    let path = match path.filter(|path| !path.is_empty()) {
        Some(path) if path.starts_with('/') => path.to_owned(),
        Some(path) => format!("/lighter/{path}"),
        None => format!("/lighter/{id}"),
    };
    if path.chars().any(char::is_control) {
        return Err(PlanError::invalid("linux.cgroupsPath", path, "it has a control character"));
    }
    Ok((Cgroup::open(&path)?, None))
}

fn root(spec: &Spec, linux: &Linux, bundle: &Path) -> Result<RootPlan, PlanError> {
    let root = spec.root().as_ref().ok_or_else(|| PlanError::missing("root"))?;
    check_path("root.path", root.path())?;
    let path = bundle.join(root.path());
    if !path.is_absolute() {
        return Err(PlanError::invalid("root.path", path.display(), "the bundle must be an absolute path"));
    }
    let propagation = Propagation::read(linux.rootfs_propagation().as_deref())?;
    Ok(RootPlan { path, readonly: root.readonly().unwrap_or(false), propagation })
}

fn paths(field: &'static str, paths: &Option<Vec<String>>) -> Result<Vec<PathBuf>, PlanError> {
    let check = |path: &String| {
        let absolute = Path::new(path).is_absolute() && !path.contains('\0');
        absolute.then(|| path.into()).ok_or_else(|| PlanError::invalid(field, path, "it is not absolute"))
    };
    paths.iter().flatten().map(check).collect()
}

fn host_name(field: &'static str, name: &Option<String>, namespaces: &Namespaces) -> Result<Option<String>, PlanError> {
    let Some(name) = name.as_ref().filter(|name| !name.is_empty()) else { return Ok(None) };
    if !namespaces.is_own(libc::CLONE_NEWUTS) {
        return Err(PlanError::invalid(field, name, "it would rename the host: there is no uts namespace of its own"));
    }
    if name.chars().any(char::is_control) || name.len() > 64 {
        return Err(PlanError::invalid(field, name.escape_default(), "it is longer than 64 bytes or not printable"));
    }
    Ok(Some(name.clone()))
}

#[cfg(test)]
mod tests;
