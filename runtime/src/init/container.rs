//! The steps of a container's init, in order.
//!
//! Runs in the container's first process, after the clone and before the execve.

use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::unistd::{fchdir, getcwd};

use super::beneath::RootDirectory;
use super::channel::{Channel, Failure, Report, Stage};
use super::error::{Act, InitError};
use super::ready::{Beginning, Ready};
use super::terminal::Terminal;
use super::{
    CgroupView, Trees, arrival, attributes, credentials, devices, execute, home, limits, mask, mounts, pivot, reaper,
    stdio, sysctl,
};
use crate::cgroup::Attachment;
use crate::hooks::{self, HookPlan};
use crate::launch::{LaunchOptions, Stdio};
use crate::plan::{CapabilitySets, ContainerPlan, ProcessPlan};
use crate::seccomp::listener::Connection;
use crate::sys;
use crate::trace::{self, Effect, announce_departure};

/// What the monitor hands to init.
pub(crate) struct ContainerStart<'a> {
    pub(crate) plan: &'a ContainerPlan,
    pub(crate) attachment: &'a Attachment,
    /// Namespaces to join: `CLONE_NEW*` flag and file.
    pub(crate) joins: &'a [(i32, OwnedFd)],
    /// `None`: to be looked for once systemd has made the cgroup.
    pub(crate) cgroups: Option<&'a [CgroupView]>,
    /// Mounts made beforehand.
    pub(crate) trees: &'a Trees,
    pub(crate) stdio: &'a Stdio,
    pub(crate) options: &'a LaunchOptions,
}

/// Runs init to its end: the container's program, or a message up the channel.
pub(crate) fn run(start: &ContainerStart<'_>, channel: &Channel) -> Infallible {
    let mut step = "arrive";
    trace::become_process(trace::Process::Init);
    match steps(start, channel, &mut step) {
        Ok(never) => never,
        Err(error) => report(channel, error, step),
    }
}

/// Runs in a process between, for an init that is born into the pid namespace of others: whoever lives there shall not see it while
/// it has the host's files and rights. The caller has pointed this process's children there.
///
/// `kept` stays open besides what is the program's.
pub(crate) fn cross(start: &ContainerStart<'_>, kept: &[BorrowedFd<'_>]) -> Result<Ready, Failure> {
    let mut step = "arrive";
    let socket = start.options.start_socket.iter().map(AsFd::as_fd);
    let kept: Vec<_> = kept.iter().copied().chain(socket).collect();
    let ready = set_up(start, None, &mut step).and_then(|ready| {
        ready.leave(&start.plan.process, &kept, start.options.preserve_fds)?;
        Ok(ready)
    });
    ready.map_err(|error| error.into_failure(step))
}

/// Runs init, which [`cross`] has made ready, to its end. `pid` is this process's on the host.
pub(crate) fn run_ready(start: &ContainerStart<'_>, channel: &Channel, ready: Ready, pid: i32) -> Infallible {
    trace::become_process(trace::Process::Init);
    ready.run(&start.plan.process, (channel, pid), beginning(start))
}

fn beginning<'a>(start: &ContainerStart<'a>) -> Beginning<'a> {
    let LaunchOptions { reaper, preserve_fds, .. } = *start.options;
    let (start_socket, hooks) = (start.options.start_socket.as_ref(), start.plan.hooks.start_container.as_slice());
    Beginning { reaper, start_socket, preserve_fds, hooks }
}

/// Says what failed and ends.
pub(super) fn report(channel: &Channel, error: InitError, step: &'static str) -> ! {
    // A monitor that is gone cannot be told anything.
    let _gone = channel.send(&Report::failed(error.into_failure(step)), None);
    sys::process::exit_now(1)
}

fn steps(start: &ContainerStart<'_>, channel: &Channel, step: &mut &'static str) -> Result<Infallible, InitError> {
    let ready = set_up(start, Some(channel), step)?;
    depart(channel, &start.plan.process, ready, beginning(start), step)
}

