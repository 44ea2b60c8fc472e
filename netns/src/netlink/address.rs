//! Addresses of devices (rtnetlink(7), `RTM_NEWADDR`). Any process.

use std::net::IpAddr;

use ipnet::IpNet;

use super::attribute::{Attributes, attributes};
use super::error::NetlinkError;
use super::message::Message;
use super::socket::Netlink;

/// An address a device of this namespace has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostAddress {
    /// Index of the device.
    pub(crate) link: u32,
    /// The address and the network it is in.
    pub(crate) network: IpNet,
    /// Whether the kernel does not use it yet (RFC 4862, 2, "tentative address").
    pub(crate) is_tentative: bool,
}

impl HostAddress {
    /// Returns whether it is one of the link that IPv6 makes up by itself (RFC 4291, 2.5.6).
    pub(crate) fn is_link_local(&self) -> bool {
        matches!(self.network.addr(), IpAddr::V6(address) if address.is_unicast_link_local())
    }
}

/// Writes `struct ifaddrmsg`.
fn header(family: i32, prefix: u8, link: u32) -> Vec<u8> {
    let mut header = vec![family as u8, prefix, 0, libc::RT_SCOPE_UNIVERSE];
    header.extend_from_slice(&link.to_ne_bytes());
    header
}

/// Returns the number of an address's family.
pub(super) fn family(address: IpAddr) -> i32 {
    if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }
}

/// Returns the bytes of an address as the kernel wants them.
pub(super) fn bytes(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// Reads an address from the bytes of an attribute.
pub(super) fn read_address(bytes: &[u8]) -> Option<IpAddr> {
    let ipv4 = || <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    ipv4().or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}

/// Gives device `link` an address; succeeds if it has it already.
///
/// An IPv6 one can be used at once: whether somebody else has it (RFC 4862, 5.4) was settled when it was chosen.
pub(crate) fn add_address(link: u32, address: IpNet) -> Message {
    let own = bytes(address.addr());
    let values = Attributes::new().bytes(libc::IFA_LOCAL, &own).bytes(libc::IFA_ADDRESS, &own);
    let values = match address {
        IpNet::V4(address) => values.bytes(libc::IFA_BROADCAST, &address.broadcast().octets()),
        IpNet::V6(_) => values,
    };
    let mut header = header(family(address.addr()), address.prefix_len(), link);
    if address.addr().is_ipv6() {
        header[2] = libc::IFA_F_NODAD as u8;
    }
    let act = format!("give address `{address}` to device {link}");
    Message::new(act, libc::RTM_NEWADDR, &header, values)
        .flags(libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_REPLACE)
}

/// Returns every address of this namespace.
pub(crate) fn addresses(netlink: &mut Netlink) -> Result<Vec<HostAddress>, NetlinkError> {
    let request = Message::new("list addresses", libc::RTM_GETADDR, &header(libc::AF_UNSPEC, 0, 0), Attributes::new());
    netlink.dump(request, read)
}

fn read(body: &[u8]) -> Option<HostAddress> {
    let link = u32::from_ne_bytes(body.get(4..8)?.try_into().ok()?);
    // IFA_ADDRESS is the far end on a point-to-point link, and that is where its traffic goes.
    let (_, address) = attributes(body.get(8..)?).find(|(kind, _)| *kind == libc::IFA_ADDRESS)?;
    let network = IpNet::new(read_address(address)?, *body.get(1)?).ok()?;
    Some(HostAddress { link, network, is_tentative: u32::from(*body.get(2)?) & libc::IFA_F_TENTATIVE != 0 })
}
