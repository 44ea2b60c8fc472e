//! What is mounted where in a container.
//!
//! *Pure*, except that the destination's own links are resolved later, inside the root filesystem.

use std::path::{Component, Path, PathBuf};

use oci_spec::runtime::Mount;

use super::{IdMappings, MountOptions, PlanError, labels};

/// One mount of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MountPlan {
    /// Absolute, as the container will see it; never the root itself.
    pub(crate) destination: PathBuf,
    pub(crate) kind: MountKind,
    pub(crate) options: MountOptions,
    /// How the ids of its files are shown; for bind mounts only.
    pub(crate) id_map: Option<IdMap>,
}

/// An id-mapped mount (mount_setattr(2), "ID-mapped mounts").
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdMap {
    /// Its maps; `None`: those of the container's user namespace.
    pub(crate) mappings: Option<IdMappings>,
    /// For the mounts below as well.
    pub(crate) recursive: bool,
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
///
/// `label` is the SELinux label of the files in the container's own file systems.
pub(super) fn plan(mounts: &[Mount], bundle: &Path, label: &Option<String>) -> Result<Vec<MountPlan>, PlanError> {
    let label = labels::mount_label(label)?;
    let mut plans: Vec<MountPlan> = mounts
        .iter()
        .enumerate()
        .map(|(index, mount)| plan_one(mount, bundle, &format!("mounts[{index}]")))
        .collect::<Result<_, _>>()?;
    if let Some(label) = label {
        plans.iter_mut().for_each(|plan| set_label(plan, label));
    }
    Ok(plans)
}

/// Labels a file system that is made for the container; those of the kernel have labels of their own.
fn set_label(plan: &mut MountPlan, label: &str) {
    let MountKind::Filesystem { fstype, .. } = &plan.kind else { return };
    let own = matches!(fstype.as_str(), "proc" | "sysfs" | "mqueue");
    if !own && plan.options.data.iter().all(|(key, _)| key != "context") {
        plan.options.data.push(("context".to_owned(), Some(label.to_owned())));
    }
}

fn plan_one(mount: &Mount, bundle: &Path, at: &str) -> Result<MountPlan, PlanError> {
    let destination = destination(mount.destination(), at)?;
    let options = MountOptions::parse(mount.options().as_deref().unwrap_or_default(), &format!("{at}.options"))?;
    let kind = kind(mount, &options, bundle, at)?;
    if let Ok(file) = destination.strip_prefix("/proc") {
        refuse_over_proc(file, &kind, &destination, at)?;
    }
    refuse_strangers(&kind, &options, at)?;
    let id_map = id_map(mount, &options, &kind, at)?;
    Ok(MountPlan { destination, kind, options, id_map })
}

/// Refuses options that mean nothing to a kind of mount: what is ignored might have been meant to confine.
fn refuse_strangers(kind: &MountKind, options: &MountOptions, at: &str) -> Result<(), PlanError> {
    let refused = |value: &str, why| Err(PlanError::invalid(format!("{at}.options"), value.escape_default(), why));
    match (kind, options.data.first()) {
        (MountKind::Bind { .. }, Some((key, _))) => {
            return refused(key, "a bind mount has no options of a file system");
        }
        (MountKind::Cgroup, Some((key, _))) if key != "nsdelegate" && key != "memory_recursiveprot" => {
            return refused(key, "the hierarchies keep the options they have on the host");
        }
        _ => {}
    }
    match kind {
        MountKind::Filesystem { fstype, .. } if fstype == "tmpfs" => Ok(()),
        _ if options.copy_up => refused("tmpcopyup", "only a tmpfs can be filled"),
        _ => Ok(()),
    }
}

/// Maps given without the option mean the option (config.md, "mounts").
fn id_map(mount: &Mount, options: &MountOptions, kind: &MountKind, at: &str) -> Result<Option<IdMap>, PlanError> {
    let (uids, gids) = (mount.uid_mappings().as_ref(), mount.gid_mappings().as_ref());
    let explicit = uids.is_some() || gids.is_some();
    if !explicit && options.id_map.is_none() {
        return Ok(None);
    }
    if !matches!(kind, MountKind::Bind { .. }) {
        let why = "only a bind mount can have its ids mapped";
        return Err(PlanError::invalid(format!("{at}.type"), mount.typ().as_deref().unwrap_or_default(), why));
    }
    let mappings = explicit.then(|| IdMappings::read(at, uids, gids)).transpose()?;
    Ok(Some(IdMap { mappings, recursive: options.id_map.unwrap_or(false) }))
}

/// Cleans a destination. `..` is refused: what it means would depend on links of the image.
fn destination(path: &Path, at: &str) -> Result<PathBuf, PlanError> {
    let shown = path.display().to_string();
    let refused = |why| Err(PlanError::invalid(format!("{at}.destination"), shown.escape_default(), why));
    if shown.contains('\0') {
        return refused("it contains a NUL");
    }
    // Old specs have destinations without the slash; they mean the same.
    let path = Path::new("/").join(path);
    if path.components().any(|component| component == Component::ParentDir) {
        return refused("it contains `..`");
    }
    let clean: PathBuf = path.components().collect();
    if clean == Path::new("/") { refused("nothing can be mounted over the root") } else { Ok(clean) }
}

fn kind(mount: &Mount, options: &MountOptions, bundle: &Path, at: &str) -> Result<MountKind, PlanError> {
    let source = mount.source().as_deref();
    match (options.bind, mount.typ().as_deref()) {
        (Some(_), _) | (None, Some("bind" | "rbind")) => {
            let source = source.ok_or_else(|| PlanError::missing(format!("{at}.source")))?;
            if source.as_os_str().as_encoded_bytes().contains(&0) {
                let shown = source.display().to_string();
                return Err(PlanError::invalid(format!("{at}.source"), shown.escape_default(), "it contains a NUL"));
            }
            let recursive = options.bind.unwrap_or(false) || mount.typ().as_deref() == Some("rbind");
            Ok(MountKind::Bind { source: bundle.join(source), recursive })
        }
        (None, Some("cgroup" | "cgroup2")) => Ok(MountKind::Cgroup),
        (None, Some(fstype)) => {
            let source = source.map_or(fstype, |source| source.to_str().unwrap_or(fstype));
            if fstype.contains('\0') || source.contains('\0') {
                return Err(PlanError::invalid(format!("{at}.type"), fstype.escape_default(), "it contains a NUL"));
            }
            Ok(MountKind::Filesystem { fstype: fstype.to_owned(), source: source.to_owned() })
        }
        (None, None) => Err(PlanError::missing(format!("{at}.type"))),
    }
}

/// Nothing but procfs goes over `/proc`: what programs read there, this one included, must be the kernel's.
fn refuse_over_proc(file: &Path, kind: &MountKind, destination: &Path, at: &str) -> Result<(), PlanError> {
    let whole = file.as_os_str().is_empty();
    let proc = matches!(kind, MountKind::Filesystem { fstype, .. } if fstype == "proc");
    // A directory bound over the whole of it is checked to be a procfs when it is mounted.
    let bind = matches!(kind, MountKind::Bind { .. });
    let listed = PROC_FILES.iter().any(|known| Path::new(known) == file);
    match (whole && (proc || bind)) || (bind && listed) {
        true => Ok(()),
        false => Err(PlanError::invalid(
            format!("{at}.destination"),
            destination.display(),
            "only procfs may be mounted over `/proc`, and files over few of its files",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(json: &str) -> Result<MountPlan, PlanError> {
        plan_one(&serde_json::from_str(json).unwrap(), Path::new("/bundle"), "mounts[3]")
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
    fn maps_of_ids_are_the_bind_mounts_own_or_the_containers() {
        let maps = r#""uidMappings":[{"containerID":0,"hostID":7,"size":1}],"gidMappings":[{"containerID":0,"hostID":8,"size":1}]"#;
        let plan = planned(&format!(r#"{{"destination":"/a","source":"/b","options":["bind"],{maps}}}"#)).unwrap();
        let map = plan.id_map.unwrap();
        assert_eq!((map.mappings.unwrap().gid_map().as_str(), map.recursive), ("0 8 1\n", false));
        let plan = planned(r#"{"destination":"/a","source":"/b","options":["rbind","ridmap"]}"#).unwrap();
        assert_eq!(plan.id_map, Some(IdMap { mappings: None, recursive: true }));
        for json in [
            r#"{"destination":"/a","type":"tmpfs","options":["idmap"]}"#,
            r#"{"destination":"/a","source":"/b","options":["bind"],"uidMappings":[{"size":1}]}"#,
        ] {
            let error = planned(json).unwrap_err().to_string();
            assert!(error.contains("mounts[3]."), "{error}");
        }
    }

    #[test]
    fn options_that_would_be_ignored_are_refused_by_name() {
        for (json, option) in [
            (r#"{"destination":"/a","source":"/b","options":["bind","size=1m"]}"#, "size"),
            (r#"{"destination":"/a","source":"/b","options":["bind","nonsense"]}"#, "nonsense"),
            (r#"{"destination":"/a","source":"/b","options":["bind","tmpcopyup"]}"#, "tmpcopyup"),
            (r#"{"destination":"/a","type":"proc","options":["tmpcopyup"]}"#, "tmpcopyup"),
            (r#"{"destination":"/a","type":"cgroup","options":["memory"]}"#, "memory"),
        ] {
            let error = planned(json).unwrap_err().to_string();
            assert!(error.contains(option) && error.contains("`mounts[3].options`"), "{error}");
        }
    }

    #[test]
    fn a_destination_that_climbs_is_refused() {
        for destination in ["/a/../../b", "..", "/", ""] {
            let json = format!(r#"{{"destination":"{destination}","type":"tmpfs","source":"tmpfs"}}"#);
            assert!(planned(&json).is_err(), "{destination:?}");
        }
    }
}
