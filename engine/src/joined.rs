//! Namespaces that a container shares with another one: found at its start, when the other must run. Runs in the monitor.

use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use oci_spec::runtime::LinuxNamespaceType;

use crate::layout::ContainerPaths;
use crate::spec::{ContainerSpec, Ipc, Namespace, NetworkMode};
use crate::{Engine, FileError, durable, id};

/// Why another container's namespace cannot be joined.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JoinError {
    /// It does not run.
    #[error("share the {kind} namespace of container `{container}`: it is not running")]
    NotRunning { kind: &'static str, container: String },
    /// Its /dev/shm cannot be reached.
    #[error("share the ipc namespace of container `{0}`: it was not made with --ipc shareable")]
    NotShareable(String),
    /// No memory to share.
    #[error("mount memory to share on `{path}`")]
    Shm {
        path: PathBuf,
        #[source]
        errno: nix::Error,
    },
    /// A record could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What a container joins.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    /// Namespaces of other containers; those that are missing are the container's own, or the host's.
    lent: Vec<(LinuxNamespaceType, PathBuf)>,
    /// What to show at /dev/shm instead of memory of its own.
    pub(crate) shm: Option<PathBuf>,
}

impl Joined {
    /// Returns the namespace of another container to join.
    pub(crate) fn namespace(&self, kind: LinuxNamespaceType) -> Option<&Path> {
        self.lent.iter().find(|(lent, _)| *lent == kind).map(|(_, path)| path.as_path())
    }
}

impl Engine {
    /// Finds the namespaces that a container joins; makes the memory that others may share with it.
    pub(crate) fn joined(&self, paths: &ContainerPaths, spec: &ContainerSpec) -> Result<Joined, JoinError> {
        let lent = self.lent(spec)?;
        let shm = match &spec.isolation.ipc {
            Ipc::Container(other) => Some(self.shm_of(other)?),
            Ipc::Shareable => Some(make_shm(paths, spec.shm_size)?),
            Ipc::Host => Some(PathBuf::from("/dev/shm")),
            Ipc::Private | Ipc::None => None,
        };
        Ok(Joined { lent, shm })
    }

    /// Finds the namespaces of other containers that a container joins, as they are now: they change when those start again.
    pub(crate) fn lent(&self, spec: &ContainerSpec) -> Result<Vec<(LinuxNamespaceType, PathBuf)>, JoinError> {
        let isolation = &spec.isolation;
        let mut lenders = Vec::new();
        if let Namespace::Container(other) = &isolation.pid {
            lenders.push((LinuxNamespaceType::Pid, other, "pid", "pid"));
        }
        if let Ipc::Container(other) = &isolation.ipc {
            lenders.push((LinuxNamespaceType::Ipc, other, "ipc", "ipc"));
        }
        if let Namespace::Container(other) = &isolation.uts {
            lenders.push((LinuxNamespaceType::Uts, other, "uts", "uts"));
        }
        if let NetworkMode::Container(other) = &spec.network {
            let note = self.layout.container(other).lends_network();
            fs::write(&note, "").map_err(FileError::io("write", &note))?;
            lenders.push((LinuxNamespaceType::Network, other, "network", "net"));
        }
        let found =
            |(kind, other, word, file): (_, &String, _, &str)| Ok((kind, self.namespace_of(other, word, file)?));
        lenders.into_iter().map(found).collect()
    }

    fn namespace_of(&self, other: &str, kind: &'static str, file: &str) -> Result<PathBuf, JoinError> {
        let init = self.load_state(other)?.init.filter(|init| init.is_alive());
        let init = init.ok_or_else(|| JoinError::NotRunning { kind, container: id::short(other).to_owned() })?;
        Ok(PathBuf::from(format!("/proc/{}/ns/{file}", init.pid)))
    }

    fn shm_of(&self, other: &str) -> Result<PathBuf, JoinError> {
        let path = self.layout.container(other).shm();
        if path.exists() { Ok(path) } else { Err(JoinError::NotShareable(id::short(other).to_owned())) }
    }
}

/// Mounts memory where the host, and so other containers, can reach it; it goes with the container.
fn make_shm(paths: &ContainerPaths, size: u64) -> Result<PathBuf, JoinError> {
    let path = paths.shm();
    durable::create_dir(&path)?;
    let options = format!("mode=1777,size={size}");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("shm"), &path, Some("tmpfs"), flags, Some(options.as_str()))
        .map_err(|errno| JoinError::Shm { path: path.clone(), errno })?;
    Ok(path)
}
