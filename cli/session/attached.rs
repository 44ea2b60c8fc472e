//! Joined to a container's own process, by way of its monitor.

use std::io::{self, IsTerminal, Read, Write};
use std::thread;

use lighter_engine::{AttachClient, Container, Engine, Frame, Stream};
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use std::os::fd::AsFd;

use crate::error::Failure;

/// What an attachment carries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attachment {
    /// Hand our input in.
    pub(crate) input: bool,
    /// The container has a terminal: ours goes raw.
    pub(crate) terminal: bool,
    /// Hand signals on to the container instead of dying of them.
    pub(crate) proxy_signals: bool,
}

/// Signals that a container gets instead of the command that waits for it.
pub(crate) const PROXIED: [Signal; 6] =
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGUSR1, Signal::SIGUSR2];

/// Moves input and output until the container ends; returns its exit code, `None` if the monitor died.
pub(crate) fn attach(
    engine: &Engine,
    container: &Container,
    mut client: AttachClient,
    how: Attachment,
) -> Result<Option<i32>, Failure> {
    let raw = if how.terminal { super::terminal::raw() } else { None };
    let mut wanted = vec![Signal::SIGWINCH];
    if how.proxy_signals {
        wanted.extend(PROXIED);
    }
    let signals = super::terminal::signals(&wanted)?;
    if how.terminal {
        send_size(&mut client);
    }
    if how.input {
        let sender = client.try_clone()?;
        thread::spawn(move || send_input(sender));
    }
    let code = receive(engine, container, &mut client, &signals);
    drop(raw);
    if matches!(code, Ok(Some(KILLED))) {
        tell_of_memory(engine, container);
    }
    code
}

/// Exit code of what SIGKILL has ended.
const KILLED: i32 = 137;

/// Says so when it was the kernel that killed, for want of memory; a container that is gone already cannot be asked.
fn tell_of_memory(engine: &Engine, container: &Container) {
    let now = engine.load(&container.id).ok().flatten();
    if let Some(text) = now.and_then(|now| now.out_of_memory()) {
        let _ = writeln!(io::stderr(), "lighter: {} was killed: {text}", container.spec.name);
    }
}

fn receive(
    engine: &Engine,
    container: &Container,
    client: &mut AttachClient,
    signals: &SignalFd,
) -> Result<Option<i32>, Failure> {
    loop {
        let ready = {
            let mut fds =
                [PollFd::new(client.as_fd(), PollFlags::POLLIN), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
            match nix::poll::poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(nix::Error::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            fds[0].any().unwrap_or(false)
        };
        while let Some(signal) = signals.read_signal()? {
            forward(engine, container, client, i32::try_from(signal.ssi_signo).unwrap_or(0));
        }
        if ready && let Some(end) = pass_on(client)? {
            return Ok(end);
        }
    }
}

/// Writes what has arrived; returns how the container ended, once it has.
fn pass_on(client: &mut AttachClient) -> Result<Option<Option<i32>>, Failure> {
    match client.receive()? {
        None => Ok(Some(None)),
        Some(Frame::Exit(code)) => Ok(Some(Some(code))),
        Some(Frame::Output(Stream::Stdout, bytes)) => write(&mut io::stdout().lock(), &bytes),
        Some(Frame::Output(Stream::Stderr, bytes)) => write(&mut io::stderr().lock(), &bytes),
        Some(_) => Ok(None),
    }
}

fn write(to: &mut impl Write, bytes: &[u8]) -> Result<Option<Option<i32>>, Failure> {
    to.write_all(bytes).and_then(|()| to.flush()).map_err(crate::ui::output_failure)?;
    Ok(None)
}

fn forward(engine: &Engine, container: &Container, client: &mut AttachClient, signal: i32) {
    if signal == Signal::SIGWINCH as i32 {
        send_size(client);
    } else {
        let _ = engine.kill(container, signal); // it has ended meanwhile: the exit frame says so
    }
}

fn send_size(client: &mut AttachClient) {
    if let Some((rows, columns)) = super::size() {
        let _ = client.send(&Frame::Resize(rows, columns)); // cosmetic
    }
}

fn send_input(mut client: AttachClient) {
    let mut piece = [0; 16 << 10];
    let mut stdin = io::stdin().lock();
    loop {
        match stdin.read(&mut piece) {
            Ok(0) => {
                let _ = client.send(&Frame::EndOfInput); // the container has ended: nobody to tell
                return;
            }
            Ok(count) => {
                if client.send(&Frame::Input(piece[..count].to_vec())).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Returns an error when a terminal is wanted and stdin is none: docker's `the input device is not a TTY`.
pub(crate) fn check_terminal(terminal: bool, input: bool) -> Result<(), Failure> {
    if terminal && input && !io::stdin().is_terminal() {
        return Err(Failure::text("the input device is not a TTY").hint("leave out -t when stdin is a pipe or a file"));
    }
    Ok(())
}
