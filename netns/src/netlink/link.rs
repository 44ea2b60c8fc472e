//! Network devices: bridges, veths, macvlans and ipvlans (rtnetlink(7), `RTM_NEWLINK`). Any process.

use std::os::fd::{AsRawFd, BorrowedFd};

use super::attribute::{Attributes, attributes};
use super::error::NetlinkError;
use super::message::Message;
use super::socket::Netlink;

/// Attribute of a veth's data that describes its other end (linux/veth.h, `VETH_INFO_PEER`).
const VETH_PEER: u16 = 1;
/// Attributes of a bridge's port (linux/if_link.h, `IFLA_BRPORT_STATE`, `IFLA_BRPORT_MODE`, `IFLA_BRPORT_ISOLATED`).
const STATE: u16 = 1;
const HAIRPIN: u16 = 4;
const ISOLATED: u16 = 33;
/// How a device makes up its link-local IPv6 address: not at all (linux/if_link.h, `IFLA_INET6_ADDR_GEN_MODE`,
/// `IN6_ADDR_GEN_MODE_NONE`).
const ADDRESS_MODE: u16 = 8;
const NO_ADDRESS: u8 = 1;
/// State of a port that passes nothing on (linux/if_bridge.h, `BR_STATE_DISABLED`).
const DISABLED: u8 = 0;
/// Attribute of a macvlan's or ipvlan's data (linux/if_link.h, `IFLA_MACVLAN_MODE`, a 32-bit number, `IFLA_IPVLAN_MODE`, a
/// 16-bit one).
const MODE: u16 = 1;

/// Operational states of a device that passes packets on (RFC 2863; linux/if.h, `IF_OPER_UNKNOWN`, `IF_OPER_UP`).
const UNKNOWN: u8 = 0;
const UP: u8 = 6;

/// A device of this namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    /// Link-layer address; empty where the device has none.
    pub(crate) mac: Vec<u8>,
    /// Whether it passes packets on.
    pub(crate) is_working: bool,
    /// What makes it, as `bridge`, `veth`, `tun`; empty for hardware.
    pub(crate) kind: String,
    /// Index of the bridge it is a port of, or of what else it is a part of.
    pub(crate) master: Option<u32>,
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

/// A device to be made inside a container, on the network of one of this namespace.
#[derive(Debug)]
pub(crate) struct Neighbour<'a> {
    /// `macvlan` or `ipvlan`.
    pub(crate) kind: &'static str,
    /// The kernel's number of how it treats its neighbours.
    pub(crate) mode: u16,
    /// Index of the device it sits on.
    pub(crate) parent: u32,
    /// Namespace of the new device.
    pub(crate) netns: BorrowedFd<'a>,
    /// Its name.
    pub(crate) interface: &'a str,
    /// Its link-layer address, when it has one of its own.
    pub(crate) mac: Option<[u8; 6]>,
    /// Largest packet in bytes, when not that of the parent.
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

/// Makes a macvlan or an ipvlan, down, in its container's namespace.
pub(crate) fn create_neighbour(device: &Neighbour<'_>) -> Message {
    let mode = match device.kind {
        "ipvlan" => Attributes::new().bytes(MODE, &device.mode.to_ne_bytes()),
        _ => Attributes::new().native_u32(MODE, u32::from(device.mode)),
    };
    let info = Attributes::new().text(libc::IFLA_INFO_KIND, device.kind).nest(libc::IFLA_INFO_DATA, mode);
    let link = Attributes::new()
        .text(libc::IFLA_IFNAME, device.interface)
        .native_u32(libc::IFLA_LINK, device.parent)
        .bytes(libc::IFLA_NET_NS_FD, &device.netns.as_raw_fd().to_ne_bytes());
    let link = device.mac.into_iter().fold(link, |link, mac| link.bytes(libc::IFLA_ADDRESS, &mac));
    let act = format!("create {} `{}` on device {}", device.kind, device.interface, device.parent);
    request(act, libc::RTM_NEWLINK, with_mtu(link, device.mtu).nest(libc::IFLA_LINKINFO, info))
        .flags(libc::NLM_F_CREATE | libc::NLM_F_EXCL)
}

