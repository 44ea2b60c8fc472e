//! Namespaces that a container shares with another one: found at its start, when the other must run. Runs in the monitor.

use std::path::PathBuf;

use nix::mount::{MsFlags, mount};
use oci_spec::runtime::LinuxNamespaceType;

use crate::layout::ContainerPaths;
use crate::spec::{ContainerSpec, Ipc, Namespace, NetworkMode};
use crate::{Engine, durable, id};

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
    File(#[from] crate::FileError),
}

/// The namespaces to join; `None` = the container's own, or the host's.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    pub(crate) pid: Option<PathBuf>,
    pub(crate) ipc: Option<PathBuf>,
    pub(crate) uts: Option<PathBuf>,
    /// What to show at /dev/shm instead of memory of its own.
    pub(crate) shm: Option<PathBuf>,
}

impl Engine {
    /// Finds the namespaces that a container joins; makes the memory that others may share with it.
    pub(crate) fn joined(&self, paths: &ContainerPaths, spec: &ContainerSpec) -> Result<Joined, JoinError> {
        let isolation = &spec.isolation;
        let of = |namespace: &Namespace, kind, file| match namespace {
            Namespace::Container(other) => self.namespace_of(other, kind, file).map(Some),
            Namespace::Private | Namespace::Host => Ok(None),
        };
        let (ipc, shm) = match &isolation.ipc {
            Ipc::Container(other) => (Some(self.namespace_of(other, "ipc", "ipc")?), Some(self.shm_of(other)?)),
            Ipc::Shareable => (None, Some(make_shm(paths, spec.shm_size)?)),
            Ipc::Host => (None, Some(PathBuf::from("/dev/shm"))),
            Ipc::Private | Ipc::None => (None, None),
        };
        Ok(Joined { pid: of(&isolation.pid, "pid", "pid")?, ipc, uts: of(&isolation.uts, "uts", "uts")?, shm })
    }

    /// Finds the namespaces of other containers that a container joins, as they are now: they change when those start again.
    pub(crate) fn lent(&self, spec: &ContainerSpec) -> Result<Vec<(LinuxNamespaceType, PathBuf)>, JoinError> {
        let isolation = &spec.isolation;
        let of = |namespace: &Namespace| match namespace {
            Namespace::Container(other) => Some(other.clone()),
            Namespace::Private | Namespace::Host => None,
        };
        let ipc = if let Ipc::Container(other) = &isolation.ipc { Some(other.clone()) } else { None };
        let network = if let NetworkMode::Container(other) = &spec.network { Some(other.clone()) } else { None };
        if let Some(lender) = &network {
            self.note_borrower(lender)?;
        }
        let lenders = [
            (LinuxNamespaceType::Pid, of(&isolation.pid), "pid", "pid"),
            (LinuxNamespaceType::Ipc, ipc, "ipc", "ipc"),
            (LinuxNamespaceType::Uts, of(&isolation.uts), "uts", "uts"),
            (LinuxNamespaceType::Network, network, "network", "net"),
        ];
        let lent = lenders.into_iter().filter_map(|(kind, lender, word, file)| Some((kind, lender?, word, file)));
        lent.map(|(kind, lender, word, file)| Ok((kind, self.namespace_of(&lender, word, file)?))).collect()
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
