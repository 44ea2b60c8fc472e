//! Our nftables table: replaced whole, or changed by elements, always in one transaction. Whoever holds the lock.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::content::{self, Content};
use super::layout::{self, Mode};
use crate::netlink::{Message, Netlink, NetlinkError};
use crate::nftables::{Batch, Family};
use crate::state::Lock;

/// Where lighter keeps what is gone at reboot, unless told otherwise.
const USUAL_RUN: &str = "/run/lighter";

/// What a table is made of beside what containers need.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) mode: Mode,
    /// Bridges of others that the host forwards for no more than before it began to forward for containers.
    pub(super) foreign: Vec<String>,
}

/// The table of one run directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table(String);

impl Table {
    /// Every run directory has a table of its own, so that several roots on one host leave each other alone.
    pub(crate) fn of(run: &Path) -> Table {
        if run == Path::new(USUAL_RUN) {
            return Table("lighter".to_owned());
        }
        let hash = Sha256::digest(run.as_os_str().as_bytes());
        Table(format!("lighter-{}", hex::encode(&hash[..3])))
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    fn batch(&self) -> Batch {
        Batch::new(Family::Inet, &self.0)
    }

    /// Loads the table whole; fails if there is one.
    pub(super) fn create(&self, all: &Content, rules: &Rules, lock: &Lock) -> Result<(), NetlinkError> {
        let mut batch = self.batch();
        batch.create_table();
        commit(&filled(batch, all, rules), lock)
    }

    /// Adds elements; fails if the table is not there or has one of the keys with another value.
    pub(super) fn add(&self, new: &Content, lock: &Lock) -> Result<(), NetlinkError> {
        let mut batch = self.batch();
        new.elements().into_iter().for_each(|(set, elements)| batch.add_elements(set, &elements));
        commit(&batch.finish(), lock)
    }

    /// Removes elements; fails if one of them is not there.
    pub(super) fn remove(&self, old: &Content, lock: &Lock) -> Result<(), NetlinkError> {
        let mut batch = self.batch();
        old.elements().into_iter().for_each(|(set, elements)| batch.delete_elements(set, &elements));
        commit(&batch.finish(), lock)
    }

    /// Loads the table whole, whatever was there.
    pub(super) fn replace(&self, all: &Content, rules: &Rules, lock: &Lock) -> Result<(), NetlinkError> {
        let mut batch = self.batch();
        batch.replace_table();
        commit(&filled(batch, all, rules), lock)
    }

    /// Removes the table; succeeds when there is none.
    pub(super) fn delete(&self, lock: &Lock) -> Result<(), NetlinkError> {
        let mut batch = self.batch();
        batch.remove_table();
        commit(&batch.finish(), lock)
    }
}

/// Ends the transaction that begins a table: its sets and rules, with all their elements.
fn filled(mut batch: Batch, all: &Content, rules: &Rules) -> Vec<Message> {
    layout::SETS.iter().for_each(|set| batch.add_set(set));
    layout::chains(rules.mode).into_iter().for_each(|chain| batch.add_chain(chain));
    let foreign = content::foreign(&rules.foreign);
    all.elements().into_iter().chain(foreign).for_each(|(set, elements)| batch.add_elements(set, &elements));
    batch.finish()
}

fn commit(messages: &[Message], lock: &Lock) -> Result<(), NetlinkError> {
    let mut netlink = Netlink::netfilter()?;
    let sent = netlink.send(messages);
    lock.outlive(netlink);
    sent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_usual_run_directory_has_the_plain_name() {
        assert_eq!(Table::of(Path::new("/run/lighter")).name(), "lighter");
        let other = Table::of(Path::new("/tmp/run"));
        assert_eq!(other.name().len(), "lighter-".len() + 6);
        assert_ne!(other, Table::of(Path::new("/tmp/run2")));
    }
}
