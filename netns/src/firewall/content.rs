//! What is in the sets and maps of our table. Pure.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::layout::{ADDRESSES, BRIDGES, INTERNAL, PUBLISHED, PUBLISHED_ANY, SAME};
use crate::nftables::{Element, interface_key};
use crate::state::{Lease, PortRecord};
use crate::{BoundPort, Protocol};

/// What some containers need of the firewall.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    bridges: BTreeSet<String>,
    internal: BTreeSet<String>,
    addresses: BTreeSet<Ipv4Addr>,
    ports: Vec<(BoundPort, Ipv4Addr)>,
}

impl Content {
    /// Returns what these leases and ports need.
    pub(crate) fn of(leases: &[Lease], ports: &[PortRecord]) -> Content {
        let internal = leases.iter().filter(|lease| lease.internal);
        let to_address = |record: &PortRecord| {
            let address = record.address;
            record.ports.clone().into_iter().map(move |port| (port, address))
        };
        Content {
            bridges: leases.iter().map(|lease| lease.bridge.clone()).collect(),
            internal: internal.map(|lease| lease.bridge.clone()).collect(),
            addresses: leases.iter().map(|lease| lease.endpoint.address).collect(),
            ports: ports.iter().flat_map(to_address).collect(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bridges.is_empty() && self.ports.is_empty()
    }

    /// Leaves out the bridges that `rest` needs as well.
    pub(crate) fn without_bridges_of(mut self, rest: &Content) -> Content {
        self.bridges.retain(|bridge| !rest.bridges.contains(bridge));
        self.internal.retain(|bridge| !rest.bridges.contains(bridge));
        self
    }

    /// Returns the elements of each set, in the order of the sets' making.
    pub(super) fn elements(&self) -> Vec<(&'static str, Vec<Element>)> {
        let bridge = |name: &String| Element::key(&[&interface_key(name)]);
        let same = |name: &String| Element::key(&[&interface_key(name), &interface_key(name)]);
        let (everywhere, specific): (Vec<_>, Vec<_>) =
            self.ports.iter().partition(|(port, _)| port.host_ip.is_unspecified());
        vec![
            (BRIDGES, self.bridges.iter().map(bridge).collect()),
            (INTERNAL, self.internal.iter().map(bridge).collect()),
            (SAME, self.bridges.iter().map(same).collect()),
            (ADDRESSES, self.addresses.iter().map(|address| Element::key(&[&address.octets()])).collect()),
            (PUBLISHED, specific.into_iter().map(on_one_address).collect()),
            (PUBLISHED_ANY, everywhere.into_iter().map(on_every_address).collect()),
        ]
    }
}

impl Content {
    /// Returns the commands of nft(8) that add the elements to `table`.
    pub(crate) fn commands(&self, table: &str) -> Vec<Vec<String>> {
        let named = |names: &BTreeSet<String>| names.iter().map(|name| format!("\"{name}\"")).collect();
        let (everywhere, specific): (Vec<_>, Vec<_>) =
            self.ports.iter().partition(|(port, _)| port.host_ip.is_unspecified());
        let rest = |(port, to): &(BoundPort, Ipv4Addr)| {
            format!("{} . {} : {to} . {}", port.protocol, port.host_port, port.target)
        };
        let on_address = |one: &(BoundPort, Ipv4Addr)| format!("{} . {}", one.0.host_ip, rest(one));
        let sets: [(&str, Vec<String>); 6] = [
            (BRIDGES, named(&self.bridges)),
            (INTERNAL, named(&self.internal)),
            (SAME, self.bridges.iter().map(|name| format!("\"{name}\" . \"{name}\"")).collect()),
            (ADDRESSES, self.addresses.iter().map(Ipv4Addr::to_string).collect()),
            (PUBLISHED, specific.into_iter().map(on_address).collect()),
            (PUBLISHED_ANY, everywhere.into_iter().map(rest).collect()),
        ];
        let add = |(set, elements): (&str, Vec<String>)| {
            let words = ["nft", "add", "element", "inet", table, set, &format!("{{ {} }}", elements.join(", "))];
            words.iter().map(|word| (*word).to_owned()).collect()
        };
        sets.into_iter().filter(|(_, elements)| !elements.is_empty()).map(add).collect()
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

fn on_one_address((port, to): &(BoundPort, Ipv4Addr)) -> Element {
    Element::key(&[&port.host_ip.octets(), &[number(port.protocol)], &port.host_port.to_be_bytes()])
        .value(&[&to.octets(), &port.target.to_be_bytes()])
}

fn on_every_address((port, to): &(BoundPort, Ipv4Addr)) -> Element {
    Element::key(&[&[number(port.protocol)], &port.host_port.to_be_bytes()])
        .value(&[&to.octets(), &port.target.to_be_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Endpoint;

    fn lease(bridge: &str, last: u8, internal: bool) -> Lease {
        let endpoint = Endpoint {
            network: "n".into(),
            network_name: "net".into(),
            container: format!("c{last}"),
            interface: "eth0".into(),
            address: Ipv4Addr::new(172, 18, 0, last),
            prefix: 24,
            gateway: Ipv4Addr::new(172, 18, 0, 1),
            mac: String::new(),
            names: vec![],
        };
        Lease { endpoint, bridge: bridge.into(), internal, host_interface: "lv".into() }
    }

    fn count(content: &Content, set: &str) -> usize {
        content.elements().iter().find(|(name, _)| *name == set).expect("a set of the layout").1.len()
    }

    #[test]
    fn two_containers_on_a_bridge_need_it_once() {
        let content = Content::of(&[lease("lt-a", 2, false), lease("lt-a", 3, false), lease("lt-b", 4, true)], &[]);
        assert_eq!((count(&content, BRIDGES), count(&content, SAME), count(&content, INTERNAL)), (2, 2, 1));
        assert_eq!(count(&content, ADDRESSES), 3);
    }

    #[test]
    fn a_bridge_stays_while_another_container_needs_it() {
        let rest = Content::of(&[lease("lt-a", 3, false)], &[]);
        let old = Content::of(&[lease("lt-a", 2, false), lease("lt-b", 4, true)], &[]).without_bridges_of(&rest);
        assert_eq!((count(&old, BRIDGES), count(&old, INTERNAL), count(&old, ADDRESSES)), (1, 1, 2));
    }

    #[test]
    fn a_port_of_every_address_goes_into_the_map_without_addresses() {
        let port = |host_ip| BoundPort { host_ip, host_port: 8080, target: 80, protocol: Protocol::Tcp };
        let record = PortRecord {
            container: "c".into(),
            name: "web".into(),
            address: Ipv4Addr::new(172, 18, 0, 2),
            ports: vec![port(Ipv4Addr::UNSPECIFIED), port(Ipv4Addr::LOCALHOST)],
        };
        let content = Content::of(&[], &[record]);
        assert_eq!((count(&content, PUBLISHED), count(&content, PUBLISHED_ANY)), (1, 1));
        let commands: Vec<String> = content.commands("lighter").iter().map(|words| words.join(" ")).collect();
        let expected = [
            "nft add element inet lighter published { 127.0.0.1 . tcp . 8080 : 172.18.0.2 . 80 }",
            "nft add element inet lighter published-any { tcp . 8080 : 172.18.0.2 . 80 }",
        ];
        assert_eq!(commands, expected);
    }

    #[test]
    fn a_container_on_a_bridge_is_an_element_of_three_sets() {
        let content = Content::of(&[lease("lt-a", 2, false)], &[]);
        let elements: Vec<_> = content.commands("t").iter().map(|words| words[5..].join(" ")).collect();
        assert_eq!(elements, ["bridges { \"lt-a\" }", "same { \"lt-a\" . \"lt-a\" }", "addresses { 172.18.0.2 }"]);
    }
}
