//! What is made ready for a program, and how it is handed to a process that is born into its pid namespace last.
//!
//! Whoever may trace processes in a container (CAP_SYS_PTRACE) sees a process there as it is: its root, its open
//! files, its memory. So nothing is born there that still has the host's mounts, or a descriptor of the caller's.

use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::channel::Channel;
use super::container::{depart, report};
use super::error::{Act, InitError};
use super::terminal::Terminal;
use super::{arrival, credentials};
use crate::hooks::HookPlan;
use crate::plan::{CapabilitySets, ProcessPlan};
use crate::seccomp::listener::Connection;
use crate::{sys, trace};

/// What has been made ready for the program.
pub(crate) struct Ready {
    pub(super) env: Vec<CString>,
    pub(super) capabilities: CapabilitySets,
    pub(super) terminal: Option<Terminal>,
    pub(super) warnings: Vec<String>,
    /// Connections to the seccomp agent, one for each process that loads the filter.
    pub(super) agents: Vec<Connection>,
}

/// How the program begins.
pub(super) struct Beginning<'a> {
    /// Stay as pid 1 and let a child become the program.
    pub(super) reaper: bool,
    /// Where whoever starts the program will connect, if it is not the creator.
    pub(super) start_socket: Option<&'a OwnedFd>,
    /// How many descriptors from 3 on are the program's.
    pub(super) preserve_fds: u32,
    /// `startContainer`.
    pub(super) hooks: &'a [HookPlan],
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
        beginning: Beginning<'_>,
    ) -> Infallible {
        let mut step = "confine";
        match self.become_program(plan, (channel, pid), beginning, &mut step) {
            Ok(never) => never,
            Err(error) => report(channel, error, step),
        }
    }

    fn become_program(
        mut self,
        plan: &ProcessPlan,
        (channel, pid): (&Channel, i32),
        beginning: Beginning<'_>,
        step: &mut &'static str,
    ) -> Result<Infallible, InitError> {
        arrival::introduce(plan, pid, &mut self.agents)?;
        arrival::start_session()?;
        depart(channel, plan, self, beginning, step)
    }
}
