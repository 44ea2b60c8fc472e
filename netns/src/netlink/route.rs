//! Routes (rtnetlink(7), `RTM_NEWROUTE`). Any process.

use std::net::IpAddr;

use ipnet::IpNet;

use super::address::{bytes, family, read_address};
use super::attribute::{Attributes, attributes};
use super::error::NetlinkError;
use super::message::Message;
use super::socket::Netlink;

/// A route of this namespace that leads somewhere else than to the host itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostRoute {
    /// Where it leads to.
    pub(crate) destination: IpNet,
    /// Index of the device, unless it leads nowhere (`blackhole`) or over several.
    pub(crate) link: Option<u32>,
}

/// Writes `struct rtmsg` of a unicast route.
fn header(family: i32) -> Vec<u8> {
    let mut header = vec![family as u8, 0, 0, 0];
    header.extend_from_slice(&[libc::RT_TABLE_MAIN, libc::RTPROT_BOOT, libc::RT_SCOPE_UNIVERSE, libc::RTN_UNICAST]);
    header.extend_from_slice(&0u32.to_ne_bytes());
    header
}

/// Sends everything without a better route through `gateway` on device `link`, and no longer elsewhere.
pub(crate) fn set_default_route(link: u32, gateway: IpAddr) -> Message {
    let values = Attributes::new().bytes(libc::RTA_GATEWAY, &bytes(gateway)).native_u32(libc::RTA_OIF, link);
    let act = format!("set the default route through `{gateway}`");
    Message::new(act, libc::RTM_NEWROUTE, &header(family(gateway)), values)
        .flags(libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_REPLACE)
}

/// Returns the routes of this namespace, of every routing table but the default routes.
pub(crate) fn routes(netlink: &mut Netlink) -> Result<Vec<HostRoute>, NetlinkError> {
    let mut routes = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        let request = Message::new("list routes", libc::RTM_GETROUTE, &header(family), Attributes::new());
        routes.extend(netlink.dump(request, read)?);
    }
    Ok(routes)
}

fn read(body: &[u8]) -> Option<HostRoute> {
    let (prefix, kind) = (*body.get(1)?, *body.get(7)?);
    let ours = matches!(kind, libc::RTN_LOCAL | libc::RTN_BROADCAST | libc::RTN_MULTICAST | libc::RTN_ANYCAST);
    if ours || prefix == 0 {
        return None;
    }
    let (mut destination, mut link) = (None, None);
    for (kind, value) in attributes(body.get(12..)?) {
        match kind {
            libc::RTA_DST => destination = read_address(value),
            libc::RTA_OIF => link = value.try_into().ok().map(u32::from_ne_bytes),
            _ => {}
        }
    }
    Some(HostRoute { destination: IpNet::new(destination?, prefix).ok()?, link })
}
