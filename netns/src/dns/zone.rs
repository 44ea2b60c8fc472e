//! The names a container may know: those on its own networks. The monitor.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime};

use ipnet::Ipv4Net;

use crate::state::Lease;
use crate::{Host, Network};

/// Age at which a directory's mtime tells it from any later state. Time stamps are as coarse as the kernel's tick, so two
/// changes in one tick look like one.
const SETTLED: Duration = Duration::from_millis(500);

/// Names and addresses of the containers on some networks. Pure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Zone {
    addresses: BTreeMap<String, Vec<Ipv4Addr>>,
    names: BTreeMap<Ipv4Addr, String>,
    subnets: Vec<Ipv4Net>,
    /// Whether other names may be asked for elsewhere: not if all networks are internal (CVE-2024-29018).
    pub(super) is_open: bool,
}

impl Zone {
    pub(super) fn of(networks: &[Network], leases: &[Lease]) -> Zone {
        let mut zone = Zone {
            subnets: networks.iter().map(|network| network.subnet).collect(),
            is_open: networks.iter().any(|network| !network.internal),
            ..Zone::default()
        };
        leases.iter().for_each(|lease| zone.add(lease));
        zone
    }

    /// Adds a container: each name alone, and with the network's name after it.
    fn add(&mut self, lease: &Lease) {
        let (address, network) = (lease.endpoint.address, lease.endpoint.network_name.to_lowercase());
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

    /// Returns the addresses of a name in small letters; `None` if it is nobody's here.
    pub(super) fn addresses(&self, name: &str) -> Option<&[Ipv4Addr]> {
        self.addresses.get(name).map(Vec::as_slice)
    }

    /// Returns the name of an address.
    pub(super) fn name(&self, address: Ipv4Addr) -> Option<&str> {
        self.names.get(&address).map(String::as_str)
    }

    /// Returns whether an address lies on one of the networks, whoever has it.
    pub(super) fn contains(&self, address: Ipv4Addr) -> bool {
        self.subnets.iter().any(|subnet| subnet.contains(&address))
    }
}

/// A zone that follows the files.
#[derive(Debug)]
pub(super) struct LiveZone {
    host: Host,
    networks: Vec<Network>,
    zone: Zone,
    /// When each network's leases last changed, if that is long enough ago to be told from a later change.
    seen: Option<Vec<SystemTime>>,
}

impl LiveZone {
    pub(super) fn new(host: &Host, networks: Vec<Network>) -> LiveZone {
        let zone = Zone::of(&networks, &[]);
        LiveZone { host: host.clone(), networks, zone, seen: None }
    }

    /// Returns the zone as it is now. While the files cannot be read, as it was.
    pub(super) fn current(&mut self) -> &Zone {
        let changed: Vec<_> = self.networks.iter().map(|network| self.changed(network)).collect();
        if self.seen.as_ref() != Some(&changed) {
            let leases: Result<Vec<_>, _> =
                self.networks.iter().map(|network| self.host.leases_of_network(&network.id)).collect();
            if let Ok(leases) = leases {
                self.zone = Zone::of(&self.networks, &leases.concat());
                self.seen = changed.iter().all(is_settled).then_some(changed);
            }
        }
        &self.zone
    }

    fn changed(&self, network: &Network) -> SystemTime {
        let directory = fs::metadata(self.host.leases(&network.id));
        directory.and_then(|directory| directory.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

fn is_settled(changed: &SystemTime) -> bool {
    SystemTime::now().duration_since(*changed).is_ok_and(|age| age > SETTLED)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::Endpoint;

    pub(in crate::dns) fn network(internal: bool) -> Network {
        Network {
            id: "n".into(),
            name: "Web_default".into(),
            bridge: "lt-n".into(),
            subnet: "172.18.0.0/24".parse().unwrap(),
            gateway: Ipv4Addr::new(172, 18, 0, 1),
            internal,
            mtu: None,
            labels: BTreeMap::new(),
            options: BTreeMap::new(),
            created: 0,
        }
    }

    pub(in crate::dns) fn lease(last: u8, names: &[&str]) -> Lease {
        let endpoint = Endpoint {
            network: "n".into(),
            network_name: "Web_default".into(),
            container: format!("c{last}"),
            interface: "eth0".into(),
            address: Ipv4Addr::new(172, 18, 0, last),
            prefix: 24,
            gateway: Ipv4Addr::new(172, 18, 0, 1),
            mac: String::new(),
            names: names.iter().map(ToString::to_string).collect(),
        };
        Lease { endpoint, bridge: "lt-n".into(), internal: false, host_interface: "lv".into() }
    }

    #[test]
    fn a_service_has_the_addresses_of_all_its_replicas() {
        let zone = Zone::of(&[network(false)], &[lease(2, &["web-1", "Web"]), lease(3, &["web-2", "Web", "Web"])]);
        let (two, three) = (Ipv4Addr::new(172, 18, 0, 2), Ipv4Addr::new(172, 18, 0, 3));
        assert_eq!(zone.addresses("web"), Some([two, three].as_slice()));
        assert_eq!(zone.addresses("web-2.web_default"), Some([three].as_slice()));
        assert_eq!(zone.addresses("db"), None);
        assert_eq!(zone.name(two), Some("web-1.web_default"));
    }

    #[test]
    fn a_lease_is_seen_with_the_next_question() {
        let directory = tempfile::tempdir().unwrap();
        let host = Host::new(directory.path(), &directory.path().join("run"));
        let mut live = LiveZone::new(&host, vec![network(false)]);
        assert_eq!(live.current().addresses("web"), None);
        let lock = host.lock().unwrap();
        host.write_lease(&lease(2, &["web"]), &lock).unwrap();
        assert_eq!(live.current().addresses("web").map(<[_]>::len), Some(1));
        host.remove_lease("n", "c2", &lock).unwrap();
        assert_eq!(live.current().addresses("web"), None);
    }
}
