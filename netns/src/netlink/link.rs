//! Network devices: bridges and veths (rtnetlink(7), `RTM_NEWLINK`). Any process.

use std::os::fd::{AsRawFd, BorrowedFd};

use super::attribute::{Attributes, attributes};
use super::error::NetlinkError;
use super::message::Message;
use super::socket::Netlink;

/// Attribute of a veth's data that describes its other end (linux/veth.h, `VETH_INFO_PEER`).
const VETH_PEER: u16 = 1;
/// Attribute of a bridge's port (linux/if_link.h, `IFLA_BRPORT_MODE`).
const HAIRPIN: u16 = 4;

/// Operational states of a device that passes packets on (RFC 2863; linux/if.h, `IF_OPER_UNKNOWN`, `IF_OPER_UP`).
const UNKNOWN: u8 = 0;
const UP: u8 = 6;

/// A device of this namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    /// Whether it passes packets on.
    pub(crate) is_working: bool,
}

/// A veth to be made: one end on a bridge of this namespace, the other inside a container.
#[derive(Debug)]
pub(crate) struct Veth<'a> {
    /// Name of the host end.
    pub(crate) host: &'a str,
    /// Index of the bridge.
    pub(crate) bridge: u32,
    /// Namespace of the container end.
    pub(crate) netns: BorrowedFd<'a>,
    /// Name of the container end.
    pub(crate) interface: &'a str,
    /// Link-layer address of the container end.
    pub(crate) mac: [u8; 6],
    /// Largest packet in bytes, when not the kernel's default.
    pub(crate) mtu: Option<u32>,
}

/// Writes `struct ifinfomsg`.
fn header(index: u32, flags: u32) -> Vec<u8> {
    let mut header = vec![libc::AF_UNSPEC as u8, 0, 0, 0];
    header.extend_from_slice(&index.to_ne_bytes());
    header.extend_from_slice(&flags.to_ne_bytes());
    header.extend_from_slice(&flags.to_ne_bytes());
    header
}

fn request(act: String, kind: u16, attributes: Attributes) -> Message {
    Message::new(act, kind, &header(0, 0), attributes).flags(libc::NLM_F_ACK)
}

fn with_mtu(attributes: Attributes, mtu: Option<u32>) -> Attributes {
    match mtu {
        Some(mtu) => attributes.native_u32(libc::IFLA_MTU, mtu),
        None => attributes,
    }
}

/// Makes a bridge, down.
///
/// Its link-layer address is given, because a bridge without one changes it with every port that comes and goes, and
/// containers would be left with a stale neighbour entry for their gateway.
pub(crate) fn create_bridge(name: &str, mac: [u8; 6], mtu: Option<u32>) -> Message {
    let link = Attributes::new().text(libc::IFLA_IFNAME, name).bytes(libc::IFLA_ADDRESS, &mac);
    let link = with_mtu(link, mtu).nest(libc::IFLA_LINKINFO, Attributes::new().text(libc::IFLA_INFO_KIND, "bridge"));
    request(format!("create bridge `{name}`"), libc::RTM_NEWLINK, link).flags(libc::NLM_F_CREATE | libc::NLM_F_EXCL)
}

/// Makes a veth, both ends down, in one request: no moment in which the container end lies in the host's namespace.
pub(crate) fn create_veth(veth: &Veth<'_>) -> Message {
    let namespace = veth.netns.as_raw_fd().to_ne_bytes();
    let peer = Attributes::after(header(0, 0))
        .text(libc::IFLA_IFNAME, veth.interface)
        .bytes(libc::IFLA_ADDRESS, &veth.mac)
        .bytes(libc::IFLA_NET_NS_FD, &namespace);
    let info = Attributes::new()
        .text(libc::IFLA_INFO_KIND, "veth")
        .nest(libc::IFLA_INFO_DATA, Attributes::new().nest(VETH_PEER, with_mtu(peer, veth.mtu)));
    let link = Attributes::new().text(libc::IFLA_IFNAME, veth.host).native_u32(libc::IFLA_MASTER, veth.bridge);
    let act = format!("create veth `{}` with its other end `{}`", veth.host, veth.interface);
    request(act, libc::RTM_NEWLINK, with_mtu(link, veth.mtu).nest(libc::IFLA_LINKINFO, info))
        .flags(libc::NLM_F_CREATE | libc::NLM_F_EXCL)
}

/// Turns a device on.
pub(crate) fn set_up(name: &str) -> Message {
    let up = header(0, libc::IFF_UP as u32);
    let link = Attributes::new().text(libc::IFLA_IFNAME, name);
    Message::new(format!("turn on `{name}`"), libc::RTM_NEWLINK, &up, link).flags(libc::NLM_F_ACK)
}

/// Turns a port of a bridge on; with `hairpin` it takes back packets that came in by it.
///
/// A container that reaches itself through its own published port sends such packets where the host lets netfilter see
/// bridged packets (`bridge-nf-call-iptables`): the translated packet is then bridged, not routed.
pub(crate) fn set_port_up(name: &str, hairpin: bool) -> Message {
    let up = header(0, libc::IFF_UP as u32);
    let port = Attributes::new().bytes(HAIRPIN, &[u8::from(hairpin)]);
    let info = Attributes::new().text(libc::IFLA_INFO_SLAVE_KIND, "bridge").nest(libc::IFLA_INFO_SLAVE_DATA, port);
    let link = Attributes::new().text(libc::IFLA_IFNAME, name).nest(libc::IFLA_LINKINFO, info);
    Message::new(format!("turn on `{name}`"), libc::RTM_NEWLINK, &up, link).flags(libc::NLM_F_ACK)
}

/// Removes a device; of a veth, both ends.
pub(crate) fn delete_link(name: &str) -> Message {
    request(format!("delete device `{name}`"), libc::RTM_DELLINK, Attributes::new().text(libc::IFLA_IFNAME, name))
}

/// Returns a device.
pub(crate) fn link(netlink: &mut Netlink, name: &str) -> Result<Link, NetlinkError> {
    let act = format!("find device `{name}`");
    let link = Attributes::new().text(libc::IFLA_IFNAME, name);
    let answer = netlink.ask(Message::new(act.clone(), libc::RTM_GETLINK, &header(0, 0), link))?;
    read(&answer).ok_or(NetlinkError::Missing { act })
}

/// Returns every device of this namespace.
pub(crate) fn links(netlink: &mut Netlink) -> Result<Vec<Link>, NetlinkError> {
    netlink.dump(Message::new("list devices", libc::RTM_GETLINK, &header(0, 0), Attributes::new()), read)
}

fn read(body: &[u8]) -> Option<Link> {
    let index = u32::from_ne_bytes(body.get(4..8)?.try_into().ok()?);
    let (mut name, mut is_working) = (None, false);
    for (kind, value) in attributes(body.get(16..)?) {
        match kind {
            libc::IFLA_IFNAME => name = Some(value.strip_suffix(&[0]).unwrap_or(value)),
            libc::IFLA_OPERSTATE => is_working = matches!(value, [UNKNOWN | UP]),
            _ => {}
        }
    }
    Some(Link { index, name: String::from_utf8_lossy(name?).into_owned(), is_working })
}
