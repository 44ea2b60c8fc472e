//! The kernel's table of connections (nfnetlink, `NFNL_SUBSYS_CTNETLINK`). The process that attaches or detaches.
//!
//! A UDP client that keeps sending from one port never lets its entry expire, and the entry remembers where datagrams went
//! when it was made: to the host itself, or to a container that is gone. So the entries of a published port are dropped
//! whenever it appears or disappears.

use super::attribute::{Attributes, attributes};
use super::error::NetlinkError;
use super::message::Message;
use super::socket::Netlink;

/// Message types `IPCTNL_MSG_CT_GET` and `IPCTNL_MSG_CT_DELETE` of subsystem 1 (linux/netfilter/nfnetlink_conntrack.h).
const GET: u16 = 1 << 8 | 1;
const DELETE: u16 = 1 << 8 | 2;
/// The connection as its first packet showed it (`CTA_TUPLE_ORIG`).
const ORIGINAL: u16 = 1;
/// Transport part of a tuple, and its protocol number and destination port (`CTA_TUPLE_PROTO`, `CTA_PROTO_*`).
const TRANSPORT: u16 = 2;
const PROTOCOL: u16 = 1;
const DESTINATION_PORT: u16 = 3;
/// Length of `struct nfgenmsg` in bytes.
const HEADER: usize = 4;

/// Writes `struct nfgenmsg`.
fn header(family: i32) -> [u8; HEADER] {
    [family as u8, 0, 0, 0]
}

/// Forgets every UDP connection to one of these ports of the host.
///
/// A kernel without the interface, or an entry that goes by itself meanwhile, is no failure.
pub(crate) fn forget_udp(ports: &[u16]) -> Result<(), NetlinkError> {
    if ports.is_empty() {
        return Ok(());
    }
    let mut netlink = Netlink::netfilter()?;
    for family in [libc::AF_INET, libc::AF_INET6] {
        forget_family(&mut netlink, ports, family)?;
    }
    Ok(())
}

fn forget_family(netlink: &mut Netlink, ports: &[u16], family: i32) -> Result<(), NetlinkError> {
    let list = Message::new("list connections", GET, &header(family), Attributes::new());
    let tuples = match netlink.dump(list, |body| udp_to(body, ports)) {
        Err(error) if matches!(error.errno(), Some(libc::EOPNOTSUPP | libc::EINVAL)) => return Ok(()),
        other => other?,
    };
    for tuple in tuples {
        let attributes = Attributes::new().nest(ORIGINAL, Attributes::after(tuple));
        let delete = Message::new("forget a UDP connection", DELETE, &header(family), attributes);
        super::error::unless_gone(netlink.send(&[delete.flags(libc::NLM_F_ACK)]))?;
    }
    Ok(())
}

/// Returns the original tuple of an entry if it is UDP to one of `ports`.
fn udp_to(body: &[u8], ports: &[u16]) -> Option<Vec<u8>> {
    let (_, tuple) = attributes(body.get(HEADER..)?).find(|(kind, _)| *kind == ORIGINAL)?;
    let (_, transport) = attributes(tuple).find(|(kind, _)| *kind == TRANSPORT)?;
    let is_udp = attributes(transport).any(|field| field == (PROTOCOL, &[libc::IPPROTO_UDP as u8]));
    let (_, port) = attributes(transport).find(|(kind, _)| *kind == DESTINATION_PORT)?;
    let port = u16::from_be_bytes(port.try_into().ok()?);
    (is_udp && ports.contains(&port)).then(|| tuple.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(protocol: u8, port: u16) -> Vec<u8> {
        let transport = Attributes::new().bytes(PROTOCOL, &[protocol]).bytes(DESTINATION_PORT, &port.to_be_bytes());
        let entry = Attributes::after(header(libc::AF_INET).to_vec())
            .nest(ORIGINAL, Attributes::new().nest(TRANSPORT, transport));
        entry.into_bytes()
    }

    #[test]
    fn only_udp_to_a_published_port_is_chosen() {
        assert!(udp_to(&entry(17, 53), &[80, 53]).is_some());
        assert!(udp_to(&entry(17, 54), &[80, 53]).is_none());
        assert!(udp_to(&entry(6, 53), &[80, 53]).is_none());
    }
}
