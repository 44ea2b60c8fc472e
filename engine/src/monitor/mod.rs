//! The monitor: one small process per running container, parent of its init. Single-threaded, one event loop.
//!
//! It owns the container's output, health checks, restart policy, name server and end. If it is killed the container
//! goes on, and the next command starts another one that adopts it ([`crate::Engine::recover`]).

mod attachments;
mod event_loop;
mod health;
mod input;
mod launch;
mod output;
pub(crate) mod restart;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::exit_code;
use crate::runtime::trace;
use crate::spawn::{ATTACH_FD, LOCK_FD, LaunchRecord, RECORD_FD, REPLY_FD, Reply, TRACE_FD, Task};
use crate::{Engine, sys};
use launch::{LaunchError, Monitor};

pub use crate::spawn::MONITOR_VERB;

/// Is the monitor: call it first thing in `main` when the first argument is [`MONITOR_VERB`]. Returns the exit status.
///
/// Takes over descriptors 3 (launch record), 4 (reply), 7 (lock) and, if the record says so, 5 (attached client) and 6
/// (record of steps); nothing else of the parent's survives.
pub fn main() -> u8 {
    match run() {
        Ok(()) => 0,
        Err(_) => 1, // nobody listens any more: the command has read the reply or is gone
    }
}

fn run() -> io::Result<()> {
    sys::close_from(LOCK_FD + 1)?;
    let (record, reply) = (sys::inherited(RECORD_FD)?, sys::inherited(REPLY_FD)?);
    let (attached, traced) = (sys::inherited(ATTACH_FD).ok(), sys::inherited(TRACE_FD).ok());
    let lock = sys::inherited(LOCK_FD)?;
    sys::detach_from_parent()?;
    nix::sys::prctl::set_name(c"lighter")?; // the kernel calls it by the number of its descriptor
    std::env::set_current_dir("/")?;
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    // the container's memory limit is not ours, and we are the last to be killed; the launch resets it for the child
    let _ = std::fs::write("/proc/self/oom_score_adj", "-999");
    let mut text = Vec::new();
    File::from(record).read_to_end(&mut text)?;
    let record: LaunchRecord = serde_json::from_slice(&text)?;
    let attached = attached.filter(|_| record.attached).map(UnixStream::from);
    trace::become_process(trace::Process::Monitor);
    if let Some(file) = traced.filter(|_| record.traced) {
        trace::to(file.into());
    }
    let signals = signals()?;
    let engine = Engine::open(record.root.clone(), record.run.clone()).map_err(io::Error::other)?;
    let engine = engine.with_network(record.network.clone());
    match record.task {
        Task::Start => {
            let beginning = Beginning { attached, terminal: record.terminal, restarts: 0 };
            start(engine, &record.id, signals, (reply, lock), beginning)
        }
        Task::Restart => {
            let restarts = engine.load_state(&record.id).map_or(0, |state| state.restart_count + 1);
            start(engine, &record.id, signals, (reply, lock), Beginning { attached, terminal: None, restarts })
        }
        Task::Adopt => adopt(engine, &record.id, signals, (reply, lock)),
    }
}

/// SIGTERM says that the wish of the user (a file) has changed; the terminal's signals are not for us.
fn signals() -> io::Result<SignalFd> {
    let mut set = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGUSR1] {
        set.add(signal);
    }
    set.thread_block()?;
    Ok(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}

/// What a start begins with.
struct Beginning {
    attached: Option<UnixStream>,
    /// Rows and columns of its terminal, as far as a client has said.
    terminal: Option<(u16, u16)>,
    /// Starts by the restart policy since the last one by the user.
    restarts: u32,
}

/// Starts the container; its lock is kept until its state says what has become of it.
fn start(
    engine: Engine,
    id: &str,
    signals: SignalFd,
    (reply, lock): (OwnedFd, OwnedFd),
    beginning: Beginning,
) -> io::Result<()> {
    let before = engine.load_state(id).unwrap_or_default();
    let started = Monitor::start(engine.clone(), id, signals, beginning);
    trace::stop(); // what comes later is no part of the start, and the command has stopped listening
    match started {
        Ok((monitor, warnings)) => {
            drop(lock);
            // the command may be gone already: the container was wanted all the same
            let _ = answer(reply, &Reply::Started { warnings });
            monitor.run()
        }
        Err(error) => {
            let exit_code = error.exit_code();
            launch::record_failure(&engine, id, before, exit_code, &chain(&error));
            drop(lock);
            let answered = answer(reply, &Reply::Failed { exit_code, message: chain(&error) });
            // only now: the command holds the container's lock until it has the reply
            launch::remove_if_asked(&engine, id);
            engine.net().teardown_if_unused().map_err(io::Error::other)?;
            answered
        }
    }
}

fn adopt(engine: Engine, id: &str, signals: SignalFd, (reply, lock): (OwnedFd, OwnedFd)) -> io::Result<()> {
    let adopted = Monitor::adopt(engine, id, signals);
    drop(lock);
    match adopted {
        Ok(monitor) => {
            answer(reply, &Reply::Started { warnings: Vec::new() })?;
            monitor.run()
        }
        Err(error) => answer(reply, &Reply::Failed { exit_code: exit_code::OURS, message: chain(&error) }),
    }
}

fn answer(reply: OwnedFd, message: &Reply) -> io::Result<()> {
    let text = serde_json::to_vec(message)?;
    File::from(reply).write_all(&text)
}

/// Returns the error and its causes, joined by `: `.
fn chain(error: &LaunchError) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    let mut texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.dedup(); // transparent errors say the same twice
    texts.join(": ")
}
