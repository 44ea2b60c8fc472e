//! `criu`, the program that saves processes to files and makes them again (criu(8)).
//!
//! Runs in `checkpoint` and `restore`. It is asked by messages on a socket (`criu swrk`), not by its command line:
//! only so it hands out the master side of a container's terminal, waits until it was put into the container's
//! cgroup, and stops for hooks once the namespaces are there.
//!
//! ```text
//! Criu::start ─▶ (its cgroup) ─▶ ask ─▶ notice ◀─▶ notice … ─▶ answer ─▶ end
//! ```

mod error;
mod log;
mod message;
pub(super) mod mounts;
pub(super) mod options;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

use super::OciError;
use crate::sys;

pub use error::CriuError;
pub(super) use message::Message;
use message::Response;
#[cfg(test)]
pub(super) use message::Value;

/// Longest answer; criu's own have some dozens of bytes.
const MOST_BYTES: usize = 64 * 1024;

/// What criu is asked to do (`criu_req_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Save, and end what was saved unless told otherwise.
    Dump = 1,
    /// Make processes again.
    Restore = 2,
    /// Save the memory only, to save less of it later.
    PreDump = 4,
}

/// `criu_req_type.NOTIFY`
const NOTIFY: u64 = 6;

/// A point of criu's work that was reached; it waits until we have done our part.
#[derive(Debug)]
pub(super) struct Notice<'a> {
    /// Which (criu(8), "--action-script").
    pub(super) at: &'a str,
    /// The first process, where there is one.
    pub(super) pid: Option<i32>,
    /// The master side of a terminal, with `orphan-pts-master`.
    pub(super) terminal: Option<OwnedFd>,
}

/// A criu that waits for its request.
#[derive(Debug)]
pub(super) struct Criu {
    act: &'static str,
    child: Child,
    socket: Option<OwnedFd>,
}

impl Criu {
    /// Starts the `criu` of PATH. It inherits the descriptors in `inherited`, by the numbers they have here, and
    /// with `streams` ours.
    ///
    /// # Errors
    /// [`CriuError::Missing`] when there is none.
    pub(super) fn start(act: &'static str, inherited: &[&OwnedFd], streams: bool) -> Result<Self, CriuError> {
        let failed = |source| CriuError::Talk { act, source };
        let pair = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC);
        let (ours, theirs) = pair.map_err(|errno| failed(errno.into()))?;
        for fd in inherited.iter().copied().chain([&theirs]) {
            fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty())).map_err(|errno| failed(errno.into()))?;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "no kernel interface saves processes: criu is what the caller asks for by this verb"
        )]
        let mut command = Command::new("criu");
        command.arg("swrk").arg(theirs.as_raw_fd().to_string());
        if !streams {
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        }
        let child = command.spawn().map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => CriuError::Missing { act },
            _ => failed(source),
        })?;
        Ok(Self { act, child, socket: Some(ours) })
    }

    /// Its pid: that of a child of ours.
    pub(super) fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Lets it do what `options` (`criu_opts`) say, and ends it. `attend` does our part at each notice.
    ///
    /// `log`: the file it writes what it does to, by those options.
    ///
    /// # Errors
    /// [`CriuError::Failed`] with the last error in `log`; what `attend` fails with, after criu has undone its work.
    pub(super) fn ask(
        mut self,
        request: Request,
        options: Message,
        log: &Path,
        mut attend: impl FnMut(Notice<'_>) -> Result<(), OciError>,
    ) -> Result<(), OciError> {
        let mut failure = None;
        let kind = request as u64;
        self.send(&Message::default().number(1, kind).message(2, options))?;
        let answer = loop {
            let (response, terminal) = self.receive(log)?;
            if response.kind != NOTIFY {
                break response;
            }
            let notice = Notice { at: &response.script, pid: response.pid, terminal };
            if failure.is_none() {
                failure = attend(notice).err();
            }
            self.send(&Message::default().number(1, NOTIFY).number(3, u8::from(failure.is_none())))?;
        };
        // After a pre-dump it waits for the dump that may follow: the end of the socket is its end.
        self.end();
        match failure {
            Some(failure) => Err(failure),
            None if answer.success && answer.kind == kind => Ok(()),
            None => Err(self.failed(&answer, log).into()),
        }
    }

    fn socket(&self) -> io::Result<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd).ok_or_else(|| Errno::ENOTCONN.into())
    }

    fn send(&self, message: &Message) -> Result<(), CriuError> {
        let sent = self.socket().and_then(|socket| Ok(sys::socket::send(socket, &message.encode(), None)?));
        match sent {
            // It has ended: receiving tells, and its log why.
            Err(source) if is_gone(&source) => Ok(()),
            result => result.map_err(|source| CriuError::Talk { act: self.act, source }),
        }
    }

    fn receive(&self, log: &Path) -> Result<(Response, Option<OwnedFd>), CriuError> {
        let mut buffer = vec![0; MOST_BYTES];
        let failed = |source| CriuError::Talk { act: self.act, source };
        let (length, terminal) = loop {
            match self.socket().and_then(|socket| Ok(sys::socket::receive(socket, &mut buffer)?)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_gone(&error) => break (0, None),
                result => break result.map_err(failed)?,
            }
        };
        if length == 0 {
            return Err(self.failed(&Response::default(), log));
        }
        let malformed = || failed(io::Error::new(io::ErrorKind::InvalidData, "its answer cannot be read"));
        let response = Response::decode(&buffer[..length]).ok_or_else(malformed)?;
        Ok((response, terminal))
    }

    /// Says why it failed: by its log, else by its answer.
    fn failed(&self, answer: &Response, log: &Path) -> CriuError {
        let text = std::fs::read(log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let why = match (log::last_error(&text), answer.why.as_str(), answer.errno) {
            (Some(error), _, _) => error.to_owned(),
            (None, "", Some(errno)) => io::Error::from_raw_os_error(errno).to_string(),
            (None, "", None) => "it ended without an answer".to_owned(),
            (None, why, _) => why.to_owned(),
        };
        CriuError::Failed { act: self.act, why, log: log.to_owned() }
    }

    fn end(&mut self) {
        self.socket = None;
        // It ends with the socket; how is of no interest, as its answer was.
        let _status = self.child.wait();
    }
}

/// ECONNRESET: it ended without having read all that it was sent.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

impl Drop for Criu {
    fn drop(&mut self) {
        self.end();
    }
}
