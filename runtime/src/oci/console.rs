//! Handing a container's terminal to the caller, by the socket it names (`--console-socket`).

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};

use super::OciError;
use crate::launch::Stdio;
use crate::sys;

/// The streams of a process that wants a terminal or not, and where its terminal is to be sent.
///
/// `size`: the terminal's height and width; 0 leaves it to who gets the terminal.
pub(super) fn streams(
    terminal: bool,
    size: Option<(u16, u16)>,
    console_socket: Option<&Path>,
    attended: bool,
) -> Result<Stdio, OciError> {
    match (terminal, console_socket) {
        (true, None) if !attended => {
            Err(OciError::Options("a terminal needs a `--console-socket`, as nobody stays to serve it".to_owned()))
        }
        (false, Some(_)) => {
            Err(OciError::Options("a `--console-socket` without `process.terminal` would wait for ever".to_owned()))
        }
        (true, _) => {
            let (rows, cols) = size.unwrap_or_default();
            Ok(Stdio::Terminal { rows, cols })
        }
        (false, None) => Ok(Stdio::Inherit),
    }
}

/// Sends the master side of a terminal to whoever listens at `path`.
pub(super) fn send(path: &Path, terminal: &OwnedFd) -> Result<(), OciError> {
    let sent = || -> io::Result<()> {
        let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
        connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
        // Receivers take the text for the terminal's name.
        Ok(sys::socket::send(socket.as_fd(), b"/dev/ptmx", Some(terminal.as_fd()))?)
    };
    sent().map_err(OciError::file("send the terminal to", path))
}
