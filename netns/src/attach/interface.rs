//! Makes a container's interfaces: veths, and inside its namespace addresses and the default route. Without the lock.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use ipnet::Ipv4Net;

use crate::netlink::{
    Message, Netlink, NetlinkError, Veth, add_address, add_default_route, create_veth, link_index, set_up,
};
use crate::state::Lease;
use crate::{AttachError, HostError, Network, namespace, sysctl};

/// Connects the namespace mounted at `path` as `leases` say, each on the network at the same place in `networks`.
pub(super) fn create(leases: &[Lease], networks: &[Network], path: &Path) -> Result<(), AttachError> {
    let netns = namespace::open(path)?;
    let mut outside = Netlink::route()?;
    create_veths(&mut outside, leases, (networks, netns.as_fd()))?;
    let mut inside = namespace::inside(netns.as_fd(), path, Netlink::route)??;
    Ok(configure(&mut inside, leases)?)
}

fn create_veths(
    netlink: &mut Netlink,
    leases: &[Lease],
    (networks, netns): (&[Network], BorrowedFd<'_>),
) -> Result<(), HostError> {
    let mut requests = Vec::new();
    for (lease, network) in leases.iter().zip(networks) {
        requests.push(create_veth(&Veth {
            host: &lease.host_interface,
            bridge: link_index(netlink, &lease.bridge)?,
            netns,
            interface: &lease.endpoint.interface,
            mac: mac(&lease.endpoint.mac),
            mtu: network.mtu,
        }));
    }
    netlink.send(&requests)?;
    // Before they are up: the kernel gives a device its link-local IPv6 address when it goes up.
    leases.iter().try_for_each(|lease| sysctl::disable_ipv6(&lease.host_interface))?;
    let up: Vec<_> = leases.iter().map(|lease| set_up(&lease.host_interface)).collect();
    Ok(netlink.send(&up)?)
}

/// Gives the interfaces their addresses, turns them on and lets the first that leads anywhere lead everywhere.
fn configure(netlink: &mut Netlink, leases: &[Lease]) -> Result<(), NetlinkError> {
    let mut requests: Vec<Message> = Vec::new();
    let mut default = None;
    for lease in leases {
        let endpoint = &lease.endpoint;
        let index = link_index(netlink, &endpoint.interface)?;
        let address = Ipv4Net::new(endpoint.address, endpoint.prefix).expect("the prefix is one of a subnet");
        requests.extend([add_address(index, address), set_up(&endpoint.interface)]);
        if default.is_none() && !lease.internal {
            default = Some(add_default_route(index, endpoint.gateway));
        }
    }
    requests.extend(default);
    netlink.send(&requests)
}

/// Reads back the notation of an endpoint's link-layer address.
fn mac(text: &str) -> [u8; 6] {
    let mut mac = [0; 6];
    mac.iter_mut().zip(text.split(':')).for_each(|(byte, part)| *byte = u8::from_str_radix(part, 16).unwrap_or(0));
    mac
}
