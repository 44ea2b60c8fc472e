//! Makes a container's interfaces: veths, and inside its namespace addresses and the default routes. Without the lock.

use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use ipnet::IpNet;
use nix::poll::{PollTimeout, poll};

use super::route::default_routes;
use crate::bridge;
use crate::netlink::{
    HostAddress, Message, Neighbour, Netlink, NetlinkError, Port, Veth, add_address, addresses, create_neighbour,
    create_veth, forbid_link_local, link, set_default_route, set_port_up, set_up,
};
use crate::state::Lease;
use crate::{Driver, Endpoint, HostError, Network, namespace, sysctl};

/// How long to wait for a device, in milliseconds.
const LONGEST_WAIT: u32 = 50;
/// `MACVLAN_MODE_BRIDGE` and `IPVLAN_MODE_L2`: what docker does unless told.
const MACVLAN_BRIDGE: u16 = 4;
const IPVLAN_L2: u16 = 0;
/// Prefix lengths of addresses of a link (RFC 3927, 2.1; RFC 4291, 2.5.6).
const LINK_LOCAL: [u8; 2] = [16, 64];

/// Some interfaces of one container: each lease is on the network at the same place.
pub(super) struct Interfaces<'a> {
    pub(super) leases: &'a [Lease],
    pub(super) networks: &'a [Network],
    /// Whether the container has published ports, through which it can reach itself.
    pub(super) publishes: bool,
}

impl Interfaces<'_> {
    /// Makes the interfaces between the bridges and the namespace mounted at `path`; `all` are the leases of the container,
    /// by which its default routes are chosen.
    pub(super) fn create(&self, path: &Path, all: &[Lease]) -> Result<(), HostError> {
        let netns = namespace::open(path)?;
        let mut outside = Netlink::route()?;
        self.create_devices(&mut outside, netns.as_fd())?;
        self.turn_on_ports(&mut outside)?;
        let prepared = || prepare(self.leases).and_then(|()| Ok(Netlink::route()?));
        let mut inside = namespace::inside(netns.as_fd(), path, prepared)??;
        configure(&mut inside, self.leases)?;
        set_default_routes(&mut inside, all)?;
        bridge::turn_on(&mut outside, self.networks)?;
        Ok(self.settle(&mut outside, &mut inside)?)
    }

    fn create_devices(&self, netlink: &mut Netlink, netns: BorrowedFd<'_>) -> Result<(), NetlinkError> {
        let mut requests = Vec::new();
        for (lease, network) in self.leases.iter().zip(self.networks) {
            let parent = link(netlink, &lease.bridge)?.index;
            requests.push(device(lease, network, (parent, netns)));
        }
        netlink.send(&requests)
    }

    fn bridged(&self) -> impl Iterator<Item = &Lease> {
        self.leases.iter().filter(|lease| lease.is_bridged())
    }

    fn turn_on_ports(&self, netlink: &mut Netlink) -> Result<(), NetlinkError> {
        let how = |lease: &Lease| Port { hairpin: self.publishes, isolated: lease.keeps_apart };
        // Before they are up: the kernel gives a device its link-local IPv6 address when it goes up.
        let requests = self.bridged().flat_map(|lease| {
            [forbid_link_local(&lease.host_interface), set_port_up(&lease.host_interface, how(lease))]
        });
        let refusals = netlink.send_each(&requests.collect::<Vec<_>>())?.into_iter().map(|(_, refusal)| refusal);
        // The kernel, or a device with small packets, may know no IPv6.
        let real = |refusal: &NetlinkError| refusal.errno() != Some(libc::EAFNOSUPPORT);
        refusals.into_iter().find(real).map_or(Ok(()), Err)
    }

    /// Waits until the first packet will not be lost.
    ///
    /// The kernel puts a device whose carrier came to work later, and drops what is sent until then; a TCP client would
    /// try again only after a second. To be asked for the device's state makes it act at once (Linux 6.8); before, it
    /// takes a moment.
    fn settle(&self, outside: &mut Netlink, inside: &mut Netlink) -> Result<(), NetlinkError> {
        for lease in self.bridged() {
            wait_for(outside, &lease.host_interface)?;
            wait_for(inside, &lease.endpoint.interface)?;
            wait_for(outside, &lease.bridge)?;
            if has_ipv6(&lease.endpoint) {
                wait_for_ipv6(outside, &lease.bridge)?;
                wait_for_ipv6(inside, &lease.endpoint.interface)?;
            }
        }
        Ok(())
    }
}

