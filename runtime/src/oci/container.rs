//! One container: what is written down of it, and what the kernel says.

use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use oci_spec::runtime::Spec;
use serde::{Deserialize, Serialize};

use super::claim::Claim;
use super::record::Record;
use super::{OciError, source};
use crate::cgroup::Cgroup;
use crate::hooks::Subject;
use crate::process::{self, ProcessRef};

/// What a container is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// A command is making it.
    Creating,
    /// It is set up; its program does not run yet.
    Created,
    /// Its program runs.
    Running,
    /// Its processes are frozen.
    Paused,
    /// Its process has ended.
    Stopped,
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        })
    }
}

/// A container's state, as `state` and `list` show it (runtime-spec, runtime.md, "State"; the rest as runc).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerState {
    /// `ociVersion` of its configuration.
    #[serde(rename = "ociVersion")]
    pub oci_version: String,
    /// Its id.
    pub id: String,
    /// The pid of its first process, as the caller's pid namespace numbers it; 0 when it has none.
    pub pid: i32,
    /// What it is doing.
    pub status: Status,
    /// The bundle's directory.
    pub bundle: PathBuf,
    /// The root filesystem's directory.
    pub rootfs: PathBuf,
    /// When it was made, RFC 3339, UTC.
    pub created: String,
    /// Its annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The name of the user who owns its directory; only `list` looks for it.
    pub owner: String,
}

/// A container of a [`Root`](super::Root).
#[derive(Debug)]
pub struct Container {
    pub(super) directory: PathBuf,
    pub(super) record: Record,
    /// Held by a command that changes it.
    pub(super) claim: Option<Claim>,
}

impl Container {
    /// The name of the socket init waits at until it is started.
    pub(super) const START_SOCKET: &'static str = "start.sock";
    /// The name of the copy of the configuration.
    pub(super) const CONFIG: &'static str = "config.json";

    pub(super) fn open(directory: PathBuf, id: &str) -> Result<Self, OciError> {
        let record = Record::read(&directory)?.ok_or_else(|| OciError::Missing(id.to_owned()))?;
        Ok(Self { directory, record, claim: None })
    }

    pub(super) fn locked(claim: Claim, id: &str) -> Result<Self, OciError> {
        let directory = claim.path().to_owned();
        Ok(Self { claim: Some(claim), ..Self::open(directory, id)? })
    }

    /// Returns what was written down.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Returns its cgroup.
    #[must_use]
    pub fn cgroup(&self) -> &Cgroup {
        &self.record.cgroup
    }

    /// Returns what it is doing, by the kernel's word.
    #[must_use]
    pub fn status(&self) -> Status {
        if self.record.init.is_none() {
            // Whoever makes it has the lock; a lock nobody has was that of a command that was killed.
            let ours = self.claim.is_some();
            return if !ours && is_locked(&self.directory) { Status::Creating } else { Status::Stopped };
        }
        if !self.live_init().is_some_and(|init| init.is_alive()) {
            Status::Stopped
        } else if self.start_socket().exists() {
            Status::Created
        } else if self.cgroup().is_frozen().unwrap_or(false) {
            Status::Paused
        } else {
            Status::Running
        }
    }

    /// Returns its state for others to read.
    #[must_use]
    pub fn state(&self) -> ContainerState {
        let status = self.status();
        let pid = self.record.init.filter(|_| status != Status::Stopped).map_or(0, |init| init.pid);
        ContainerState {
            oci_version: self.record.oci_version.clone(),
            id: self.record.id.clone(),
            pid,
            status,
            bundle: self.record.bundle.clone(),
            rootfs: self.record.rootfs.clone(),
            created: self.record.created.clone(),
            annotations: self.record.annotations.clone(),
            owner: String::new(),
        }
    }

    /// Returns the pids of its processes, as the caller's pid namespace numbers them.
    ///
    /// # Errors
    /// [`OciError::Cgroup`] when the cgroup cannot be read.
    pub fn pids(&self) -> Result<Vec<i32>, OciError> {
        let pids = self.cgroup().pids()?;
        let init = self.live_init().filter(|init| pids.is_empty() && init.is_alive());
        // Without a cgroup of its own the first process is the one that is known.
        Ok(if let Some(init) = init { vec![init.pid] } else { pids })
    }

    /// Returns the configuration it was made from.
    ///
    /// # Errors
    /// [`OciError::File`] and [`OciError::Malformed`].
    pub fn spec(&self) -> Result<Spec, OciError> {
        source::read_json(&self.directory.join(Self::CONFIG))
    }

    /// Refuses to `act` unless its status is among those in which that can be done.
    pub(super) fn require(&self, act: &'static str, allowed: &[Status]) -> Result<Status, OciError> {
        let status = self.status();
        match allowed.contains(&status) {
            true => Ok(status),
            false => Err(OciError::Status { act, id: self.record.id.clone(), status }),
        }
    }

    /// Returns its first process, unless that was one of another boot.
    pub(super) fn live_init(&self) -> Option<ProcessRef> {
        let same_boot = process::boot_id().map_or(true, |boot| boot == self.record.boot_id);
        self.record.init.filter(|_| same_boot)
    }

    /// Opens its first process; `None` when that is gone.
    pub(super) fn open_init(&self) -> Result<Option<OwnedFd>, OciError> {
        let proc = Path::new("/proc");
        self.live_init().map_or(Ok(None), |init| init.open()).map_err(OciError::file("look for its process in", proc))
    }

    pub(super) fn start_socket(&self) -> PathBuf {
        self.directory.join(Self::START_SOCKET)
    }

    /// Returns what hooks are told of it.
    pub(super) fn subject(&self) -> Subject<'_> {
        let record = &self.record;
        let annotations = (!record.annotations.is_empty()).then(|| record.annotations.clone().into_iter().collect());
        Subject { version: &record.oci_version, id: &record.id, bundle: &record.bundle, annotations }
    }

    pub(super) fn owner(&self) -> String {
        use std::os::unix::fs::MetadataExt;
        let uid = std::fs::metadata(&self.directory).map_or(0, |directory| directory.uid());
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let mut entries = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let entry = entries.find(|fields| fields.get(2).and_then(|field| field.parse().ok()) == Some(uid));
        entry.map_or_else(|| format!("#{uid}"), |fields| fields[0].to_owned())
    }
}

fn is_locked(directory: &Path) -> bool {
    let Ok(directory) = super::root::open_directory(directory) else { return false };
    matches!(directory.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock))
}
