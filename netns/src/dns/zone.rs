//! The names a container may know: those on its own networks. The monitor.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::Network;
use crate::state::Lease;

/// Names and addresses of the containers on some networks. Pure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Zone {
    addresses: BTreeMap<String, Vec<IpAddr>>,
    names: BTreeMap<IpAddr, String>,
    /// Names that only this container knows, and what they stand for.
    links: BTreeMap<String, String>,
    subnets: Vec<IpNet>,
    /// Whether other names may be asked for elsewhere: not if all networks are internal (CVE-2024-29018).
    pub(super) is_open: bool,
}

impl Zone {
    /// `links` are further names for this container alone: the name, and the one it stands for.
    pub(super) fn of<'a>(
        networks: &[Network],
        leases: impl IntoIterator<Item = &'a Lease>,
        links: &[(String, String)],
    ) -> Zone {
        let mut zone = Zone {
            subnets: networks.iter().flat_map(|network| &network.ranges).map(|range| range.subnet).collect(),
            links: links.iter().map(|(name, to)| (name.to_lowercase(), to.to_lowercase())).collect(),
            is_open: networks.iter().any(|network| !network.internal),
            ..Zone::default()
        };
        leases.into_iter().for_each(|lease| zone.add(lease));
        zone
    }

    /// Adds a container: each name alone, and with the network's name after it.
    fn add(&mut self, lease: &Lease) {
        let network = lease.endpoint.network_name.to_lowercase();
        for address in lease.endpoint.addresses.iter().map(|address| address.address) {
            for name in &lease.endpoint.names {
                let name = name.to_lowercase();
                for name in [format!("{name}.{network}"), name] {
                    let addresses = self.addresses.entry(name).or_default();
                    if !addresses.contains(&address) {
                        addresses.push(address);
                    }
                }
            }
            if let Some(first) = lease.endpoint.names.first() {
                self.names.insert(address, format!("{first}.{network}"));
            }
        }
    }

    /// Returns the addresses of a name in small letters; `None` if it is nobody's here.
    pub(super) fn addresses(&self, name: &str) -> Option<&[IpAddr]> {
        let name = self.links.get(name).map_or(name, String::as_str);
        self.addresses.get(name).map(Vec::as_slice)
    }

    /// Returns the name of an address.
    pub(super) fn name(&self, address: IpAddr) -> Option<&str> {
        self.names.get(&address).map(String::as_str)
    }

    /// Returns whether an address lies on one of the networks, whoever has it.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.subnets.iter().any(|subnet| subnet.contains(&address))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::Families;
    use crate::network::tests::network as of;
    use crate::state::tests::lease;

    pub(in crate::dns) fn network(internal: bool) -> Network {
        Network { id: "n".into(), name: "Web_default".into(), internal, ..of(Families::Both) }
    }

    #[test]
    fn a_service_has_the_addresses_of_all_its_replicas() {
        let leases = [lease(2, &["web-1", "Web"]), lease(3, &["web-2", "Web", "Web"])];
        let zone = Zone::of(&[network(false)], &leases, &[]);
        let [two, three] = [2, 3].map(|last| IpAddr::from([172, 18, 0, last]));
        assert_eq!(zone.addresses("web"), Some([two, three].as_slice()));
        assert_eq!(zone.addresses("web-2.web_default"), Some([three].as_slice()));
        assert_eq!(zone.addresses("db"), None);
        assert_eq!(zone.name(two), Some("web-1.web_default"));
    }

    #[test]
    fn a_link_is_another_name_for_one_container_alone() {
        let links = [("Database".to_owned(), "db".to_owned())];
        let zone = Zone::of(&[network(false)], &[lease(2, &["db"])], &links);
        assert_eq!(zone.addresses("database"), zone.addresses("db"));
        assert!(zone.addresses("database").is_some());
        assert_eq!(zone.addresses("other"), None);
    }
}
