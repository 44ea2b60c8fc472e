//! Chooses a container's addresses on one network.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::endpoint_options::of_interface;
use crate::ipam::{IpamError, check_families, choose_address};
use crate::pools::same_family;
use crate::state::{Fixed, Lease, Lock};
use crate::{Address, AttachError, Driver, Endpoint, EndpointSpec, Host, Network, Range};

/// What is known of a network when an address is chosen.
struct Taken<'a> {
    /// The addresses of its containers, and who has them; nobody, as long as no more than the addresses has been read.
    others: BTreeMap<IpAddr, String>,
    /// The fixed addresses of containers, running or not.
    fixed: &'a [Fixed],
}

impl Host {
    /// Writes the lease of one more interface of a container that has `own` already; returns it, and whether it is the first of
    /// its network.
    pub(super) fn write_new_lease(
        &self,
        container: &str,
        wish: &EndpointSpec,
        (network, own): (&Network, &[Lease]),
        lock: &Lock,
    ) -> Result<(Lease, bool), AttachError> {
        let fixed = self.all_fixed()?;
        let interface = interface(wish, network, own);
        if own.iter().any(|lease| lease.endpoint.interface == interface) {
            return Err(AttachError::InterfaceTaken { container: container.to_owned(), interface });
        }
        let taken = self.taken_addresses(&network.id)?;
        let is_first = taken.is_empty();
        let quick = taken.into_iter().map(|address| (address, String::new())).collect();
        let lease = match lease(container, wish, (network, &interface), &Taken { others: quick, fixed: &fixed }) {
            Ok(lease) => lease,
            // Now with names, and without what somebody who was killed has left behind.
            Err(_) => {
                let others = holders(&self.leases_of_network(&network.id)?);
                lease(container, wish, (network, &interface), &Taken { others, fixed: &fixed })
                    .map_err(|source| AttachError::Address { network: network.name.clone(), source })?
            }
        };
        self.write_lease(&lease, lock)?;
        Ok((lease, is_first))
    }
}

fn holders(leases: &[Lease]) -> BTreeMap<IpAddr, String> {
    let of = |lease: &Lease| {
        let holder = format!("container `{}`", lease.endpoint.name());
        lease.endpoint.addresses.iter().map(move |address| (address.address, holder.clone())).collect::<Vec<_>>()
    };
    leases.iter().flat_map(of).collect()
}

/// Returns the name of the next interface: the wished one, else the first free number after the network's word for it.
fn interface(wish: &EndpointSpec, network: &Network, own: &[Lease]) -> String {
    let prefix = network.features.interface_prefix.as_deref().unwrap_or("eth");
    let taken = |name: &String| own.iter().any(|lease| lease.endpoint.interface == *name);
    let next = || (0..).map(|number| format!("{prefix}{number}")).find(|name| !taken(name));
    wish.interface.clone().or_else(next).expect("there are more numbers than interfaces")
}

fn lease(
    container: &str,
    wish: &EndpointSpec,
    (network, interface): (&Network, &str),
    taken: &Taken<'_>,
) -> Result<Lease, IpamError> {
    check_families(&network.ranges, &wish.addresses)?;
    let addresses = network.ranges.iter().map(|range| address(container, wish, (network, range), taken));
    let addresses = addresses.collect::<Result<Vec<_>, _>>()?;
    let endpoint = Endpoint {
        network: network.id.clone(),
        network_name: network.name.clone(),
        container: container.to_owned(),
        interface: interface.to_owned(),
        mac: mac(wish, network, &addresses),
        addresses,
        link_local: wish.link_local.clone(),
        names: wish.names.clone(),
        gw_priority: wish.gw_priority,
    };
    Ok(Lease {
        host_interface: host_interface(container, interface),
        sysctls: wish.sysctls.iter().map(|sysctl| of_interface(sysctl, interface)).collect(),
        endpoint,
        driver: network.driver,
        bridge: network.bridge.clone(),
        internal: network.internal,
        keeps_apart: network.features.keeps_apart,
        is_routed: network.features.is_routed,
    })
}

/// Chooses the address in one range.
fn address(
    container: &str,
    wish: &EndpointSpec,
    (network, range): (&Network, &Range),
    taken: &Taken<'_>,
) -> Result<Address, IpamError> {
    let fits = |address: &&IpAddr| same_family(**address, range.gateway);
    let wanted = wish.addresses.iter().find(fits).copied();
    let mut holders = taken.others.clone();
    holders.insert(range.gateway, "the gateway".to_owned());
    if wanted.is_none() {
        // One that somebody has by number is not given away while it is not in use.
        for fixed in taken.fixed.iter().filter(|fixed| fixed.container != container) {
            let addresses = fixed.addresses.get(&network.id).into_iter().flatten();
            holders.extend(addresses.map(|address| (*address, format!("container `{}`", fixed.name))));
        }
    }
    let address = choose_address(range, &holders, wanted)?;
    Ok(Address { address, prefix: range.subnet.prefix_len(), gateway: range.gateway })
}