/// Returns the request for the device of one lease, on the bridge or device with the index `parent`.
fn device(lease: &Lease, network: &Network, (parent, netns): (u32, BorrowedFd<'_>)) -> Message {
    let interface = lease.endpoint.interface.as_str();
    let neighbour = |kind, usual, mac| {
        let mode = network.features.mode.unwrap_or(usual);
        create_neighbour(&Neighbour { kind, mode, parent, netns, interface, mac, mtu: network.mtu })
    };
    let mac = mac(&lease.endpoint.mac);
    match lease.driver {
        Driver::Bridge => {
            create_veth(&Veth { host: &lease.host_interface, bridge: parent, netns, interface, mac, mtu: network.mtu })
        }
        Driver::Macvlan => neighbour("macvlan", MACVLAN_BRIDGE, Some(mac)),
        Driver::Ipvlan => neighbour("ipvlan", IPVLAN_L2, None),
    }
}

/// Waits until a device passes packets on.
fn wait_for(netlink: &mut Netlink, device: &str) -> Result<(), NetlinkError> {
    wait_until(|| Ok(link(netlink, device)?.is_working))
}

/// Waits until a device may use its link-local IPv6 address, the last that the kernel gives it.
fn wait_for_ipv6(netlink: &mut Netlink, device: &str) -> Result<(), NetlinkError> {
    let index = link(netlink, device)?.index;
    wait_until(|| {
        let own = |one: &HostAddress| one.link == index && one.is_link_local() && !one.is_tentative;
        Ok(addresses(netlink)?.iter().any(own))
    })
}

/// Asks until the answer is yes, or long enough: it will then be soon.
fn wait_until(mut is_done: impl FnMut() -> Result<bool, NetlinkError>) -> Result<(), NetlinkError> {
    for _ in 0..LONGEST_WAIT {
        if is_done()? {
            break;
        }
        // Nothing to poll but time; to be woken early by a signal does no harm.
        let _ = poll(&mut [], PollTimeout::from(1u8));
    }
    Ok(())
}

/// Switches IPv6 on where there are IPv6 addresses, then sets what the user wants of an interface. Runs inside.
fn prepare(leases: &[Lease]) -> Result<(), HostError> {
    for lease in leases {
        if has_ipv6(&lease.endpoint) {
            sysctl::enable_ipv6(&lease.endpoint.interface)?;
        }
        lease.sysctls.iter().try_for_each(|(name, value)| sysctl::write(name, value))?;
    }
    Ok(())
}

fn has_ipv6(endpoint: &Endpoint) -> bool {
    endpoint.ipv6().is_some() || endpoint.link_local.iter().any(IpAddr::is_ipv6)
}

/// Gives the interfaces their addresses and turns them on.
fn configure(netlink: &mut Netlink, leases: &[Lease]) -> Result<(), NetlinkError> {
    let mut requests: Vec<Message> = Vec::new();
    for lease in leases {
        let endpoint = &lease.endpoint;
        let index = link(netlink, &endpoint.interface)?.index;
        let own = endpoint.addresses.iter().map(|address| (address.address, address.prefix));
        let of_link = endpoint.link_local.iter().map(|address| (*address, LINK_LOCAL[usize::from(address.is_ipv6())]));
        for (address, prefix) in own.chain(of_link) {
            let address = IpNet::new(address, prefix).expect("the prefix is one of a subnet of the same family");
            requests.push(add_address(index, address));
        }
        requests.push(set_up(&endpoint.interface));
    }
    netlink.send(&requests)
}

/// Lets the interfaces with the best claim lead everywhere, and no others. Runs inside, on interfaces that are up.
pub(super) fn set_default_routes(netlink: &mut Netlink, all: &[Lease]) -> Result<(), NetlinkError> {
    let mut requests = Vec::new();
    for (lease, address) in default_routes(all) {
        requests.push(set_default_route(link(netlink, &lease.endpoint.interface)?.index, address.gateway));
    }
    netlink.send(&requests)
}

/// Reads back the notation of an endpoint's link-layer address.
fn mac(text: &str) -> [u8; 6] {
    let mut mac = [0; 6];
    mac.iter_mut().zip(text.split(':')).for_each(|(byte, part)| *byte = u8::from_str_radix(part, 16).unwrap_or(0));
    mac
}
