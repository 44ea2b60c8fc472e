//! The steps of a second process in a running container, in order.
//!
//! ```text
//! caller ──clone──▶ between: into the cgroup and the namespaces, by the host's paths and rights; gives up what it can
//!    │                         │ clone, CLONE_PARENT
//!    ◀──── pid, pidfd ─────────┤
//!    └────── parent of ──────▶ the program's process: the first that is in the container's pid namespace
//! ```
//!
//! Whoever may trace processes in the container (CAP_SYS_PTRACE) sees a process there as it is: its root, its open
//! files, its memory. So nothing is born there that still has the host's mounts, or a descriptor of the caller's.

use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::fcntl::OFlag;

use super::beneath::RootDirectory;
use super::channel::{Channel, Failure};
use super::container::{Departure, depart, enter, environment, report};
use super::error::{Act, InitError};
use super::terminal::Terminal;
use super::{arrival, credentials, execute, limits, stdio};
use crate::cgroup::Attachment;
use crate::launch::Stdio;
use crate::plan::{CapabilitySets, ProcessPlan};
use crate::seccomp::listener::Connection;
use crate::sys;
use crate::trace;

/// What the caller hands to the new process.
pub(crate) struct JoinedStart<'a> {
    pub(crate) plan: &'a ProcessPlan,
    pub(crate) attachment: &'a Attachment,
    /// The container's init.
    pub(crate) init: &'a OwnedFd,
    /// `CLONE_NEW*` flags of the namespaces to join.
    pub(crate) kinds: i32,
    pub(crate) stdio: &'a Stdio,
    pub(crate) preserve_fds: u32,
}

/// What the process between has made ready for the one that becomes the program.
pub(crate) struct Joined {
    env: Vec<CString>,
    capabilities: CapabilitySets,
    terminal: Option<Terminal>,
    warnings: Vec<String>,
    agents: Vec<Connection>,
}

/// Runs in the process between: everything that takes the host's view, its rights or its descriptors.
///
/// `kept` stays open besides what is the program's.
pub(crate) fn cross(start: &JoinedStart<'_>, kept: &[BorrowedFd<'_>]) -> Result<Joined, Failure> {
    let mut step = "arrive";
    let crossed = join(start, &mut step).and_then(|joined| leave(start, kept, &joined).map(|()| joined));
    crossed.map_err(|error| error.into_failure(step))
}

/// Runs to the end: the program, or a message up the channel. `pid` is this process's on the host.
pub(crate) fn run(start: &JoinedStart<'_>, channel: &Channel, mut joined: Joined, pid: i32) -> Infallible {
    let mut step = "confine";
    trace::become_process(trace::Process::Exec);
    let introduced = arrival::introduce(start.plan, pid, &mut joined.agents);
    match introduced.and_then(|()| become_program(start, channel, joined, &mut step)) {
        Ok(never) => never,
        Err(error) => report(channel, error, step),
    }
}

#[rustfmt::skip] // one step a line: the list is the order
fn join(start: &JoinedStart<'_>, step: &mut &'static str) -> Result<Joined, InitError> {
    let plan = start.plan;
    let mut warnings = Vec::new();
    let agents = arrival::reach_agent(plan, 1)?;                           // 0 by the host's paths
    arrival::settle(start.attachment, &mut warnings, plan, start.preserve_fds)?; // 1 into the cgroup, by the host's procfs
    *step = "namespaces";
    arrival::join_process(start.init, start.kinds)?;                       // 2 from here on, host paths do not exist; children are born into its pid namespace
    arrival::join_keyring(&plan.keyring)?;
    *step = "confine";
    let path = Path::new("/");
    let root = RootDirectory::open(path).act_on("open", path)?;
    let terminal = open_terminal(&root, start)?;
    let cwd = root.open_path(&plan.cwd, OFlag::O_PATH | OFlag::O_DIRECTORY)
        .act_on("open the working directory (`process.cwd`)", &plan.cwd)?;   // never made: who asks for one that is not there is wrong
    let env = environment(&root, plan);
    enter(cwd.as_fd(), plan)?;
    match &terminal {
        Some(terminal) => terminal.replace_streams()?,                     // 3 the caller's may be a terminal of the host
        None => stdio::connect(start.stdio, plan.user.uid)?,               // by root: pipes become the user's
    }
    let capabilities = credentials::clamp(&plan.capabilities, &mut warnings)?;
    execute::check(plan)?;
    Ok(Joined { env, capabilities, terminal, warnings, agents })
}

/// Lets go of what is the host's: a directory that stays open would be a way to it.
fn leave(start: &JoinedStart<'_>, kept: &[BorrowedFd<'_>], joined: &Joined) -> Result<(), InitError> {
    let theirs = joined.agents.iter().map(AsFd::as_fd).chain(joined.terminal.iter().flat_map(Terminal::files));
    let kept: Vec<BorrowedFd<'_>> = kept.iter().copied().chain(theirs).chain(trace::file()).collect();
    sys::descriptor::close_all_but(3 + start.preserve_fds, &kept).act("close what is the caller's")?;
    credentials::shrink(&joined.capabilities, start.plan) // 4
}

#[rustfmt::skip] // one step a line: the list is the order
fn become_program(start: &JoinedStart<'_>, channel: &Channel, joined: Joined, step: &mut &'static str) -> Result<Infallible, InitError> {
    let Joined { env, capabilities, terminal, mut warnings, agents } = joined;
    arrival::start_session()?;                                             // 5 its leader is the program
    if let Some(terminal) = &terminal { terminal.control()?; }             // 6 after setsid: the terminal becomes ours
    limits::set(&start.plan.rlimits, &mut warnings)?;                      // 7 late: they would limit the steps before
    let departure = Departure { env, capabilities, terminal, warnings, agents, reaper: false, start_socket: None, preserve_fds: start.preserve_fds, hooks: &[] };
    depart(channel, start.plan, departure, step)
}

fn open_terminal(root: &RootDirectory, start: &JoinedStart<'_>) -> Result<Option<Terminal>, InitError> {
    let Stdio::Terminal { rows, cols } = start.stdio else { return Ok(None) };
    Terminal::open(root, (*rows, *cols), start.plan.user.uid).map(Some)
}
