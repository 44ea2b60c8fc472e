//! What can go wrong with cgroups.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// Why something about a cgroup failed.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// The path cannot name a cgroup of a container.
    #[error("`{0}` is no path of a cgroup: it must be absolute, below the root, without `.` and `..`")]
    Path(String),
    /// A file of a cgroup could not be read or written.
    #[error("{act} `{path}`")]
    File {
        /// What was tried: "read", "write `100` to".
        act: String,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A directory could not be made.
    #[error("create cgroup `{path}`")]
    Create {
        /// The directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A directory could not be removed.
    #[error("delete cgroup `{path}`")]
    Delete {
        /// The directory.
        path: PathBuf,
        /// Why not; EBUSY: processes are left in it.
        #[source]
        source: io::Error,
    },
    /// Somebody lives there already.
    #[error("cgroup `{path}` is in use by process {pid}")]
    Occupied {
        /// The directory.
        path: PathBuf,
        /// One of the processes in it.
        pid: i32,
    },
    /// No hierarchy of this host can keep what was asked for.
    #[error("{what}: {why}")]
    Unavailable {
        /// What was asked for: "limit memory".
        what: &'static str,
        /// Why this host cannot.
        why: String,
    },
    /// The kernel refused a limit.
    #[error("limit `{key}`")]
    Limit {
        /// The key of the runtime configuration that asks for it: `linux.resources.pids.limit`.
        key: String,
        /// The file, the value, and the kernel's reason.
        #[source]
        source: Box<CgroupError>,
    },
    /// A limit cannot be kept here, or is none.
    #[error("limit `{key}`: {why}")]
    Refused {
        /// The key of the runtime configuration that asks for it.
        key: String,
        /// Why not.
        why: String,
    },
    /// systemd did not do what was asked.
    #[error("{act} unit `{unit}`")]
    Systemd {
        /// What was asked: "start", "change", "stop".
        act: &'static str,
        /// The unit.
        unit: String,
        /// Why not.
        #[source]
        source: super::systemd::BusError,
    },
    /// A device filter was refused.
    #[error("restrict the devices of cgroup `{path}`")]
    Devices {
        /// The cgroup's directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl CgroupError {
    /// Returns the kernel's reason, if it was the kernel that refused.
    pub(super) fn errno(&self) -> Option<Errno> {
        let source = match self {
            Self::Limit { source, .. } => return source.errno(),
            Self::File { source, .. }
            | Self::Create { source, .. }
            | Self::Delete { source, .. }
            | Self::Devices { source, .. } => source,
            _ => return None,
        };
        source.raw_os_error().map(Errno::from_raw)
    }

    pub(super) fn file(act: impl Into<String>, path: &Path, source: io::Error) -> Self {
        Self::File { act: act.into(), path: path.to_owned(), source }
    }
}

/// Reads a file of a cgroup as text.
pub(super) fn read(path: &Path) -> Result<String, CgroupError> {
    std::fs::read_to_string(path).map_err(|source| CgroupError::file("read", path, source))
}

/// Writes a value to a file of a cgroup, in one write(2), as the kernel wants it.
///
/// Opened without O_CREAT: a file the kernel does not have is then ENOENT, not a refusal to make one.
pub(super) fn write(path: &Path, value: &str) -> Result<(), CgroupError> {
    write_once(path, value).map_err(|source| CgroupError::file(format!("write `{value}` to"), path, source))
}

/// As [`write`], but a cgroup that has gone meanwhile wants nothing written: its monitor may tear it down at any time.
pub(super) fn write_if_there(path: &Path, value: &str) -> Result<(), CgroupError> {
    match write_once(path, value) {
        // ENODEV: opened before, removed since
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV)) => Ok(()),
        result => result.map_err(|source| CgroupError::file(format!("write `{value}` to"), path, source)),
    }
}

fn write_once(path: &Path, value: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.write_all(value.as_bytes())
}
