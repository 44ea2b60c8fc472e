//! UDP datagrams to one published port. The monitor; never waits.
//!
//! A client is known by its address; each has a socket of its own towards the container, so that answers find their way. It is
//! answered from the address it has written to, whichever of the host's that was.

use std::collections::BTreeMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::cmsg_space;
use nix::poll::PollFlags;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt, sockopt,
};

use super::{readable, ready, unkeyed};

/// Time after which a client that is silent is forgotten, as connection tracking does (`nf_conntrack_udp_timeout_stream`).
const PATIENCE: Duration = Duration::from_secs(120);
/// Most datagrams read before the monitor's other work has its turn.
const DATAGRAMS_PER_TURN: usize = 64;
/// Longest datagram in bytes.
const LONGEST: usize = 65_535;

/// What becomes ready.
#[derive(Clone, Copy, Debug)]
enum Source {
    Door,
    Client(SocketAddr),
}

/// The socket of a published port and the clients that have written to it.
#[derive(Debug)]
pub(super) struct Datagrams {
    door: UdpSocket,
    clients: BTreeMap<SocketAddr, Client>,
}

/// One client.
#[derive(Debug)]
struct Client {
    /// Towards the container.
    socket: UdpSocket,
    /// The host's address it has written to.
    own: Option<IpAddr>,
    deadline: Instant,
}

impl Datagrams {
    pub(super) fn new(door: UdpSocket) -> Datagrams {
        let is_ipv4 = door.local_addr().is_ok_and(|address| address.is_ipv4());
        // Without it, answers leave from the address the kernel would choose.
        let _ = match is_ipv4 {
            true => setsockopt(&door, sockopt::Ipv4PacketInfo, &true),
            false => setsockopt(&door, sockopt::Ipv6RecvPacketInfo, &true),
        };
        let _ = door.set_nonblocking(true);
        Datagrams { door, clients: BTreeMap::new() }
    }

    fn watched(&self) -> Vec<(Source, BorrowedFd<'_>, PollFlags)> {
        let clients = self.clients.iter().map(|(address, client)| readable(Source::Client(*address), &client.socket));
        std::iter::once(readable(Source::Door, &self.door)).chain(clients).collect()
    }

    pub(super) fn fds(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        unkeyed(self.watched())
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.clients.values().map(|client| client.deadline).min()
    }

    /// Returns how many clients there are.
    pub(super) fn count(&self) -> usize {
        self.clients.len()
    }

    /// There is room for so many more clients; then the one that has been silent longest makes some for a new one.
    pub(super) fn handle(&mut self, target: SocketAddr, room: usize) {
        let most = (self.clients.len() + room).max(1);
        let sources = ready(&self.watched());
        // The monitor comes by for many reasons, and is to be small as long as nobody writes.
        let mut buffer = if sources.is_empty() { Vec::new() } else { vec![0; LONGEST] };
        for source in sources {
            match source {
                Source::Door => self.take(target, most, &mut buffer),
                Source::Client(address) => self.answer(address, &mut buffer),
            }
        }
        let now = Instant::now();
        self.clients.retain(|_, client| client.deadline > now);
    }

    /// Passes on what clients have written. What cannot be is lost, as datagrams may be.
    fn take(&mut self, target: SocketAddr, most: usize, buffer: &mut [u8]) {
        for _ in 0..DATAGRAMS_PER_TURN {
            let Ok((length, from, own)) = receive(&self.door, buffer) else { return };
            if let Ok(client) = self.client(from, target, most) {
                client.own = own;
                client.deadline = Instant::now() + PATIENCE;
                let _ = client.socket.send(&buffer[..length]);
            }
        }
    }

    fn client(&mut self, address: SocketAddr, target: SocketAddr, most: usize) -> io::Result<&mut Client> {
        // After the container has moved to another address, the socket of before leads nowhere.
        let leads = |client: &Client| client.socket.peer_addr().is_ok_and(|peer| peer == target);
        if !self.clients.get(&address).is_some_and(leads) {
            self.make_room(most);
            let client = Client { socket: towards(target)?, own: None, deadline: Instant::now() + PATIENCE };
            self.clients.insert(address, client);
        }
        Ok(self.clients.get_mut(&address).expect("it was there or has just been put in"))
    }

    fn make_room(&mut self, most: usize) {
        let oldest = self.clients.iter().min_by_key(|(_, client)| client.deadline).map(|(address, _)| *address);
        if let Some(oldest) = oldest.filter(|_| self.clients.len() >= most) {
            self.clients.remove(&oldest);
        }
    }

