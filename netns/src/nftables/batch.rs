//! One transaction: what is between its begin and its end is taken by the kernel all or none. Pure.

use super::expression::Rule;
use super::set::{Element, Set};
use crate::netlink::{Attributes, Message};

/// Type of the messages around a transaction (`NFNL_MSG_BATCH_BEGIN`, `NFNL_MSG_BATCH_END`).
const BEGIN: u16 = libc::NFNL_MSG_BATCH_BEGIN as u16;
const END: u16 = libc::NFNL_MSG_BATCH_END as u16;
/// Elements written into one message, far from the 64 KiB an attribute can hold.
const ELEMENTS_PER_MESSAGE: usize = 256;

/// Which packets a table sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// IPv4 and IPv6.
    Inet,
    /// IPv4.
    Ip,
}

/// Where in the packet's way through the kernel a chain is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hook {
    /// `filter` or `nat`.
    pub(crate) kind: &'static str,
    /// `NF_INET_PRE_ROUTING` and so on.
    pub(crate) point: i32,
    /// Order among the chains of one hook, lowest first.
    pub(crate) priority: i32,
}

/// A chain: with a hook called by the kernel, without one by other chains. The policy is always "accept".
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) name: &'static str,
    pub(crate) hook: Option<Hook>,
    pub(crate) rules: Vec<Rule>,
}

/// A transaction on one table.
#[derive(Debug)]
pub(crate) struct Batch {
    family: Family,
    table: String,
    messages: Vec<Message>,
    sets: u32,
}

fn kind(message: i32) -> u16 {
    (libc::NFNL_SUBSYS_NFTABLES << 8 | message) as u16
}

/// Writes `struct nfgenmsg`.
fn header(family: u8, resource: u16) -> Vec<u8> {
    [[family, 0], resource.to_be_bytes()].concat()
}

fn bracket(kind: u16) -> Message {
    let subsystem = libc::NFNL_SUBSYS_NFTABLES as u16;
    let act = "change the firewall (nf_tables)";
    Message::new(act, kind, &header(libc::AF_UNSPEC as u8, subsystem), Attributes::new())
}

impl Batch {
    pub(crate) fn new(family: Family, table: &str) -> Batch {
        Batch { family, table: table.to_owned(), messages: vec![bracket(BEGIN)], sets: 0 }
    }

    fn push(&mut self, act: String, message: i32, flags: i32, attributes: Attributes) {
        let family = match self.family {
            Family::Inet => libc::NFPROTO_INET,
            Family::Ip => libc::NFPROTO_IPV4,
        };
        let message = Message::new(act, kind(message), &header(family as u8, 0), attributes);
        self.messages.push(message.flags(flags));
    }

    fn table_name(&self) -> Attributes {
        Attributes::new().text(1, &self.table)
    }

    /// Makes the table; one that is there is a failure.
    pub(crate) fn create_table(&mut self) {
        self.make_table(libc::NLM_F_CREATE | libc::NLM_F_EXCL);
    }

    fn make_table(&mut self, flags: i32) {
        let act = format!("create nftables table `{}`", self.table);
        self.push(act, libc::NFT_MSG_NEWTABLE, flags, self.table_name());
    }

    fn delete_table(&mut self) {
        let act = format!("delete nftables table `{}`", self.table);
        self.push(act, libc::NFT_MSG_DELTABLE, 0, self.table_name());
    }

    /// Removes the table whether or not it is there.
    pub(crate) fn remove_table(&mut self) {
        self.make_table(libc::NLM_F_CREATE);
        self.delete_table();
    }

    /// Replaces the table, or makes it, with nothing in it.
    pub(crate) fn replace_table(&mut self) {
        self.remove_table();
        self.make_table(libc::NLM_F_CREATE);
    }

    /// Adds an empty set or map.
    pub(crate) fn add_set(&mut self, set: &Set) {
        self.sets += 1;
        let attributes = set.attributes(self.table_name(), self.sets);
        let act = format!("create nftables set `{}` in `{}`", set.name, self.table);
        self.push(act, libc::NFT_MSG_NEWSET, libc::NLM_F_CREATE, attributes);
    }

    /// Adds `chain` with its rules; chains it jumps to come before it.
    pub(crate) fn add_chain(&mut self, chain: Chain) {
        let mut attributes = self.table_name().text(3, chain.name);
        if let Some(hook) = chain.hook {
            let place = Attributes::new().u32(1, hook.point as u32).u32(2, hook.priority as u32);
            attributes = attributes.nest(4, place).u32(5, libc::NF_ACCEPT as u32).text(7, hook.kind);
        }
        let act = format!("create nftables chain `{}` in `{}`", chain.name, self.table);
        self.push(act, libc::NFT_MSG_NEWCHAIN, libc::NLM_F_CREATE, attributes);
        for (number, rule) in chain.rules.into_iter().enumerate() {
            let attributes = self.table_name().text(2, chain.name).nest(4, rule.into_expressions());
            let act = format!("add rule {} to nftables chain `{}` in `{}`", number + 1, chain.name, self.table);
            self.push(act, libc::NFT_MSG_NEWRULE, libc::NLM_F_CREATE | libc::NLM_F_APPEND, attributes);
        }
    }

    /// Adds elements; those already in the set are no failure, a key with another value is.
    pub(crate) fn add_elements(&mut self, set: &str, elements: &[Element]) {
        let act = format!("add to nftables set `{set}` in `{}`", self.table);
        self.push_elements(act, libc::NFT_MSG_NEWSETELEM, libc::NLM_F_CREATE, (set, elements));
    }

    /// Removes elements; one that is not there is a failure.
    pub(crate) fn delete_elements(&mut self, set: &str, elements: &[Element]) {
        let act = format!("remove from nftables set `{set}` in `{}`", self.table);
        self.push_elements(act, libc::NFT_MSG_DELSETELEM, 0, (set, elements));
    }

    fn push_elements(&mut self, act: String, message: i32, flags: i32, (set, elements): (&str, &[Element])) {
        for part in elements.chunks(ELEMENTS_PER_MESSAGE) {
            let list = part.iter().fold(Attributes::new(), |list, element| element.attributes(list));
            self.push(act.clone(), message, flags, self.table_name().text(2, set).nest(3, list));
        }
    }

    /// Ends the transaction and returns its messages, to be sent in one go.
    pub(crate) fn finish(mut self) -> Vec<Message> {
        self.messages.push(bracket(END));
        self.messages
    }
}
