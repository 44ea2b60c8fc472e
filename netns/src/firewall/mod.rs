//! The firewall of this host's networks: one nftables table of our own. Whoever holds the lock.
//!
//! The rules are constant; what changes are the elements of the sets and maps they look into, so a packet costs the same
//! with one container or a thousand, and attaching one is a transaction that adds elements. Whenever such a transaction
//! does not fit what is loaded (somebody flushed the ruleset, an older build made the table) the table is replaced whole
//! from the files, again in one transaction. Tables of others are never touched.

mod content;
mod forwarding;
mod layout;
mod table;

pub(crate) use content::Content;
pub(crate) use table::Table;

use crate::state::Lock;
use crate::{Host, HostError, StateError};

impl Host {
    fn content(&self) -> Result<Content, StateError> {
        Ok(Content::of(&self.all_leases()?, &self.all_ports()?))
    }

    /// Lets the firewall know what `container` needs, which the files have already.
    ///
    /// The first container brings the table with it. To try with elements first would cost it a failed transaction, and
    /// those take the kernel 6–40 ms (measured 2026-11-21, Linux 6.18), a replaced table less than one.
    pub(crate) fn admit(&self, container: &str, new: &Content, lock: &Lock) -> Result<(), HostError> {
        let closed = forwarding::is_ours(self, lock)?;
        let table = Table::of(self.run());
        let is_first = self.leased_containers()?.iter().all(|leased| leased == container);
        if is_first || table.add(new).is_err() {
            table.replace(&self.content()?, closed)?;
        }
        forwarding::turn_on()
    }

    /// Lets the firewall forget `old`, which the files have no longer; with the last container the table goes.
    pub(crate) fn dismiss(&self, old: Content, lock: &Lock) -> Result<(), HostError> {
        let rest = self.content()?;
        if rest.is_empty() {
            return self.close_firewall(lock);
        }
        let table = Table::of(self.run());
        if table.remove(&old.without_bridges_of(&rest)).is_err() {
            table.replace(&rest, forwarding::is_ours(self, lock)?)?;
        }
        Ok(())
    }

    /// Loads the table that the files call for, whatever was loaded before.
    pub(crate) fn restore_firewall(&self, lock: &Lock) -> Result<(), HostError> {
        let content = self.content()?;
        if content.is_empty() {
            return self.close_firewall(lock);
        }
        let closed = forwarding::is_ours(self, lock)?;
        Table::of(self.run()).replace(&content, closed)?;
        forwarding::turn_on()
    }

    /// Puts forwarding back first: with the table gone first, the host would be a router for a moment.
    fn close_firewall(&self, lock: &Lock) -> Result<(), HostError> {
        forwarding::put_back(self, lock)?;
        Ok(Table::of(self.run()).delete()?)
    }
}
