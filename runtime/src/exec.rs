//! A second process in a running container.
//!
//! Runs in the command that asked for it, or in the monitor for health probes: one thread, from a sealed
//! copy of the program. The new process is a child of the caller, who reaps it.

use std::os::fd::OwnedFd;
use std::time::Duration;

use oci_spec::runtime::{Process, Spec};

use crate::cgroup::Cgroup;
use crate::init::{self, Channel, JoinedStart};
use crate::launch::{LaunchError, Stdio, clone_beyond, end, hand_over, release, wait_until_ready};
use crate::plan::{self, NumberSet, ProcessPlan};
use crate::process::ProcessRef;
use crate::sealed;
use crate::sys;
use crate::sys::process::Child;

/// What to run, and in which container.
#[derive(Debug)]
pub struct ExecRequest<'a> {
    /// The container's init.
    pub init: &'a ProcessRef,
    /// The container's cgroup.
    pub cgroup: &'a Cgroup,
    /// What the container was made from: its namespaces and its seccomp profile hold here too.
    pub container: &'a Spec,
    /// The process: program, user, capabilities, limits.
    pub process: &'a Process,
    /// Its standard streams.
    pub stdio: Stdio,
    /// How many of the caller's descriptors from 3 on the program inherits.
    pub preserve_fds: u32,
    /// How long it may be silent before its program runs, then it is ended; `None`: as long as it is. A container can stop
    /// what comes into its pid namespace, and what is born in a frozen cgroup waits until that is thawed.
    pub patience: Option<Duration>,
}

/// A process that [`exec`] started: a child of the caller.
#[derive(Debug)]
pub struct Executed {
    /// Its pid in the caller's pid namespace.
    pub pid: i32,
    /// Its handle, by which it is signalled and reaped.
    pub pidfd: OwnedFd,
    /// The master side of its terminal.
    pub terminal: Option<OwnedFd>,
    /// What the user should be told once.
    pub warnings: Vec<String>,
}

/// Starts a process in a running container; returns once its program runs.
///
/// # Errors
/// [`LaunchError::Gone`] when the container's init has ended; else as [`crate::launch::create`] and
/// [`crate::launch::Created::start`]. No process is left then.
pub fn exec(request: ExecRequest<'_>) -> Result<Executed, LaunchError> {
    if !sealed::is_sealed() {
        return Err(LaunchError::NotSealed);
    }
    let plan = plan::process(request.container, request.process, request.cgroup, request.init.pid)?;
    let gone = || LaunchError::Gone { pid: request.init.pid };
    let init = request.init.open().map_err(LaunchError::clone)?.ok_or_else(gone)?;
    let (child, channel) = clone_process(&request, &plan, &init)?;
    drop(request.stdio);
    request.patience.map_or(Ok(()), |patience| channel.limit_waits(patience)).map_err(|source| {
        end(&child);
        LaunchError::Channel { source }
    })?;
    // Stages are the business of a container's first process: what this one waited for would never be enough.
    let no_stage = |_| Err(LaunchError::Channel { source: std::io::ErrorKind::InvalidData.into() });
    let (terminal, warnings) = wait_until_ready(&child, &channel, no_stage)?;
    release(&channel, b"{}").inspect_err(|_| {
        end(&child);
    })?;
    let Child { pid, pidfd } = child;
    Ok(Executed { pid, pidfd, terminal, warnings })
}

fn clone_process(
    request: &ExecRequest<'_>,
    plan: &ProcessPlan,
    init: &OwnedFd,
) -> Result<(Child, Channel), LaunchError> {
    let attachment = request.cgroup.attachment_beside(request.init.pid)?;
    let kinds = namespaces(request.container);
    let _back = plan.affinity.initial.as_ref().map(Pinned::to).transpose()?;
    if kinds & libc::CLONE_NEWUSER != 0 {
        hand_over(&request.stdio, request.init.pid, plan.user.uid.as_raw())?;
    }
    let (attachment, stdio, preserve_fds) = (&attachment, &request.stdio, request.preserve_fds);
    let start = JoinedStart { plan, attachment, init, kinds, stdio, preserve_fds };
    clone_beyond(
        (attachment, request.patience),
        |kept| init::cross_over(&start, kept),
        |channel, joined, pid| init::run_joined(&start, &channel, joined, pid),
    )
}

/// The caller runs on some processors only while this lives: a child starts where its parent is allowed.
#[derive(Debug)]
struct Pinned {
    before: Vec<u64>,
}

impl Pinned {
    fn to(processors: &NumberSet) -> Result<Self, LaunchError> {
        let failed = |errno| LaunchError::prepare("set `process.execCPUAffinity.initial`", errno);
        let before = sys::schedule::affinity().map_err(failed)?;
        sys::schedule::set_affinity(processors.words()).map_err(failed)?;
        Ok(Self { before })
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // What was allowed a moment ago is refused only if the processors have gone since: the kernel chose others.
        let _gone = sys::schedule::set_affinity(&self.before);
    }
}

/// Returns the kinds of namespaces the container has apart from the host's.
fn namespaces(container: &Spec) -> i32 {
    let all = container.linux().as_ref().and_then(|linux| linux.namespaces().as_ref());
    all.into_iter().flatten().fold(libc::CLONE_NEWNS, |kinds, namespace| kinds | plan::namespace_flag(namespace.typ()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_is_only_lent_to_other_processors() {
        let before = sys::schedule::affinity().unwrap();
        let first = before.iter().position(|word| *word != 0).map(|at| at * 64 + before[at].trailing_zeros() as usize);
        let first = NumberSet::parse(&first.unwrap().to_string()).unwrap();
        let pinned = Pinned::to(&first).unwrap();
        let during = sys::schedule::affinity().unwrap();
        assert_eq!(during[..first.words().len()], *first.words());
        drop(pinned);
        assert_eq!(sys::schedule::affinity().unwrap(), before);
        assert!(Pinned::to(&NumberSet::parse("8000").unwrap()).is_err(), "no host has that processor");
        assert_eq!(sys::schedule::affinity().unwrap(), before);
    }
}
