//! Leads port 53 of 127.0.0.11 to the sockets of the name server, inside the container's namespace. The monitor.

use std::net::Ipv4Addr;

use super::resolv_conf::PORT;
use crate::netlink::{Netlink, NetlinkError};
use crate::nftables::{Batch, Chain, End, Family, Hook, Rule};

/// Where a container finds its name server, for its resolv.conf(5); Docker's address, which images have come to know.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
/// Our table inside a container.
const TABLE: &str = "lighter-dns";

/// A transport protocol.
struct Transport {
    /// In the IP header (IANA, Protocol Numbers).
    number: u8,
    /// Where its header has the checksum.
    checksum: u32,
}
const TCP: Transport = Transport { number: 6, checksum: 16 };
const UDP: Transport = Transport { number: 17, checksum: 6 };

/// Makes or replaces the table of the namespace this thread is in. Ports are written into packets, of questions and of answers, as
/// they leave: to translate addresses would have the kernel track every connection of the container, a fiftieth of its throughput.
///
/// It is replaced only where there is one, which a monitor that died has left: to remove a table, if only one that was made in the
/// same transaction, takes the kernel a grace period of RCU, a third of a container's start.
pub(super) fn load(udp_port: u16, tcp_port: u16) -> Result<(), NetlinkError> {
    let mut netlink = Netlink::netfilter()?;
    let mut load = |begin: fn(&mut Batch)| {
        // Before connections are tracked, if the container does so (`NF_IP_PRI_RAW`).
        let hook = Hook { kind: "filter", point: libc::NF_INET_LOCAL_OUT, priority: -300 };
        let rules = [rules(&UDP, udp_port), rules(&TCP, tcp_port)].concat();
        let mut batch = Batch::new(Family::Ip, TABLE);
        begin(&mut batch);
        batch.add_chain(Chain { name: "output", hook: Some(hook), rules });
        netlink.send(&batch.finish())
    };
    load(Batch::create_table).or_else(|_| load(Batch::replace_table))
}

/// Returns the rule for questions and the one for answers of the server at `port`.
fn rules(transport: &Transport, port: u16) -> [Rule; 2] {
    let of = |address: Rule, end, (from, to): (u16, u16)| {
        let protocol = address.equals(&ADDRESS.octets()).load_protocol().equals(&[transport.number]);
        protocol.load_port_of(end).equals(&from.to_be_bytes()).write_port(end, to, transport.checksum)
    };
    [
        of(Rule::new().load_destination(), End::Destination, (PORT, port)),
        of(Rule::new().load_source(), End::Source, (port, PORT)),
    ]
}