/// Makes all that the program will find. `creator` has its part in it at some stages; `None`: there are none, and this process,
/// which is not init, makes the new namespaces itself.
#[rustfmt::skip] // one step a line: the list is the order
fn set_up(start: &ContainerStart<'_>, creator: Option<&Channel>, step: &mut &'static str) -> Result<Ready, InitError> {
    let plan = start.plan;
    let mut warnings = Vec::new();
    if let (Some(creator), true) = (creator, plan.unit.is_some()) { wait_for(creator, Stage::Born)?; } // 0 the cgroup is made around us
    let late_view;
    let cgroups = match start.cgroups {
        Some(view) => view,
        None => { late_view = CgroupView::of(&plan.cgroup, &plan.namespaces); late_view.as_slice() }
    };
    let agents = arrival::reach_agent(&plan.process, 1 + usize::from(start.options.reaper))?; // by the host's paths
    arrival::settle(start.attachment, &mut warnings, &plan.process, start.options.preserve_fds)?; // 1 into the cgroup, by the host's procfs
    *step = "namespaces";
    if creator.is_none() { arrival::unshare(plan.namespaces.clone_flags())?; }
    arrival::join(start.joins)?;                                           // 2 before mounts: sysfs shows the network it is mounted from
    if plan.namespaces.is_own(libc::CLONE_NEWUSER) { credentials::become_root()?; } // born into it, so far unknown there
    if plan.namespaces.is_new(libc::CLONE_NEWCGROUP) { arrival::unshare_cgroup()?; } // 3 after 1: its root is where we are
    if !start.options.no_new_keyring { arrival::join_keyring(&plan.process.keyring)?; }
    arrival::start_session()?;
    name_host(plan)?;                                                      // 4 the uts namespace is ours by now
    sysctl::set(&plan.sysctls)?;                                           // 5 after 2: they belong to namespaces
    *step = "mounts";
    mounts::isolate(plan)?;                               // 6 before any mount: nothing may reach the host
    let root = pivot::attach(plan, start.trees)?;                                 // 7 from here on every target is beneath `root`
    mounts::make(&root, &plan.mounts, cgroups, start.trees)?;                     // 8 sources are host paths, so before the pivot
    if let Some(nodes) = &plan.devices { devices::make(&root, nodes)?; }   // 9 into the /dev just mounted
    let terminal = open_terminal(&root, start)?;                           // 10 from the devpts just mounted
    let cwd = root.ensure_directory(&plan.process.cwd).act_on("make the working directory (`process.cwd`)", &plan.process.cwd)?;
    let env = environment(&root, &plan.process);
    *step = "hooks";
    if let (Some(creator), true) = (creator, plan.hooks.any_before_pivot()) { run_hooks(start, creator)?; } // 11 host paths still exist, the container's mounts do already
    *step = "confine";
    mask::freeze(&root, &plan.readonly)?;                                  // 12 after all mounts, which they cover
    mask::hide(&root, &plan.masked)?;
    if plan.root.readonly { mask::freeze_root(&root)?; }                   // 13 nothing is made in it any more
    pivot::into(&root, plan.root.propagation, start.options.no_pivot)?;    // 14 from here on, host paths do not exist
    enter(cwd.as_fd(), &plan.process)?;
    connect(start.stdio, terminal.as_ref(), &plan.process)?;
    let capabilities = credentials::clamp(&plan.process.capabilities, &mut warnings)?;
    execute::check(&plan.process)?;
    Ok(Ready { env, capabilities, terminal, warnings, agents })
}

