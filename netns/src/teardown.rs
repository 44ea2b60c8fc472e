//! Removing what only containers need, the firewall table and the bridges, once there is none. Any process.
//!
//! It is slow, so whoever sees the last one go does it when nobody waits. That is a debt: the file `RUN/teardown` is there from
//! before a lease goes, is locked by those who are at it, and says why it failed. One that nobody is at any more, because he has
//! failed or was killed, is the next command's.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::SystemTime;

use nix::fcntl::{Flock, FlockArg};
use nix::poll::{PollTimeout, poll};

use crate::failure::chain;
use crate::netlink::Netlink;
use crate::state::{Lock, remove_file};
use crate::{Host, NetworkError, StateError, bridge};

/// How long bridges stay after the last container, in milliseconds: more than a command needs to start the next one, and too short
/// to be noticed. To remove one takes the kernel some 60 ms, during which nobody else gets the lock.
const MOMENT: u8 = 250;

impl Host {
    /// Removes what only containers need, the firewall table and the bridges, when there is no container. The networks
    /// themselves stay: the next container brings their bridges back.
    pub fn teardown_if_unused(&self) -> Result<(), NetworkError> {
        // Whoever comes last sees it: without the lock, which may be held by all who go with him.
        if self.is_used()? && !self.debt().exists() {
            return Ok(());
        }
        let lock = self.lock()?;
        let removed = self.remove_unused(&lock);
        let told = match &removed {
            Ok(()) => remove_file(&self.debt()),
            Err(error) => fs::write(self.debt(), chain(error)).map_err(StateError::file("write", &self.debt())),
        };
        removed?;
        Ok(told?)
    }

    fn remove_unused(&self, lock: &Lock) -> Result<(), NetworkError> {
        if self.is_used()? {
            return Ok(());
        }
        let firewall = self.restore_firewall(lock);
        let bridges = self.delete_bridges();
        firewall?;
        bridges
    }

    /// As [`Host::teardown_if_unused`], in a moment, and only if no container has come or gone meanwhile: who starts one after the
    /// other finds the bridge there, and waits for none to go.
    pub fn teardown_later(&self) -> Result<(), NetworkError> {
        let before = self.last_change()?;
        // Nothing to poll but time; to be woken early by a signal does no harm.
        let _ = poll(&mut [], PollTimeout::from(MOMENT));
        match self.last_change()? == before {
            true => self.teardown_if_unused(),
            false => Ok(()), // it is the business of whoever came
        }
    }

    /// Does what somebody has left undone who failed, or was killed. Costs next to nothing when there is no such thing.
    pub fn resume_teardown(&self) -> Result<(), NetworkError> {
        let file = match File::open(self.debt()) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            file => file.map_err(StateError::file("open", &self.debt()))?,
        };
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(_ours) => self.teardown_if_unused(),
            Err(_) => Ok(()), // somebody is at it
        }
    }

    /// Returns why the last attempt failed, if it did and nothing has come of it since.
    pub fn failed_teardown(&self) -> Option<String> {
        fs::read_to_string(self.debt()).ok().filter(|why| !why.is_empty())
    }

    /// Says that there may be something to remove; whoever does, is at it until what his lock has spent is dropped.
    pub(crate) fn owe_teardown(&self, lock: &Lock) -> Result<(), StateError> {
        let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(self.debt());
        let file = open.map_err(StateError::file("create", &self.debt()))?;
        if let Ok(debt) = Flock::lock(file, FlockArg::LockSharedNonblock) {
            lock.owe(debt);
        }
        Ok(())
    }

    fn debt(&self) -> PathBuf {
        self.run().join("teardown")
    }

    /// Returns when the last lease came or went.
    fn last_change(&self) -> Result<Option<SystemTime>, NetworkError> {
        let changed = |network: &String| self.leases(network).metadata().and_then(|leases| leases.modified()).ok();
        Ok(self.leased_networks()?.iter().filter_map(changed).max())
    }

    fn delete_bridges(&self) -> Result<(), NetworkError> {
        Ok(bridge::delete(&mut Netlink::route()?, &self.read_networks()?)?)
    }
}
