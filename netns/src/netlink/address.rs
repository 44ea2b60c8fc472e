//! Addresses of devices (rtnetlink(7), `RTM_NEWADDR`). Any process.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::attribute::{Attributes, attributes};
use super::error::NetlinkError;
use super::message::Message;
use super::socket::Netlink;

/// An IPv4 address a device of this namespace has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostAddress {
    /// Index of the device.
    pub(crate) link: u32,
    /// The address and the network it is in.
    pub(crate) network: Ipv4Net,
}

/// Writes `struct ifaddrmsg`.
fn header(prefix: u8, link: u32) -> Vec<u8> {
    let mut header = vec![libc::AF_INET as u8, prefix, 0, libc::RT_SCOPE_UNIVERSE];
    header.extend_from_slice(&link.to_ne_bytes());
    header
}

/// Gives device `link` an address; succeeds if it has it already.
pub(crate) fn add_address(link: u32, address: Ipv4Net) -> Message {
    let own = address.addr().octets();
    let values = Attributes::new()
        .bytes(libc::IFA_LOCAL, &own)
        .bytes(libc::IFA_ADDRESS, &own)
        .bytes(libc::IFA_BROADCAST, &address.broadcast().octets());
    let act = format!("give address `{address}` to device {link}");
    Message::new(act, libc::RTM_NEWADDR, &header(address.prefix_len(), link), values)
        .flags(libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_REPLACE)
}

/// Returns every IPv4 address of this namespace.
pub(crate) fn addresses(netlink: &mut Netlink) -> Result<Vec<HostAddress>, NetlinkError> {
    netlink.dump(Message::new("list addresses", libc::RTM_GETADDR, &header(0, 0), Attributes::new()), read)
}

fn read(body: &[u8]) -> Option<HostAddress> {
    if i32::from(*body.first()?) != libc::AF_INET {
        return None;
    }
    let link = u32::from_ne_bytes(body.get(4..8)?.try_into().ok()?);
    // IFA_ADDRESS is the far end on a point-to-point link, and that is where its traffic goes.
    let (_, address) = attributes(body.get(8..)?).find(|(kind, _)| *kind == libc::IFA_ADDRESS)?;
    let address = Ipv4Addr::from(<[u8; 4]>::try_from(address).ok()?);
    Some(HostAddress { link, network: Ipv4Net::new(address, *body.get(1)?).ok()? })
}
