//! SCTP, packet by packet: not every kernel has it for programs, but each translates it.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use lighter_netns::{Protocol, PublishedPort};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, recvfrom, sendto, setsockopt, socket,
    sockopt,
};
use nix::sys::time::TimeVal;

use crate::lab::{HOST, Lab, NEIGHBOUR, inside};

/// Types of chunks (RFC 9260, 3.2).
const INIT: u8 = 1;
const INIT_ACK: u8 = 2;
/// The tag an association is asked for with.
const TAG: u32 = 0x1234_5678;

/// Writes a packet with one chunk that begins an association, or agrees to it (RFC 9260, 3.3.2 and 3.3.3).
fn packet(from: u16, to: u16, tag: u32, chunk: u8) -> Vec<u8> {
    let mut packet = [&from.to_be_bytes()[..], &to.to_be_bytes(), &tag.to_be_bytes(), &[0; 4]].concat();
    packet.extend_from_slice(&[chunk, 0, 0, 20]);
    packet.extend_from_slice(&TAG.to_be_bytes());
    packet.extend_from_slice(&[0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1]);
    let sum = crc32c(&packet).to_le_bytes();
    packet[8..12].copy_from_slice(&sum);
    packet
}

/// The checksum of a packet whose own is zero (RFC 9260, appendix A).
fn crc32c(bytes: &[u8]) -> u32 {
    let bit = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| bit(crc)))
}

/// Whoever sees every packet of SCTP that comes to a namespace.
struct Host(OwnedFd);

impl Host {
    fn at(netns: &Path) -> Host {
        let open = || socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Sctp);
        let socket = inside(netns, open).unwrap();
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(1, 0)).unwrap();
        Host(socket)
    }

    fn send(&self, packet: &[u8], to: Ipv4Addr) {
        let to = SockaddrIn::from(std::net::SocketAddrV4::new(to, 0));
        sendto(self.0.as_raw_fd(), packet, &to, MsgFlags::empty()).unwrap();
    }

    /// Returns the next packet with whoever sent it: address, ports, type of its first chunk.
    fn next(&self) -> Option<(Ipv4Addr, u16, u16, u8)> {
        let mut buffer = [0; 256];
        let (length, from) = recvfrom::<SockaddrIn>(self.0.as_raw_fd(), &mut buffer).ok()?;
        let packet = &buffer[usize::from(buffer[0] & 15) * 4..length];
        let port = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
        Some((from.unwrap().ip(), port(0), port(2), packet[12]))
    }
}

#[test]
#[ignore = "needs root"]
fn a_published_sctp_port_leads_to_its_container_and_back() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let published = PublishedPort { host_ip: None, host_port: Some(9000..=9000), target: 80, protocol: Protocol::Sctp };
    let web = lab.container("web", &[&network], &[published]);
    let (container, client) = (Host::at(&web.netns), Host::at(&lab.neighbour("lan")));
    client.send(&packet(4000, 9000, 0, INIT), HOST);
    assert_eq!(container.next(), Some((NEIGHBOUR, 4000, 80, INIT)), "the client's address is kept");
    container.send(&packet(80, 4000, TAG, INIT_ACK), NEIGHBOUR);
    assert_eq!(client.next(), Some((HOST, 9000, 4000, INIT_ACK)));
    client.send(&packet(4001, 9001, 0, INIT), HOST);
    assert_eq!(container.next(), None, "no other port does");
}
