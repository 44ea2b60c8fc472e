//! The steps of a second process in a running container, in order.
//!
//! ```text
//! caller ──clone──▶ between: into the cgroup and the namespaces, by the host's paths and rights; gives up what it can
//!    │                         │ clone, CLONE_PARENT
//!    ◀──── pid, pidfd ─────────┤
//!    └────── parent of ──────▶ the program's process: the first that is in the container's pid namespace
//! ```

use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::fcntl::OFlag;

use super::beneath::RootDirectory;
use super::channel::{Channel, Failure};
use super::container::{connect, enter, environment};
use super::error::{Act, InitError};
use super::ready::{Beginning, Ready};
use super::terminal::Terminal;
use super::{arrival, credentials, execute};
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
    pub(crate) preserve_fds: u32,
}

/// Runs in the process between: everything that takes the host's view, its rights or its descriptors.
///
/// `kept` stays open besides what is the program's.
pub(crate) fn cross(start: &JoinedStart<'_>, kept: &[BorrowedFd<'_>]) -> Result<Ready, Failure> {
    let mut step = "arrive";
    let ready = join(start, &mut step).and_then(|ready| {
        ready.leave(start.plan, kept, start.preserve_fds)?; // 4
        Ok(ready)
    });
    ready.map_err(|error| error.into_failure(step))
}

/// Runs to the end: the program, or a message up the channel. `pid` is this process's on the host.
pub(crate) fn run(start: &JoinedStart<'_>, channel: &Channel, ready: Ready, pid: i32) -> Infallible {
    trace::become_process(trace::Process::Exec);
    let beginning = Beginning { reaper: false, start_socket: None, preserve_fds: start.preserve_fds, hooks: &[] };
    ready.run(start.plan, (channel, pid), beginning)
}

#[rustfmt::skip] // one step a line: the list is the order
fn join(start: &JoinedStart<'_>, step: &mut &'static str) -> Result<Ready, InitError> {
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
    connect(start.stdio, terminal.as_ref(), plan)?;                // 3 the caller's may be a terminal of the host
    let capabilities = credentials::clamp(&plan.capabilities, &mut warnings)?;
    execute::check(plan)?;
    Ok(Ready { env, capabilities, terminal, warnings, agents })
}

fn open_terminal(root: &RootDirectory, start: &JoinedStart<'_>) -> Result<Option<Terminal>, InitError> {
    let Stdio::Terminal { rows, cols } = start.stdio else { return Ok(None) };
    Terminal::open(root, (*rows, *cols), start.plan.user.uid).map(Some)
}
