//! The bridge of a network. The process that creates the network or attaches to it, under the lock.

use ipnet::Ipv4Net;

use crate::ipam::{Held, claim_subnet};
use crate::netlink::{
    Netlink, NetlinkError, add_address, addresses, create_bridge, delete_link, links, routes, set_up, unless_gone,
};
use crate::{HostError, Network, sysctl};

/// Returns the name of the bridge of the network with this id: 13 characters, a device name may have 15.
pub(crate) fn name(network: &str) -> String {
    format!("lt-{}", &network[..10])
}

/// Returns the bridge's link-layer address: locally administered (IEEE 802, second-lowest bit), the rest from the id.
pub(crate) fn mac(network: &Network) -> [u8; 6] {
    let mut mac = [0x02, 0, 0, 0, 0, 0];
    let digits = network.id.get(10..20).and_then(|digits| hex::decode(digits).ok()).unwrap_or_default();
    mac[1..].iter_mut().zip(digits).for_each(|(to, from)| *to = from);
    mac
}

/// Makes sure that the network's bridge is there and has the gateway's address.
///
/// A new one stays down until it has a port ([`turn_on`]): a bridge that is up without one has lost its carrier, and the
/// kernel takes up to a second to notice the carrier that comes with the first port. What the host sends meanwhile is lost.
pub(crate) fn ensure(netlink: &mut Netlink, network: &Network) -> Result<(), HostError> {
    let found = find(netlink, &network.bridge)?;
    let index = match found {
        Some(index) => index,
        None => create(netlink, network)?,
    };
    let address = Ipv4Net::new(network.gateway, network.subnet.prefix_len()).expect("the prefix is one of a subnet");
    Ok(netlink.send(&[add_address(index, address)])?)
}

/// Turns bridges on.
pub(crate) fn turn_on(netlink: &mut Netlink, networks: &[Network]) -> Result<(), NetlinkError> {
    let requests: Vec<_> = networks.iter().map(|network| set_up(&network.bridge)).collect();
    netlink.send(&requests)
}

fn find(netlink: &mut Netlink, name: &str) -> Result<Option<u32>, NetlinkError> {
    Ok(links(netlink)?.into_iter().find(|link| link.name == name).map(|link| link.index))
}

fn create(netlink: &mut Netlink, network: &Network) -> Result<u32, HostError> {
    claim_subnet(network.subnet, &connected(netlink)?)?;
    netlink.send(&[create_bridge(&network.bridge, mac(network), network.mtu)])?;
    sysctl::disable_ipv6(&network.bridge)?;
    let act = format!("find device `{}`", network.bridge);
    Ok(find(netlink, &network.bridge)?.ok_or(NetlinkError::Missing { act })?)
}

/// Removes a bridge; succeeds when there is none.
pub(crate) fn delete(netlink: &mut Netlink, name: &str) -> Result<(), NetlinkError> {
    unless_gone(netlink.send(&[delete_link(name)]))
}

/// Returns the prefixes of the host's own devices.
pub(crate) fn connected(netlink: &mut Netlink) -> Result<Vec<Held>, NetlinkError> {
    let links = links(netlink)?;
    let by = |index| links.iter().find(|link| link.index == index).map_or("a device", |link| &link.name);
    let addresses = addresses(netlink)?.into_iter();
    Ok(addresses
        .map(|address| Held { prefix: address.network.trunc(), by: format!("device `{}`", by(address.link)) })
        .collect())
}

/// Returns every prefix the host has a route to.
pub(crate) fn routed(netlink: &mut Netlink) -> Result<Vec<Held>, NetlinkError> {
    let links = links(netlink)?;
    let by = |index: Option<u32>| links.iter().find(|link| Some(link.index) == index);
    let held =
        |to: Option<&crate::netlink::Link>| to.map_or("a route".to_owned(), |to| format!("a route on `{}`", to.name));
    let routes = routes(netlink)?.into_iter();
    Ok(routes.map(|route| Held { prefix: route.destination, by: held(by(route.link)) }).collect())
}
