//! Writes nftables transactions (nfnetlink, `NFNL_SUBSYS_NFTABLES`): tables, chains, rules, sets and maps; reads those of
//! others, as far as it matters to us. Pure.
//!
//! Knows the kernel's language (linux/netfilter/nf_tables.h), not what lighter wants to say in it: that is [`crate::firewall`]
//! on the host and [`crate::dns`] inside a container.

mod batch;
mod expression;
mod listing;
mod set;

pub(crate) use batch::{Batch, Chain, Family, Hook};
pub(crate) use expression::{End, Rule, Verdict};
pub(crate) use listing::{Always, ListedChain, ListedRule, list_chains, list_rules};
pub(crate) use set::{Element, Field, Set, interface_key};
