//! A record of what is done to the host and to a process of a container, step by step, as data.
//!
//! Any process: the command, the monitor, and what they clone up to its execve. Each step is an [`Effect`] with the
//! time it began, how long it took, who did it, and, by [`Effect::shell`], the shell command that does the same.
//!
//! ```text
//! command ── to(file) ──▶ descriptor ── spawn ──▶ monitor ── clone ──▶ init     one open file for all: a line a step,
//!    step(…)                               step(…)           step(…)            in one write(2), appended
//!    read(file) ◀──────────────────────────────────────────────┘
//! ```
//!
//! Off, as it is unless somebody calls [`to`], a step costs one load: its effect is not even made. On, nothing depends
//! on it: a line that cannot be written is missing, and the step is done all the same. The descriptor is
//! close-on-exec, so that no program of a container inherits it.

mod describe;
mod effect;
mod of;
mod record;
mod shell;

use std::fmt::Display;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

use jiff::Timestamp;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use nix::sys::stat::fstat;

use crate::sys::slot::Slot;

pub use effect::{Effect, Target};
pub(crate) use of::{announce_departure, text};
pub use record::{Process, Record, read};
pub use shell::word;

static RECORD: Slot = Slot::empty();
static PROCESS: AtomicU8 = AtomicU8::new(Process::Command as u8);

/// Records from here on, at the end of `file`, which should be open for appending and close-on-exec.
pub fn to(file: File) {
    RECORD.put(file.into());
}

/// Records from here on, in memory; returns what the record can be read from.
///
/// # Errors
/// What memfd_create(2) says.
pub fn in_memory() -> io::Result<Recording> {
    let memory = File::from(memfd_create("lighter-trace", MFdFlags::MFD_CLOEXEC)?);
    to(memory.try_clone()?);
    Ok(Recording(memory))
}

/// A record in memory, which other processes may still be writing to.
#[derive(Debug)]
pub struct Recording(File);

impl Recording {
    /// Returns what has been recorded so far.
    ///
    /// # Errors
    /// What pread(2) says.
    pub fn read(&self) -> io::Result<Vec<Record>> {
        let mut text = vec![0; usize::try_from(self.0.metadata()?.len()).unwrap_or_default()];
        // Not by the offset: all who write have the file open as one, and the offset is where they write.
        self.0.read_exact_at(&mut text, 0)?;
        Ok(read(&text))
    }
}

/// Records no more, and closes the file. Only for a process with one thread: another could be writing to it.
pub fn stop() {
    drop(RECORD.take());
}

/// Tells whether steps are recorded.
#[must_use]
pub fn is_on() -> bool {
    RECORD.is_full()
}

/// Lends the file that is written to, for a process that is to go on with the record.
pub fn file() -> Option<BorrowedFd<'static>> {
    RECORD.borrow()
}

/// Says who the calling process is, in what it records from here on.
pub fn become_process(process: Process) {
    PROCESS.store(process as u8, Ordering::Relaxed);
}

/// Does `call`, and records it as `effect`.
///
/// # Errors
/// Those of `call`.
pub fn step<T, E: Display>(effect: impl FnOnce() -> Effect, call: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    if !is_on() {
        return call();
    }
    // Made before the call: afterwards, its operands may be gone.
    let effect = effect();
    timed(call, |_| effect)
}

/// Does `call`, and records it as the effect that its result, if it has one, turns out to be.
///
/// # Errors
/// Those of `call`.
pub fn step_as<T, E: Display>(
    effect: impl FnOnce(Option<&T>) -> Effect,
    call: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    if is_on() { timed(call, effect) } else { call() }
}

/// Records a step that is about to be done, and after which nothing can be written any more.
pub fn announce(effect: impl FnOnce() -> Effect) {
    if is_on() {
        append(&Record { start: Timestamp::now(), took: None, process: process(), effect: effect(), error: None });
    }
}

fn timed<T, E: Display>(
    call: impl FnOnce() -> Result<T, E>,
    effect: impl FnOnce(Option<&T>) -> Effect,
) -> Result<T, E> {
    // By the clock on the wall: that of the machine is another one in a time namespace.
    let (start, clock) = (Timestamp::now(), Instant::now());
    let result = call();
    let took = u64::try_from(clock.elapsed().as_nanos()).ok();
    let error = result.as_ref().err().map(ToString::to_string);
    append(&Record { start, took, process: process(), effect: effect(result.as_ref().ok()), error });
    result
}

fn process() -> Process {
    Process::from_number(PROCESS.load(Ordering::Relaxed))
}

fn append(record: &Record) {
    let (Some(file), Ok(mut line)) = (RECORD.borrow(), serde_json::to_vec(record)) else { return };
    line.push(b'\n');
    if has_room(file, line.len()) {
        // Whatever keeps the line from being written must not keep the step from being done.
        let _lost = nix::unistd::write(file, &line);
    }
}

/// Tells whether a file may grow by so many bytes: beyond the limit that a container's process may have set itself,
/// a write is answered with SIGXFSZ (setrlimit(2), RLIMIT_FSIZE).
fn has_room(file: impl AsFd, bytes: usize) -> bool {
    match getrlimit(Resource::RLIMIT_FSIZE) {
        Ok((RLIM_INFINITY, _)) => true,
        Ok((most, _)) => fstat(file).is_ok_and(|stat| stat.st_size.cast_unsigned() + bytes as u64 <= most),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_nobody_records_is_done_without_making_its_effect() {
        let effect = || -> Effect { panic!("nobody asked") };
        assert_eq!(step(effect, || Ok::<_, io::Error>(7)).unwrap(), 7);
        assert_eq!(step_as(|_| panic!("nobody asked"), || Ok::<_, io::Error>(7)).unwrap(), 7);
        announce(effect);
    }
}
