//! The one lock of a host's network. Whoever changes a lease, a published port or the firewall holds it.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::StateError;
use super::file::ensure_directory;
use crate::Host;

/// The lock, held until dropped; the kernel drops it with the process too.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: Flock<File>,
}

impl Host {
    /// Waits for the lock of this host's network.
    ///
    /// It is held for file work and for requests to the kernel, which take milliseconds; never while a container, a name
    /// or another host is waited for.
    pub(crate) fn lock(&self) -> Result<Lock, StateError> {
        let path = self.run().join("network.lock");
        ensure_directory(self.run())?;
        let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut file = open.map_err(StateError::file("open", &path))?;
        loop {
            match Flock::lock(file, FlockArg::LockExclusive) {
                Ok(file) => return Ok(Lock { _file: file }),
                Err((unlocked, Errno::EINTR)) => file = unlocked,
                Err((_, errno)) => return Err(StateError::file("lock", &path)(errno.into())),
            }
        }
    }
}
