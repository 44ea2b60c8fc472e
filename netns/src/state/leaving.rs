//! Containers that are about to give back what they have. Any process.
//!
//! A change of the firewall takes the kernel as long for one container as for fifty, so whoever gets the lock first does it for
//! all that have said so by then. That is a wish and no more: each looks afterwards whether its leases are gone, and whoever
//! holds the lock believes the leases.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use super::file::{directory_names, ensure_directory, remove_file};
use super::{Lock, StateError};
use crate::Host;

impl Host {
    fn leaving(&self) -> PathBuf {
        self.run().join("leaving")
    }

    /// Asks whoever holds the lock next to remove what a container has.
    pub(crate) fn ask_to_leave(&self, container: &str) -> Result<(), StateError> {
        ensure_directory(&self.leaving())?;
        let mark = self.leaving().join(container);
        let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&mark);
        made.map(drop).map_err(StateError::file("create", &mark))
    }

    /// Returns the containers that have asked, and `own`, and forgets that they have.
    pub(crate) fn take_leaving(&self, own: &str, _lock: &Lock) -> Result<Vec<String>, StateError> {
        let mut containers = directory_names(&self.leaving())?;
        containers.iter().try_for_each(|container| remove_file(&self.leaving().join(container)))?;
        if !containers.iter().any(|container| container == own) {
            containers.push(own.to_owned());
        }
        Ok(containers)
    }

    /// Forgets that a container has asked: it comes.
    pub(crate) fn stay(&self, container: &str, _lock: &Lock) -> Result<(), StateError> {
        remove_file(&self.leaving().join(container))
    }
}