    fn answer(&mut self, address: SocketAddr, buffer: &mut [u8]) {
        for _ in 0..DATAGRAMS_PER_TURN {
            let Some(client) = self.clients.get_mut(&address) else { return };
            // A refusal of the container's is read here too: the client hears nothing, and asks again.
            let Ok(length) = client.socket.recv(buffer) else { return };
            client.deadline = Instant::now() + PATIENCE;
            let _ = send(&self.door, &buffer[..length], (address, client.own));
        }
    }
}

fn towards(target: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = if target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.set_nonblocking(true)?;
    socket.connect(target)?;
    Ok(socket)
}

/// Receives a datagram; returns its length, who sent it, and to which address of the host.
fn receive(door: &UdpSocket, buffer: &mut [u8]) -> nix::Result<(usize, SocketAddr, Option<IpAddr>)> {
    let mut parts = [IoSliceMut::new(buffer)];
    let mut space = cmsg_space!(libc::in6_pktinfo);
    let message = recvmsg::<SockaddrStorage>(door.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::empty())?;
    let own = message.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(IpAddr::from(Ipv4Addr::from(info.ipi_spec_dst.s_addr.to_ne_bytes())))
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => Some(IpAddr::from(info.ipi6_addr.s6_addr)),
        _ => None,
    });
    let from = message.address.as_ref().and_then(socket_address).ok_or(nix::errno::Errno::EINVAL)?;
    Ok((message.bytes, from, own))
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let ipv4 = address.as_sockaddr_in().map(|address| std::net::SocketAddrV4::from(*address).into());
    ipv4.or_else(|| address.as_sockaddr_in6().map(|address| std::net::SocketAddrV6::from(*address).into()))
}

/// Sends a datagram from an address of the host. The device is left to the routes, but for an address of a link.
fn send(door: &UdpSocket, message: &[u8], (to, own): (SocketAddr, Option<IpAddr>)) -> nix::Result<usize> {
    let (parts, to_address) = ([IoSlice::new(message)], SockaddrStorage::from(to));
    let scope = match to {
        SocketAddr::V6(to) => to.scope_id(),
        SocketAddr::V4(_) => 0,
    };
    let send =
        |info: &[ControlMessage<'_>]| sendmsg(door.as_raw_fd(), &parts, info, MsgFlags::empty(), Some(&to_address));
    match own {
        Some(IpAddr::V4(own)) => {
            let own = libc::in_addr { s_addr: u32::from_ne_bytes(own.octets()) };
            let nowhere = libc::in_addr { s_addr: 0 };
            let info = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: own, ipi_addr: nowhere };
            send(&[ControlMessage::Ipv4PacketInfo(&info)])
        }
        Some(IpAddr::V6(own)) => {
            let own = libc::in6_addr { s6_addr: own.octets() };
            let info = libc::in6_pktinfo { ipi6_addr: own, ipi6_ifindex: scope };
            send(&[ControlMessage::Ipv6PacketInfo(&info)])
        }
        None => send(&[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_gets_its_own_answers_from_the_address_it_wrote_to() {
        for (door, address) in [("[::]:0", "::1"), ("0.0.0.0:0", "127.0.0.2")] {
            let container = UdpSocket::bind("127.0.0.1:0").unwrap();
            let mut datagrams = Datagrams::new(UdpSocket::bind(door).unwrap());
            let port = datagrams.door.local_addr().unwrap().port();
            let clients = ["one", "two"].map(|text| {
                let any = if address == "::1" { "[::1]:0" } else { "127.0.0.1:0" };
                let client = UdpSocket::bind(any).unwrap();
                client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                client.send_to(text.as_bytes(), (address, port)).unwrap();
                (client, text)
            });
            let target = container.local_addr().unwrap();
            datagrams.handle(target, 8);
            let mut buffer = [0; 64];
            for _ in &clients {
                let (length, from) = container.recv_from(&mut buffer).unwrap();
                container.send_to(&buffer[..length].to_ascii_uppercase(), from).unwrap();
            }
            datagrams.handle(target, 8);
            for (client, text) in &clients {
                let (length, from) = client.recv_from(&mut buffer).unwrap();
                assert_eq!(buffer[..length], text.to_ascii_uppercase().into_bytes());
                assert_eq!(from.ip(), address.parse::<IpAddr>().unwrap());
            }
        }
    }
}
