//! Acting on the files of a running container that has users of its own, as its root.
//!
//! Runs in a fork of the command: in that user namespace files have the owners that the container sees, and the host's root, who has
//! no id there, could make none. Paths are opened before.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, setns};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

use crate::layout::ContainerPaths;
use crate::runtime::launch::mapped_tree;
use crate::users::IdRange;
use crate::{Container, sys};

/// Does `act` as the root of the container; as ourselves if it has the host's users, or does not run.
pub(crate) fn as_root_of(container: &Container, act: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let users = match File::open(container.paths.users()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return act(),
        users => users?,
    };
    let (mut said, mut say) = io::pipe()?;
    let Some(child) = sys::fork()? else {
        let done = become_root(&users).and_then(|()| act());
        let text = done.map_or_else(|error| error.to_string(), |()| String::new());
        let _ = say.write_all(text.as_bytes()); // who does not hear it sees our status
        sys::exit_now(u8::from(!text.is_empty()))
    };
    drop(say);
    let mut text = String::new();
    said.read_to_string(&mut text)?;
    match waitpid(child, None)? {
        WaitStatus::Exited(_, 0) => Ok(()),
        status if text.is_empty() => Err(io::Error::other(format!("the process for it has ended: {status:?}"))),
        _ => Err(io::Error::other(text)),
    }
}

fn become_root(users: &File) -> io::Result<()> {
    setns(users.as_fd(), CloneFlags::CLONE_NEWUSER)?;
    let (root, group) = (Uid::from_raw(0), Gid::from_raw(0));
    setgroups(&[group])?;
    setresgid(group, group, group)?;
    Ok(setresuid(root, root, root)?)
}

/// A path of the host, as such a container's root may use it.
pub(crate) struct HostPlace {
    pub(crate) root: OwnedFd,
    pub(crate) path: PathBuf,
}

impl HostPlace {
    /// Opens what a path that is read is resolved from: the root directory, or for the root of such a container the folder it is in.
    pub(crate) fn to_read(path: &Path, paths: &ContainerPaths) -> io::Result<Self> {
        let Some(ids) = paths.id_range() else { return Self::of_host(path) };
        match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => {
                // what a path ends with tells a folder from its content
                let written = path.as_os_str().as_encoded_bytes();
                let end = ["/.", "/"].into_iter().find(|end| written.ends_with(end.as_bytes())).unwrap_or_default();
                let name = Path::new("/").join(name);
                Ok(Self { root: shown(parent, ids)?, path: PathBuf::from(format!("{}{end}", name.display())) })
            }
            _ => Ok(Self { root: shown(path, ids)?, path: PathBuf::from("/") }),
        }
    }

    /// As [`HostPlace::to_read`], of a path that is written to: a folder that is there is opened itself, whatever is mounted there.
    pub(crate) fn to_write(path: &Path, paths: &ContainerPaths) -> io::Result<Self> {
        match paths.id_range().filter(|_| path.is_dir()) {
            Some(ids) => Ok(Self { root: shown(path, ids)?, path: PathBuf::from("/") }),
            None => Self::to_read(path, paths),
        }
    }

    fn of_host(path: &Path) -> io::Result<Self> {
        Ok(Self { root: File::open("/")?.into(), path: path.to_owned() })
    }
}

/// Opens a folder of the host in which files belong to whom the container's ids say.
fn shown(folder: &Path, ids: IdRange) -> io::Result<OwnedFd> {
    let refused = |error| {
        let why = "its file system must be one whose ids can be mapped";
        io::Error::other(format!("show `{}` to the container's root, {why}: {error}", folder.display()))
    };
    let users = ids.of_mounts().map_err(io::Error::other)?;
    mapped_tree(folder, users.as_fd()).map_err(refused)
}
