//! Effects, made of what the places that have them have at hand. Only where steps are recorded.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};

use caps::{Capability, CapsHashSet};
use nix::sys::stat::{SFlag, major, minor};

use super::{Effect, Target};
use crate::plan::{
    CapabilitySets, Device, Limit, MountOptions, NetDevice, ProcessPlan, User, mount_options, namespace_name,
};
use crate::sys::mount::Attributes;
use crate::sys::namespace::CLONE_NEWTIME;

/// Kinds of namespaces, in the order of unshare(1)'s manual.
const NAMESPACES: [i32; 8] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWCGROUP,
    CLONE_NEWTIME,
];

/// Returns a path as text.
pub(crate) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Returns where a descriptor leads, by the procfs at hand; nothing where there is none.
fn path_of(descriptor: BorrowedFd<'_>) -> PathBuf {
    std::fs::read_link(format!("/proc/self/fd/{}", descriptor.as_raw_fd())).unwrap_or_default()
}

fn kinds(flags: u64) -> Vec<String> {
    let asked = NAMESPACES.into_iter().filter(|kind| flags & kind.cast_unsigned() as u64 != 0);
    asked.map(|kind| namespace_name(kind).to_owned()).collect()
}

impl Effect {
    pub(crate) fn clone_process(namespaces: u64, cgroup: Option<BorrowedFd<'_>>) -> Self {
        Self::Clone { namespaces: kinds(namespaces), cgroup: cgroup.map(|cgroup| text(&path_of(cgroup))) }
    }

    pub(crate) fn unshare(flags: i32) -> Self {
        Self::Unshare { namespaces: kinds(flags.cast_unsigned().into()) }
    }

    pub(crate) fn join(kind: i32, file: impl AsFd) -> Self {
        Self::Join { namespace: namespace_name(kind).to_owned(), path: text(&path_of(file.as_fd())) }
    }

    /// Joins several namespaces of the process behind a pidfd, whose number fdinfo has (proc_pid_fdinfo(5)).
    pub(crate) fn join_process(kinds_of: i32, pidfd: impl AsFd) -> Self {
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_fd().as_raw_fd()));
        let info = info.unwrap_or_default();
        let pid = info.lines().find_map(|line| line.strip_prefix("Pid:")).map_or("", str::trim);
        Self::Join { namespace: kinds(kinds_of.cast_unsigned().into()).join(","), path: format!("/proc/{pid}/ns") }
    }

    pub(crate) fn directory(path: &Path) -> Self {
        Self::MakeDirectory { path: text(path) }
    }

    pub(crate) fn write(path: &Path, value: &str) -> Self {
        Self::Write { path: text(path), value: value.to_owned() }
    }

    /// A write to a file that is open.
    pub(crate) fn write_to(file: impl AsFd, value: &str) -> Self {
        Self::write(&path_of(file.as_fd()), value)
    }

    pub(crate) fn mount(path: &Path, (fstype, source): (&str, &str), options: &MountOptions) -> Self {
        let flags = flags(options.attributes, options.recursive);
        let data = options.data.iter().map(|(key, value)| match value {
            Some(value) => format!("{key}={value}"),
            None => key.clone(),
        });
        Self::Mount {
            fstype: fstype.to_owned(),
            source: source.to_owned(),
            target: Target::in_root(path),
            options: flags.into_iter().chain(data).collect(),
            copy_up: options.copy_up,
        }
    }

    /// A bind mount of what is open at `source`, onto a path beneath the directory that is open at `root`.
    pub(crate) fn bind(
        root: BorrowedFd<'_>,
        (source, path): (BorrowedFd<'_>, &Path),
        recursive: bool,
        (own, below): (Attributes, Attributes),
    ) -> Self {
        let (root, source) = (path_of(root), path_of(source));
        let inside = source.strip_prefix(&root).ok().filter(|_| root != Path::new("/"));
        let source = match inside {
            Some(inside) => Target::in_root(&Path::new("/").join(inside)),
            None => Target::path(&source),
        };
        Self::Bind { source, target: Target::in_root(path), recursive, options: flags(own, below) }
    }

    /// A bind mount that was made of a path of the host.
    pub(crate) fn bind_path(source: &Path, path: &Path, recursive: bool, options: &MountOptions) -> Self {
        let options = flags(options.attributes, options.recursive);
        Self::Bind { source: Target::path(source), target: Target::in_root(path), recursive, options }
    }

    pub(crate) fn remount(path: &Path, own: Attributes) -> Self {
        Self::Remount { target: Target::in_root(path), options: flags(own, Attributes::default()) }
    }

    /// A change of propagation by mount(2)'s flags.
    pub(crate) fn propagate(path: &Path, flags: nix::mount::MsFlags) -> Self {
        let kind = propagation(flags.bits()).unwrap_or("private");
        let below = if flags.contains(nix::mount::MsFlags::MS_REC) { "r" } else { "" };
        Self::Propagate { target: Target::path(path), how: format!("{below}{kind}") }
    }

    pub(crate) fn node(device: &Device) -> Self {
        let kind = match device.kind {
            SFlag::S_IFBLK => 'b',
            SFlag::S_IFIFO => 'p',
            _ => 'c',
        };
        Self::MakeNode {
            target: Target::in_root(&device.path),
            kind,
            major: major(device.number),
            minor: minor(device.number),
            mode: device.mode,
            uid: device.uid,
            gid: device.gid,
        }
    }

    pub(crate) fn link(path: &Path, to: &Path) -> Self {
        Self::Link { target: Target::in_root(path), to: text(to) }
    }

    pub(crate) fn keyring(name: &CStr) -> Self {
        Self::JoinKeyring { name: name.to_string_lossy().into_owned() }
    }

    /// A parameter by its path below `/proc/sys`.
    pub(crate) fn sysctl(path: &Path, value: &str) -> Self {
        // A dot in a name of the path, of a VLAN's device for one, is a slash in the name of the parameter (sysctl(8)).
        let swap = |c| match c {
            '/' => '.',
            '.' => '/',
            c => c,
        };
        Self::SetSysctl { name: text(path).chars().map(swap).collect(), value: value.to_owned() }
    }

    pub(crate) fn limit(limit: &Limit) -> Self {
        let finite = |value: u64| (value != libc::RLIM_INFINITY).then_some(value);
        let (soft, hard) = (finite(limit.soft), finite(limit.hard));
        Self::SetLimit { resource: limit.name.to_owned(), soft, hard }
    }

    /// Network devices of the host go to process `pid`; what addresses they had, they get again.
    pub(crate) fn move_devices(devices: &[NetDevice], pid: i32) -> Self {
        let commands = |device: &NetDevice| {
            let (host, container) = (super::word(&device.host), super::word(&device.container));
            let moved = format!("ip link set {host} netns {pid} name {container}");
            [moved, format!("nsenter --net=/proc/{pid}/ns/net ip link set {container} up")]
        };
        let what = "move network devices into the container".to_owned();
        Self::Network { what, commands: devices.iter().flat_map(commands).collect() }
    }

    pub(crate) fn attribute(field: &str, value: impl std::fmt::Display) -> Self {
        Self::SetAttribute { field: field.to_owned(), value: value.to_string() }
    }

    fn identity(user: &User, sets: &CapabilitySets) -> Self {
        Self::AssumeIdentity {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            groups: user.additional.iter().map(|group| group.as_raw()).collect(),
            bounding: names(&sets.bounding),
            effective: names(&sets.effective),
            permitted: names(&sets.permitted),
            inheritable: names(&sets.inheritable),
            ambient: names(&sets.ambient),
        }
    }

    fn filter(plan: &ProcessPlan) -> Option<Self> {
        plan.filter.as_ref().map(|filter| Self::FilterCalls { instructions: filter.program.len() })
    }
}

