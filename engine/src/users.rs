//! Users of a container's own: a user namespace whose ids are a range of the host's that no other container has meanwhile.
//! Runs in the monitor, from the start of a container on, and in commands that copy.
//!
//! On disk, what such a container writes has the ids that it sees: layers, writable directory and volumes are mounted with their ids
//! mapped (mount_setattr(2)), so images are shared, and a container may have another range at its next start.
//!
//! ```text
//! in the container 0 ─▶ on this host 1879048192 (its range) ─▶ mapped mount ─▶ on disk 0
//! ```

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use oci_spec::runtime::{LinuxIdMapping, LinuxIdMappingBuilder};
use serde::{Deserialize, Serialize};

use crate::durable::{self, FileError};
use crate::layout::ContainerPaths;
use crate::runtime::launch::{HeldUsers, LaunchError};
use crate::{Engine, Lock};

/// Ids of a container, from 0 on: those that images have (16 bits), and what useradd(8) reserves at once.
const IDS: u32 = 1 << 16;

/// The id, on disk, of what the host's root writes in passing by a mapped mount, such as overlayfs' work directory.
///
/// The highest that is one (user_namespaces(7)), which no image has.
const HOSTS_ROOT: u32 = u32::MAX - 1;

/// Ids without owner where /etc/subuid or /etc/subgid says nothing: below 2³¹, above those that systemd gives to containers
/// (systemd's UIDS-GIDS.md).
const DEFAULT_POOL: Pool = Pool { first: 0x7000_0000, count: 0x0e00_0000 };

/// Users of /etc/subuid whose ids are for containers: ours, and the one that podman takes (containers-storage.conf(5)).
const OWNERS: [&str; 2] = ["lighter", "containers"];

/// Why a container has no users of its own.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// All are in use.
    #[error(
        "no range of {IDS} ids is free for users of the container's own: give user `lighter` more in /etc/subuid and /etc/subgid"
    )]
    Exhausted,
    /// A file of ranges is none.
    #[error("{path}:{line}: use NAME:FIRST:COUNT")]
    Subordinate {
        /// /etc/subuid or /etc/subgid.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
    },
    /// The namespace.
    #[error("make users of the container's own")]
    Namespace(#[source] LaunchError),
    /// The namespace is not kept.
    #[error("{act} `{path}`")]
    Io {
        /// `read`, `mount the user namespace on`.
        act: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A record could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Ids that may be given away, in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pool {
    first: u32,
    count: u32,
}

/// What stands for a container's ids from 0 on, as long as it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IdRange {
    uid: u32,
    gid: u32,
}

impl IdRange {
    /// Returns the host's id of a user of the container.
    pub(crate) fn uid(self, inside: u32) -> u32 {
        self.uid.saturating_add(inside)
    }

    /// Makes a user namespace in which only these ids are; with `network`, a network namespace that belongs to it.
    fn hold(self, network: bool) -> Result<HeldUsers, LaunchError> {
        HeldUsers::make(&vec![line(0, self.uid, IDS)], &vec![line(0, self.gid, IDS)], network)
    }

    /// Opens a user namespace for mounts: these ids, and the host's root, without whom nothing could be prepared.
    pub(crate) fn of_mounts(self) -> Result<OwnedFd, UsersError> {
        let lines = |first| vec![line(0, first, IDS), line(HOSTS_ROOT, 0, 1)];
        let held = HeldUsers::make(&lines(self.uid), &lines(self.gid), false);
        held.and_then(|held| held.open()).map_err(UsersError::Namespace)
    }

    /// Returns the maps of a mount, for the runtime configuration: of uids, then of gids.
    pub(crate) fn maps(self) -> [Vec<LinuxIdMapping>; 2] {
        [self.uid, self.gid].map(|first| vec![line(0, first, IDS), line(HOSTS_ROOT, 0, 1)])
    }
}

fn line(inside: u32, outside: u32, size: u32) -> LinuxIdMapping {
    let builder = LinuxIdMappingBuilder::default().container_id(inside).host_id(outside).size(size);
    builder.build().expect("all that it needs is said")
}

/// The users of a container that is being started.
pub(crate) struct OwnUsers {
    pub(crate) range: IdRange,
    held: HeldUsers,
}

impl OwnUsers {
    /// Returns the file of the network namespace that belongs to them.
    pub(crate) fn network(&self) -> PathBuf {
        self.held.namespace("net")
    }
}

impl Engine {
    /// Makes users for a container that starts. Its run directory says which they are, and keeps the namespace.
    pub(crate) fn make_users(&self, paths: &ContainerPaths) -> Result<OwnUsers, UsersError> {
        let range = self.claim_ids(paths)?;
        let held = range.hold(true).map_err(UsersError::Namespace)?;
        let (kept, none) = (paths.users(), None::<&str>);
        let mounted = File::create(&kept)
            .and_then(|_| Ok(mount(Some(&held.namespace("user")), &kept, none, MsFlags::MS_BIND, none)?));
        mounted.map_err(|source| UsersError::Io { act: "mount the user namespace on", path: kept, source })?;
        Ok(OwnUsers { range, held })
    }

    /// Finds ids that no container has that runs, or is about to, and takes note of them.
    fn claim_ids(&self, paths: &ContainerPaths) -> Result<IdRange, UsersError> {
        let pools = [pool("/etc/subuid")?, pool("/etc/subgid")?];
        let _turn = Lock::take(&self.layout.lock("users"))?;
        let entries = fs::read_dir(self.layout.run().join("containers")).into_iter().flatten().flatten();
        let ids = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let used: Vec<IdRange> = ids.filter_map(|id| self.layout.container(&id).id_range()).collect();
        let range = free(pools, &used).ok_or(UsersError::Exhausted)?;
        durable::write_json(&paths.id_range_file(), &range, false)?;
        Ok(range)
    }
}

impl ContainerPaths {
    /// Returns the ids of a container that runs with users of its own.
    pub(crate) fn id_range(&self) -> Option<IdRange> {
        durable::read_json(&self.id_range_file()).ok().flatten()
    }
}

fn pool(path: &str) -> Result<Pool, UsersError> {
    let path = Path::new(path);
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(DEFAULT_POOL),
        Err(source) => Err(UsersError::Io { act: "read", path: path.to_owned(), source }),
        Ok(text) => {
            let found = subordinate(&text).map_err(|line| UsersError::Subordinate { path: path.to_owned(), line })?;
            Ok(found.unwrap_or(DEFAULT_POOL))
        }
    }
}

