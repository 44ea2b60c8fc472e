//! A terminal for the container: a pty of its own devpts.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::{SFlag, fstat, makedev};
use nix::sys::statfs::{FsType, fstatfs};
use nix::unistd::{Uid, fchown};

use super::beneath::RootDirectory;
use super::error::{Act, InitError};
use super::place::Place;
use super::stdio;
use crate::sys::mount::Attributes;
use crate::sys::pty;

/// `DEVPTS_SUPER_MAGIC`, `linux/magic.h`.
const DEVPTS: FsType = FsType(0x1cd1);

/// The two sides of a pty.
#[derive(Debug)]
pub(super) struct Terminal {
    /// For the monitor.
    pub(super) master: OwnedFd,
    slave: OwnedFd,
}

impl Terminal {
    /// Opens a pty in the devpts at `/dev/pts` of the container.
    ///
    /// The slave is opened from the master, and the master is checked to be a real one: paths below a
    /// `/dev` that other containers can write cannot put another file in its place.
    pub(super) fn open(root: &RootDirectory, size: (u16, u16), uid: Uid) -> Result<Self, InitError> {
        let path = Path::new("/dev/pts/ptmx");
        let master = root.open_without_links(path, OFlag::O_RDWR | OFlag::O_NOCTTY).act_on("open", path)?;
        let stat = fstat(&master).act_on("look at", path)?;
        let is_character = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFCHR;
        let is_devpts = fstatfs(&master).act_on("look at", path)?.filesystem_type() == DEVPTS;
        if !(is_character && is_devpts && stat.st_rdev == makedev(5, 2)) {
            return Err(InitError::refused("open a terminal: `/dev/pts/ptmx` is no pty multiplexer"));
        }
        pty::unlock_slave(master.as_fd()).act("unlock the terminal")?;
        let slave = pty::open_slave(master.as_fd()).act("open the terminal")?;
        pty::set_window_size(master.as_fd(), size.0, size.1).act("set the size of the terminal")?;
        fchown(&slave, Some(uid), None).act("give the terminal to the container's user")?;
        Ok(Self { master, slave })
    }

    /// Shows the terminal as `/dev/console`.
    pub(super) fn bind_console(&self, root: &RootDirectory) -> Result<(), InitError> {
        let place = Place::file(root, Path::new("/dev/console"))?;
        place.bind(self.slave.as_fd(), false, Attributes::default(), Attributes::default())
    }

    /// Returns both sides.
    pub(super) fn files(&self) -> [BorrowedFd<'_>; 2] {
        [self.master.as_fd(), self.slave.as_fd()]
    }

    /// Makes it the controlling terminal of this session.
    pub(super) fn control(&self) -> Result<(), InitError> {
        pty::make_controlling(self.slave.as_fd()).act("take control of the terminal")
    }

    /// Makes it the standard streams.
    pub(super) fn replace_streams(&self) -> Result<(), InitError> {
        stdio::replace(self.slave.as_fd(), self.slave.as_fd(), self.slave.as_fd())
    }
}
