//! The container's output: FIFOs that the container holds open for reading too, so that it never sees a dead reader.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::sys::stat::Mode;

use crate::Stream;
use crate::logs::LogWriter;
use crate::runtime::trace::{self, Effect, Target};

/// One output of the container.
pub(super) struct Output {
    pub(super) stream: Stream,
    file: Option<File>,
    is_terminal: bool,
}

/// What a read found.
pub(super) enum Piece<'a> {
    /// Bytes.
    Bytes(&'a [u8]),
    /// Nothing now.
    Nothing,
    /// Nothing ever again.
    End,
}

impl Output {
    /// Opens our end of the FIFO at `path`; makes it if it is not there.
    pub(super) fn fifo(stream: Stream, path: &Path) -> io::Result<Self> {
        make_fifo(path)?;
        Ok(Self { stream, file: Some(open(path, true, false)?), is_terminal: false })
    }

    /// Takes the controlling end of the container's terminal.
    pub(super) fn terminal(master: OwnedFd) -> io::Result<Self> {
        set_nonblocking(&master)?;
        Ok(Self { stream: Stream::Stdout, file: Some(File::from(master)), is_terminal: true })
    }

    /// Returns the descriptor to poll; `None` once the output has ended.
    pub(super) fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_ref().map(AsFd::as_fd)
    }

    /// Reads what is there, at most as much as `buffer` takes; it is to be appended to `log` next.
    pub(super) fn read<'a>(&mut self, log: &mut LogWriter, buffer: &'a mut [u8]) -> Piece<'a> {
        let Some(file) = &mut self.file else { return Piece::End };
        // a terminal goes with its monitor, so there is nobody to leave anything to
        let read = if self.is_terminal { file.read(buffer) } else { log.take(self.stream, file, buffer) };
        match read {
            Ok(count) if count > 0 => Piece::Bytes(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Piece::Nothing,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Piece::Nothing,
            // EIO is how a terminal says that its last user has closed it (pty(7))
            Ok(_) | Err(_) => {
                self.file = None;
                Piece::End
            }
        }
    }
}

/// Returns the container's end of the FIFO at `path`: read-write, so that a write never fails for want of a reader.
pub(super) fn container_end(path: &Path) -> io::Result<OwnedFd> {
    Ok(OpenOptions::new().read(true).write(true).open(path)?.into())
}

/// Makes a FIFO; one that is there already is as good.
pub(super) fn make_fifo(path: &Path) -> io::Result<()> {
    let effect =
        || Effect::MakeNode { target: Target::path(path), kind: 'p', major: 0, minor: 0, mode: 0o600, uid: 0, gid: 0 };
    match trace::step(effect, || nix::unistd::mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR)) {
        Ok(()) | Err(nix::Error::EEXIST) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Opens a FIFO without waiting for the other side.
pub(super) fn open(path: &Path, read: bool, write: bool) -> io::Result<File> {
    OpenOptions::new().read(read).write(write).custom_flags(libc::O_NONBLOCK).open(path)
}

pub(crate) fn set_nonblocking(fd: &OwnedFd) -> io::Result<()> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let flags = OFlag::from_bits_truncate(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}
