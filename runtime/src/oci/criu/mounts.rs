//! Mounts of a container that come from outside of it: criu saves that they are there, not what is in them.

use std::io;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use std::os::fd::AsRawFd;

use crate::cgroup::{Cgroup, Hierarchy, Kind};
use crate::init::RootDirectory;
use crate::oci::OciError;
use crate::plan::{ContainerPlan, MountKind};

/// A mount, and what the host has to be asked for to make it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::oci) struct ExternalMount {
    /// As the spec has it.
    pub(in crate::oci) destination: PathBuf,
    pub(in crate::oci) source: PathBuf,
}

/// Returns the external mounts of a container in `cgroup`, in the order of the spec.
pub(in crate::oci) fn external(plan: &ContainerPlan, cgroup: &Cgroup) -> Vec<ExternalMount> {
    let hierarchies: Vec<_> = cgroup.existing().collect();
    let own_cgroups = plan.namespaces.is_own(libc::CLONE_NEWCGROUP);
    let of_mount = |mount: &crate::plan::MountPlan| match &mount.kind {
        MountKind::Bind { source, .. } => {
            vec![ExternalMount { destination: mount.destination.clone(), source: source.clone() }]
        }
        // Bound from the host's, as init does it; with a cgroup namespace they are file systems like others.
        MountKind::Cgroup if !own_cgroups => bound(&mount.destination, &hierarchies),
        MountKind::Cgroup | MountKind::Filesystem { .. } | MountKind::Remount => Vec::new(),
    };
    let mut mounts: Vec<ExternalMount> = plan.mounts.iter().flat_map(of_mount).collect();
    if plan.users.is_some() {
        // Nodes cannot be made in a user namespace: they are the host's.
        let nodes = plan.devices.iter().flatten().map(|device| device.path.clone());
        mounts.extend(nodes.map(|path| ExternalMount { destination: path.clone(), source: path }));
    }
    mounts
}

fn bound(destination: &Path, hierarchies: &[(&Hierarchy, PathBuf)]) -> Vec<ExternalMount> {
    match hierarchies {
        [(Hierarchy { kind: Kind::V2, .. }, directory)] => {
            vec![ExternalMount { destination: destination.to_owned(), source: directory.clone() }]
        }
        all => all
            .iter()
            .map(|(hierarchy, directory)| ExternalMount {
                destination: destination.join(hierarchy.mount.file_name().unwrap_or_default()),
                source: directory.clone(),
            })
            .collect(),
    }
}

/// Returns where a path of the container leads to once its links are followed inside `root`; `None`: nowhere.
pub(in crate::oci) fn resolve(root: &Path, path: &Path) -> io::Result<Option<PathBuf>> {
    let directory = RootDirectory::open(root)?;
    let read = |fd: i32| std::fs::read_link(format!("/proc/self/fd/{fd}"));
    let top = read(directory.as_fd().as_raw_fd())?;
    match directory.open_path(path, OFlag::O_PATH) {
        Err(nix::errno::Errno::ENOENT | nix::errno::Errno::ENOTDIR) => Ok(None),
        Err(errno) => Err(errno.into()),
        Ok(found) => {
            let found = read(found.as_raw_fd())?;
            Ok(found.strip_prefix(&top).ok().map(|below| Path::new("/").join(below)))
        }
    }
}

/// Makes the places that mounts need in a root filesystem that may be a fresh copy of the image.
///
/// What is below another mount is not in the root filesystem: criu restores that of its own file systems, and the
/// host's are as they were.
pub(in crate::oci) fn make_places(plan: &ContainerPlan) -> Result<(), OciError> {
    let root = &plan.root.path;
    let directory = RootDirectory::open(root).map_err(io::Error::from).map_err(OciError::file("open", root))?;
    let covered =
        |path: &Path| plan.mounts.iter().any(|other| other.destination != path && path.starts_with(&other.destination));
    for mount in plan.mounts.iter().filter(|mount| !covered(&mount.destination)) {
        let is_file = matches!(&mount.kind, MountKind::Bind { source, .. } if source.exists() && !source.is_dir());
        let made = if is_file {
            directory.ensure_file(&mount.destination)
        } else {
            directory.ensure_directory(&mount.destination)
        };
        made.map_err(io::Error::from).map_err(OciError::file("make a place to mount", &mount.destination))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use oci_spec::runtime::Spec;

    use super::*;
    use crate::cgroup::Driver;
    use crate::plan;

    fn planned(root: &Path, mounts: &str) -> ContainerPlan {
        let spec = format!(
            r#"{{"ociVersion":"1.0.2","root":{{"path":{root:?}}},"process":{{"cwd":"/","args":["a"],"user":{{"uid":0,"gid":0}}}},
                "mounts":{mounts},"linux":{{"namespaces":[{{"type":"mount"}},{{"type":"cgroup"}}]}}}}"#
        );
        let spec: Spec = serde_json::from_str(&spec).unwrap();
        plan::container("box", &spec, Path::new("/bundle"), Driver::Cgroupfs).unwrap()
    }

    const MOUNTS: &str = r#"[{"destination":"/proc","type":"proc","source":"proc"},
        {"destination":"/var/run/data","source":"data","options":["rbind"]},
        {"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup"}]"#;

    #[test]
    fn what_is_bound_from_the_host_is_external() {
        let plan = planned(Path::new("/r"), MOUNTS);
        let expected = ExternalMount { destination: "/var/run/data".into(), source: "/bundle/data".into() };
        assert_eq!(external(&plan, &Cgroup::open("/lighter/box").unwrap()), [expected]);
    }

    #[test]
    fn places_are_made_where_links_lead_and_found_there() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("var")).unwrap();
        symlink("/run", root.path().join("var/run")).unwrap();
        let destination = Path::new("/var/run/data");
        assert_eq!(resolve(root.path(), destination).unwrap(), None);
        make_places(&planned(root.path(), MOUNTS)).unwrap();
        assert!(root.path().join("run/data").is_dir() && root.path().join("proc").is_dir());
        assert_eq!(resolve(root.path(), destination).unwrap(), Some("/run/data".into()));
    }
}
