//! What is in the sets and maps of our table. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::layout::{
    ADDRESSES, ADDRESSES6, BRIDGES, FOREIGN, FOREIGN_SAME, INTERNAL, PUBLISHED, PUBLISHED_ANY, PUBLISHED_ANY6,
    PUBLISHED6, ROUTED, ROUTED6, SAME, SENDERS, SENDERS6,
};
use crate::nftables::{Element, interface_key};
use crate::pools::same_family;
use crate::state::{Lease, PortRecord};
use crate::{BoundPort, Protocol};

/// What some containers need of the firewall.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    bridges: BTreeSet<String>,
    internal: BTreeSet<String>,
    /// Bridges whose containers reach each other.
    same: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
    routed: BTreeSet<IpAddr>,
    /// Which bridges packets from which addresses come by.
    senders: BTreeSet<(String, IpAddr)>,
    ports: Vec<(BoundPort, IpAddr)>,
}

impl Content {
    /// Returns what these leases and ports need. Networks of other drivers than `bridge` do not come by the firewall.
    pub(crate) fn of(leases: &[Lease], ports: &[PortRecord]) -> Content {
        let bridged = || leases.iter().filter(|lease| lease.is_bridged());
        let bridges =
            |which: fn(&Lease) -> bool| bridged().filter(move |lease| which(lease)).map(|lease| lease.bridge.clone());
        let addresses = |which: fn(&Lease) -> bool| {
            let leases = bridged().filter(move |lease| which(lease));
            leases.flat_map(|lease| lease.endpoint.addresses.iter().map(|address| address.address)).collect()
        };
        Content {
            bridges: bridges(|_| true).collect(),
            internal: bridges(|lease| lease.internal).collect(),
            same: bridges(|lease| !lease.keeps_apart).collect(),
            addresses: addresses(|_| true),
            routed: addresses(|lease| lease.is_routed),
            senders: senders(&bridged().collect::<Vec<_>>()),
            ports: ports.iter().flat_map(translated).collect(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bridges.is_empty() && self.ports.is_empty()
    }

    /// Returns whether any container has an IPv6 address.
    pub(crate) fn has_ipv6(&self) -> bool {
        self.addresses.iter().any(IpAddr::is_ipv6)
    }

    /// Returns the bridges of the containers.
    pub(super) fn bridges(&self) -> &BTreeSet<String> {
        &self.bridges
    }

    /// Leaves out the bridges that others need as well.
    pub(crate) fn without_bridges(mut self, used: &[&str]) -> Content {
        for bridges in [&mut self.bridges, &mut self.internal, &mut self.same] {
            bridges.retain(|bridge| !used.contains(&bridge.as_str()));
        }
        self
    }

    /// Returns the members of each set, in the order of the sets' making.
    fn members(&self) -> Vec<(&'static str, Vec<Member>)> {
        let names = |names: &BTreeSet<String>| names.iter().cloned().map(Member::Device).collect();
        let pairs = |names: &BTreeSet<String>| names.iter().cloned().map(Member::Same).collect();
        let addresses = |all: &BTreeSet<IpAddr>, ipv4: bool| {
            all.iter().filter(|address| address.is_ipv4() == ipv4).copied().map(Member::Address).collect()
        };
        let senders = |ipv4: bool| {
            let all = self.senders.iter().filter(|(_, address)| address.is_ipv4() == ipv4).cloned();
            all.map(|(bridge, address)| Member::Sender(bridge, address)).collect()
        };
        let ports = |ipv4: bool, any: bool| {
            let fits = |(port, _): &&(BoundPort, IpAddr)| {
                port.host_ip.is_ipv4() == ipv4 && port.host_ip.is_unspecified() == any
            };
            self.ports.iter().filter(fits).cloned().map(|(port, to)| Member::Port(port, to)).collect()
        };
        vec![
            (BRIDGES, names(&self.bridges)),
            (INTERNAL, names(&self.internal)),
            (SAME, pairs(&self.same)),
            (ADDRESSES, addresses(&self.addresses, true)),
            (ADDRESSES6, addresses(&self.addresses, false)),
            (ROUTED, addresses(&self.routed, true)),
            (ROUTED6, addresses(&self.routed, false)),
            (SENDERS, senders(true)),
            (SENDERS6, senders(false)),
            (PUBLISHED, ports(true, false)),
            (PUBLISHED6, ports(false, false)),
            (PUBLISHED_ANY, ports(true, true)),
            (PUBLISHED_ANY6, ports(false, true)),
        ]
    }

    /// Returns the elements of each set, in the order of the sets' making.
    pub(super) fn elements(&self) -> Vec<(&'static str, Vec<Element>)> {
        let elements =
            |(set, members): (&'static str, Vec<Member>)| (set, members.iter().map(Member::element).collect());
        self.members().into_iter().map(elements).collect()
    }

    /// Returns the commands of nft(8) that add the elements to `table`.
    pub(crate) fn commands(&self, table: &str) -> Vec<Vec<String>> {
        let add = |(set, members): (&str, Vec<Member>)| {
            let elements: Vec<_> = members.iter().map(Member::text).collect();
            let words = ["nft", "add", "element", "inet", table, set, &format!("{{ {} }}", elements.join(", "))];
            words.iter().map(|word| (*word).to_owned()).collect()
        };
        self.members().into_iter().filter(|(_, members)| !members.is_empty()).map(add).collect()
    }
}

/// Returns the elements of the sets of bridges of others.
pub(super) fn foreign(bridges: &[String]) -> [(&'static str, Vec<Element>); 2] {
    let elements = |member: fn(String) -> Member| bridges.iter().cloned().map(|name| member(name).element()).collect();
    [(FOREIGN, elements(Member::Device)), (FOREIGN_SAME, elements(Member::Same))]
}

/// Returns the bridges and addresses of these containers: one on several networks may send from each of its addresses by any of
/// its bridges, as its own routes will have it.
fn senders(leases: &[&Lease]) -> BTreeSet<(String, IpAddr)> {
    let own = |lease: &Lease| {
        let container = lease.endpoint.container.clone();
        let all = leases.iter().filter(move |other| other.endpoint.container == container);
        all.flat_map(|other| other.endpoint.addresses.iter().map(|address| address.address))
    };
    leases.iter().flat_map(|lease| own(lease).map(|address| (lease.bridge.clone(), address))).collect()
}

/// Returns the ports of a record that are translated, and where to: to the container's address of the same family.
fn translated(record: &PortRecord) -> Vec<(BoundPort, IpAddr)> {
    let to = |port: &BoundPort| record.targets.iter().copied().find(|target| same_family(*target, port.host_ip));
    // Connections to ::1 cannot be led away from the loopback device.
    let led = |port: &&BoundPort| !(port.host_ip.is_ipv6() && port.host_ip.is_loopback());
    record.ports.iter().filter(led).filter_map(|port| Some((port.clone(), to(port)?))).collect()
}

/// One member of a set.
#[derive(Clone, Debug)]
enum Member {
    Device(String),
    Same(String),
    Address(IpAddr),
    Sender(String, IpAddr),
    /// A port and the address it leads to, with the key of a map for one or for every address of the host.
    Port(BoundPort, IpAddr),
}

impl Member {
    fn element(&self) -> Element {
        match self {
            Member::Device(name) => Element::key(&[&interface_key(name)]),
            Member::Same(name) => Element::key(&[&interface_key(name), &interface_key(name)]),
            Member::Address(address) => Element::key(&[&bytes(*address)]),
            Member::Sender(bridge, address) => Element::key(&[&interface_key(bridge), &bytes(*address)]),
            Member::Port(port, to) => {
                let (protocol, number) = ([number(port.protocol)], port.host_port.to_be_bytes());
                let key = match port.host_ip.is_unspecified() {
                    true => Element::key(&[&protocol, &number]),
                    false => Element::key(&[&bytes(port.host_ip), &protocol, &number]),
                };
                key.value(&[&bytes(*to), &port.target.to_be_bytes()])
            }
        }
    }

    /// The same in the language of nft(8).
    fn text(&self) -> String {
        match self {
            Member::Device(name) => format!("\"{name}\""),
            Member::Same(name) => format!("\"{name}\" . \"{name}\""),
            Member::Address(address) => address.to_string(),
            Member::Sender(bridge, address) => format!("\"{bridge}\" . {address}"),
            Member::Port(port, to) => {
                let rest = format!("{} . {} : {to} . {}", port.protocol, port.host_port, port.target);
                if port.host_ip.is_unspecified() { rest } else { format!("{} . {rest}", port.host_ip) }
            }
        }
    }
}

fn bytes(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// Returns the protocol's number in the IP header (IANA, Protocol Numbers).
fn number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
        Protocol::Sctp => 132,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::lease;

    fn on(bridge: &str, last: u8, internal: bool) -> Lease {
        Lease { bridge: bridge.into(), internal, ..lease(last, &[]) }
    }

    fn count(content: &Content, set: &str) -> usize {
        content.elements().iter().find(|(name, _)| *name == set).expect("a set of the layout").1.len()
    }

    fn commands(content: &Content) -> Vec<String> {
        content.commands("t").iter().map(|words| words[5..].join(" ")).collect()
    }

    #[test]
    fn two_containers_on_a_bridge_need_it_once() {
        let content = Content::of(&[on("lt-a", 2, false), on("lt-a", 3, false), on("lt-b", 4, true)], &[]);
        assert_eq!((count(&content, BRIDGES), count(&content, SAME), count(&content, INTERNAL)), (2, 2, 1));
        assert_eq!(count(&content, ADDRESSES), 3);
    }

    #[test]
    fn a_container_sends_from_its_addresses_by_all_of_its_bridges_and_another_by_its_own() {
        let mut leases = [on("lt-a", 2, false), on("lt-b", 3, false), on("lt-b", 4, false)];
        leases[1].endpoint.container = leases[0].endpoint.container.clone();
        let senders = Content::of(&leases, &[]).senders;
        let expected = [("lt-a", 2), ("lt-a", 3), ("lt-b", 2), ("lt-b", 3), ("lt-b", 4)];
        assert_eq!(senders, expected.map(|(bridge, last)| (bridge.to_owned(), [172, 18, 0, last].into())).into());
    }

    #[test]
    fn a_bridge_stays_while_another_container_needs_it() {
        let old = Content::of(&[on("lt-a", 2, false), on("lt-b", 4, true)], &[]).without_bridges(&["lt-a"]);
        assert_eq!((count(&old, BRIDGES), count(&old, INTERNAL), count(&old, ADDRESSES)), (1, 1, 2));
    }

    #[test]
    fn each_port_leads_to_the_address_of_its_own_family() {
        let port = |host_ip: &str| BoundPort {
            host_ip: host_ip.parse().unwrap(),
            host_port: 8080,
            target: 80,
            protocol: Protocol::Tcp,
        };
        let record = PortRecord {
            container: "c".into(),
            name: "web".into(),
            targets: ["172.18.0.2", "fd00::2"].map(|target| target.parse().unwrap()).into(),
            ports: ["0.0.0.0", "127.0.0.1", "::", "::1", "2001:db8::1"].map(port).into(),
        };
        let both = Content::of(&[], std::slice::from_ref(&record));
        let expected = [
            "published { 127.0.0.1 . tcp . 8080 : 172.18.0.2 . 80 }",
            "published6 { 2001:db8::1 . tcp . 8080 : fd00::2 . 80 }",
            "published-any { tcp . 8080 : 172.18.0.2 . 80 }",
            "published-any6 { tcp . 8080 : fd00::2 . 80 }",
        ];
        assert_eq!(commands(&both), expected);
        let only_ipv4 = Content::of(&[], &[PortRecord { targets: record.targets[..1].to_vec(), ..record }]);
        assert_eq!((count(&only_ipv4, PUBLISHED_ANY), count(&only_ipv4, PUBLISHED_ANY6)), (1, 0));
    }

    #[test]
    fn a_container_on_a_bridge_is_an_element_of_four_sets() {
        let content = Content::of(&[on("lt-a", 2, false)], &[]);
        let expected = [
            "bridges { \"lt-a\" }",
            "same { \"lt-a\" . \"lt-a\" }",
            "addresses { 172.18.0.2 }",
            "senders { \"lt-a\" . 172.18.0.2 }",
        ];
        assert_eq!(commands(&content), expected);
    }

    #[test]
    fn containers_that_are_kept_apart_share_no_bridge_and_routed_ones_keep_their_address() {
        let lease = Lease { keeps_apart: true, is_routed: true, ..on("lt-a", 2, false) };
        let expected = [
            "bridges { \"lt-a\" }",
            "addresses { 172.18.0.2 }",
            "routed { 172.18.0.2 }",
            "senders { \"lt-a\" . 172.18.0.2 }",
        ];
        assert_eq!(commands(&Content::of(&[lease], &[])), expected);
    }
}