/// The last steps of every process of a container, which leads a session: wait, give up privileges, become the program.
#[rustfmt::skip] // one step a line: the list is the order
pub(super) fn depart(channel: &Channel, plan: &ProcessPlan, ready: Ready, beginning: Beginning<'_>, step: &mut &'static str) -> Result<Infallible, InitError> {
    let Ready { env, capabilities, terminal, mut warnings, mut agents } = ready;
    let Beginning { reaper, start_socket, preserve_fds, hooks } = beginning;
    if let Some(terminal) = &terminal { terminal.control()?; }             // 15 after setsid: the terminal becomes ours
    limits::set(&plan.rlimits, &mut warnings)?;                            // 16 late: they would limit the steps before
    *step = "start";
    let master = terminal.as_ref().map(|terminal| terminal.master.as_fd());
    channel.send(&Report::ready(warnings), master).act("report")?;         // 17 all is set up
    drop(terminal);
    let Some(state) = channel.wait() else { sys::process::exit_now(0) };   // 18 the creator is gone: nobody wants us
    let Some(socket) = start_socket else { return take_off(channel, plan, (&env, &capabilities, reaper), (hooks, &state), &mut agents) };
    let Ok((channel, state)) = next_channel(socket, preserve_fds, &agents) else { sys::process::exit_now(1) };
    match take_off(&channel, plan, (&env, &capabilities, reaper), (hooks, &state), &mut agents) {
        Ok(never) => Ok(never),
        Err(error) => report(&channel, error, "start"),
    }
}

/// Lets go of the creator, and waits for whoever starts the program.
///
/// Of what was open in the creator nothing stays open: a lock it held would be held by this process too.
fn next_channel(socket: &OwnedFd, preserve_fds: u32, agents: &[Connection]) -> std::io::Result<(Channel, Vec<u8>)> {
    let kept: Vec<BorrowedFd<'_>> =
        agents.iter().map(AsFd::as_fd).chain([socket.as_fd()]).chain(trace::file()).collect();
    sys::descriptor::close_all_but(3 + preserve_fds, &kept)?;
    loop {
        let starter = Channel::accept(socket.as_fd())?;
        // One that went away without a word did not start anything.
        if let Some(state) = starter.wait() {
            return Ok((starter, state));
        }
    }
}

/// From the permission to the program.
fn take_off(
    channel: &Channel,
    plan: &ProcessPlan,
    (env, capabilities, reaper): (&[CString], &CapabilitySets, bool),
    (hooks, state): (&[HookPlan], &[u8]),
    agents: &mut Vec<Connection>,
) -> Result<Infallible, InitError> {
    hooks::run_all(hooks, state, None).map_err(|error| InitError::refused(error.told()))?;
    let agent = agents.pop();
    if !reaper {
        return become_program(plan, env, capabilities, agent);
    }
    let program = || match become_program(plan, env, capabilities, agent) {
        Ok(never) => never,
        Err(error) => report(channel, error, "start"),
    };
    let child = trace::step(|| Effect::clone_process(0, None), || reaper::split(program)).act("clone the program")?; // 19 before the filter: it knows no clone3
    confine(plan, capabilities, agents.pop())?;
    reaper::reap(&child).act("reap")
}

/// Lets the creator do its part, and returns the container's state.
fn wait_for(creator: &Channel, stage: Stage) -> Result<Vec<u8>, InitError> {
    creator.send(&Report::Reached(stage), None).act("report")?;
    let Some(state) = creator.wait() else { sys::process::exit_now(0) };
    Ok(state)
}

/// Lets the creator run its hooks, then runs those of the container's namespaces.
fn run_hooks(start: &ContainerStart<'_>, creator: &Channel) -> Result<(), InitError> {
    let state = wait_for(creator, Stage::Mounted)?;
    let hooks = &start.plan.hooks.create_container;
    hooks::run_all(hooks, &state, None).map_err(|error| InitError::refused(error.told()))
}

/// Gives up everything the program shall not have, and becomes it.
fn become_program(
    plan: &ProcessPlan,
    env: &[CString],
    capabilities: &CapabilitySets,
    agent: Option<Connection>,
) -> Result<Infallible, InitError> {
    announce_departure(plan, capabilities, || execute::program(plan));
    attributes::schedule(&plan.scheduling)?; // of the program alone: an init that stays is not in a hurry
    confine(plan, capabilities, agent)?;
    execute::replace(plan, env) // on success the channel closes: that is the report
}

