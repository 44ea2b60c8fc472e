//! The bridge of a network. The process that creates the network or attaches to it, under the lock.

use crate::ipam::{Held, claim_subnet};
use crate::netlink::{
    Link, Netlink, NetlinkError, add_address, addresses, create_bridge, delete_link, link, links, routes, set_up,
    unless_gone,
};
use crate::{HostError, Network, sysctl};

/// How the names of our bridges begin, but for those that were given one.
pub(crate) const PREFIX: &str = "lt-";

/// Returns the name of the bridge of the network with this id: 13 characters, a device name may have 15.
pub(crate) fn name(network: &str) -> String {
    format!("{PREFIX}{}", &network[..10])
}

/// Returns the bridge's link-layer address: locally administered (IEEE 802, second-lowest bit), the rest from the id.
pub(crate) fn mac(network: &Network) -> [u8; 6] {
    let mut mac = [0x02, 0, 0, 0, 0, 0];
    let digits = network.id.get(10..20).and_then(|digits| hex::decode(digits).ok()).unwrap_or_default();
    mac[1..].iter_mut().zip(digits).for_each(|(to, from)| *to = from);
    mac
}

/// Makes sure that the network's bridge is there and has the gateways' addresses.
///
/// A new one stays down until it has a port ([`turn_on`]): a bridge that is up without one has lost its carrier, and the
/// kernel takes up to a second to notice the carrier that comes with the first port. What the host sends meanwhile is lost.
///
/// Networks of other drivers have none, and sit on a device that is there already.
pub(crate) fn ensure(netlink: &mut Netlink, network: &Network) -> Result<(), HostError> {
    if !network.is_bridged() {
        return Ok(link(netlink, &network.bridge).map(|_| ())?);
    }
    let index = match find(netlink, &network.bridge)? {
        Some(link) if is_ours(&link, network) => link.index,
        Some(_) => return Err(HostError::Device { name: network.bridge.clone() }),
        None => create(netlink, network)?,
    };
    let addresses: Vec<_> = network.ranges.iter().map(|range| add_address(index, range.of_gateway())).collect();
    Ok(netlink.send(&addresses)?)
}

/// Turns bridges on.
pub(crate) fn turn_on(netlink: &mut Netlink, networks: &[Network]) -> Result<(), NetlinkError> {
    let bridged = networks.iter().filter(|network| network.is_bridged());
    let requests: Vec<_> = bridged.map(|network| set_up(&network.bridge)).collect();
    netlink.send(&requests)
}

fn find(netlink: &mut Netlink, name: &str) -> Result<Option<Link>, NetlinkError> {
    match link(netlink, name) {
        Err(error) if error.errno() == Some(libc::ENODEV) => Ok(None),
        found => found.map(Some),
    }
}

/// A network's bridge may have any name a user gives; its link-layer address tells it from a device of somebody else's.
fn is_ours(link: &Link, network: &Network) -> bool {
    link.mac == mac(network)
}

fn create(netlink: &mut Netlink, network: &Network) -> Result<u32, HostError> {
    let held = connected(netlink, &network.bridge)?;
    network.ranges.iter().try_for_each(|range| claim_subnet(range.subnet, &held).map(|_| ()))?;
    netlink.send(&[create_bridge(&network.bridge, mac(network), network.mtu)])?;
    match network.ipv6() {
        Some(_) => sysctl::enable_ipv6(&network.bridge)?,
        None => sysctl::disable_ipv6(&network.bridge)?,
    }
    Ok(link(netlink, &network.bridge)?.index)
}

/// Removes the bridges of networks, where they are there.
pub(crate) fn delete(netlink: &mut Netlink, networks: &[Network]) -> Result<(), NetlinkError> {
    let mut delete_one = |network: &Network| match find(netlink, &network.bridge)? {
        Some(link) if is_ours(&link, network) => unless_gone(netlink.send(&[delete_link(&network.bridge)])),
        _ => Ok(()),
    };
    let mut deleted = Ok(());
    for network in networks.iter().filter(|network| network.is_bridged()) {
        deleted = deleted.and(delete_one(network)); // one that stays keeps none of the others
    }
    deleted
}

/// Returns the prefixes of the host's own devices but for the bridge `own`.
pub(crate) fn connected(netlink: &mut Netlink, own: &str) -> Result<Vec<Held>, NetlinkError> {
    let links = links(netlink)?;
    let by = |index| links.iter().find(|link| link.index == index).map_or("?", |link| &link.name);
    let addresses = addresses(netlink)?.into_iter().map(|address| (address.network.trunc(), by(address.link)));
    let others = addresses.filter(|(_, by)| *by != own);
    Ok(others.map(|(prefix, by)| Held { prefix, by: format!("device `{by}`") }).collect())
}

/// Returns every prefix the host has a route to that leads elsewhere than to the bridge `own`.
pub(crate) fn routed(netlink: &mut Netlink, own: &str) -> Result<Vec<Held>, NetlinkError> {
    let links = links(netlink)?;
    let to = |index: Option<u32>| links.iter().find(|link| Some(link.index) == index);
    let routes = routes(netlink)?.into_iter().map(|route| (route.destination, to(route.link)));
    let others = routes.filter(|(_, to)| to.is_none_or(|to| to.name != own));
    let by = |to: Option<&Link>| to.map_or("a route".to_owned(), |to| format!("a route on `{}`", to.name));
    Ok(others.map(|(prefix, to)| Held { prefix, by: by(to) }).collect())
}
