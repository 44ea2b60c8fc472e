//! Writes nftables transactions (nfnetlink, `NFNL_SUBSYS_NFTABLES`): tables, chains, rules, sets and maps. Pure.
//!
//! Knows the kernel's language (linux/netfilter/nf_tables.h), not what lighter wants to say in it: that is [`crate::firewall`]
//! on the host and [`crate::dns`] inside a container.

mod batch;
mod expression;
mod set;

pub(crate) use batch::{Batch, Chain, Family, Hook, list_chains};
pub(crate) use expression::{Rule, Verdict};
pub(crate) use set::{Element, Field, Set, interface_key};
