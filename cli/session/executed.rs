//! Joined to a process of `exec`, our own child.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::thread::{self, JoinHandle};

use lighter_engine::Exec;
use lighter_engine::runtime::{process, terminal};
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::signal::Signal;

use crate::error::Failure;

/// Moves input and output until the process ends; returns its exit code.
///
/// `forwarded` are signals that the process gets instead of us; others wait for the end: Ctrl-C reaches the process
/// through its terminal, or ends us. The threads are started here, after the process was cloned, so it was cloned from a
/// single thread.
pub(crate) fn pump(mut exec: Exec, forwarded: &[Signal]) -> Result<i32, Failure> {
    let caught: Vec<Signal> = [Signal::SIGWINCH].iter().chain(forwarded).copied().collect();
    let signals = super::terminal::signals(&caught)?;
    let _raw = exec.terminal.as_ref().and_then(|_| super::terminal::raw());
    let mut outputs = Vec::new();
    let tty = exec.terminal.take();
    resize(tty.as_ref());
    if let Some(master) = &tty {
        detach(copy(io::stdin(), File::from(master.try_clone()?)));
        outputs.push(copy(File::from(master.try_clone()?), io::stdout()));
    }
    if let Some(stdin) = exec.stdin.take() {
        detach(copy(io::stdin(), File::from(stdin)));
    }
    outputs.extend(exec.stdout.take().map(|fd| copy(File::from(fd), io::stdout())));
    outputs.extend(exec.stderr.take().map(|fd| copy(File::from(fd), io::stderr())));
    let code = loop {
        let mut fds =
            [PollFd::new(exec.pidfd.as_fd(), PollFlags::POLLIN), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        match nix::poll::poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(errno) => return Err(errno.into()),
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
    Ok(code)
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
