//! Processes: the one clone, and handles to processes.
//!
//! [`spawn`] runs in the monitor (or the command that execs); everything else in any process.
#![expect(unsafe_code, reason = "nix 0.31 has no clone3(2), execveat(2) with AT_EMPTY_PATH, pidfd_open(2)")]

use std::convert::Infallible;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::unistd::{ForkResult, fork};

use super::shared::SharedPid;

/// `CLONE_INTO_CGROUP` (clone(2)): the child starts in the cgroup `clone_args.cgroup` names.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// A process that [`spawn`] made.
#[derive(Debug)]
pub(crate) struct Child {
    /// Its pid in the caller's pid namespace.
    pub(crate) pid: i32,
    /// Its handle, close-on-exec.
    pub(crate) pidfd: OwnedFd,
}

/// Clones the calling process: the one place of this crate where a process is made.
///
/// Leaves the caller non-dumpable (prctl(2), PR_SET_DUMPABLE).
///
/// `namespaces` are `CLONE_NEW*` flags; `cgroup` is a cgroup2 directory to start in. The child runs
/// `body` on a copy of the caller's memory; if `body` panics, the child ends with status 1.
///
/// # Errors
/// `EAGAIN`, before any clone, when the caller has a second thread: the copy would keep whatever
/// lock that thread holds, for ever (malloc's, for one). Else what clone3(2) says.
pub(crate) fn spawn(
    namespaces: u64,
    cgroup: Option<BorrowedFd<'_>>,
    body: impl FnOnce() -> Infallible,
) -> nix::Result<Child> {
    if thread_count()? != 1 {
        return Err(Errno::EAGAIN);
    }
    clone(libc::clone_args { flags: namespaces, exit_signal: libc::SIGCHLD as u64, ..no_arguments() }, cgroup, body)
}

/// Clones the calling process as [`spawn`] does, but into a child of the caller's parent (`CLONE_PARENT`).
///
/// For a process that [`spawn`] made, which has one thread, wherever its procfs may be by now. Who was born is in `told`
/// before it, or the caller, runs on: no signal can come in between.
pub(crate) fn spawn_sibling(
    namespaces: u64,
    cgroup: Option<BorrowedFd<'_>>,
    told: &SharedPid,
    body: impl FnOnce() -> Infallible,
) -> nix::Result<Child> {
    let flags = namespaces | (libc::CLONE_PARENT | libc::CLONE_PARENT_SETTID) as u64;
    // The signal at its end is that of the caller: clone3(2) takes none here.
    clone(libc::clone_args { flags, parent_tid: told.address(), ..no_arguments() }, cgroup, body)
}

fn no_arguments() -> libc::clone_args {
    // SAFETY: `clone_args` is plain numbers; zero is a valid value of each and means "not asked for".
    unsafe { std::mem::zeroed() }
}

/// `args` are those but for the pidfd and the cgroup; an address in them is of memory that outlives the call.
fn clone(
    mut args: libc::clone_args,
    cgroup: Option<BorrowedFd<'_>>,
    body: impl FnOnce() -> Infallible,
) -> nix::Result<Child> {
    // Before the clone, so that there is no moment at which a process inside the container could look
    // into the child's copy of our memory. The execve makes the child dumpable again.
    prctl::set_dumpable(false)?;
    let mut pidfd: RawFd = -1;
    args.flags |= libc::CLONE_PIDFD as u64;
    args.pidfd = &raw mut pidfd as u64;
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: `args` is a whole `clone_args` of the size given. No CLONE_VM and no stack: the child
    // gets a copy of the address space, as after fork(2), so nothing of ours is shared with it. The
    // process has one thread, as `spawn` has checked, so the copy holds no lock of another one.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<libc::clone_args>()) };
    match Errno::result(pid) {
        Ok(0) => run_child(body),
        // a seccomp filter as docker's hides it from our init in another runtime's containers
        Err(Errno::ENOSYS) if args.flags == libc::CLONE_PIDFD as u64 => forked(body),
        Err(errno) => Err(errno),
        Ok(pid) => {
            // SAFETY: clone3(2) stored a new descriptor in `pidfd`, which nothing else owns.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Child { pid: pid as i32, pidfd })
        }
    }
}

/// What [`clone`] does, by the older call.
fn forked(body: impl FnOnce() -> Infallible) -> nix::Result<Child> {
    // SAFETY: the process has one thread, as `spawn` has checked, so the child's copy of its memory holds no lock of another.
    match unsafe { fork() }? {
        ForkResult::Child => run_child(body),
        ForkResult::Parent { child } => {
            // it is ours to reap, so nobody else has its pid
            Ok(Child { pid: child.as_raw(), pidfd: pidfd_open(child.as_raw())? })
        }
    }
}

/// Runs in the child only; what would unwind into the caller's frames ends here.
fn run_child(body: impl FnOnce() -> Infallible) -> ! {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(never) => match never {},
        Err(_) => exit_now(1),
    }
}

/// Ends the process at once: no exit handlers, no flushing of buffers the parent holds as well.
pub(crate) fn exit_now(status: i32) -> ! {
    // SAFETY: _exit(2) takes a number and never returns.
    unsafe { libc::_exit(status) }
}

/// Counts the threads of the calling process: field 20 of `/proc/self/stat` (proc(5)).
pub(crate) fn thread_count() -> nix::Result<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").map_err(|_| Errno::ENOENT)?;
    let (_, after_name) = stat.rsplit_once(')').ok_or(Errno::EINVAL)?;
    after_name.split_ascii_whitespace().nth(17).and_then(|field| field.parse().ok()).ok_or(Errno::EINVAL)
}

/// Opens a handle to the process `pid`, close-on-exec (pidfd_open(2)).
pub(crate) fn pidfd_open(pid: i32) -> nix::Result<OwnedFd> {
    // SAFETY: pidfd_open(2) takes two numbers and touches no memory of ours.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = Errno::result(fd)? as RawFd;
    // SAFETY: the kernel has just returned `fd` as a new descriptor, which nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends `signal` to the process behind `pidfd`, which, unlike kill(2), cannot hit a reused pid.
pub(crate) fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> nix::Result<()> {
    let (info, flags) = (ptr::null::<libc::siginfo_t>(), 0u32);
    // SAFETY: `info` is null, which pidfd_send_signal(2) defines as "fill it in as kill(2) would", so
    // the kernel reads no memory of ours; `pidfd` is borrowed, so it stays open across the call.
    let rc = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, info, flags) };
    Errno::result(rc).map(drop)
}

/// Tells whether the process behind `pidfd` still runs: a pidfd is readable once it has ended.
pub(crate) fn pidfd_is_running(pidfd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(pidfd, PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO) == Ok(0)
}
