//! The sets and rules of our table. Pure.
//!
//! ```text
//! prerouting raw     from containers to loopback addresses: nothing
//! prerouting dstnat  published ports, for packets to addresses of this host only (CVE-2025-67499)
//! output dstnat      the same, for what this host sends to itself
//! forward            between bridges: nothing; into a bridge: answers and published ports, whatever route or address was
//!                    used to get here; out of an internal one: nothing
//! input              from an internal network to this host: answers only
//! postrouting srcnat containers leave with the host's address; so do loopback and hairpin connections to them
//! ```
//! Every policy is "accept" and a verdict "accept" ends only this table's say: what an admin's own table drops stays dropped.

use crate::nftables::{Chain, Field, Hook, Rule, Set, Verdict};

/// Bridges with containers on them.
pub(super) const BRIDGES: &str = "bridges";
/// Those of internal networks.
pub(super) const INTERNAL: &str = "internal";
/// A bridge twice: packets that stay on it.
pub(super) const SAME: &str = "same";
/// Addresses of containers.
pub(super) const ADDRESSES: &str = "addresses";
/// Ports published on one address of the host.
pub(super) const PUBLISHED: &str = "published";
/// Ports published on every address of the host.
pub(super) const PUBLISHED_ANY: &str = "published-any";

/// Every set and map, in the order of their making.
pub(super) const SETS: [Set; 6] = [
    Set { name: BRIDGES, key: &[Field::Interface], value: &[] },
    Set { name: INTERNAL, key: &[Field::Interface], value: &[] },
    Set { name: SAME, key: &[Field::Interface, Field::Interface], value: &[] },
    Set { name: ADDRESSES, key: &[Field::Address], value: &[] },
    Set {
        name: PUBLISHED,
        key: &[Field::Address, Field::Protocol, Field::Port],
        value: &[Field::Address, Field::Port],
    },
    Set { name: PUBLISHED_ANY, key: &[Field::Protocol, Field::Port], value: &[Field::Address, Field::Port] },
];

/// Chain of packets about to enter a bridge.
const INTO_BRIDGE: &str = "into-bridge";
/// Priorities of netfilter's own steps (`NF_IP_PRI_RAW`, `NF_IP_PRI_NAT_DST`, `NF_IP_PRI_FILTER`, `NF_IP_PRI_NAT_SRC`).
const RAW: i32 = -300;
const TRANSLATE_DESTINATION: i32 = -100;
const FILTER: i32 = 0;
const TRANSLATE_SOURCE: i32 = 100;

/// Returns every chain; with `closed` the host forwards nothing but containers' packets.
pub(super) fn chains(closed: bool) -> Vec<Chain> {
    vec![
        hooked("raw", ("filter", libc::NF_INET_PRE_ROUTING, RAW), from_containers()),
        hooked("prerouting", ("nat", libc::NF_INET_PRE_ROUTING, TRANSLATE_DESTINATION), published_to_others()),
        hooked("output", ("nat", libc::NF_INET_LOCAL_OUT, TRANSLATE_DESTINATION), published()),
        Chain { name: INTO_BRIDGE, hook: None, rules: into_bridge() },
        hooked("forward", ("filter", libc::NF_INET_FORWARD, FILTER), forward(closed)),
        hooked("input", ("filter", libc::NF_INET_LOCAL_IN, FILTER), input()),
        hooked("postrouting", ("nat", libc::NF_INET_POST_ROUTING, TRANSLATE_SOURCE), postrouting()),
    ]
}

fn hooked(name: &'static str, (kind, point, priority): (&'static str, i32, i32), rules: Vec<Rule>) -> Chain {
    Chain { name, hook: Some(Hook { kind, point, priority }), rules }
}

fn from_containers() -> Vec<Rule> {
    vec![
        // Bridges have route_localnet on, for answers to connections from 127.0.0.1; without this rule the services of
        // this host that listen on loopback would be open to containers.
        Rule::new().load_input().among(BRIDGES).only_ipv4().destination_is_loopback().verdict(Verdict::Drop),
    ]
}

fn published() -> Vec<Rule> {
    vec![
        Rule::new().destination_is_elsewhere().verdict(Verdict::Return),
        Rule::new().only_ipv4().load_destination().load_protocol().load_port().translate_by(PUBLISHED),
        Rule::new().only_ipv4().load_protocol().load_port().translate_by(PUBLISHED_ANY),
    ]
}

fn published_to_others() -> Vec<Rule> {
    // A neighbour can send a packet to 127.0.0.1 by the host's link-layer address. Untranslated, the kernel drops it.
    let loopback = Rule::new().only_ipv4().destination_is_loopback().verdict(Verdict::Return);
    [vec![loopback], published()].concat()
}

fn into_bridge() -> Vec<Rule> {
    vec![
        Rule::new().load_input().load_output().among(SAME).verdict(Verdict::Accept),
        Rule::new().load_input().among(BRIDGES).verdict(Verdict::Drop),
        Rule::new().only_known().verdict(Verdict::Accept),
        Rule::new().only_translated().verdict(Verdict::Accept),
        Rule::new().verdict(Verdict::Drop),
    ]
}

fn forward(closed: bool) -> Vec<Rule> {
    let mut rules = vec![
        Rule::new().load_output().among(BRIDGES).verdict(Verdict::Jump(INTO_BRIDGE)),
        Rule::new().load_input().among(INTERNAL).verdict(Verdict::Drop),
        Rule::new().load_input().among(BRIDGES).verdict(Verdict::Accept),
    ];
    if closed {
        rules.push(Rule::new().verdict(Verdict::Drop));
    }
    rules
}

fn input() -> Vec<Rule> {
    vec![
        Rule::new().load_input().among(INTERNAL).only_known().verdict(Verdict::Accept),
        Rule::new().load_input().among(INTERNAL).verdict(Verdict::Drop),
    ]
}

fn postrouting() -> Vec<Rule> {
    vec![
        Rule::new().only_ipv4().load_source().among(ADDRESSES).load_output().not_among(BRIDGES).masquerade(),
        // From 127.0.0.1 through a published port: an answer to that address would never leave the container.
        Rule::new().only_ipv4().source_is_loopback().load_output().among(BRIDGES).masquerade(),
        // From a container through a published port of its own network: a direct answer would not be taken for one.
        Rule::new()
            .only_ipv4()
            .load_source()
            .among(ADDRESSES)
            .load_output()
            .among(BRIDGES)
            .only_translated()
            .masquerade(),
    ]
}