/// Announces the last steps of a process, in their order.
///
/// Beforehand: once the filter holds, a write that it does not expect could be the end of the process.
pub(crate) fn announce_departure(plan: &ProcessPlan, sets: &CapabilitySets, program: impl FnOnce() -> Option<CString>) {
    if !super::is_on() {
        return;
    }
    let (no_new, filter) = (plan.no_new_privileges, Effect::filter(plan));
    let privileges = no_new.then_some(Effect::ForbidPrivileges);
    let (early, late) = if no_new { (None, filter) } else { (filter, None) };
    let identity = Effect::identity(&plan.user, sets);
    let name = |name: &CStr| name.to_string_lossy().into_owned();
    let execute = program().map(|program| Effect::Execute {
        program: name(&program),
        args: plan.args.iter().map(|argument| name(argument)).collect(),
    });
    let steps = privileges.into_iter().chain(early).chain([identity]).chain(late).chain(execute);
    steps.for_each(|effect| super::announce(|| effect));
}

fn names(set: &CapsHashSet) -> Vec<String> {
    let ordered: BTreeSet<(u8, String)> = set.iter().map(|one| (one.index(), Capability::to_string(one))).collect();
    ordered.into_iter().map(|(_, name)| name).collect()
}

fn propagation(mode: u64) -> Option<&'static str> {
    Some(match mode & (libc::MS_PRIVATE | libc::MS_SLAVE | libc::MS_SHARED | libc::MS_UNBINDABLE) {
        libc::MS_PRIVATE => "private",
        libc::MS_SLAVE => "slave",
        libc::MS_SHARED => "shared",
        libc::MS_UNBINDABLE => "unbindable",
        _ => return None,
    })
}

/// Spells the changes of a mount, and of those below it, as mount(8) reads them: `ro`, `ro=recursive`, `rslave`.
fn flags(own: Attributes, below: Attributes) -> Vec<String> {
    let named = |attributes: Attributes, suffix: &'static str| {
        mount_options::spelled(attributes).into_iter().map(move |name| format!("{name}{suffix}"))
    };
    let own_kind = propagation(own.propagation).map(str::to_owned);
    let below_kind = propagation(below.propagation).map(|kind| format!("r{kind}"));
    named(own, "").chain(named(below, "=recursive")).chain(own_kind).chain(below_kind).collect()
}
