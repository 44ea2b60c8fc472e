//! Settles the subnets of networks beside what else the host uses. Whoever holds the lock.

use std::fs;
use std::path::Path;

use ipnet::IpNet;

use crate::bridge;
use crate::dns::nameservers;
use crate::ipam::{Held, IpamError, choose_subnet, claim_subnet, complete, overlap};
use crate::netlink::{Netlink, NetlinkError};
use crate::pools::{self, Pool};
use crate::state::Lock;
use crate::{Driver, Families, Host, Network, NetworkError, NetworkSpec, Range, RangeSpec};

/// The host's own resolver configuration, resolv.conf(5): its servers stay reachable.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// What the subnets of a network are chosen by.
pub(crate) struct Choice<'a> {
    pub(crate) pools: Vec<Pool>,
    /// Id of the network.
    pub(crate) id: &'a str,
    /// Name of its bridge: what that has is not in the way.
    pub(crate) bridge: &'a str,
    pub(crate) others: &'a [Network],
    pub(crate) netlink: &'a mut Netlink,
}

impl Choice<'_> {
    /// Returns the range of each family that `spec` asks for.
    pub(crate) fn ranges(&mut self, spec: &NetworkSpec) -> Result<Vec<Range>, NetworkError> {
        let mut held = self.held(spec.driver)?;
        let mut wanted = spec.ranges.clone();
        let mut ranges = Vec::new();
        for (has, is_ipv4) in [(spec.families.has_ipv4(), true), (spec.families.has_ipv6(), false)] {
            let place = wanted.iter().position(|range| has && range.subnet.addr().is_ipv4() == is_ipv4);
            match place.map(|place| wanted.remove(place)) {
                // A wide route, as into a VPN, does not forbid a part of it to one who asks for that part by number.
                Some(range) => {
                    let subnet = claim_subnet(range.subnet, &held)?;
                    ranges.push(complete(&RangeSpec { subnet, ..range })?);
                }
                None if has => {
                    held.extend(bridge::routed(self.netlink, self.bridge)?);
                    held.extend(servers_of_host());
                    let chosen = complete(&RangeSpec::new(choose_subnet(&self.pools_of(is_ipv4), &held)?))?;
                    ranges.push(Range { is_chosen: true, ..chosen });
                }
                None => {}
            }
        }
        match wanted.first() {
            Some(range) => Err(IpamError::SubnetTooMany { subnet: range.subnet }.into()),
            None => Ok(ranges),
        }
    }

    /// Returns what a subnet must not overlap. That of a network of other drivers lies on the host's own.
    fn held(&mut self, driver: Driver) -> Result<Vec<Held>, NetlinkError> {
        let of = |other: &Network| {
            let by = format!("network `{}`", other.name);
            other.ranges.iter().map(move |range| Held { prefix: range.subnet, by: by.clone() }).collect::<Vec<_>>()
        };
        let mut held: Vec<_> = self.others.iter().flat_map(of).collect();
        if driver == Driver::Bridge {
            held.extend(bridge::connected(self.netlink, self.bridge)?);
        }
        Ok(held)
    }

    fn pools_of(&self, is_ipv4: bool) -> Vec<Pool> {
        let own: Vec<_> = self.pools.iter().copied().filter(|pool| pool.base.addr().is_ipv4() == is_ipv4).collect();
        match (own.is_empty(), is_ipv4) {
            (false, _) => own,
            (true, true) => pools::usual(),
            (true, false) => vec![pools::unique_local(self.id)],
        }
    }
}

impl Host {
    /// Returns a network as a container comes onto it: with other subnets, if the host has come to use what was chosen for it
    /// here for something else, a VPN for one.
    ///
    /// That holds while nobody is on it. A subnet that the user gave stays; so do all when a container has a fixed address:
    /// whoever gave that had looked.
    pub(crate) fn renumber(&self, network: Network, lock: &Lock) -> Result<Network, NetworkError> {
        let is_fixed = |fixed: &crate::state::Fixed| fixed.addresses.contains_key(&network.id);
        if !network.is_bridged()
            || !network.ranges.iter().any(|range| range.is_chosen)
            || self.has_taken_addresses(&network.id)?
        {
            return Ok(network);
        }
        let mut netlink = Netlink::route()?;
        if !is_in_the_way(&network, &mut netlink)? || self.all_fixed()?.iter().any(is_fixed) {
            return Ok(network);
        }
        let mut others = self.read_networks()?;
        others.retain(|other| other.id != network.id);
        let ranges = Choice {
            pools: self.pools(),
            id: &network.id,
            bridge: &network.bridge,
            others: &others,
            netlink: &mut netlink,
        }
        .ranges(&wish(&network))?;
        // Before the record: who is killed between the two finds the old subnet in the way again, and no bridge with both.
        bridge::delete(&mut netlink, std::slice::from_ref(&network))?;
        let network = Network { ranges, ..network };
        self.rewrite_network(&network, lock)?;
        Ok(network)
    }
}

/// Returns whether the host uses a subnet that was chosen for the network for something else.
fn is_in_the_way(network: &Network, netlink: &mut Netlink) -> Result<bool, NetlinkError> {
    let mut held = bridge::connected(netlink, &network.bridge)?;
    held.extend(bridge::routed(netlink, &network.bridge)?);
    held.extend(servers_of_host());
    let mut chosen = network.ranges.iter().filter(|range| range.is_chosen);
    Ok(chosen.any(|range| held.iter().any(|held| overlap(&held.prefix, &range.subnet))))
}

/// Returns what was once asked for, as far as it is about subnets.
fn wish(network: &Network) -> NetworkSpec {
    let given = network.ranges.iter().filter(|range| !range.is_chosen).map(|range| RangeSpec {
        subnet: range.subnet,
        gateway: Some(range.gateway),
        pool: range.pool,
        reserved: range.reserved.clone(),
    });
    let families = Families::of(network.ipv4().is_some(), network.ipv6().is_some());
    let families = families.expect("a network is made with a family, and keeps it");
    NetworkSpec { driver: network.driver, families, ranges: given.collect(), ..NetworkSpec::default() }
}

/// Returns the name servers of the host: one behind the default route would be hidden by a network of the same range.
fn servers_of_host() -> Vec<Held> {
    let text = fs::read_to_string(Path::new(RESOLV_CONF)).unwrap_or_default();
    let held = |prefix| Held { prefix, by: "a name server of the host".to_owned() };
    nameservers(&text).into_iter().map(|server| held(IpNet::from(server.ip()))).collect()
}
