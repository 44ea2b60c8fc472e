//! The first steps of every process of a container: leave the monitor's ways behind.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::unistd::setsid;

use super::error::{Act, InitError};
use super::{attributes, credentials};
use crate::cgroup::Attachment;
use crate::plan::{ProcessPlan, namespace_name};
use crate::seccomp::listener::Connection;
use crate::sys;
use crate::trace::{self, Effect};

/// Steps that need nothing but the host's view: before any namespace is joined.
pub(super) fn settle(
    attachment: &Attachment,
    warnings: &mut Vec<String>,
    plan: &ProcessPlan,
    preserve_fds: u32,
) -> Result<(), InitError> {
    sys::signal::reset().act("reset signals")?;
    // Whatever was open in the caller, by whoever: no program of a container inherits it unasked.
    sys::descriptor::close_on_exec_from(3 + preserve_fds).act("mark descriptors close-on-exec")?;
    nix::sys::stat::umask(nix::sys::stat::Mode::empty());
    attachment.enter().act("enter the cgroup")?;
    adjust_oom_score(plan.oom_score_adj, warnings)?;
    // After the cgroup, which resets processors and bounds memory nodes.
    attributes::settle(plan)
}

/// Connects to the seccomp agent, if some calls wait for its answer: `count` times, as it takes one listener each.
pub(super) fn reach_agent(plan: &ProcessPlan, count: usize) -> Result<Vec<Connection>, InitError> {
    let agent = plan.agent.iter().cycle().take(if plan.agent.is_some() { count } else { 0 });
    agent.map(|agent| agent.connect().act_on("connect to `linux.seccomp.listenerPath`", agent.path())).collect()
}

/// Has the connections to the agent speak for this process, which another one has made ready: it has `pid` on the host.
pub(super) fn introduce(plan: &ProcessPlan, pid: i32, agents: &mut [Connection]) -> Result<(), InitError> {
    let Some(agent) = &plan.agent else { return Ok(()) };
    agents.iter_mut().try_for_each(|connection| agent.introduce(pid, connection)).act("write to the seccomp agent")
}

/// Joins namespaces, each checked to be of the kind it is said to be before the clone.
pub(super) fn join(namespaces: &[(i32, OwnedFd)]) -> Result<(), InitError> {
    for (kind, file) in namespaces {
        let act = format!("join the {} namespace (`linux.namespaces`)", namespace_name(*kind));
        trace::step(|| Effect::join(*kind, file), || setns(file, CloneFlags::from_bits_retain(*kind))).act(&act)?;
    }
    Ok(())
}

/// Makes new namespaces for a process that was not born into them: `CLONE_NEW*` flags.
pub(super) fn unshare(namespaces: u64) -> Result<(), InitError> {
    let flags = CloneFlags::from_bits_retain(namespaces as i32);
    trace::step(|| Effect::unshare(namespaces as i32), || nix::sched::unshare(flags))
        .act("make namespaces (`linux.namespaces`)")
}

/// Makes the cgroup namespace, now that this process is where its root shall be.
pub(super) fn unshare_cgroup() -> Result<(), InitError> {
    trace::step(|| Effect::unshare(libc::CLONE_NEWCGROUP), || nix::sched::unshare(CloneFlags::CLONE_NEWCGROUP))
        .act("make a cgroup namespace")
}

/// Starts a session: no terminal of the host controls this process.
pub(super) fn start_session() -> Result<(), InitError> {
    trace::step(|| Effect::StartSession, setsid).map(drop).act("start a session")
}

/// Joins the session keyring of the container, so that keys of the host cannot be found.
///
/// Where keyrings are missing or filtered away there is nothing to find either.
pub(super) fn join_keyring(name: &CStr) -> Result<(), InitError> {
    /// Possessor: all; owner: view, read, link, and search, by which later processes may join it.
    const PERMISSIONS: u32 = 0x3f1b_0000;
    match trace::step(|| Effect::keyring(name), || sys::keyring::join_session(name)) {
        Ok(serial) => sys::keyring::set_permissions(serial, PERMISSIONS).act("share the session keyring"),
        Err(Errno::ENOSYS | Errno::EPERM) => Ok(()),
        Err(errno) => Err(errno).act("join the session keyring"),
    }
}

/// Writes the OOM adjustment by the host's procfs: the container's may be missing, or not procfs.
fn adjust_oom_score(adjustment: Option<i32>, warnings: &mut Vec<String>) -> Result<(), InitError> {
    let Some(adjustment) = adjustment else { return Ok(()) };
    let file = Path::new("/proc/self/oom_score_adj");
    let value = adjustment.to_string();
    match trace::step(|| Effect::write(file, &value), || std::fs::write(file, &value)) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            // Lowering it below what was inherited takes CAP_SYS_RESOURCE (proc_pid_oom_score_adj(5)).
            warnings.push(format!("the OOM score adjustment stays as it was: {adjustment} is not permitted here"));
            Ok(())
        }
        result => result.act_on("write", file),
    }
}

/// Joins all namespaces a running process has apart from ours, by its pidfd; its pid namespace is that of our children
/// then.
pub(super) fn join_process(pidfd: &OwnedFd, kinds: i32) -> Result<(), InitError> {
    let enter = || setns(pidfd.as_fd(), CloneFlags::from_bits_retain(kinds));
    trace::step(|| Effect::join_process(kinds, pidfd), enter).act("join the container's namespaces")?;
    if kinds & libc::CLONE_NEWUSER == 0 { Ok(()) } else { credentials::become_root() }
}
