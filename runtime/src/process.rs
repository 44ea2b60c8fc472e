//! Processes by handle: pidfds, start times and exit statuses.
//!
//! Runs in the monitor and in every command that looks at a container. A pid alone names whatever
//! process has that number *now*; a pid with its start time, or a pidfd, names one process for ever.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use serde::{Deserialize, Serialize};

use crate::sys;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// It called exit(2) with this code, 0 to 255.
    Code(u8),
    /// A signal with this number ended it.
    Signal(i32),
}

impl Exit {
    /// Returns the code a shell shows: the exit code, or 128 plus the signal number.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            Self::Code(code) => i32::from(code),
            Self::Signal(signal) => 128 + signal,
        }
    }
}

impl fmt::Display for Exit {
    /// `exit code 1`, `SIGKILL`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(number) => match Signal::try_from(number) {
                Ok(signal) => f.write_str(signal.as_str()),
                Err(_) => write!(f, "signal {number}"),
            },
        }
    }
}

/// Takes the exit status of a child that has ended, without waiting.
///
/// `None` while the child runs. Only its parent can reap a process (waitid(2), `P_PIDFD`), once.
///
/// # Errors
/// ECHILD when the process is no child of the caller or was reaped before.
pub fn reap(pidfd: BorrowedFd<'_>) -> io::Result<Option<Exit>> {
    wait(pidfd, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG)
}

/// Waits until a child ends and takes its exit status.
///
/// # Errors
/// ECHILD when the process is no child of the caller or was reaped before.
pub fn reap_blocking(pidfd: BorrowedFd<'_>) -> io::Result<Exit> {
    loop {
        match wait(pidfd, WaitPidFlag::WEXITED) {
            Ok(Some(exit)) => return Ok(exit),
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Tells whether a process is a child of the caller, and not reaped.
pub(crate) fn is_child(pidfd: BorrowedFd<'_>) -> bool {
    wait(pidfd, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT).is_ok()
}

fn wait(pidfd: BorrowedFd<'_>, flags: WaitPidFlag) -> io::Result<Option<Exit>> {
    Ok(match waitid(Id::PIDFd(pidfd), flags)? {
        // The kernel keeps the low eight bits of the code only (exit(3)), so the cast loses nothing.
        WaitStatus::Exited(_, code) => Some(Exit::Code(code as u8)),
        WaitStatus::Signaled(_, signal, _) => Some(Exit::Signal(signal as i32)),
        _ => None,
    })
}

/// Sends `signal` to the process behind `pidfd`; `false` when that process has ended.
///
/// # Errors
/// EINVAL for a number that is no signal, EPERM as kill(2).
pub fn kill(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<bool> {
    match sys::process::pidfd_send_signal(pidfd, signal) {
        Ok(()) => Ok(true),
        Err(Errno::ESRCH) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// A process, named so that a reused pid is not mistaken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessRef {
    /// The pid in the pid namespace of whoever wrote this down.
    pub pid: i32,
    /// Clock ticks from boot to the start of the process: field 22 of `/proc/PID/stat` (proc(5)).
    pub start_time: u64,
}

impl ProcessRef {
    /// Opens a pidfd; `None` when the process is gone, whoever has its pid now.
    ///
    /// # Errors
    /// What pidfd_open(2) and reading `/proc/PID/stat` say, other than "no such process".
    pub fn open(&self) -> io::Result<Option<OwnedFd>> {
        let pidfd = match sys::process::pidfd_open(self.pid) {
            Ok(pidfd) => pidfd,
            Err(Errno::ESRCH | Errno::EINVAL) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        // Read only after the pidfd is open: as long as the process behind it is not reaped, nobody
        // else can have the pid; if it was reaped in between, the start time differs or is absent.
        match start_time(self.pid) {
            Ok(start) if start == self.start_time => Ok(Some(pidfd)),
            Ok(_) => Ok(None),
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Tells whether the process runs: not gone, not replaced, not a zombie.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        match stat(self.pid) {
            // its first thread may have ended before others: the handle knows
            Ok(Stat { is_zombie: true, .. }) => self.is_running(),
            Ok(stat) => stat.start_time == self.start_time,
            // Not being able to look is no proof of death.
            Err(error) => !is_gone(&error),
        }
    }

    fn is_running(&self) -> bool {
        match self.open() {
            Ok(Some(pidfd)) => sys::process::pidfd_is_running(pidfd.as_fd()),
            Ok(None) => false,
            Err(_) => true,
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::ESRCH as i32)
}

/// Returns the start time of a process, in clock ticks since boot.
///
/// # Errors
/// What reading `/proc/PID/stat` says; `InvalidData` when the line has no field 22.
pub fn start_time(pid: i32) -> io::Result<u64> {
    stat(pid).map(|stat| stat.start_time)
}

/// What `/proc/PID/stat` says of a process.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    is_zombie: bool,
    start_time: u64,
}

fn stat(pid: i32) -> io::Result<Stat> {
    // a line has 52 numbers and a name of at most 64 characters; commands read one for every container there is
    let mut line = [0; 2048];
    let length = File::open(format!("/proc/{pid}/stat"))?.read(&mut line)?;
    parse_stat(&String::from_utf8_lossy(&line[..length]))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("no start time in `/proc/{pid}/stat`")))
}

/// Finds fields 3 and 22. The command name, field 2, may hold blanks and parentheses: count after its end.
fn parse_stat(line: &str) -> Option<Stat> {
    let (_, after_name) = line.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace();
    let is_zombie = matches!(fields.next()?, "Z" | "X");
    Some(Stat { is_zombie, start_time: fields.nth(18)?.parse().ok()? })
}

/// Returns the identity of this boot, a UUID that changes with every start of the kernel.
///
/// # Errors
/// What reading `/proc/sys/kernel/random/boot_id` says (random(4)).
pub fn boot_id() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_shows_signals_above_128() {
        assert_eq!(Exit::Code(7).code(), 7);
        assert_eq!(Exit::Signal(9).code(), 137);
    }

    #[test]
    fn the_start_time_is_found_behind_a_hostile_command_name() {
        let fields: Vec<String> = (4..=52).map(|number| number.to_string()).collect();
        let line = |state: &str| format!("42 (a) b (c) {state} {}\n", fields.join(" "));
        assert_eq!(parse_stat(&line("S")), Some(Stat { is_zombie: false, start_time: 22 }));
        assert_eq!(parse_stat(&line("Z")), Some(Stat { is_zombie: true, start_time: 22 }));
    }

    #[test]
    fn another_start_time_is_another_process() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let right = ProcessRef { pid, start_time: start_time(pid).unwrap() };
        let wrong = ProcessRef { pid, start_time: right.start_time + 1 };
        assert!(right.is_alive());
        assert!(right.open().unwrap().is_some());
        assert!(!wrong.is_alive());
        assert!(wrong.open().unwrap().is_none());
    }

    #[test]
    fn a_boot_has_an_identity() {
        assert_eq!(boot_id().unwrap().len(), 36);
    }
}
