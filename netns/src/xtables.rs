//! What iptables-legacy(8) does with forwarded packets: its tables are not nftables', which shows nothing of them. Whoever holds
//! the lock; looks, and changes nothing.
//!
//! Layouts: linux/netfilter_ipv4/ip_tables.h, linux/netfilter_ipv6/ip6_tables.h and linux/netfilter/x_tables.h, on 64-bit
//! machines. A table is a list of rules, each beginning with its conditions; the last of a hook is its policy.

use std::fs;
use std::io;
use std::os::fd::AsFd;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use crate::sys::option::read_option;

/// The only table whose rules drop packets (iptables(8), `-P` and `-j DROP` are for `filter`).
const FILTER: &[u8] = b"filter";
/// Options of a socket (`IPT_SO_GET_INFO`, `IPT_SO_GET_ENTRIES` and their equals of IPv6).
const GET_INFO: i32 = 64;
const GET_ENTRIES: i32 = 65;
/// Bytes of a table's name, of `struct ipt_getinfo`, and of `struct ipt_get_entries` before the rules.
const NAME: usize = 32;
const INFO: usize = 84;
const HEADER: usize = 40;
/// Where `struct ipt_getinfo` has the first rule and the policy of forwarded packets, and the length of all rules.
const FIRST: usize = 36 + 4 * libc::NF_INET_FORWARD as usize;
const POLICY: usize = 56 + 4 * libc::NF_INET_FORWARD as usize;
const SIZE: usize = 80;
/// Bytes of a device's name.
const DEVICE: usize = 16;
/// Where a target has its name, and what it is about.
const TARGET_NAME: usize = 2;
const TARGET_VALUE: usize = 32;
/// Verdicts in a rule (`-NF_DROP - 1`, `-NF_ACCEPT - 1`).
const DROP: i32 = -1;
const ACCEPT: i32 = -2;
/// How often a table is read again that changed while it was read.
const ATTEMPTS: usize = 5;

/// The protocol of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// iptables
    Ipv4,
    /// ip6tables
    Ipv6,
}

impl Protocol {
    /// Returns the name of the program that writes its rules.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Protocol::Ipv4 => "iptables-legacy",
            Protocol::Ipv6 => "ip6tables-legacy",
        }
    }

    /// Returns whether this network namespace has tables of it. To ask for a table that is not there would make the kernel load
    /// it.
    pub(crate) fn has_tables(self) -> bool {
        !self.names().trim().is_empty()
    }

    fn names(self) -> String {
        let name = match self {
            Protocol::Ipv4 => "ip_tables_names",
            Protocol::Ipv6 => "ip6_tables_names",
        };
        fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap_or_default()
    }

    /// Returns the bytes of a rule's conditions on addresses, devices and protocol, where the devices begin in them, and where
    /// a rule has the offset of its target.
    fn layout(self) -> (usize, usize, usize) {
        match self {
            Protocol::Ipv4 => (84, 16, 88),
            Protocol::Ipv6 => (136, 64, 140),
        }
    }

    /// Bytes of a rule before its further conditions.
    fn rule(self) -> usize {
        match self {
            Protocol::Ipv4 => 112,
            Protocol::Ipv6 => 168,
        }
    }
}

/// The table `filter` of a protocol.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    protocol: Protocol,
    /// Offsets of the first rule for forwarded packets, and of the last, their policy.
    forward: (usize, usize),
    rules: Vec<u8>,
}

impl Filter {
    /// Reads the table of this network namespace; `None` when there is none, or when it cannot be read.
    pub(crate) fn read(protocol: Protocol) -> Option<Filter> {
        let has = protocol.names().lines().any(|name| name.as_bytes() == FILTER);
        has.then(|| (0..ATTEMPTS).find_map(|_| read(protocol).ok())).flatten()
    }

    /// Returns whether a forwarded packet nobody spoke of is dropped: by a rule without conditions, or by the policy.
    pub(crate) fn drops(&self) -> bool {
        let (first, policy) = self.forward;
        let own = self.rules().skip_while(|(at, _)| *at < first).take_while(|(at, _)| *at <= policy);
        own.filter(|(_, rule)| self.is_unconditional(rule)).find_map(|(_, rule)| decision(rule, self.protocol))
            == Some(true)
    }

    /// Returns whether a rule is about devices of which `is_meant` is true, named in it with or without the `+` for all that begin
    /// so.
    pub(crate) fn mentions(&self, is_meant: impl Fn(&str) -> bool) -> bool {
        let (_, devices, _) = self.protocol.layout();
        let names =
            |rule: &[u8]| [devices, devices + DEVICE].map(|at| text(rule.get(at..at + DEVICE).unwrap_or_default()));
        self.rules().any(|(_, rule)| names(rule).iter().any(|name| is_meant(name)))
    }

    /// Returns whether the user has a chain whose name begins so.
    pub(crate) fn has_chain(&self, beginning: &str) -> bool {
        let name = |rule: &[u8]| {
            let target = target(rule, self.protocol)?;
            (text(target.get(TARGET_NAME..)?) == "ERROR").then(|| text(target.get(TARGET_VALUE..).unwrap_or_default()))
        };
        self.rules().any(|(_, rule)| name(rule).is_some_and(|name| name.starts_with(beginning)))
    }

