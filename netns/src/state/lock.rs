//! The one lock of a host's network. Whoever changes a lease, a published port or the firewall holds it.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::StateError;
use super::file::ensure_directory;
use crate::Host;
use crate::netlink::Netlink;

/// The lock, held until dropped; the kernel drops it with the process too.
#[derive(Debug)]
pub(crate) struct Lock {
    // the first field is dropped first: nobody waits for the lock while sockets are closed
    _file: Flock<File>,
    spent: RefCell<Spent>,
}

/// Sockets by which something was removed from the firewall, and what is still to be removed once there is no container.
///
/// To close a socket takes the kernel a grace period of RCU, 5–30 ms, and keeps others from changing the firewall meanwhile
/// (`nft_rcv_nl_event` waits for what was removed to be freed). One that is closed later costs nothing: drop this when nobody
/// waits.
#[derive(Debug, Default)]
pub struct Spent {
    sockets: Vec<Netlink>,
    /// Tells others that its owner is at it: see [`crate::Host::resume_teardown`].
    debt: Option<Flock<File>>,
}

impl Spent {
    /// Returns whether there is nothing to wait for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }
}

impl Lock {
    /// Keeps a socket open at least as long as the lock is held.
    pub(crate) fn outlive(&self, socket: Netlink) {
        self.spent.borrow_mut().sockets.push(socket);
    }

    /// Keeps the debt of a teardown as long as what is returned at the end.
    pub(crate) fn owe(&self, debt: Flock<File>) {
        self.spent.borrow_mut().debt = Some(debt);
    }

    /// Gives the lock up; returns what is to be closed when nobody waits.
    pub(crate) fn release(self) -> Spent {
        self.spent.take()
    }
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
                Ok(file) => return Ok(Lock { _file: file, spent: RefCell::default() }),
                Err((unlocked, Errno::EINTR)) => file = unlocked,
                Err((_, errno)) => return Err(StateError::file("lock", &path)(errno.into())),
            }
        }
    }
}
