//! lighter's own init: stays as pid 1, hands signals on to the program, reaps what others leave, ends as the program ends.
//!
//! Runs in the container's first process, as confined as the program. It is this program's own text, still in memory from
//! before the pivot, so the image needs nothing for it.

use std::convert::Infallible;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, setpgid, tcsetpgrp};

use crate::process;
use crate::sys;
use crate::sys::process::Child;

/// Clones the process that becomes the program; `program` runs in it.
pub(super) fn split(program: impl FnOnce() -> Infallible) -> nix::Result<Child> {
    // before the clone: a signal that comes between would end pid 1, and with it the container
    SigSet::all().thread_block()?;
    sys::process::spawn(0, None, || {
        lead_group();
        match sys::signal::reset() {
            Ok(()) => program(),
            Err(_) => sys::process::exit_now(1),
        }
    })
}

/// The program leads a process group of its own, in front on its terminal if it has one, as under a shell.
fn lead_group() {
    let own = Pid::from_raw(0);
    if setpgid(own, own).is_ok() {
        // without a terminal there is no front to be in
        let _ = tcsetpgrp(std::io::stdin(), nix::unistd::getpid());
    }
}

/// Hands signals on and reaps until the program ends; ends as it does, 128 + signal if a signal ended it.
pub(super) fn reap(child: &Child) -> nix::Result<Infallible> {
    let program: OwnedFd = child.pidfd.try_clone().map_err(|_| Errno::EMFILE)?;
    sys::descriptor::close_all_but(3, &[program.as_fd()])?;
    nix::sys::prctl::set_dumpable(false)?;
    nix::sys::prctl::set_name(c"init")?;
    let signals = SignalFd::with_flags(&SigSet::all(), SfdFlags::SFD_CLOEXEC)?;
    loop {
        match signals.read_signal()? {
            Some(signal) if signal.ssi_signo == Signal::SIGCHLD as u32 => {
                if let Some(status) = reap_all(child.pid)? {
                    sys::process::exit_now(status);
                }
            }
            // it has ended meanwhile: SIGCHLD says so
            Some(signal) => _ = process::kill(program.as_fd(), signal.ssi_signo as i32),
            None => {}
        }
    }
}

/// Reaps every child that has ended; returns the exit status once the program is among them.
fn reap_all(program: i32) -> nix::Result<Option<i32>> {
    let mut ended = None;
    loop {
        let (pid, status) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => (pid, code),
            Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, 128 + signal as i32),
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(ended),
            Ok(_) | Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno),
        };
        if pid.as_raw() == program {
            ended = Some(status);
        }
    }
}