#[rustfmt::skip] // one step a line: the list is the order
fn confine(plan: &ProcessPlan, capabilities: &CapabilitySets, mut agent: Option<Connection>) -> Result<(), InitError> {
    if plan.no_new_privileges { nix::sys::prctl::set_no_new_privs().act("forbid new privileges")?; }
    if !plan.no_new_privileges { load_filter(plan, agent.take())?; }       // 20 privileged without it (seccomp(2), EACCES)
    credentials::assume(&plan.user, capabilities)?;                        // 21 below, only what the program will have
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(plan.umask));
    if plan.no_new_privileges { load_filter(plan, agent)?; }               // 22 as late as can be: the filter allows less
    Ok(())
}

/// Loads the filter; the descriptor by which an agent answers, if there is one, goes to the agent.
fn load_filter(plan: &ProcessPlan, agent: Option<Connection>) -> Result<(), InitError> {
    let Some(filter) = &plan.filter else { return Ok(()) };
    match (sys::seccomp::load(filter).act("load the filter of `linux.seccomp`")?, agent) {
        (Some(listener), Some(agent)) => {
            agent.hand_over(listener.as_fd()).act("hand the listener to the seccomp agent")
        }
        _ => Ok(()),
    }
}

fn name_host(plan: &ContainerPlan) -> Result<(), InitError> {
    if let Some(name) = &plan.hostname {
        trace::step(|| Effect::SetHostName { name: name.clone() }, || nix::unistd::sethostname(name))
            .act(&format!("set the host name (`hostname`) to `{name}`"))?;
    }
    if let Some(name) = &plan.domainname {
        let set = || sys::namespace::set_domain_name(name);
        trace::step(|| Effect::SetDomainName { name: name.clone() }, set)
            .act(&format!("set the domain name (`domainname`) to `{name}`"))?;
    }
    Ok(())
}

fn open_terminal(root: &RootDirectory, start: &ContainerStart<'_>) -> Result<Option<Terminal>, InitError> {
    let Stdio::Terminal { rows, cols } = start.stdio else { return Ok(None) };
    let terminal = Terminal::open(root, (*rows, *cols), start.plan.process.user.uid)?;
    terminal.bind_console(root)?;
    Ok(Some(terminal))
}

/// Returns the environment, with HOME when the spec has none.
pub(super) fn environment(root: &RootDirectory, plan: &ProcessPlan) -> Vec<CString> {
    let mut env = plan.env.clone();
    if plan.variable("HOME").is_none() {
        let home = CString::new(format!("HOME={}", home::find(root, plan.user.uid)));
        env.extend(home.ok());
    }
    env
}

/// Enters the working directory, which must be inside the container.
pub(super) fn enter(cwd: BorrowedFd<'_>, plan: &ProcessPlan) -> Result<(), InitError> {
    trace::step(|| Effect::EnterDirectory { path: trace::text(&plan.cwd) }, || fchdir(cwd))
        .act_on("enter the working directory", &plan.cwd)?;
    // The kernel puts `(unreachable)` in front of a path outside of the root (getcwd(2)).
    let path = getcwd().act_on("enter the working directory", &plan.cwd)?;
    if path.is_absolute() {
        return Ok(());
    }
    Err(InitError::refused(format!(
        "enter the working directory `{}`: it is outside of the container",
        plan.cwd.display()
    )))
}

/// Connects the standard streams: by root, as pipes become the user's.
pub(super) fn connect(stdio: &Stdio, terminal: Option<&Terminal>, plan: &ProcessPlan) -> Result<(), InitError> {
    match terminal {
        Some(terminal) => terminal.replace_streams(),
        None => stdio::connect(stdio, plan.user.uid),
    }
}
