//! Makes a container's interfaces: veths, and inside its namespace addresses and the default route. Without the lock.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use ipnet::Ipv4Net;
use nix::poll::{PollTimeout, poll};

use crate::bridge;
use crate::netlink::{
    Message, Netlink, NetlinkError, Veth, add_address, add_default_route, create_veth, link, set_port_up, set_up,
};
use crate::state::Lease;
use crate::{AttachError, HostError, Network, namespace, sysctl};

/// How long to wait for a device, in milliseconds.
const LONGEST_WAIT: u32 = 50;

/// The interfaces of one container: each lease is on the network at the same place.
pub(super) struct Interfaces<'a> {
    pub(super) leases: &'a [Lease],
    pub(super) networks: &'a [Network],
    /// Whether the container has published ports, through which it can reach itself.
    pub(super) publishes: bool,
}

impl Interfaces<'_> {
    /// Makes the interfaces between the bridges and the namespace mounted at `path`.
    pub(super) fn create(&self, path: &Path) -> Result<(), AttachError> {
        let netns = namespace::open(path)?;
        let mut outside = Netlink::route()?;
        create_veths(&mut outside, self, netns.as_fd())?;
        turn_on_ports(&mut outside, self)?;
        let mut inside = namespace::inside(netns.as_fd(), path, Netlink::route)??;
        configure(&mut inside, self.leases)?;
        bridge::turn_on(&mut outside, self.networks)?;
        Ok(self.settle(&mut outside, &mut inside)?)
    }

    /// Waits until the first packet will not be lost.
    ///
    /// The kernel puts a device whose carrier came to work later, and drops what is sent until then; a TCP client would
    /// try again only after a second. To be asked for the device's state makes it act at once (Linux 6.8); before, it
    /// takes a moment.
    fn settle(&self, outside: &mut Netlink, inside: &mut Netlink) -> Result<(), NetlinkError> {
        for lease in self.leases {
            wait_for(outside, &lease.host_interface)?;
            wait_for(inside, &lease.endpoint.interface)?;
            wait_for(outside, &lease.bridge)?;
        }
        Ok(())
    }
}

fn create_veths(netlink: &mut Netlink, interfaces: &Interfaces<'_>, netns: BorrowedFd<'_>) -> Result<(), NetlinkError> {
    let mut requests = Vec::new();
    for (lease, network) in interfaces.leases.iter().zip(interfaces.networks) {
        requests.push(create_veth(&Veth {
            host: &lease.host_interface,
            bridge: link(netlink, &lease.bridge)?.index,
            netns,
            interface: &lease.endpoint.interface,
            mac: mac(&lease.endpoint.mac),
            mtu: network.mtu,
        }));
    }
    netlink.send(&requests)
}

fn turn_on_ports(netlink: &mut Netlink, interfaces: &Interfaces<'_>) -> Result<(), HostError> {
    let ports = || interfaces.leases.iter().map(|lease| lease.host_interface.as_str());
    // Before they are up: the kernel gives a device its link-local IPv6 address when it goes up.
    ports().try_for_each(sysctl::disable_ipv6)?;
    let up: Vec<_> = ports().map(|port| set_port_up(port, interfaces.publishes)).collect();
    Ok(netlink.send(&up)?)
}

/// Waits until a device passes packets on, or long enough: it will then do so soon.
fn wait_for(netlink: &mut Netlink, device: &str) -> Result<(), NetlinkError> {
    for _ in 0..LONGEST_WAIT {
        if link(netlink, device)?.is_working {
            break;
        }
        // Nothing to poll but time; to be woken early by a signal does no harm.
        let _ = poll(&mut [], PollTimeout::from(1u8));
    }
    Ok(())
}

/// Gives the interfaces their addresses, turns them on and lets the first that leads anywhere lead everywhere.
fn configure(netlink: &mut Netlink, leases: &[Lease]) -> Result<(), NetlinkError> {
    let mut requests: Vec<Message> = Vec::new();
    let mut default = None;
    for lease in leases {
        let endpoint = &lease.endpoint;
        let index = link(netlink, &endpoint.interface)?.index;
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
