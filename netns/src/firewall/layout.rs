//! The sets and rules of our table. Pure.
//!
//! ```text
//! prerouting raw     from containers to loopback addresses: nothing
//! prerouting dstnat  published ports, for packets to addresses of this host only (CVE-2025-67499)
//! output dstnat      the same, for what this host sends to itself
//! forward            between bridges: nothing; into a bridge: answers and published ports, whatever route or address was
//!                    used to get here; out of an internal one: nothing; with the address of somebody else: nothing
//! input              from an internal network to this host: answers only, and who has which address (RFC 4861)
//! postrouting srcnat containers leave with the host's address; so do loopback and hairpin connections to them
//! ```
//! Every policy is "accept" and a verdict "accept" ends only this table's say: what an admin's own table drops stays dropped.
//!
//! IPv6 is treated as IPv4, but for ::1: the kernel lets no packet from it leave the loopback device, whatever is done to its
//! addresses, so connections to it are the business of [`crate::Relay`].

use std::net::Ipv6Addr;

use crate::Publish;
use crate::bridge::PREFIX;
use crate::nftables::{Chain, Field, Hook, Rule, Set, Verdict};

/// Bridges with containers on them.
pub(super) const BRIDGES: &str = "bridges";
/// Those of internal networks.
pub(super) const INTERNAL: &str = "internal";
/// A bridge twice: packets that stay on it.
pub(super) const SAME: &str = "same";
/// Addresses of containers.
pub(super) const ADDRESSES: &str = "addresses";
pub(super) const ADDRESSES6: &str = "addresses6";
/// Those of containers that leave with their own.
pub(super) const ROUTED: &str = "routed";
pub(super) const ROUTED6: &str = "routed6";
/// A bridge and an address of one of its containers, which is where packets from that address come from.
pub(super) const SENDERS: &str = "senders";
pub(super) const SENDERS6: &str = "senders6";
/// Ports published on one address of the host.
pub(super) const PUBLISHED: &str = "published";
pub(super) const PUBLISHED6: &str = "published6";
/// Ports published on every address of the host.
pub(super) const PUBLISHED_ANY: &str = "published-any";
pub(super) const PUBLISHED_ANY6: &str = "published-any6";

/// Bridges of others that the host forwards for no more than before it began to forward for containers.
pub(super) const FOREIGN: &str = "foreign";
/// Each of them twice.
pub(super) const FOREIGN_SAME: &str = "foreign-same";

/// Every set and map, in the order of their making.
pub(super) const SETS: [Set; 15] = [
    Set { name: BRIDGES, key: &[Field::Interface], value: &[] },
    Set { name: INTERNAL, key: &[Field::Interface], value: &[] },
    Set { name: SAME, key: &[Field::Interface, Field::Interface], value: &[] },
    Set { name: ADDRESSES, key: &[Field::Address], value: &[] },
    Set { name: ADDRESSES6, key: &[Field::Address6], value: &[] },
    Set { name: ROUTED, key: &[Field::Address], value: &[] },
    Set { name: ROUTED6, key: &[Field::Address6], value: &[] },
    Set { name: SENDERS, key: &[Field::Interface, Field::Address], value: &[] },
    Set { name: SENDERS6, key: &[Field::Interface, Field::Address6], value: &[] },
    Set {
        name: PUBLISHED,
        key: &[Field::Address, Field::Protocol, Field::Port],
        value: &[Field::Address, Field::Port],
    },
    Set {
        name: PUBLISHED6,
        key: &[Field::Address6, Field::Protocol, Field::Port],
        value: &[Field::Address6, Field::Port],
    },
    Set { name: PUBLISHED_ANY, key: &[Field::Protocol, Field::Port], value: &[Field::Address, Field::Port] },
    Set { name: PUBLISHED_ANY6, key: &[Field::Protocol, Field::Port], value: &[Field::Address6, Field::Port] },
    Set { name: FOREIGN, key: &[Field::Interface], value: &[] },
    Set { name: FOREIGN_SAME, key: &[Field::Interface, Field::Interface], value: &[] },
];