/// Finds the ids of the first of [`OWNERS`] that has some, in the form of subuid(5); the error is a line that has none.
fn subordinate(text: &str) -> Result<Option<Pool>, usize> {
    for owner in OWNERS {
        for (index, line) in text.lines().enumerate() {
            let mut fields = line.trim().split(':');
            if fields.next() == Some(owner) {
                let mut number = || fields.next()?.parse::<u32>().ok();
                let (first, count) = number().zip(number()).ok_or(index + 1)?;
                first.checked_add(count).ok_or(index + 1)?;
                return Ok(Some(Pool { first, count }));
            }
        }
    }
    Ok(None)
}

/// Finds the first range of both pools that is free.
fn free([uids, gids]: [Pool; 2], used: &[IdRange]) -> Option<IdRange> {
    let overlaps = |one: u32, other: u32| one < other.saturating_add(IDS) && other < one.saturating_add(IDS);
    (0..uids.count.min(gids.count) / IDS)
        .map(|number| IdRange { uid: uids.first + number * IDS, gid: gids.first + number * IDS })
        .find(|range| !used.iter().any(|other| overlaps(range.uid, other.uid) || overlaps(range.gid, other.gid)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_are_those_that_the_host_sets_aside() {
        let text = "root:100000:65536\ncontainers:200000:65536\nlighter:300000:131072\n";
        assert_eq!(subordinate(text), Ok(Some(Pool { first: 300_000, count: 131_072 })));
        assert_eq!(subordinate("containers:200000:65536"), Ok(Some(Pool { first: 200_000, count: 65_536 })));
        assert_eq!(subordinate("root:1:2"), Ok(None));
        assert_eq!(subordinate("\nlighter:x:1"), Err(2));
    }

    #[test]
    fn no_two_containers_have_an_id_in_common() {
        let pool = Pool { first: 1000, count: 3 * IDS };
        let range = |number: u32| IdRange { uid: 1000 + number * IDS, gid: 1000 + number * IDS };
        assert_eq!(free([pool; 2], &[]), Some(range(0)));
        assert_eq!(free([pool; 2], &[range(0), range(2)]), Some(range(1)));
        let other = IdRange { uid: 999 + IDS, gid: 0x7000_0000 };
        assert_eq!(free([pool; 2], &[other]), Some(range(2)));
        assert_eq!(free([pool, Pool { count: IDS, ..pool }], &[range(0)]), None);
        assert_eq!(range(0).uid(7), 1007);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fail(text in "(lighter|containers|:|[0-9]{1,12}|\n)*") {
            if let Ok(Some(pool)) = subordinate(&text) {
                free([pool; 2], &[]);
            }
        }
    }
}
