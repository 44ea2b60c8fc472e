//! The monitor: one small process per running container, parent of its init. Single-threaded, one event loop.
//!
//! It owns the container's output, health checks, restart policy, name server and end. If it is killed the container
//! goes on, and the next command starts another one that adopts it ([`crate::Engine::recover`]).

mod again;
mod attachments;
mod changes;
mod event_loop;
mod foreign;
mod health;
mod held;
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
use crate::spawn::{self, LaunchRecord, Reply, Task};
use crate::spawner::{self, Request};
use crate::{Engine, hooks, sys};
use launch::Monitor;

pub(crate) use output::set_nonblocking;

pub use crate::spawn::MONITOR_VERB;

/// Is the spawner, and in the processes that it forks the monitor: call it first thing in `main` when the first argument is
/// [`MONITOR_VERB`]. Returns the exit status.
///
/// Takes over descriptor 3, the socket to the command; nothing else of the parent's survives.
pub fn main() -> u8 {
    let begun = spawner::serve().and_then(|request| request.map_or(Ok(None), begin));
    let ended = begun.and_then(|monitor| {
        // a launch goes deep and needs much, what comes now does not
        sys::release_stack();
        let _ = sys::heap::release(); // a monitor that keeps it is larger, and no worse
        monitor.map_or(Ok(()), Monitor::run)
    });
    match ended {
        Ok(()) => 0,
        Err(_) => 1, // nobody listens any more: the command has read the reply or is gone
    }
}

/// Does the task, and says how that went. A monitor whose container runs is returned.
fn begin(request: Request) -> io::Result<Option<Monitor>> {
    let Request { record, reply, lock, attached, traced } = request;
    trace::become_process(trace::Process::Monitor);
    if let Some(file) = traced {
        trace::to(file.into());
    }
    let signals = signals()?;
    let engine = Engine::open(record.root.clone(), record.run.clone()).map_err(io::Error::other)?;
    let engine = engine.with_network(record.network.clone()).with_runtimes(record.runtimes.clone());
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
        Task::Commands(turn) => answer(reply, &hooks::serve(&engine, &record, turn)).map(|()| None),
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
    (reply, lock): (OwnedFd, Option<OwnedFd>),
    beginning: Beginning,
) -> io::Result<Option<Monitor>> {
    let before = engine.load_state(id).unwrap_or_default();
    // whoever is attached wants the output, and whoever looks after what others have left behind has its own work to do
    let is_heard = beginning.attached.is_none() && beginning.restarts == 0;
    let started = Monitor::start(engine.clone(), id, signals, beginning);
    trace::stop(); // what comes later is no part of the start, and the command has stopped listening
    match started {
        Ok((mut monitor, warnings)) => {
            drop(lock);
            // the command may be gone already: the container was wanted all the same
            if is_heard {
                let _ = report(&monitor, reply, warnings);
            } else {
                let _ = answer(reply, &Reply::Started { warnings });
                monitor.begin_hooks();
            }
            Ok(Some(monitor))
        }
        Err(error) => {
            let exit_code = error.exit_code();
            launch::record_failure(&engine, id, before, exit_code, &chain(&error));
            drop(lock);
            let answered = answer(reply, &Reply::Failed { exit_code, message: chain(&error), port: error.port() });
            // only now: the command holds the container's lock until it has the reply
            launch::remove_if_asked(&engine, id);
            engine.net().teardown_later().map_err(io::Error::other)?;
            answered.map(|()| None)
        }
    }
}

fn adopt(
    engine: Engine,
    id: &str,
    signals: SignalFd,
    (reply, lock): (OwnedFd, Option<OwnedFd>),
) -> io::Result<Option<Monitor>> {
    let adopted = Monitor::adopt(engine, id, signals);
    drop(lock);
    match adopted {
        Ok(monitor) => {
            answer(reply, &Reply::Started { warnings: Vec::new() })?;
            Ok(Some(monitor))
        }
        Err(error) => answer(reply, &ours(&error)).map(|()| None),
    }
}

/// Says that the container has started: at once, or by the process that runs its post_start hooks, when it has.
fn report(monitor: &Monitor, reply: OwnedFd, warnings: Vec<String>) -> io::Result<()> {
    if monitor.spec.hooks.post_start.is_empty() {
        return answer(reply, &Reply::Started { warnings });
    }
    let _ = answer(reply.try_clone()?, &Reply::Begun); // nobody need listen for them to run
    let record = LaunchRecord { warnings, ..monitor.hooks_record() };
    spawn::start(&record, &reply, None, None).or_else(|error| answer(reply, &ours(&error)))
}

/// Says of a failure that it is none of the container's.
fn ours(error: &dyn std::error::Error) -> Reply {
    Reply::Failed { exit_code: exit_code::OURS, message: chain(error), port: None }
}

fn answer(reply: OwnedFd, message: &Reply) -> io::Result<()> {
    let text = serde_json::to_vec(message)?;
    File::from(reply).write_all(&text)
}

/// Returns the error and its causes, joined by `: `.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.dedup(); // transparent errors say the same twice
    texts.join(": ")
}
