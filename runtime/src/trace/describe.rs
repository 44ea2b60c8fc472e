//! What a step does, in words. *Pure.*

use std::fmt;

use super::{Effect, Target};

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InRoot { in_root } => f.write_str(in_root),
            Self::Path(path) => f.write_str(path),
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spawn { program, args } => write!(f, "start {program} {}", args.join(" ")),
            Self::Clone { namespaces, .. } if namespaces.is_empty() => f.write_str("clone a process"),
            Self::Clone { namespaces, .. } => write!(f, "clone a process with its own {}", namespaces.join(", ")),
            Self::Join { namespace, path } => write!(f, "join the {namespace} namespace {path}"),
            Self::Unshare { namespaces } => write!(f, "make a new {} namespace", namespaces.join(", ")),
            Self::RunHook { field, path, .. } => write!(f, "run the hook {path} ({field})"),
            Self::Network { what, .. } => f.write_str(what),
            _ => self.on_files(f),
        }
    }
}

impl Effect {
    fn on_files(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MakeDirectory { path } => write!(f, "make {path}"),
            Self::RemoveDirectory { path } => write!(f, "remove {path}"),
            Self::Write { path, value } if value == "0" && path.ends_with("/tasks") => {
                write!(f, "enter the cgroup {}", path.trim_end_matches("/tasks"))
            }
            Self::Write { path, value } if value.contains('\n') => write!(f, "write {path}"),
            Self::Write { path, value } => write!(f, "write {value} to {path}"),
            Self::FilterDevices { cgroup, .. } => write!(f, "filter the devices of {cgroup}"),
            Self::StartUnit { unit, .. } => write!(f, "let systemd start {unit}"),
            Self::MakeNode { target, kind: 'p', .. } => write!(f, "make the FIFO {target}"),
            Self::MakeNode { target, .. } => write!(f, "make the device {target}"),
            Self::Link { target, to } => write!(f, "link {target} to {to}"),
            Self::CopyTree { from, to } => write!(f, "copy {from} to {to}"),
            Self::SetSysctl { name, value } => write!(f, "set {name} to {value}"),
            Self::SetHostName { name } => write!(f, "set the host name to {name}"),
            Self::SetDomainName { name } => write!(f, "set the domain name to {name}"),
            _ => self.on_mounts(f),
        }
    }

    fn on_mounts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mount { fstype, target, .. } => write!(f, "mount {fstype} on {target}"),
            Self::Bind { source, target, options, .. } if source == target => {
                write!(f, "bind {target} over itself, {}", options.join(","))
            }
            Self::Bind { source: Target::InRoot { in_root }, target, .. } if in_root == "/dev/null" => {
                write!(f, "hide {target}")
            }
            Self::Bind { source, target, .. } => write!(f, "bind {source} on {target}"),
            Self::Remount { target, options } => write!(f, "make {target} {}", options.join(",")),
            Self::Propagate { target, how } => write!(f, "make the mounts at {target} {how}"),
            Self::MountRoot { .. } => f.write_str("mount the root filesystem over itself"),
            Self::PivotRoot => f.write_str("make the root filesystem /"),
            Self::MoveRoot => f.write_str("move the root filesystem to /"),
            Self::Unmount { target } => write!(f, "let go of the mounts at {target}"),
            _ => self.on_process(f),
        }
    }

    fn on_process(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::JoinKeyring { .. } => f.write_str("join a session keyring of its own"),
            Self::StartSession => f.write_str("start a session"),
            Self::EnterDirectory { path } => write!(f, "enter {path}"),
            Self::SetLimit { resource, .. } => write!(f, "set {resource}"),
            Self::SetUser { uid, gid, .. } => write!(f, "become {uid}:{gid}"),
            Self::AssumeIdentity { uid, gid, bounding, .. } => {
                write!(f, "become {uid}:{gid}, with no more than {} capabilities", bounding.len())
            }
            Self::ForbidPrivileges => f.write_str("forbid new privileges"),
            Self::FilterCalls { .. } => f.write_str("filter system calls"),
            Self::SetAttribute { field, value } => write!(f, "set {field} {value}"),
            Self::Execute { program, .. } => write!(f, "execute {program}"),
            // Everything else has been told by its own kind.
            _ => Ok(()),
        }
    }
}