/// What the rules depend on, beside the content of the sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mode {
    /// The host forwards nothing but containers' IPv4 packets.
    pub(crate) closed: bool,
    /// The same of IPv6.
    pub(crate) closed6: bool,
    pub(crate) publish: Publish,
}

/// Chain of packets about to enter a bridge.
const INTO_BRIDGE: &str = "into-bridge";
/// Priorities of netfilter's own steps (`NF_IP_PRI_RAW`, `NF_IP_PRI_NAT_DST`, `NF_IP_PRI_FILTER`, `NF_IP_PRI_NAT_SRC`).
const RAW: i32 = -300;
const TRANSLATE_DESTINATION: i32 = -100;
const FILTER: i32 = 0;
const TRANSLATE_SOURCE: i32 = 100;

/// Types of the messages by which neighbours find each other (RFC 4861, 4.3 and 4.4).
const NEIGHBOUR_DISCOVERY: [u8; 2] = [135, 136];

/// Returns every chain.
pub(super) fn chains(mode: Mode) -> Vec<Chain> {
    vec![
        hooked("raw", ("filter", libc::NF_INET_PRE_ROUTING, RAW), from_containers()),
        hooked(
            "prerouting",
            ("nat", libc::NF_INET_PRE_ROUTING, TRANSLATE_DESTINATION),
            published_to_others(mode.publish),
        ),
        hooked("output", ("nat", libc::NF_INET_LOCAL_OUT, TRANSLATE_DESTINATION), published()),
        Chain { name: INTO_BRIDGE, hook: None, rules: into_bridge() },
        hooked("forward", ("filter", libc::NF_INET_FORWARD, FILTER), forward(mode)),
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
        Rule::new().only_ipv4().destination_is_loopback().load_input().among(BRIDGES).verdict(Verdict::Drop),
    ]
}

fn published() -> Vec<Rule> {
    vec![
        Rule::new().destination_is_elsewhere().verdict(Verdict::Return),
        Rule::new().only_ipv4().load_destination().load_protocol().load_port().translate_by(PUBLISHED),
        Rule::new().only_ipv4().load_protocol().load_port().translate_by(PUBLISHED_ANY),
        Rule::new().only_ipv6().load_destination6().equals(&Ipv6Addr::LOCALHOST.octets()).verdict(Verdict::Return),
        Rule::new().only_ipv6().load_destination6().load_protocol().load_port().translate6_by(PUBLISHED6),
        Rule::new().only_ipv6().load_protocol().load_port().translate6_by(PUBLISHED_ANY6),
    ]
}

fn published_to_others(publish: Publish) -> Vec<Rule> {
    // A neighbour can send a packet to 127.0.0.1 by the host's link-layer address. Untranslated, the kernel drops it.
    let mut rules = vec![Rule::new().only_ipv4().destination_is_loopback().verdict(Verdict::Return)];
    if publish == Publish::RespectHostFirewall {
        // Untranslated, it is for a program of the host, and the firewall's chain of such packets decides.
        rules.push(Rule::new().load_input().not_among(BRIDGES).verdict(Verdict::Return));
    }
    rules.extend(published());
    rules
}

fn into_bridge() -> Vec<Rule> {
    vec![
        Rule::new().load_input().among(BRIDGES).verdict(Verdict::Drop),
        Rule::new().only_known().verdict(Verdict::Accept),
        Rule::new().only_translated().verdict(Verdict::Accept),
        Rule::new().verdict(Verdict::Drop),
    ]
}

