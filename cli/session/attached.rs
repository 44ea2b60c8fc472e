//! Joined to a container's own process, by way of its monitor.

use std::io::{self, IsTerminal, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use lighter_engine::{AttachClient, Container, Engine, Frame, Stream};
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use std::os::fd::AsFd;

use super::detach::{DetachKeys, Watch};
use crate::error::Failure;

/// What an attachment carries.
#[derive(Debug, Clone)]
pub(crate) struct Attachment {
    /// Hand our input in.
    pub(crate) input: bool,
    /// Hand its output, or all that its terminal shows, out.
    pub(crate) output: bool,
    /// Hand its error output out.
    pub(crate) error_output: bool,
    /// The container has a terminal: ours goes raw.
    pub(crate) terminal: bool,
    /// Hand signals on to the container instead of dying of them.
    pub(crate) proxy_signals: bool,
    /// What runs there has filled its screen before we came: it shall do so again.
    pub(crate) redraw: bool,
    /// What the user types on a terminal to leave the container alone.
    pub(crate) detach_keys: DetachKeys,
}

impl Attachment {
    /// Both outputs; everything else is said by who attaches.
    pub(crate) fn outputs() -> Self {
        Self {
            input: false,
            output: true,
            error_output: true,
            terminal: false,
            proxy_signals: true,
            redraw: false,
            detach_keys: DetachKeys::default(),
        }
    }
}

/// How an attachment came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The container has ended, with this code.
    Exited(i32),
    /// The user has typed the detach keys: the container goes on.
    Detached,
    /// The monitor was killed: the container goes on.
    MonitorGone,
}

/// Signals that a container gets instead of the command that waits for it.
pub(crate) const PROXIED: [Signal; 6] =
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGUSR1, Signal::SIGUSR2];

/// Moves input and output until the container ends, or the user leaves it.
pub(crate) fn attach(
    engine: &Engine,
    container: &Container,
    mut client: AttachClient,
    how: Attachment,
) -> Result<Ended, Failure> {
    let raw = if how.terminal { super::terminal::raw() } else { None };
    let mut wanted = vec![Signal::SIGWINCH];
    if how.proxy_signals {
        wanted.extend(PROXIED);
    }
    let signals = super::terminal::signals(&wanted)?;
    if how.terminal {
        if how.redraw {
            send_other_size(&mut client);
        }
        send_size(&mut client);
    }
    let detached = Arc::new(AtomicBool::new(false));
    if how.input {
        let sender = client.try_clone()?;
        let keys = how.terminal.then(|| how.detach_keys.clone());
        let detached = detached.clone();
        thread::spawn(move || send_input(sender, keys, &detached));
    }
    let ended = receive(engine, container, &mut client, &signals, &how);
    drop(raw);
    match ended {
        Ok(Ended::MonitorGone) if detached.load(Ordering::Acquire) => {
            let _ = writeln!(io::stderr(), "read escape sequence");
            return Ok(Ended::Detached);
        }
        Ok(Ended::Exited(KILLED)) => tell_of_memory(engine, container),
        _ => {}
    }
    ended
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
    how: &Attachment,
) -> Result<Ended, Failure> {
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
        if ready && let Some(end) = pass_on(client, how)? {
            return Ok(end);
        }
    }
}

/// Writes all that has arrived; returns how the container ended, once it has.
fn pass_on(client: &mut AttachClient, how: &Attachment) -> Result<Option<Ended>, Failure> {
    let mut next = client.receive()?;
    loop {
        match next {
            None => return Ok(Some(Ended::MonitorGone)),
            Some(Frame::Exit(code)) => return Ok(Some(Ended::Exited(code))),
            Some(Frame::Output(Stream::Stdout, bytes)) if how.output => write(&mut io::stdout().lock(), &bytes)?,
            Some(Frame::Output(Stream::Stderr, bytes)) if how.error_output => write(&mut io::stderr().lock(), &bytes)?,
            Some(_) => {}
        }
        next = client.arrived()?;
        if next.is_none() {
            return Ok(None); // poll(2) tells of more; it cannot tell of what has been read already
        }
    }
}

fn write(to: &mut impl Write, bytes: &[u8]) -> Result<(), Failure> {
    to.write_all(bytes).and_then(|()| to.flush()).map_err(crate::ui::output_failure)
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

/// A program is told of its terminal's size when that has changed, and fills its screen then.
fn send_other_size(client: &mut AttachClient) {
    if let Some((rows, columns)) = super::size() {
        let _ = client.send(&Frame::Resize(rows.saturating_add(1), columns.saturating_add(1))); // cosmetic
    }
}

fn send_input(mut client: AttachClient, keys: Option<DetachKeys>, detached: &AtomicBool) {
    let mut piece = [0; 16 << 10];
    let mut stdin = io::stdin().lock();
    let mut watch = keys.map(Watch::new);
    loop {
        match stdin.read(&mut piece) {
            Ok(0) => {
                let _ = client.send(&Frame::EndOfInput); // the container has ended: nobody to tell
                return;
            }
            Ok(count) => {
                let (bytes, leaves) = match &mut watch {
                    Some(watch) => watch.pass(&piece[..count]),
                    None => (piece[..count].to_vec(), false),
                };
                if !bytes.is_empty() && client.send(&Frame::Input(bytes)).is_err() {
                    return;
                }
                if leaves {
                    detached.store(true, Ordering::Release);
                    let _ = client.close(); // the container has ended at the same moment
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
