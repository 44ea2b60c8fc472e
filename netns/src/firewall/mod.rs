//! The firewall of this host's networks: one nftables table of our own. Whoever holds the lock.
//!
//! The rules are constant; what changes are the elements of the sets and maps they look into, so a packet costs the same
//! with one container or a thousand, and attaching one is a transaction that adds elements. Whenever such a transaction
//! does not fit what is loaded (somebody flushed the ruleset, an older build made the table) the table is replaced whole
//! from the files, again in one transaction. Tables of others are looked at, to say what they keep from containers, and never
//! touched.

mod content;
mod foreign;
mod forwarding;
mod layout;
mod table;

pub(crate) use content::Content;
use table::Rules;
pub(crate) use table::Table;

use std::path::PathBuf;

use crate::state::{Lock, remove_file, write_run_file};
use crate::{Host, HostError, StateError};
use layout::Mode;

impl Host {
    /// Returns the file that is there as long as the table may be.
    fn firewall_mark(&self) -> PathBuf {
        self.run().join("firewall.json")
    }

    /// Loads the table with all that the files call for.
    ///
    /// What is not there need not be removed first: to have removed something takes the kernel longer than the rest.
    fn load(&self, content: &Content, mode: Mode, lock: &Lock) -> Result<(), HostError> {
        let table = Table::of(self.run());
        let rules = Rules { mode, foreign: forwarding::foreign(self, mode)? };
        let is_new = !self.firewall_mark().exists();
        if is_new {
            write_run_file(&self.firewall_mark(), &table.name())?;
        }
        match is_new && table.create(content, &rules, lock).is_ok() {
            true => Ok(()),
            false => Ok(table.replace(content, &rules, lock)?),
        }
    }

    fn content(&self) -> Result<Content, StateError> {
        Ok(Content::of(&self.all_leases()?, &self.all_ports()?))
    }

    /// Lets the firewall know what `container` needs, which the files have already; returns what is to be said of it. Where it
    /// is not alone on its networks, it is not looked for others.
    ///
    /// The first container brings the table with it. To try with elements first would cost it a failed transaction, and
    /// those take the kernel 6–40 ms (measured 2026-11-21, Linux 6.18), a replaced table less than one.
    pub(crate) fn admit(
        &self,
        (container, is_alone): (&str, bool),
        new: &Content,
        lock: &Lock,
    ) -> Result<Option<String>, HostError> {
        let was_closed6 = forwarding::is_closed6(self);
        let mode = forwarding::mode(self, new, lock)?;
        let table = Table::of(self.run());
        let is_first = is_alone && self.leased_containers()?.iter().all(|leased| leased == container);
        // The first IPv6 address changes what the rules depend on.
        if is_first || mode.closed6 != was_closed6 || table.add(new, lock).is_err() {
            self.load(&self.content()?, mode, lock)?;
        }
        forwarding::turn_on(self, new, lock)
    }

    /// Returns what firewalls of others keep from containers, a sentence each.
    pub(crate) fn obstacles(&self, content: &Content) -> Result<Vec<String>, HostError> {
        Ok(foreign::obstacles(&Table::of(self.run()), content)?)
    }

    /// Lets the firewall forget `old`, which the files have no longer, but for the bridges that are `used` by others; with the
    /// last container the table goes.
    pub(crate) fn dismiss(&self, old: Content, used: &[&str], lock: &Lock) -> Result<(), HostError> {
        if !self.is_used()? {
            return self.close_firewall(lock);
        }
        if Table::of(self.run()).remove(&old.without_bridges(used), lock).is_err() {
            self.restore_firewall(lock)?;
        }
        Ok(())
    }

    /// Loads the table that the files call for, whatever was loaded before; returns what the user should know.
    pub(crate) fn restore_firewall(&self, lock: &Lock) -> Result<Vec<String>, HostError> {
        let content = self.content()?;
        if content.is_empty() {
            return self.close_firewall(lock).map(|()| Vec::new());
        }
        let mode = forwarding::mode(self, &content, lock)?;
        self.load(&content, mode, lock)?;
        Ok(forwarding::turn_on(self, &content, lock)?.into_iter().chain(self.obstacles(&content)?).collect())
    }

    /// Puts forwarding back first: with the table gone first, the host would be a router for a moment.
    fn close_firewall(&self, lock: &Lock) -> Result<(), HostError> {
        forwarding::put_back(self, lock)?;
        if self.firewall_mark().exists() {
            Table::of(self.run()).delete(lock)?;
            remove_file(&self.firewall_mark())?;
        }
        Ok(())
    }
}