/// What most packets are comes first: each look into a set is a hundredth of what a packet costs from container to container.
fn forward(mode: Mode) -> Vec<Rule> {
    let mut rules = vec![
        Rule::new().load_input().load_output().among(SAME).verdict(Verdict::Accept),
        Rule::new().load_output().among(BRIDGES).verdict(Verdict::Jump(INTO_BRIDGE)),
        // Not even as part of a known connection: a packet may say that it is of somebody else's.
        Rule::new().load_input().among(INTERNAL).verdict(Verdict::Drop),
        // Out of bridges: of a connection that was let out, or in, by its first packet.
        Rule::new().only_known().verdict(Verdict::Accept),
    ];
    rules.extend(forged());
    rules.push(Rule::new().load_input().among(BRIDGES).verdict(Verdict::Accept));
    if mode.closed || mode.closed6 {
        rules.extend(of_others());
    }
    rules.extend(mode.closed.then(|| Rule::new().only_ipv4().verdict(Verdict::Drop)));
    rules.extend(mode.closed6.then(|| Rule::new().only_ipv6().verdict(Verdict::Drop)));
    rules
}

/// What a host that forwards for containers only lets pass nevertheless. Where the kernel shows the firewall what a bridge
/// passes on (`bridge-nf-call-iptables`), it looks as if the host forwarded it. And who makes a bridge while containers run makes it
/// for guests of his own, virtual machines or another engine's containers, counts on forwarding, and sees to their firewall. Bridges of
/// ours that nobody is on any more are not among them.
fn of_others() -> [Rule; 3] {
    [
        Rule::new().load_input().load_output().among(FOREIGN_SAME),
        Rule::new().only_from_bridge().load_input().begins_unlike(PREFIX).load_input().not_among(FOREIGN),
        Rule::new().only_to_bridge().load_output().begins_unlike(PREFIX).load_output().not_among(FOREIGN),
    ]
    .map(|rule| rule.verdict(Verdict::Accept))
}

/// First packets of connections that are not from where they say. Answers to one that were let out would be let in, to a
/// container, or a port of this host, that nobody has published: whoever gets the packet could use it as a way there.
fn forged() -> [Rule; 3] {
    [
        Rule::new().only_ipv4().load_source().among(ADDRESSES).load_input().load_source().not_among(SENDERS),
        Rule::new().only_ipv6().load_source6().among(ADDRESSES6).load_input().load_source6().not_among(SENDERS6),
        // The kernel sees to IPv4 (RFC 1812, 5.3.7), and leaves IPv6 alone.
        Rule::new().only_ipv6().load_input().among(BRIDGES).source_is_local(),
    ]
    .map(|rule| rule.verdict(Verdict::Drop))
}

fn input() -> Vec<Rule> {
    let mut rules = vec![
        Rule::new().load_input().not_among(INTERNAL).verdict(Verdict::Accept),
        Rule::new().only_known().verdict(Verdict::Accept),
    ];
    rules.extend(NEIGHBOUR_DISCOVERY.map(|kind| Rule::new().only_icmpv6(kind).verdict(Verdict::Accept)));
    rules.push(Rule::new().verdict(Verdict::Drop));
    rules
}

fn postrouting() -> Vec<Rule> {
    let leaving = |rule: Rule| rule.load_output().not_among(BRIDGES).masquerade();
    // From a container through a published port of its own network: a direct answer would not be taken for one.
    let hairpin = |rule: Rule| rule.load_output().among(BRIDGES).only_translated().masquerade();
    let (ipv4, ipv6) = (|| Rule::new().only_ipv4().load_source(), || Rule::new().only_ipv6().load_source6());
    vec![
        leaving(ipv4().among(ADDRESSES).load_source().not_among(ROUTED)),
        leaving(ipv6().among(ADDRESSES6).load_source6().not_among(ROUTED6)),
        // From 127.0.0.1 through a published port: an answer to that address would never leave the container.
        Rule::new().only_ipv4().source_is_loopback().load_output().among(BRIDGES).masquerade(),
        hairpin(ipv4().among(ADDRESSES)),
        hairpin(ipv6().among(ADDRESSES6)),
    ]
}