/// Turns a device on.
pub(crate) fn set_up(name: &str) -> Message {
    let up = header(0, libc::IFF_UP as u32);
    let link = Attributes::new().text(libc::IFLA_IFNAME, name);
    Message::new(format!("turn on `{name}`"), libc::RTM_NEWLINK, &up, link).flags(libc::NLM_F_ACK)
}

/// Keeps a device from making up an IPv6 address; refused with EAFNOSUPPORT where it can have none.
///
/// The switch `disable_ipv6` does the same and more, but whoever writes to it waits for the kernel's lock of all devices by asking
/// again and again (`addrconf_disable_ipv6`): with fifty containers that start at once, most of a processor's time.
pub(crate) fn forbid_link_local(name: &str) -> Message {
    let mode = Attributes::new().bytes(ADDRESS_MODE, &[NO_ADDRESS]);
    let families = Attributes::new().nest(libc::AF_INET6 as u16, mode);
    let link = Attributes::new().text(libc::IFLA_IFNAME, name).nest(libc::IFLA_AF_SPEC, families);
    Message::new(format!("keep `{name}` without IPv6"), libc::RTM_NEWLINK, &header(0, 0), link).flags(libc::NLM_F_ACK)
}

/// How a port of a bridge treats packets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Port {
    /// It takes back packets that came in by it.
    ///
    /// A container that reaches itself through its own published port sends such packets where the host lets netfilter see
    /// bridged packets (`bridge-nf-call-iptables`): the translated packet is then bridged, not routed.
    pub(crate) hairpin: bool,
    /// It passes nothing on to, and takes nothing from, other ports of which this is said.
    pub(crate) isolated: bool,
}

/// Turns a port of a bridge on.
pub(crate) fn set_port_up(name: &str, how: Port) -> Message {
    let port = Attributes::new().bytes(HAIRPIN, &[u8::from(how.hairpin)]).bytes(ISOLATED, &[u8::from(how.isolated)]);
    set_port(format!("turn on `{name}`"), name, libc::IFF_UP as u32, port)
}

/// Makes a port of a bridge pass nothing on any more, at once: to remove it takes the kernel a grace period of RCU.
pub(crate) fn disable_port(name: &str) -> Message {
    set_port(format!("turn off `{name}`"), name, 0, Attributes::new().bytes(STATE, &[DISABLED]))
}

fn set_port(act: String, name: &str, flags: u32, port: Attributes) -> Message {
    let info = Attributes::new().text(libc::IFLA_INFO_SLAVE_KIND, "bridge").nest(libc::IFLA_INFO_SLAVE_DATA, port);
    let link = Attributes::new().text(libc::IFLA_IFNAME, name).nest(libc::IFLA_LINKINFO, info);
    Message::new(act, libc::RTM_NEWLINK, &header(0, flags), link).flags(libc::NLM_F_ACK)
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
    let (mut name, mut mac, mut is_working, mut kind, mut master) = (None, Vec::new(), false, String::new(), None);
    let text = |value: &[u8]| String::from_utf8_lossy(value.strip_suffix(&[0]).unwrap_or(value)).into_owned();
    for (attribute, value) in attributes(body.get(16..)?) {
        match attribute {
            libc::IFLA_IFNAME => name = Some(text(value)),
            libc::IFLA_ADDRESS => mac = value.to_vec(),
            libc::IFLA_MASTER => master = Some(u32::from_ne_bytes(value.try_into().ok()?)),
            libc::IFLA_LINKINFO => {
                let info = attributes(value).find(|(info, _)| *info == libc::IFLA_INFO_KIND);
                kind = info.map(|(_, value)| text(value)).unwrap_or_default();
            }
            libc::IFLA_OPERSTATE => is_working = matches!(value, [UNKNOWN | UP]),
            _ => {}
        }
    }
    Some(Link { index, name: name?, mac, is_working, kind, master })
}
