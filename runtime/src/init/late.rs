//! The steps of a process that is born into its pid namespace when another one has made all ready.
//!
//! Whoever may trace processes in a container (CAP_SYS_PTRACE) sees a process there as it is: its root, its open
//! files, its memory. So nothing is born there that still has the host's mounts, or a descriptor of the caller's.

use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::channel::Channel;
use super::container::{Departure, depart, report};
use super::error::{Act, InitError};
use super::terminal::Terminal;
use super::{arrival, credentials, limits};
use crate::plan::{CapabilitySets, ProcessPlan};
use crate::seccomp::listener::Connection;
use crate::{sys, trace};

/// What the process between has made ready for the one that becomes the program.
pub(crate) struct Ready {
    pub(super) env: Vec<CString>,
    pub(super) capabilities: CapabilitySets,
    pub(super) terminal: Option<Terminal>,
    pub(super) warnings: Vec<String>,
    pub(super) agents: Vec<Connection>,
}

/// How the program begins.
pub(super) struct Beginning<'a> {
    /// See [`Departure`].
    pub(super) reaper: bool,
    /// Where whoever starts the program will connect, if it is not the creator.
    pub(super) start_socket: Option<&'a OwnedFd>,
    /// How many descriptors from 3 on are the program's.
    pub(super) preserve_fds: u32,
}

impl Ready {
    /// Lets go of what is the host's, in the process between: a directory that stays open would be a way to it.
    ///
    /// `kept` stays open besides what is the program's.
    pub(super) fn leave(
        &self,
        plan: &ProcessPlan,
        kept: &[BorrowedFd<'_>],
        preserve_fds: u32,
    ) -> Result<(), InitError> {
        let own = self.agents.iter().map(AsFd::as_fd).chain(self.terminal.iter().flat_map(Terminal::files));
        let kept: Vec<BorrowedFd<'_>> = kept.iter().copied().chain(own).chain(trace::file()).collect();
        sys::descriptor::close_all_but(3 + preserve_fds, &kept).act("close what is the caller's")?;
        credentials::shrink(&self.capabilities, plan)
    }

    /// Runs to the end: the program, or a message up the channel. `pid` is this process's on the host.
    pub(super) fn run(
        self,
        plan: &ProcessPlan,
        (channel, pid): (&Channel, i32),
        beginning: &Beginning<'_>,
    ) -> Infallible {
        let mut step = "confine";
        match self.become_program(plan, (channel, pid), beginning, &mut step) {
            Ok(never) => never,
            Err(error) => report(channel, error, step),
        }
    }

    #[rustfmt::skip] // one step a line: the list is the order
    fn become_program(self, plan: &ProcessPlan, (channel, pid): (&Channel, i32), beginning: &Beginning<'_>, step: &mut &'static str) -> Result<Infallible, InitError> {
        let Self { env, capabilities, terminal, mut warnings, mut agents } = self;
        arrival::introduce(plan, pid, &mut agents)?;
        arrival::start_session()?;                                         // its leader is the program
        if let Some(terminal) = &terminal { terminal.control()?; }         // after setsid: the terminal becomes ours
        limits::set(&plan.rlimits, &mut warnings)?;                        // late: they would limit the steps before
        let &Beginning { reaper, start_socket, preserve_fds } = beginning;
        let departure = Departure { env, capabilities, terminal, warnings, agents, reaper, start_socket, preserve_fds, hooks: &[] };
        depart(channel, plan, departure, step)
    }
}
