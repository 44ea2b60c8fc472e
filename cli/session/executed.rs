//! Joined to a process of `exec`, our own child.

use std::fs::File;
use std::io::{self, PipeWriter, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};

use lighter_engine::Exec;
use lighter_engine::runtime::{process, terminal};
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::signal::Signal;

use super::detach::{DetachKeys, Watch};
use crate::error::Failure;

/// First argument of the process that keeps the terminal of one that its user has left alone.
pub(crate) const KEEPER_VERB: &str = "__keep";

/// How a process of `exec` is joined.
#[derive(Default)]
pub(crate) struct Joining<'a> {
    /// Signals that it gets instead of us.
    pub(crate) forwarded: &'a [Signal],
    /// What the user types on a terminal to leave it alone; `None` = nothing does.
    pub(crate) detach_keys: Option<DetachKeys>,
}

/// Moves input and output until the process ends; returns its exit code, `None` if the user has left it.
///
/// Signals that are not forwarded wait for the end: Ctrl-C reaches the process through its terminal, or ends us. The threads are started here, after the process was cloned, so it was cloned from a
/// single thread.
pub(crate) fn pump(mut exec: Exec, how: Joining<'_>) -> Result<Option<i32>, Failure> {
    let caught: Vec<Signal> = [Signal::SIGWINCH].iter().chain(how.forwarded).copied().collect();
    let (left, leave) = io::pipe()?;
    let signals = super::terminal::signals(&caught)?;
    let _raw = exec.terminal.as_ref().and_then(|_| super::terminal::raw());
    let mut outputs = Vec::new();
    let tty = exec.terminal.take();
    resize(tty.as_ref());
    if let Some(master) = &tty {
        detach(type_into(File::from(master.try_clone()?), how.detach_keys, leave.try_clone()?));
        outputs.push(copy(File::from(master.try_clone()?), io::stdout()));
    }
    if let Some(stdin) = exec.stdin.take() {
        detach(copy(io::stdin(), File::from(stdin)));
    }
    outputs.extend(exec.stdout.take().map(|fd| copy(File::from(fd), io::stdout())));
    outputs.extend(exec.stderr.take().map(|fd| copy(File::from(fd), io::stderr())));
    let code = loop {
        let mut fds = [exec.pidfd.as_fd(), signals.as_fd(), left.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        match nix::poll::poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        if fds[2].any().unwrap_or(false)
            && let Some(master) = tty
        {
            keep(master)?;
            return Ok(None);
        }
        while let Some(signal) = signals.read_signal()? {
            match i32::try_from(signal.ssi_signo).unwrap_or_default() {
                number if number == Signal::SIGWINCH as i32 && tty.is_some() => resize(tty.as_ref()),
                number => _ = process::kill(exec.pidfd.as_fd(), number)?,
            }
        }
        if let Some(exit) = process::reap(exec.pidfd.as_fd())? {
            break exit.code();
        }
    };
    // what it wrote before it ended is still in the pipes
    for output in outputs {
        let _ = output.join();
    }
    drop(leave); // until now, as its end would look as if the user had left
    Ok(Some(code))
}

/// Leaves a process alone that has a terminal: without anybody who reads what it shows it would hang, or be hung up.
#[expect(clippy::disallowed_methods, reason = "this very binary, to stay when we have ended")]
fn keep(master: OwnedFd) -> Result<(), Failure> {
    let mut keeper = Command::new("/proc/self/exe");
    keeper.arg(KEEPER_VERB).stdin(master).stdout(Stdio::null()).stderr(Stdio::null());
    // a group that is not in the foreground of the user's terminal is not hung up with it
    keeper.process_group(0).spawn()?;
    Ok(())
}

/// Reads what a process shows on its terminal, stdin, which nobody looks at, until its last user has closed it.
pub(crate) fn be_keeper() {
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink()); // EIO is the end
}

/// Copies what is typed, until it is the detach keys; then `leave` becomes readable at its other end.
fn type_into(mut terminal: File, keys: Option<DetachKeys>, mut leave: PipeWriter) -> JoinHandle<()> {
    let Some(keys) = keys else { return copy(io::stdin(), terminal) };
    thread::spawn(move || {
        let mut piece = [0; 32 << 10];
        let mut watch = Watch::new(keys);
        loop {
            let (bytes, leaves) = match io::stdin().read(&mut piece) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(0) | Err(_) => return,
                Ok(count) => watch.pass(&piece[..count]),
            };
            if terminal.write_all(&bytes).is_err() {
                return; // it has ended
            }
            if leaves {
                let _ = leave.write_all(b"l"); // an empty pipe has room
                return;
            }
        }
    })
}

fn resize(tty: Option<&OwnedFd>) {
    if let (Some(tty), Some((rows, columns))) = (tty, super::size()) {
        let _ = terminal::resize(tty.as_fd(), rows, columns); // cosmetic
    }
}

fn copy(mut from: impl Read + Send + 'static, mut to: impl Write + Send + 'static) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut piece = [0; 32 << 10];
        loop {
            match from.read(&mut piece) {
                Ok(0) => return,
                Ok(count) => {
                    // a reader that has gone, or a process that has closed its input, wants no more
                    if to.write_all(&piece[..count]).and_then(|()| to.flush()).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return, // EIO: the terminal's last user has closed it
            }
        }
    })
}

/// Input is copied until there is none or until we end; nobody waits for it.
fn detach(thread: JoinHandle<()>) {
    drop(thread);
}
