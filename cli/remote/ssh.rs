//! The connection: ssh(1) of the host, which knows the user's keys, agents, jump hosts and known hosts.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use super::host::Host;
use crate::error::Failure;

/// Exit status of ssh when it could not connect or log in: ssh(1).
const NO_CONNECTION: i32 = 255;

/// Exit status of a shell that finds no such program: POSIX, 2.8.2.
const NOT_FOUND: i32 = 127;

/// A running ssh, with its input and output; its error output is ours.
pub(super) struct Connection {
    pub(super) input: File,
    pub(super) output: File,
    process: Ssh,
}

/// The process; it ends with the connection, and is reaped when this is dropped.
pub(super) struct Ssh {
    pid: Pid,
    /// Its exit status, once it is reaped.
    ended: Option<i32>,
}

impl Connection {
    /// Executes `command`, a line for the shell of the other host, there.
    pub(super) fn open(host: &Host, command: &str) -> Result<Self, Failure> {
        let error = |errno: Errno| Failure::text(format!("start `ssh`: {}", errno.desc()));
        let (theirs, input) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(error)?;
        let (output, ours) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(error)?;
        let pid = spawn(&arguments(host, command), &theirs, &ours).map_err(|errno| match errno {
            Errno::ENOENT => Failure::text("start `ssh`: there is no such program")
                .hint("remote hosts are reached by it: apt-get install openssh-client"),
            errno => error(errno),
        })?;
        Ok(Self { input: input.into(), output: output.into(), process: Ssh { pid, ended: None } })
    }

    pub(super) fn split(self) -> (File, File, Ssh) {
        (self.input, self.output, self.process)
    }
}

/// Executes ssh(1) in our place: a shell at the user's terminal, or words for the shell there, which takes them as ssh hands
/// them over.
pub(crate) fn log_in(host: &Host, command: &[String]) -> Result<std::process::ExitCode, Failure> {
    let words = std::iter::once("ssh".to_owned()).chain(host.ssh_arguments()).chain(command.iter().cloned());
    let words = words.map(CString::new).collect::<Result<Vec<_>, _>>();
    let words = words.map_err(|_| Failure::text("a word of the command has a NUL byte"))?;
    match nix::unistd::execvp(c"ssh", &words) {
        Ok(never) => match never {},
        Err(errno) => Err(Failure::text(format!("start `ssh`: {}", errno.desc()))),
    }
}

fn arguments(host: &Host, command: &str) -> Vec<String> {
    let quiet = ["ssh", "-T", "-o", "EscapeChar=none"].map(str::to_owned);
    quiet.into_iter().chain(host.ssh_arguments()).chain([command.to_owned()]).collect()
}

/// Starts ssh with the signals of a terminal blocked: Ctrl-C is for what runs over the connection, not for the connection.
fn spawn(words: &[String], stdin: &OwnedFd, stdout: &OwnedFd) -> nix::Result<Pid> {
    let mut actions = PosixSpawnFileActions::init()?;
    actions.add_dup2(stdin.as_raw_fd(), 0)?;
    actions.add_dup2(stdout.as_raw_fd(), 1)?;
    let mut blocked = SigSet::empty();
    [Signal::SIGINT, Signal::SIGQUIT].into_iter().for_each(|signal| blocked.add(signal));
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_flags(PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK)?;
    attributes.set_sigmask(&blocked)?;
    let text = |text: &OsStr| CString::new(text.as_bytes()).map_err(|_| Errno::EINVAL);
    let argv = words.iter().map(|word| text(OsStr::new(word))).collect::<nix::Result<Vec<_>>>()?;
    let environment = std::env::vars_os().map(|(name, value)| {
        let pair = [name.as_bytes(), b"=", value.as_bytes()].concat();
        text(OsStr::from_bytes(&pair))
    });
    let environment = environment.collect::<nix::Result<Vec<_>>>()?;
    posix_spawnp(c"ssh", &actions, &attributes, &argv, &environment)
}

impl Ssh {
    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Waits for the end; returns why there was no answer, from the exit status.
    pub(super) fn failure(mut self, host: &Host, what: &str) -> Failure {
        match self.wait() {
            Ok(NO_CONNECTION) => Failure::text(format!("connect to `{host}`: ssh could not (see above)")),
            Ok(NOT_FOUND) => Failure::text(format!("connect to `{host}`: there is no `{}` there", host.program()))
                .hint("put this one there: lighter machine install"),
            _ => Failure::text(format!("connect to `{host}`: {what}")),
        }
    }

    /// Waits for the end; returns the exit status.
    pub(super) fn wait(&mut self) -> io::Result<i32> {
        while self.ended.is_none() {
            self.ended = match waitpid(self.pid, None) {
                Err(Errno::EINTR) => None,
                Err(errno) => return Err(errno.into()),
                Ok(WaitStatus::Exited(_, code)) => Some(code),
                Ok(WaitStatus::Signaled(_, signal, _)) => Some(128 + signal as i32),
                Ok(_) => None,
            };
        }
        Ok(self.ended.unwrap_or_default())
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        if self.ended.is_none() {
            let _ = kill(self.pid, Signal::SIGTERM); // it has ended
            let _ = self.wait();
        }
    }
}
