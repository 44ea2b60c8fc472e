//! The socket by which another runtime hands over the terminal it has made (runc, docs/terminals.md).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use super::call::Call;
use super::{Foreign, ForeignError};
use crate::durable::FileError;
use crate::runtime::launch::Stdio;
use crate::runtime::{socket, terminal};

/// Longest name of a terminal that comes with it; more is of no use to us.
const NAME_BYTES: usize = 4096;

pub(super) struct Console {
    listener: UnixListener,
    path: PathBuf,
    /// Rows and columns.
    size: (u16, u16),
}

impl Console {
    /// Listens for the terminal of a call whose process is to have one.
    pub(super) fn for_streams(stdio: &Stdio, call: &Call<'_>) -> Result<Option<Self>, FileError> {
        let Stdio::Terminal { rows, cols } = *stdio else { return Ok(None) };
        let path = call.file("s");
        let listener = UnixListener::bind(&path).map_err(FileError::io("listen at", &path))?;
        Ok(Some(Self { listener, path, size: (rows, cols) }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the terminal, which the runtime has sent before it ended.
    pub(super) fn terminal(self, container: &Foreign) -> Result<OwnedFd, ForeignError> {
        let (rows, cols) = self.size;
        let received = || -> io::Result<OwnedFd> {
            self.listener.set_nonblocking(true)?;
            let (connection, _) = self.listener.accept()?;
            let (_, descriptors) = socket::receive_all(connection.as_fd(), &mut [0; NAME_BYTES])?;
            let master = descriptors.into_iter().next().ok_or(io::ErrorKind::UnexpectedEof)?;
            terminal::resize(master.as_fd(), rows, cols)?;
            Ok(master)
        };
        received().map_err(container.lost("terminal"))
    }
}
