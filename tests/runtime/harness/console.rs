//! The sockets on which a runtime hands over descriptors: the terminal's, the seccomp listener's.

use std::fs::File;
use std::io::{IoSliceMut, Read};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

use super::{eventually, sys};

const LIMIT: Duration = Duration::from_secs(10);

/// Longest message a runtime sends in one piece.
const MESSAGE: usize = 64 << 10;

/// A socket that a runtime connects to.
pub(crate) struct Listener {
    socket: UnixListener,
    path: PathBuf,
}

/// What came through one connection.
pub(crate) struct Received {
    pub(crate) text: String,
    pub(crate) descriptors: Vec<OwnedFd>,
    connection: UnixStream,
}

impl Listener {
    /// Listens on a new socket in `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        let path = folder.join("socket");
        let socket = UnixListener::bind(&path).expect("the folder is ours and its name is short");
        socket.set_nonblocking(true).expect("sockets can be non-blocking");
        Self { socket, path }
    }

    pub(crate) fn path(&self) -> &str {
        self.path.to_str().expect("paths of tests are text")
    }

    /// Takes the next connection, its first message, and the descriptors that came with it.
    pub(crate) fn receive(&self) -> Received {
        let connection = eventually("the runtime connects", LIMIT, || self.socket.accept()).0;
        connection.set_nonblocking(false).expect("sockets can block");
        connection.set_read_timeout(Some(LIMIT)).expect("the limit is not zero");
        let (mut text, mut space) = (vec![0; MESSAGE], nix::cmsg_space!([RawFd; 4]));
        let (length, descriptors) = {
            let mut parts = [IoSliceMut::new(&mut text)];
            let message =
                recvmsg::<()>(connection.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC);
            let message = message.expect("a message comes within the limit");
            let rights = message.cmsgs().expect("there is space for all").filter_map(|control| match control {
                ControlMessageOwned::ScmRights(descriptors) => Some(descriptors),
                _ => None,
            });
            (message.bytes, rights.flatten().map(sys::received).collect())
        };
        text.truncate(length);
        Received { text: String::from_utf8(text).expect("the message is text"), descriptors, connection }
    }

    /// Whether another connection waits.
    pub(crate) fn has_another(&self) -> bool {
        self.socket.accept().is_ok()
    }
}

impl Received {
    /// Reads the rest of what was sent, to the end of the connection.
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.connection.read_to_string(&mut rest).expect("the runtime closes the connection within the limit");
        rest
    }

    /// Takes the only descriptor.
    pub(crate) fn descriptor(mut self) -> File {
        assert_eq!(self.descriptors.len(), 1, "one descriptor comes with the message");
        File::from(self.descriptors.remove(0))
    }
}
