//! Finding and killing every process of a cgroup.

use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::poll::{PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::error::write_if_there;
use super::{Cgroup, CgroupError};

/// Rounds of killing one by one, in case new processes keep appearing.
const ROUNDS: usize = 100;

impl Cgroup {
    /// Sends SIGKILL to every process in this cgroup and below, frozen ones included.
    ///
    /// Returns when the signals are sent; the processes end soon after, and are reaped by their parents.
    ///
    /// # Errors
    /// [`CgroupError::File`] when `cgroup.kill` or the list of processes cannot be used.
    pub fn kill_all(&self) -> Result<(), CgroupError> {
        let killed = match self.unified().map(|directory| directory.join("cgroup.kill")) {
            // Linux 5.14: one write, and no process can fork away from it.
            Some(file) if file.exists() => write_if_there(&file, "1"),
            _ => self.kill_one_by_one(),
        };
        // A frozen process of version 1 dies only when it thaws.
        self.thaw()?;
        killed
    }

    fn kill_one_by_one(&self) -> Result<(), CgroupError> {
        for _ in 0..ROUNDS {
            // Frozen, nobody can fork between the look and the signal.
            let frozen = self.freeze();
            let pids = self.pids()?;
            for pid in &pids {
                let _gone = kill(Pid::from_raw(*pid), Signal::SIGKILL);
            }
            self.thaw()?;
            if pids.is_empty() || frozen.is_ok() {
                return Ok(());
            }
            wait_a_moment();
        }
        Ok(())
    }
}

/// Waits a millisecond: version 1 tells nobody when a cgroup changes.
pub(super) fn wait_a_moment() {
    let _interrupted = poll(&mut [], PollTimeout::from(1u8));
}

/// Returns `directory` and all below it, deepest last; nothing when it is gone.
pub(super) fn directories_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = vec![directory.to_owned()];
    let mut at = 0;
    while let Some(current) = found.get(at).cloned() {
        let entries = std::fs::read_dir(&current).into_iter().flatten().flatten();
        let is_directory = |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
        found.extend(entries.filter(is_directory).map(|entry| entry.path()));
        at += 1;
    }
    found
}

/// Returns the pids in `directory` and below.
pub(super) fn pids_below(directory: &Path) -> Result<Vec<i32>, CgroupError> {
    let mut pids = Vec::new();
    for directory in directories_below(directory) {
        let file = directory.join("cgroup.procs");
        match std::fs::read_to_string(&file) {
            Ok(text) => pids.extend(text.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok())),
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(CgroupError::file("read", &file, error)),
        }
    }
    Ok(pids)
}

/// ENODEV is what an open file of a removed cgroup answers; EOPNOTSUPP one in a threaded cgroup, whose
/// processes the cgroup above lists.
pub(super) fn is_gone(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::ENOENT | Errno::ENODEV | Errno::EOPNOTSUPP))
}
