//! User namespaces, made before there is a container to live in them.
//!
//! Runs in the monitor. A container joins a namespace made here as it joins one that somebody names: there is
//! one road, on which no process has to wait for its maps.

use std::fs::File;
use std::io::{self, PipeWriter, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::unistd::{Uid, fchown};
use oci_spec::runtime::LinuxIdMapping;

use super::{LaunchError, Stdio, end};
use crate::init::MountMaps;
use crate::plan::{ContainerPlan, IdMappings};
use crate::sys;
use crate::sys::process::Child;
use crate::trace::{self, Effect};

/// A process that does nothing but hold a user namespace. It ends when this is dropped, or its owner killed; the namespaces
/// live on as long as somebody else holds them.
#[derive(Debug)]
pub struct HeldUsers {
    child: Child,
    _writer: PipeWriter,
}

impl HeldUsers {
    /// Makes a user namespace with these maps, and with `network` a network namespace that belongs to it: its root is
    /// the root of that network.
    ///
    /// # Errors
    /// [`LaunchError`]: a map that is none, or that the kernel refuses; a caller with threads.
    pub fn make(uids: &Vec<LinuxIdMapping>, gids: &Vec<LinuxIdMapping>, network: bool) -> Result<Self, LaunchError> {
        let network = if network { libc::CLONE_NEWNET as u64 } else { 0 };
        Self::hold(&IdMappings::read("linux", Some(uids), Some(gids))?, "linux", network)
    }

    /// Makes it, with other namespaces that belong to it.
    fn hold(mappings: &IdMappings, at: &str, others: u64) -> Result<Self, LaunchError> {
        // The first process of the namespace waits until nobody holds the other end: also if we are killed.
        let (mut reader, writer) = std::io::pipe().map_err(LaunchError::clone)?;
        let mut writer = Some(writer);
        let flags = libc::CLONE_NEWUSER as u64 | others;
        let spawn = || {
            sys::process::spawn(flags, None, || {
                writer.take();
                let _end = reader.read(&mut [0]);
                sys::process::exit_now(0)
            })
        };
        let child = trace::step(|| Effect::clone_process(flags, None), spawn);
        let child = child.map_err(LaunchError::from_clone)?;
        let _writer = writer.expect("only the child, on its copy of our memory, takes our end away");
        let held = Self { child, _writer };
        write_maps(&held.child, mappings, at)?;
        Ok(held)
    }

    /// Returns the file of its namespace of a kind: `user`, `net`.
    #[must_use]
    pub fn namespace(&self, kind: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/{kind}", self.child.pid))
    }

    /// Opens the user namespace.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn open(&self) -> Result<OwnedFd, LaunchError> {
        File::open(self.namespace("user")).map(OwnedFd::from).map_err(LaunchError::clone)
    }
}

impl Drop for HeldUsers {
    fn drop(&mut self) {
        end(&self.child);
    }
}

/// Makes a copy, attached nowhere, of the mount that `path` lies on, from there on, on which files belong to whom the user
/// namespace `users` says. What is mounted below comes along as it is.
///
/// # Errors
/// EINVAL: the file system cannot have its ids mapped (mount_setattr(2)).
pub fn mapped_tree(path: &Path, users: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let opened = openat(AT_FDCWD, path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    let tree = sys::mount::clone_tree(opened.as_fd(), c"", true)?;
    sys::mount::map_ids(tree.as_fd(), false, users)?;
    Ok(tree)
}

/// Mounts `path` on `target` as [`mapped_tree`] shows it.
///
/// # Errors
/// As [`mapped_tree`].
pub fn mount_mapped(path: &Path, target: &Path, users: BorrowedFd<'_>) -> io::Result<()> {
    let place = openat(AT_FDCWD, target, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    Ok(sys::mount::move_mount(mapped_tree(path, users)?.as_fd(), place.as_fd())?)
}

/// Makes a user namespace with these maps. It lives as long as somebody holds it.
pub(super) fn make(mappings: &IdMappings, at: &str) -> Result<OwnedFd, LaunchError> {
    HeldUsers::hold(mappings, at, 0)?.open()
}

fn write_maps(child: &Child, mappings: &IdMappings, at: &str) -> Result<(), LaunchError> {
    let directory = format!("/proc/{}", child.pid);
    for (file, name, map) in
        [("uid_map", "uidMappings", mappings.uid_map()), ("gid_map", "gidMappings", mappings.gid_map())]
    {
        // One write: the kernel takes a map once (user_namespaces(7)).
        let path = format!("{directory}/{file}");
        trace::step(|| Effect::write(path.as_ref(), &map), || std::fs::write(&path, &map))
            .map_err(|source| LaunchError::prepare(format!("set `{at}.{name}` to `{}`", shown(&map)), source))?;
    }
    Ok(())
}

fn shown(map: &str) -> String {
    map.trim_end().replace('\n', ", ")
}

/// Gives pipes of root among the streams to the user `uid` of the user namespace that process `pid` is in, who may
/// open them again by `/dev/stdout`; the root of that namespace could not.
pub(crate) fn hand_over(stdio: &Stdio, pid: i32, uid: u32) -> Result<(), LaunchError> {
    let Stdio::Fds { stdin, stdout, stderr } = stdio else { return Ok(()) };
    let failed = |error| LaunchError::prepare("give a pipe to the container's user", error);
    let map = std::fs::read_to_string(format!("/proc/{pid}/uid_map")).map_err(failed)?;
    let Some(owner) = outside(&map, uid) else { return Ok(()) };
    for stream in [stdin, stdout, stderr] {
        let stat = fstat(stream).map_err(|errno| failed(errno.into()))?;
        if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFIFO && stat.st_uid == 0 {
            fchown(stream, Some(Uid::from_raw(owner)), None).map_err(|errno| failed(errno.into()))?;
        }
    }
    Ok(())
}

/// Finds the host's id of `uid` in a map as `/proc/PID/uid_map` shows it to the host.
fn outside(map: &str, uid: u32) -> Option<u32> {
    map.lines().find_map(|line| {
        let mut numbers = line.split_ascii_whitespace().map(|number| number.parse::<u32>().ok());
        let (inside, outside, size) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let offset = uid.checked_sub(inside).filter(|offset| *offset < size)?;
        outside.checked_add(offset)
    })
}

/// Finds the user namespace for the maps of each mount that has some: its own, or the container's.
pub(super) fn of_mounts(plan: &ContainerPlan, container: Option<&OwnedFd>) -> Result<MountMaps, LaunchError> {
    let mut maps = MountMaps::new();
    for (index, mount) in plan.mounts.iter().enumerate() {
        let Some(map) = &mount.id_map else { continue };
        let users = match (&map.mappings, container) {
            (Some(mappings), _) => make(mappings, &format!("mounts[{index}]"))?,
            (None, Some(container)) => container.try_clone().map_err(LaunchError::clone)?,
            // The plan has refused a map of the container's where there is none.
            (None, None) => continue,
        };
        maps.insert(index, users);
    }
    Ok(maps)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_map_makes_it_fail(map in "[0-9 \n-]{0,60}", uid: u32) {
            outside(&map, uid);
        }
    }

    #[test]
    fn the_owner_is_found_on_the_line_that_has_it() {
        let map = "         0     100000       1000\n      1000          7          1\n";
        assert_eq!([0, 999, 1000, 1001].map(|uid| outside(map, uid)), [Some(100_000), Some(100_999), Some(7), None]);
        assert_eq!(outside("nonsense\n1 2\n", 1), None);
    }
}
