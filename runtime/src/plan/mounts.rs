//! What is mounted where in a container.
//!
//! *Pure*, except that the destination's own links are resolved later, inside the root filesystem.

use std::path::{Component, Path, PathBuf};

use oci_spec::runtime::Mount;

use super::{MountOptions, PlanError};

/// One mount of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MountPlan {
    /// Absolute, as the container will see it; never the root itself.
    pub(crate) destination: PathBuf,
    pub(crate) kind: MountKind,
    pub(crate) options: MountOptions,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MountKind {
    /// A file or directory of the host.
    Bind { source: PathBuf, recursive: bool },
    /// The container's view of the cgroup hierarchies.
    Cgroup,
    /// A new file system.
    Filesystem { fstype: String, source: String },
}

/// Files of procfs that may be covered: virtualisers of resource figures (lxcfs) do so.
const PROC_FILES: [&str; 11] = [
    "cpuinfo",
    "diskstats",
    "loadavg",
    "meminfo",
    "net/dev",
    "slabinfo",
    "stat",
    "swaps",
    "sys/crypto/fips_enabled",
    "sys/kernel/ns_last_pid",
    "uptime",
];

/// Plans the mounts of a container, in their order.
pub(super) fn plan(mounts: &[Mount], bundle: &Path) -> Result<Vec<MountPlan>, PlanError> {
    mounts.iter().map(|mount| plan_one(mount, bundle)).collect()
}

fn plan_one(mount: &Mount, bundle: &Path) -> Result<MountPlan, PlanError> {
    if mount.uid_mappings().is_some() || mount.gid_mappings().is_some() {
        return Err(PlanError::Unsupported("mounts.uidMappings".to_owned()));
    }
    let destination = destination(mount.destination())?;
    let options = MountOptions::parse(mount.options().as_deref().unwrap_or_default())?;
    let kind = kind(mount, &options, bundle)?;
    if let Ok(file) = destination.strip_prefix("/proc") {
        refuse_over_proc(file, &kind, &destination)?;
    }
    Ok(MountPlan { destination, kind, options })
}

/// Cleans a destination. `..` is refused: what it means would depend on links of the image.
fn destination(path: &Path) -> Result<PathBuf, PlanError> {
    let refused = |why| Err(PlanError::invalid("mounts.destination", path.display(), why));
    // Old specs have destinations without the slash; they mean the same.
    let path = Path::new("/").join(path);
    if path.components().any(|component| component == Component::ParentDir) {
        return refused("it contains `..`");
    }
    let clean: PathBuf = path.components().collect();
    if clean == Path::new("/") { refused("nothing can be mounted over the root") } else { Ok(clean) }
}

fn kind(mount: &Mount, options: &MountOptions, bundle: &Path) -> Result<MountKind, PlanError> {
    let source = mount.source().as_deref();
    match (options.bind, mount.typ().as_deref()) {
        (Some(_), _) | (None, Some("bind" | "rbind")) => {
            let source = source.ok_or(PlanError::Missing("mounts.source"))?;
            let recursive = options.bind.unwrap_or(false) || mount.typ().as_deref() == Some("rbind");
            Ok(MountKind::Bind { source: bundle.join(source), recursive })
        }
        (None, Some("cgroup" | "cgroup2")) => Ok(MountKind::Cgroup),
        (None, Some(fstype)) => {
            let source = source.map_or(fstype, |source| source.to_str().unwrap_or(fstype));
            if fstype.contains('\0') || source.contains('\0') {
                return Err(PlanError::invalid("mounts.type", fstype.escape_default(), "it contains a NUL"));
            }
            Ok(MountKind::Filesystem { fstype: fstype.to_owned(), source: source.to_owned() })
        }
        (None, None) => Err(PlanError::Missing("mounts.type")),
    }
}

/// Nothing but procfs goes over `/proc`: what programs read there, this one included, must be the kernel's.
fn refuse_over_proc(file: &Path, kind: &MountKind, destination: &Path) -> Result<(), PlanError> {
    let whole = file.as_os_str().is_empty();
    let proc = matches!(kind, MountKind::Filesystem { fstype, .. } if fstype == "proc");
    // A directory bound over the whole of it is checked to be a procfs when it is mounted.
    let bind = matches!(kind, MountKind::Bind { .. });
    let listed = PROC_FILES.iter().any(|known| Path::new(known) == file);
    match (whole && (proc || bind)) || (bind && listed) {
        true => Ok(()),
        false => Err(PlanError::invalid(
            "mounts.destination",
            destination.display(),
            "only procfs may be mounted over `/proc`, and files over few of its files",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(json: &str) -> Result<MountPlan, PlanError> {
        plan_one(&serde_json::from_str(json).unwrap(), Path::new("/bundle"))
    }

    #[test]
    fn a_bind_mount_is_one_by_option_or_type() {
        for json in [
            r#"{"destination":"/data","source":"vol","options":["rbind","ro"]}"#,
            r#"{"destination":"data/","type":"rbind","source":"vol","options":["ro"]}"#,
        ] {
            let plan = planned(json).unwrap();
            assert_eq!(plan.destination, Path::new("/data"));
            assert_eq!(plan.kind, MountKind::Bind { source: "/bundle/vol".into(), recursive: true });
        }
    }

    #[test]
    fn procfs_cannot_be_covered() {
        for destination in ["/proc", "/proc/self", "/proc/sys", "/proc/./sys/kernel", "//proc//self"] {
            let json = format!(r#"{{"destination":"{destination}","type":"tmpfs","source":"tmpfs"}}"#);
            assert!(planned(&json).is_err(), "{destination}");
        }
        assert!(planned(r#"{"destination":"/proc/self","source":"/x","options":["bind"]}"#).is_err());
        assert!(planned(r#"{"destination":"/proc","type":"proc","source":"proc"}"#).is_ok());
        assert!(planned(r#"{"destination":"/proc/meminfo","source":"/x","options":["bind"]}"#).is_ok());
        assert!(planned(r#"{"destination":"/process","type":"tmpfs","source":"tmpfs"}"#).is_ok());
    }

    #[test]
    fn a_destination_that_climbs_is_refused() {
        for destination in ["/a/../../b", "..", "/", ""] {
            let json = format!(r#"{{"destination":"{destination}","type":"tmpfs","source":"tmpfs"}}"#);
            assert!(planned(&json).is_err(), "{destination:?}");
        }
    }
}
