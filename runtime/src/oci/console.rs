//! Handing a container's terminal, and the handle of its process, to the caller, by the sockets it names
//! (`--console-socket`, `--pidfd-socket`).

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
    // Receivers take the text for the terminal's name.
    send_with(path, b"/dev/ptmx", terminal).map_err(OciError::file("send the terminal to", path))
}

/// Sends the handle of a process to whoever listens at `path`; `way` is how it came into the container, as runc calls it:
/// `standard` for the first, `setns` for others.
pub(super) fn send_pidfd(path: &Path, way: &str, pidfd: &OwnedFd) -> Result<(), OciError> {
    send_with(path, way.as_bytes(), pidfd).map_err(OciError::file("send the pidfd to", path))
}

fn send_with(path: &Path, text: &[u8], descriptor: &OwnedFd) -> io::Result<()> {
    let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(sys::socket::send(socket.as_fd(), text, Some(descriptor.as_fd()))?)
}
