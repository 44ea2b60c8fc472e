//! The steps of a second process in a running container, in order.
//!
//! Runs in a child of the command (or monitor) that execs, from a sealed copy of this program, after the
//! clone, which put it into the container's pid namespace and, on version 2, its cgroup.

use std::convert::Infallible;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::fcntl::OFlag;

use super::beneath::RootDirectory;
use super::channel::Channel;
use super::container::{Departure, connect, depart, enter, environment, report};
use super::error::{Act, InitError};
use super::terminal::Terminal;
use super::{arrival, credentials, execute, limits};
use crate::cgroup::Attachment;
use crate::launch::Stdio;
use crate::plan::ProcessPlan;
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
    pub(crate) channel: Channel,
    pub(crate) preserve_fds: u32,
}

/// Runs to the end: the program, or a message up the channel.
pub(crate) fn run(start: &JoinedStart<'_>) -> Infallible {
    let mut step = "arrive";
    trace::become_process(trace::Process::Exec);
    match steps(start, &mut step) {
        Ok(never) => never,
        Err(error) => report(&start.channel, error, step),
    }
}

#[rustfmt::skip] // one step a line: the list is the order
fn steps(start: &JoinedStart<'_>, step: &mut &'static str) -> Result<Infallible, InitError> {
    let plan = start.plan;
    let mut warnings = Vec::new();
    let agents = arrival::reach_agent(plan, 1)?;                           // 0 by the host's paths
    arrival::settle(start.attachment, &mut warnings, plan, start.preserve_fds)?; // 1 into the cgroup, by the host's procfs; hidden from who is in there
    *step = "namespaces";
    arrival::join_process(start.init, start.kinds)?;                       // 2 from here on, host paths do not exist
    arrival::join_keyring(&plan.keyring)?;
    arrival::start_session()?;
    *step = "confine";
    let path = Path::new("/");
    let root = RootDirectory::open(path).act_on("open", path)?;
    let terminal = open_terminal(&root, start)?;
    let cwd = root.open_path(&plan.cwd, OFlag::O_PATH | OFlag::O_DIRECTORY)
        .act_on("open the working directory (`process.cwd`)", &plan.cwd)?;   // never made: who asks for one that is not there is wrong
    let env = environment(&root, plan);
    enter(cwd.as_fd(), plan)?;
    connect(start.stdio, terminal.as_ref(), plan)?;                        // 3 after setsid: the terminal becomes ours
    let capabilities = credentials::clamp(&plan.capabilities, &mut warnings)?;
    execute::check(plan)?;
    limits::set(&plan.rlimits, &mut warnings)?;                            // 4 late: they would limit the steps before
    let departure = Departure { env, capabilities, terminal, warnings, agents, reaper: false, start_socket: None, preserve_fds: start.preserve_fds, hooks: &[] };
    depart(&start.channel, plan, departure, step)
}

fn open_terminal(root: &RootDirectory, start: &JoinedStart<'_>) -> Result<Option<Terminal>, InitError> {
    let Stdio::Terminal { rows, cols } = start.stdio else { return Ok(None) };
    Terminal::open(root, (*rows, *cols), start.plan.user.uid).map(Some)
}