/// Returns the link-layer address: made of the IPv4 address, as Docker's, so that a neighbour's memory of the address's last
/// owner does no harm; without one, of the end of the IPv6 address. An ipvlan has its parent's.
fn mac(wish: &EndpointSpec, network: &Network, addresses: &[Address]) -> String {
    if network.driver == Driver::Ipvlan {
        return String::new();
    }
    let of_address = |address: IpAddr| match address {
        IpAddr::V4(address) => address.octets(),
        IpAddr::V6(address) => *address.octets().last_chunk().expect("16 is more than 4"),
    };
    let [a, b, c, d] = addresses.first().map(|address| of_address(address.address)).unwrap_or_default();
    wish.mac.unwrap_or([0x02, 0x42, a, b, c, d]).map(|byte| format!("{byte:02x}")).join(":")
}

/// Returns the name of the veth's host end: 15 characters at most (`IFNAMSIZ`), so that a glance tells the container, and
/// different from that of an earlier run, which the kernel may still be busy removing.
fn host_interface(container: &str, interface: &str) -> String {
    let short: String = container.chars().take(7).collect();
    let mut run = [0; 2];
    getrandom::fill(&mut run).expect("getrandom(2) waits for entropy and then cannot fail");
    let number: String = interface.chars().filter(char::is_ascii_digit).take(2).collect();
    format!("lv{short}-{}{number}", hex::encode(run))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Families;
    use crate::network::tests::network;

    const NOBODY: Taken<'static> = Taken { others: BTreeMap::new(), fixed: &[] };

    fn wish(name: &str, addresses: &[&str]) -> EndpointSpec {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        EndpointSpec { network: "ab".repeat(32), names: vec![name.to_owned()], addresses, ..EndpointSpec::default() }
    }

    fn shown(lease: &Lease) -> Vec<String> {
        lease.endpoint.addresses.iter().map(|address| address.address.to_string()).collect()
    }

    #[test]
    fn containers_get_one_address_after_the_other_of_each_family() {
        let network = network(Families::Both);
        let first = lease(&"1".repeat(64), &wish("web", &[]), (&network, "eth0"), &NOBODY).unwrap();
        assert_eq!(shown(&first), ["172.18.0.2", "fd00:1::2"]);
        assert_eq!(first.endpoint.mac, "02:42:ac:12:00:02");
        assert!(first.host_interface.starts_with("lv1111111-") && first.host_interface.len() <= 15);
        let taken = Taken { others: holders(&[first]), fixed: &[] };
        let second = lease(&"2".repeat(64), &wish("db", &["fd00:1::9"]), (&network, "eth1"), &taken).unwrap();
        assert_eq!(shown(&second), ["172.18.0.3", "fd00:1::9"]);
    }

    #[test]
    fn a_fixed_address_that_is_taken_names_its_holder() {
        let network = network(Families::Ipv4);
        let first = lease(&"1".repeat(64), &wish("web", &[]), (&network, "eth0"), &NOBODY).unwrap();
        let taken = Taken { others: holders(&[first]), fixed: &[] };
        let error = lease(&"2".repeat(64), &wish("db", &["172.18.0.2"]), (&network, "eth0"), &taken).unwrap_err();
        assert_eq!(error.to_string(), "use address `172.18.0.2`: it belongs to container `web`");
        let error = lease(&"2".repeat(64), &wish("db", &["fd00::2"]), (&network, "eth0"), &NOBODY).unwrap_err();
        assert_eq!(error.to_string(), "use address `fd00::2`: the network has no addresses of that family");
    }

    #[test]
    fn a_fixed_address_is_kept_for_a_container_that_does_not_run() {
        let network = network(Families::Ipv4);
        let addresses = [(network.id.clone(), vec!["172.18.0.2".parse().unwrap()])].into();
        let fixed = [Fixed { container: "2".repeat(64), name: "db".into(), addresses }];
        let taken = Taken { others: BTreeMap::new(), fixed: &fixed };
        let other = lease(&"1".repeat(64), &wish("web", &[]), (&network, "eth0"), &taken).unwrap();
        assert_eq!(shown(&other), ["172.18.0.3"]);
        let own = lease(&"2".repeat(64), &wish("db", &["172.18.0.2"]), (&network, "eth0"), &taken).unwrap();
        assert_eq!(shown(&own), ["172.18.0.2"]);
    }

    #[test]
    fn interfaces_are_numbered_without_gaps_or_named() {
        let network = network(Families::Ipv4);
        let own = [crate::state::tests::lease(2, &[])];
        assert_eq!(interface(&wish("web", &[]), &network, &own), "eth1");
        let named = EndpointSpec { interface: Some("lan".into()), ..wish("web", &[]) };
        assert_eq!(interface(&named, &network, &own), "lan");
    }
}
