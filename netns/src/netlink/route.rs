//! Routes (rtnetlink(7), `RTM_NEWROUTE`). Any process.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::attribute::{Attributes, attributes};
use super::error::NetlinkError;
use super::message::Message;
use super::socket::Netlink;

/// An IPv4 route of this namespace that leads somewhere else than to the host itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostRoute {
    /// Where it leads to.
    pub(crate) destination: Ipv4Net,
    /// Index of the device, unless it leads nowhere (`blackhole`) or over several.
    pub(crate) link: Option<u32>,
}

/// Writes `struct rtmsg` of a unicast route.
fn header() -> Vec<u8> {
    let mut header = vec![libc::AF_INET as u8, 0, 0, 0];
    header.extend_from_slice(&[libc::RT_TABLE_MAIN, libc::RTPROT_BOOT, libc::RT_SCOPE_UNIVERSE, libc::RTN_UNICAST]);
    header.extend_from_slice(&0u32.to_ne_bytes());
    header
}

/// Sends everything without a better route through `gateway` on device `link`.
pub(crate) fn add_default_route(link: u32, gateway: Ipv4Addr) -> Message {
    let values = Attributes::new().bytes(libc::RTA_GATEWAY, &gateway.octets()).native_u32(libc::RTA_OIF, link);
    Message::new(format!("add the default route through `{gateway}`"), libc::RTM_NEWROUTE, &header(), values)
        .flags(libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL)
}

/// Returns the IPv4 routes of this namespace, of every routing table but the default routes.
pub(crate) fn routes(netlink: &mut Netlink) -> Result<Vec<HostRoute>, NetlinkError> {
    netlink.dump(Message::new("list routes", libc::RTM_GETROUTE, &header(), Attributes::new()), read)
}

fn read(body: &[u8]) -> Option<HostRoute> {
    let (family, prefix, kind) = (*body.first()?, *body.get(1)?, *body.get(7)?);
    let ours = matches!(kind, libc::RTN_LOCAL | libc::RTN_BROADCAST | libc::RTN_MULTICAST | libc::RTN_ANYCAST);
    if i32::from(family) != libc::AF_INET || ours || prefix == 0 {
        return None;
    }
    let (mut destination, mut link) = (None, None);
    for (kind, value) in attributes(body.get(12..)?) {
        match kind {
            libc::RTA_DST => destination = <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from),
            libc::RTA_OIF => link = value.try_into().ok().map(u32::from_ne_bytes),
            _ => {}
        }
    }
    Some(HostRoute { destination: Ipv4Net::new(destination?, prefix).ok()?, link })
}
