//! User namespaces, made before there is a container to live in them.
//!
//! Runs in the monitor. A container joins a namespace made here as it joins one that somebody names: there is
//! one road, on which no process has to wait for its maps.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

use nix::sys::stat::{SFlag, fstat};
use nix::unistd::{Uid, fchown};

use super::{LaunchError, Stdio, end};
use crate::init::MountMaps;
use crate::plan::{ContainerPlan, IdMappings};
use crate::sys;
use crate::sys::process::Child;

/// Makes a user namespace with these maps. It lives as long as somebody holds it.
pub(super) fn make(mappings: &IdMappings, at: &str) -> Result<OwnedFd, LaunchError> {
    // The first process of the namespace, which waits until nobody holds the other end: also if we are killed.
    let (mut reader, writer) = std::io::pipe().map_err(LaunchError::clone)?;
    let mut writer = Some(writer);
    let child = sys::process::spawn(libc::CLONE_NEWUSER as u64, None, || {
        writer.take();
        let _end = reader.read(&mut [0]);
        sys::process::exit_now(0)
    });
    let child = child.map_err(LaunchError::from_clone)?;
    let namespace = write_maps(&child, mappings, at);
    drop(writer);
    end(&child);
    namespace
}

fn write_maps(child: &Child, mappings: &IdMappings, at: &str) -> Result<OwnedFd, LaunchError> {
    let directory = format!("/proc/{}", child.pid);
    for (file, name, map) in
        [("uid_map", "uidMappings", mappings.uid_map()), ("gid_map", "gidMappings", mappings.gid_map())]
    {
        // One write: the kernel takes a map once (user_namespaces(7)).
        std::fs::write(format!("{directory}/{file}"), &map)
            .map_err(|source| LaunchError::prepare(format!("set `{at}.{name}` to `{}`", shown(&map)), source))?;
    }
    File::open(format!("{directory}/ns/user")).map(OwnedFd::from).map_err(LaunchError::clone)
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
    use super::*;

    #[test]
    fn the_owner_is_found_on_the_line_that_has_it() {
        let map = "         0     100000       1000\n      1000          7          1\n";
        assert_eq!([0, 999, 1000, 1001].map(|uid| outside(map, uid)), [Some(100_000), Some(100_999), Some(7), None]);
        assert_eq!(outside("nonsense\n1 2\n", 1), None);
    }
}