    /// Returns the rules with their offsets.
    fn rules(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let rest = self.rules.get(at..)?;
            let (_, _, offsets) = self.protocol.layout();
            // A rule shorter than itself would never end.
            let length = usize::from(u16_at(rest, offsets + 2)?).max(self.protocol.rule());
            let rule = (at, rest.get(..length)?);
            at += length;
            Some(rule)
        })
    }

    fn is_unconditional(&self, rule: &[u8]) -> bool {
        let (conditions, _, offsets) = self.protocol.layout();
        let has_more = u16_at(rule, offsets).is_none_or(|target| usize::from(target) != self.protocol.rule());
        !has_more && rule.iter().take(conditions).all(|byte| *byte == 0)
    }
}

/// Returns whether a rule drops (`true`) or accepts what comes to it; jumps, returns and logs decide nothing.
fn decision(rule: &[u8], protocol: Protocol) -> Option<bool> {
    let target = target(rule, protocol)?;
    let verdict = || Some(i32::from_ne_bytes(target.get(TARGET_VALUE..TARGET_VALUE + 4)?.try_into().ok()?));
    match text(target.get(TARGET_NAME..)?).as_str() {
        "REJECT" => Some(true),
        // The standard target, as iptables calls it.
        "" => match verdict()? {
            DROP => Some(true),
            ACCEPT => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn target(rule: &[u8], protocol: Protocol) -> Option<&[u8]> {
    let (_, _, offsets) = protocol.layout();
    rule.get(usize::from(u16_at(rule, offsets)?)..)
}

fn read(protocol: Protocol) -> io::Result<Filter> {
    let (family, level) = match protocol {
        Protocol::Ipv4 => (AddressFamily::Inet, libc::IPPROTO_IP),
        Protocol::Ipv6 => (AddressFamily::Inet6, libc::IPPROTO_IPV6),
    };
    let socket = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    let mut info = vec![0; INFO];
    info[..FILTER.len()].copy_from_slice(FILTER);
    read_option(socket.as_fd(), (level, GET_INFO), &mut info)?;
    let field = |at| u32_at(&info, at).and_then(|number| usize::try_from(number).ok()).unwrap_or_default();
    let mut entries = vec![0; HEADER + field(SIZE)];
    entries[..FILTER.len()].copy_from_slice(FILTER);
    entries[NAME..NAME + 4].copy_from_slice(&info[SIZE..SIZE + 4]);
    read_option(socket.as_fd(), (level, GET_ENTRIES), &mut entries)?;
    Ok(Filter { protocol, forward: (field(FIRST), field(POLICY)), rules: entries.split_off(HEADER) })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Returns a text up to its closing zero.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Writes a rule of IPv4: the device packets come in by, a target's name, its verdict.
    fn rule(device: &str, name: &str, verdict: i32) -> Vec<u8> {
        let mut rule = vec![0; 112];
        rule[16..16 + device.len()].copy_from_slice(device.as_bytes());
        rule[88..90].copy_from_slice(&112u16.to_ne_bytes());
        rule[90..92].copy_from_slice(&152u16.to_ne_bytes());
        let mut target = vec![0; 40];
        target[2..2 + name.len()].copy_from_slice(name.as_bytes());
        target[32..36].copy_from_slice(&verdict.to_ne_bytes());
        [rule, target].concat()
    }

    fn filter(rules: &[Vec<u8>]) -> Filter {
        let forward = (152, 152 * (rules.len() - 1));
        Filter { protocol: Protocol::Ipv4, forward, rules: rules.concat() }
    }

    #[test]
    fn the_first_decision_without_a_condition_counts() {
        let (input, accepts, drops) = (rule("", "", DROP), rule("", "", ACCEPT), rule("", "", DROP));
        let cases = [
            (vec![input.clone(), drops.clone()], true),
            (vec![input.clone(), accepts.clone()], false),
            (vec![input.clone(), rule("eth0", "", ACCEPT), rule("", "", 912), rule("", "LOG", 0), drops.clone()], true),
            (vec![input.clone(), accepts.clone(), drops.clone()], false),
            (vec![input, rule("", "REJECT", 0), accepts], true),
        ];
        for (rules, expected) in cases {
            assert_eq!(filter(&rules).drops(), expected, "{rules:?}");
        }
    }

    #[test]
    fn devices_and_chains_are_found_by_their_names() {
        let mut chain = rule("", "ERROR", 0);
        chain[144..148].copy_from_slice(b"ufw-");
        let filter = filter(&[rule("lt-+", "", ACCEPT), rule("", "", DROP), chain]);
        assert!(filter.mentions(|name| name.starts_with("lt-")) && !filter.mentions(|name| name == "br0"));
        assert!(filter.has_chain("ufw") && !filter.has_chain("DOCKER"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic_or_go_on_for_ever(
            rules in proptest::collection::vec(any::<u8>(), 0..600),
            first in 0usize..700,
            policy in 0usize..700,
        ) {
            for protocol in [Protocol::Ipv4, Protocol::Ipv6] {
                let filter = Filter { protocol, forward: (first, policy), rules: rules.clone() };
                let _ = (filter.drops(), filter.mentions(|name| name == "x"), filter.has_chain("x"));
            }
        }
    }
}
