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
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::exit_code;
use crate::runtime::trace;
use crate::spawn::{Reply, Task};
use crate::spawner::{self, Request};
use crate::{Engine, sys};
use launch::{LaunchError, Monitor};

pub use crate::spawn::MONITOR_VERB;

/// Is the spawner, and in the processes that it forks the monitor: call it first thing in `main` when the first argument is
/// [`MONITOR_VERB`]. Returns the exit status.
///
/// Takes over descriptor 3, the socket to the command; nothing else of the parent's survives.
pub fn main() -> u8 {
    let begun = spawner::serve().and_then(|request| request.map_or(Ok(None), begin));
    let ended = begun.and_then(|monitor| {
        sys::release_stack(); // a launch goes deep, what comes now does not
        monitor.map_or(Ok(()), Monitor::run)
    });
    match ended {
        Ok(()) => 0,
        Err(_) => 1, // nobody listens any more: the command has read the reply or is gone
    }
}

/// Starts or adopts the container, and says how that went: `None` if it does not run.
fn begin(request: Request) -> io::Result<Option<Monitor>> {
    let Request { record, reply, lock, attached, traced } = request;
    trace::become_process(trace::Process::Monitor);
    if let Some(file) = traced {
        trace::to(file.into());
    }
    let signals = signals()?;
    let engine = Engine::open(record.root.clone(), record.run.clone()).map_err(io::Error::other)?;
    let engine = engine.with_network(record.network.clone());
    match record.task {
        Task::Start => start(engine, &record.id, signals, reply, Beginning { attached, restarts: 0, lock }),
        Task::Restart => {
            let restarts = engine.load_state(&record.id).map_or(0, |state| state.restart_count + 1);
            start(engine, &record.id, signals, reply, Beginning { attached, restarts, lock })
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
    /// Starts by the restart policy since the last one by the user.
    restarts: u32,
    /// Kept until the container's state says what has become of it.
    lock: OwnedFd,
}

fn start(
    engine: Engine,
    id: &str,
    signals: SignalFd,
    reply: OwnedFd,
    beginning: Beginning,
) -> io::Result<Option<Monitor>> {
    let before = engine.load_state(id).unwrap_or_default();
    let Beginning { attached, restarts, lock } = beginning;
    let started = Monitor::start(engine.clone(), id, signals, attached, restarts);
    trace::stop(); // what comes later is no part of the start, and the command has stopped listening
    match started {
        Ok((monitor, warnings)) => {
            drop(lock);
            // the command may be gone already: the container was wanted all the same
            let _ = answer(reply, &Reply::Started { warnings });
            Ok(Some(monitor))
        }
        Err(error) => {
            let exit_code = error.exit_code();
            launch::record_failure(&engine, id, before, exit_code, &chain(&error));
            drop(lock);
            let answered = answer(reply, &Reply::Failed { exit_code, message: chain(&error) });
            // only now: the command holds the container's lock until it has the reply
            launch::remove_if_asked(&engine, id);
            engine.net().teardown_if_unused().map_err(io::Error::other)?;
            answered.map(|()| None)
        }
    }
}

fn adopt(
    engine: Engine,
    id: &str,
    signals: SignalFd,
    (reply, lock): (OwnedFd, OwnedFd),
) -> io::Result<Option<Monitor>> {
    let adopted = Monitor::adopt(engine, id, signals);
    drop(lock);
    match adopted {
        Ok(monitor) => {
            answer(reply, &Reply::Started { warnings: Vec::new() })?;
            Ok(Some(monitor))
        }
        Err(error) => {
            answer(reply, &Reply::Failed { exit_code: exit_code::OURS, message: chain(&error) }).map(|()| None)
        }
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
