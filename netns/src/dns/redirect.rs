//! Leads port 53 of 127.0.0.11 to the sockets of the name server, inside the container's namespace. The monitor.

use std::net::Ipv4Addr;

use crate::netlink::{Netlink, NetlinkError};
use crate::nftables::{Batch, Chain, Family, Hook, Rule};

/// Where a container finds its name server, for its resolv.conf(5); Docker's address, which images have come to know.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
/// Our table inside a container.
const TABLE: &str = "lighter-dns";
/// Numbers of the protocols in the IP header (IANA, Protocol Numbers).
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Makes or replaces the table of the namespace this thread is in; answers find their way back by connection tracking.
///
/// It is replaced only where there is one, which a monitor that died has left: to remove a table, if only one that was made in the
/// same transaction, takes the kernel a grace period of RCU, a third of a container's start.
pub(super) fn load(udp_port: u16, tcp_port: u16) -> Result<(), NetlinkError> {
    let mut netlink = Netlink::netfilter()?;
    let mut load = |begin: fn(&mut Batch)| {
        let hook = Hook { kind: "nat", point: libc::NF_INET_LOCAL_OUT, priority: -100 };
        let rules = vec![rule(UDP, udp_port), rule(TCP, tcp_port)];
        let mut batch = Batch::new(Family::Ip, TABLE);
        begin(&mut batch);
        batch.add_chain(Chain { name: "output", hook: Some(hook), rules });
        netlink.send(&batch.finish())
    };
    load(Batch::create_table).or_else(|_| load(Batch::replace_table))
}

fn rule(protocol: u8, port: u16) -> Rule {
    Rule::new()
        .load_destination()
        .equals(&ADDRESS.octets())
        .load_protocol()
        .equals(&[protocol])
        .load_port()
        .equals(&super::resolv_conf::PORT.to_be_bytes())
        .translate_to(ADDRESS.octets(), port)
}
