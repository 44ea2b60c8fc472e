//! An OCI spec, checked and turned into what init has to do.
//!
//! *Pure*; runs in the monitor (or the command that execs), before the clone. What the spec asks for
//! and this runtime does not do is refused here by name: nothing is ignored that confines.

mod capabilities;
mod devices;
mod error;
pub(crate) mod mount_options;
mod mounts;
mod namespaces;
mod process;
mod rlimits;
mod supported;
mod sysctls;

use std::path::{Path, PathBuf};

use nix::mount::MsFlags;
use oci_spec::runtime::{Linux, LinuxResources, Spec};

use crate::cgroup::Cgroup;
use crate::defaults;
use crate::hooks::{self, Hooks};

pub(crate) use capabilities::CapabilitySets;
pub(crate) use devices::Device;
pub use error::PlanError;

pub(crate) use mount_options::MountOptions;
pub(crate) use mounts::{MountKind, MountPlan};
pub(crate) use namespaces::{Join, Namespaces, name as namespace_name};
pub(crate) use process::{ProcessPlan, User};
pub(crate) use rlimits::Limit;

/// A container, ready to be made.
#[derive(Debug)]
pub(crate) struct ContainerPlan {
    pub(crate) namespaces: Namespaces,
    pub(crate) cgroup: Cgroup,
    pub(crate) resources: LinuxResources,
    pub(crate) root: RootPlan,
    pub(crate) mounts: Vec<MountPlan>,
    /// Nodes to make below `/dev`; `None` when `/dev` is somebody's directory, mounted into the container.
    pub(crate) devices: Option<Vec<Device>>,
    pub(crate) masked: Vec<PathBuf>,
    pub(crate) readonly: Vec<PathBuf>,
    /// Paths below `/proc/sys` and values.
    pub(crate) sysctls: Vec<(PathBuf, String)>,
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
    /// How mounts of the host reach the container and back: MS_SLAVE, MS_PRIVATE, …, with MS_REC.
    pub(crate) propagation: MsFlags,
}

/// Plans a container.
pub(crate) fn container(id: &str, spec: &Spec, bundle: &Path) -> Result<ContainerPlan, PlanError> {
    supported::check(spec)?;
    let process = spec.process().as_ref().ok_or(PlanError::Missing("process"))?;
    let linux = spec.linux().as_ref().ok_or(PlanError::Missing("linux"))?;
    let namespaces = namespaces::plan(linux)?;
    let cgroup = cgroup(id, linux)?;
    let mounts = mounts::plan(spec.mounts().as_deref().unwrap_or_default(), bundle)?;
    Ok(ContainerPlan {
        root: root(spec, linux, bundle)?,
        devices: devices::plan(linux, &mounts)?,
        masked: paths("linux.maskedPaths", linux.masked_paths())?,
        readonly: paths("linux.readonlyPaths", linux.readonly_paths())?,
        sysctls: sysctls::plan(linux, &namespaces)?,
        hostname: host_name("hostname", spec.hostname(), &namespaces)?,
        domainname: host_name("domainname", spec.domainname(), &namespaces)?,
        process: process::plan(process, linux.seccomp().as_ref(), &cgroup)?,
        resources: resources(linux),
        hooks: hooks::plan(spec.hooks().as_ref())?,
        namespaces,
        cgroup,
        mounts,
    })
}

/// Plans another process of a container.
pub(crate) fn process(
    container: &Spec,
    process: &oci_spec::runtime::Process,
    cgroup: &Cgroup,
) -> Result<ProcessPlan, PlanError> {
    supported::check_process(process)?;
    let seccomp = container.linux().as_ref().and_then(|linux| linux.seccomp().as_ref());
    process::plan(process, seccomp, cgroup)
}

/// Returns the limits, with device rules that begin with "nothing" and end with what every container may use.
///
/// The specification obliges to supply the default devices (config-linux.md, "Default Devices"), which are of no use if
/// they may not be opened; engines send a list that leaves them out, as runc adds them.
fn resources(linux: &Linux) -> LinuxResources {
    let mut resources = linux.resources().clone().unwrap_or_default();
    let mut rules = defaults::devices();
    let usable = rules.split_off(1);
    rules.extend(resources.devices().iter().flatten().cloned());
    rules.extend(usable);
    resources.set_devices(Some(rules));
    resources
}

fn cgroup(id: &str, linux: &Linux) -> Result<Cgroup, PlanError> {
    let path = match linux.cgroups_path() {
        Some(path) => path.to_str().map(str::to_owned),
        None => Some(format!("/lighter/{id}")),
    };
    let path = path.ok_or_else(|| PlanError::invalid("linux.cgroupsPath", "", "it is not UTF-8"))?;
    Ok(Cgroup::open(&path)?)
}

fn root(spec: &Spec, linux: &Linux, bundle: &Path) -> Result<RootPlan, PlanError> {
    let root = spec.root().as_ref().ok_or(PlanError::Missing("root"))?;
    let path = bundle.join(root.path());
    if !path.is_absolute() {
        return Err(PlanError::invalid("root.path", path.display(), "the bundle must be an absolute path"));
    }
    let propagation = match linux.rootfs_propagation().as_deref() {
        None | Some("" | "rslave") => MsFlags::MS_SLAVE | MsFlags::MS_REC,
        Some("slave") => MsFlags::MS_SLAVE,
        Some("private") => MsFlags::MS_PRIVATE,
        Some("rprivate") => MsFlags::MS_PRIVATE | MsFlags::MS_REC,
        Some(other) => {
            return Err(PlanError::invalid("linux.rootfsPropagation", other, "`rslave` and `rprivate` are supported"));
        }
    };
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
