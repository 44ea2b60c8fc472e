//! Network namespaces: made, kept alive by a bind mount or a descriptor, entered for a moment, given up. The command or the monitor.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::statfs::{NSFS_MAGIC, statfs};

use crate::netlink::{Netlink, NetlinkError, set_up};
use crate::state::directory_names;
use crate::sysctl::{self, SysctlError};
use crate::{Host, StateError};

/// The network namespace of the calling thread; `self` instead of `thread-self` would be that of the main thread.
const OWN: &str = "/proc/thread-self/ns/net";

/// Why a network namespace could not be made, entered or given up.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// A container has its namespace already.
    #[error("create network namespace `{}`: it exists", path.display())]
    Exists {
        /// Where it is mounted.
        path: PathBuf,
    },
    /// A system call failed.
    #[error("{act} network namespace `{}`", path.display())]
    Call {
        /// What was tried: `create`, `open`, `enter`, `mount`, `unmount` …
        act: &'static str,
        /// Where it is mounted.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The loopback device could not be turned on.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// IPv6 could not be turned off.
    #[error(transparent)]
    Sysctl(#[from] SysctlError),
}

fn failed(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> NamespaceError {
    move |source| NamespaceError::Call { act, path: path.to_owned(), source }
}

/// Brings the calling thread back where it came from when dropped: on return, on error and on panic.
///
/// This is the calling thread itself and not one made for the purpose, because a thread that was joined can still be
/// counted in `/proc/self/status` for a moment, and whoever clones a container refuses to do so beside another thread.
struct WayBack(OwnedFd);

impl WayBack {
    fn remember() -> io::Result<WayBack> {
        Ok(WayBack(File::open(OWN)?.into()))
    }
}

impl Drop for WayBack {
    fn drop(&mut self) {
        if setns(self.0.as_fd(), CloneFlags::CLONE_NEWNET).is_err() {
            // Nothing may run on in a namespace its author does not expect: the next rule would land in a container.
            std::process::abort();
        }
    }
}

/// Opens the namespace mounted at `path`.
pub(crate) fn open(path: &Path) -> Result<OwnedFd, NamespaceError> {
    File::open(path).map(OwnedFd::from).map_err(failed("open", path))
}

/// Runs `work` inside `netns`, mounted at `path`. Sockets opened there stay there for good.
pub(crate) fn inside<T>(netns: BorrowedFd<'_>, path: &Path, work: impl FnOnce() -> T) -> Result<T, NamespaceError> {
    let _way_back = WayBack::remember().map_err(failed("leave the current for", path))?;
    setns(netns, CloneFlags::CLONE_NEWNET).map_err(|errno| failed("enter", path)(errno.into()))?;
    Ok(work())
}

impl Host {
    fn namespaces(&self) -> PathBuf {
        self.run().join("netns")
    }

    pub(crate) fn namespace(&self, container: &str) -> PathBuf {
        self.namespaces().join(container)
    }

    /// Makes a network namespace with nothing but a working loopback device, and mounts it at `RUN/netns/<container>`.
    ///
    /// Devices that come into it have IPv6 switched off: no network of ours gives IPv6 addresses, and one that the kernel
    /// makes up by itself would be a way past the firewall's addresses.
    ///
    /// `made` is a namespace that is there already, and that nobody uses: one that belongs to a user namespace.
    pub fn create_namespace(&self, container: &str, made: Option<&Path>) -> Result<PathBuf, NamespaceError> {
        let path = self.namespace(container);
        self.create_mount_point(&path)?;
        mount_new(&path, made).inspect_err(|_| {
            // The error that is returned says more than one that follows from it.
            let _ = self.delete_namespace(container);
        })?;
        Ok(path)
    }

    /// Takes a container's namespace off the host's mounts. What is returned keeps it alive; `None` = it was not mounted.
    ///
    /// The file it was mounted on stays, as the sign that the container has a namespace.
    pub fn unmount_namespace(&self, container: &str) -> Result<Option<OwnedFd>, NamespaceError> {
        let path = self.namespace(container);
        if !is_mounted(&path) {
            return Ok(None);
        }
        let namespace = open(&path)?;
        umount2(&path, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW)
            .map_err(|errno| failed("unmount", &path)(errno.into()))?;
        Ok(Some(namespace))
    }

    /// Mounts a container's namespace again, where [`Host::create_namespace`] has.
    pub fn mount_namespace(&self, container: &str, namespace: BorrowedFd<'_>) -> Result<(), NamespaceError> {
        let path = self.namespace(container);
        self.create_mount_point(&path)?;
        bind(format!("/proc/self/fd/{}", namespace.as_raw_fd()).as_ref(), &path)
    }

    /// Tells whether a container has a namespace of its own that is not mounted: one that lives by its processes.
    #[must_use]
    pub fn has_unmounted_namespace(&self, container: &str) -> bool {
        let path = self.namespace(container);
        path.exists() && !is_mounted(&path)
    }

    fn create_mount_point(&self, path: &Path) -> Result<(), NamespaceError> {
        let directory = self.namespaces();
        DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(failed("create", &directory))?;
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && !is_mounted(path) => Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(NamespaceError::Exists { path: path.to_owned() })
            }
            Err(error) => Err(failed("create", path)(error)),
            Ok(_) => Ok(()),
        }
    }

    /// Gives up a container's namespace; what still runs in it keeps it alive. Succeeds when there is none.
    pub(crate) fn delete_namespace(&self, container: &str) -> Result<(), NamespaceError> {
        let path = self.namespace(container);
        match umount2(&path, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
            // EINVAL: the file is there, but nothing is mounted on it.
            Ok(()) | Err(Errno::ENOENT | Errno::EINVAL) => {}
            Err(errno) => return Err(failed("unmount", &path)(errno.into())),
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("delete", &path)(error)),
            _ => Ok(()),
        }
    }

    /// Returns the ids of the containers that have a namespace.
    pub(crate) fn namespaced_containers(&self) -> Result<Vec<String>, StateError> {
        directory_names(&self.namespaces())
    }
}

fn is_mounted(path: &Path) -> bool {
    statfs(path).is_ok_and(|found| found.filesystem_type() == NSFS_MAGIC)
}

fn mount_new(path: &Path, made: Option<&Path>) -> Result<(), NamespaceError> {
    let _way_back = WayBack::remember().map_err(failed("leave the current for", path))?;
    match made {
        Some(made) => setns(open(made)?, CloneFlags::CLONE_NEWNET),
        None => unshare(CloneFlags::CLONE_NEWNET),
    }
    .map_err(|errno| failed("create", path)(errno.into()))?;
    sysctl::disable_ipv6("default")?;
    Netlink::route()?.send(&[set_up("lo")])?;
    bind(Path::new(OWN), path)
}

fn bind(namespace: &Path, path: &Path) -> Result<(), NamespaceError> {
    mount(Some(namespace), path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .map_err(|errno| failed("mount", path)(errno.into()))
}
