//! Passes on what comes to a published port and cannot be translated on its way. The monitor: it polls [`Relay::fds`] for at
//! most [`Relay::timeout`] together with its own descriptors, and calls [`Relay::handle`] when poll(2) returns.
//!
//! ```text
//! client ─▶ [::1]:8080                  the kernel leads no packet away from ::1
//! client ─▶ [2001:db8::1]:8080          a container without an IPv6 address
//! client ─▶ 192.0.2.1:8080              where the host's own firewall shall decide (`respect-host-firewall`)
//!             └─▶ socket of the relay ─▶ container, from the host's address on its network
//! ```
//! Everything else is translated by the firewall and never gets here; for that the sockets only hold the ports.

mod datagrams;
mod streams;

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use datagrams::Datagrams;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{Backlog, listen, setsockopt, sockopt};
use streams::Streams;

use crate::pools::same_family;
use crate::ports::Reserved;
use crate::{BoundPort, Protocol, Publish};

/// Most connections to all TCP ports together. Each takes two descriptors, of which a process may have 1024 (getrlimit(2),
/// `RLIMIT_NOFILE`), and the monitor needs some for all else.
const MOST_CONNECTIONS: usize = 256;
/// Most clients of all UDP ports together, each with a descriptor. Whoever sends datagrams can have any number of addresses, so they
/// do not keep connections out.
const MOST_CLIENTS: usize = 256;
/// Connections that may wait to be taken (listen(2)).
const BACKLOG: i32 = 128;

/// The published ports of one container, held and, where need be, served.
#[derive(Debug, Default)]
pub struct Relay {
    publish: Publish,
    doors: Vec<Door>,
}

/// One published port.
#[derive(Debug)]
struct Door {
    port: BoundPort,
    /// Where it leads to, if what comes in here is passed on.
    target: Option<SocketAddr>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Only kept from others.
    Held(#[expect(dead_code, reason = "an open socket is what keeps the port")] Option<OwnedFd>),
    Streams(Streams),
    Datagrams(Datagrams),
}

impl Relay {
    /// Takes over reserved ports that lead to a container with the addresses `targets`.
    pub(crate) fn new(reserved: Vec<Reserved>, targets: &[IpAddr], publish: Publish) -> Relay {
        let door = |reserved: Reserved| {
            let is_asked = may_be_asked(&reserved.port, targets, publish);
            Door::new(reserved, is_asked)
        };
        let doors = reserved.into_iter().map(door).collect();
        let mut relay = Relay { publish, doors };
        relay.lead_to(targets);
        relay
    }

    /// Leads what comes from now on to a container with these addresses.
    pub fn lead_to(&mut self, targets: &[IpAddr]) {
        for door in &mut self.doors {
            door.target = target(&door.port, targets, self.publish);
        }
    }

    /// Returns the descriptors to poll and what to poll them for; both change with every [`Relay::handle`].
    pub fn fds(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let has_room = self.connections() < MOST_CONNECTIONS;
        let fds = self.doors.iter().filter(|door| door.target.is_some()).flat_map(|door| match &door.kind {
            Kind::Held(_) => Vec::new(),
            Kind::Streams(streams) => streams.fds(has_room),
            Kind::Datagrams(datagrams) => datagrams.fds(),
        });
        fds.collect()
    }

    /// Returns for how long poll(2) may wait; `None` for ever.
    pub fn timeout(&self) -> Option<Duration> {
        let deadlines = self.doors.iter().filter_map(|door| match &door.kind {
            Kind::Datagrams(datagrams) => datagrams.deadline(),
            _ => None,
        });
        Some(deadlines.min()?.saturating_duration_since(Instant::now()))
    }

    /// Does what can be done without waiting.
    pub fn handle(&mut self) {
        for index in 0..self.doors.len() {
            let (connections, clients) = (self.connections(), self.clients());
            let door = &mut self.doors[index];
            let Some(target) = door.target else { continue };
            match &mut door.kind {
                Kind::Held(_) => {}
                Kind::Streams(streams) => streams.handle(target, connections < MOST_CONNECTIONS),
                Kind::Datagrams(datagrams) => datagrams.handle(target, MOST_CLIENTS.saturating_sub(clients)),
            }
        }
    }

    fn connections(&self) -> usize {
        let streams = self.doors.iter().filter_map(|door| match &door.kind {
            Kind::Streams(streams) => Some(streams.count()),
            _ => None,
        });
        streams.sum()
    }

    fn clients(&self) -> usize {
        let datagrams = self.doors.iter().filter_map(|door| match &door.kind {
            Kind::Datagrams(datagrams) => Some(datagrams.count()),
            _ => None,
        });
        datagrams.sum()
    }
}

impl Door {
    fn new(reserved: Reserved, is_asked: bool) -> Door {
        let Reserved { port, socket } = reserved;
        let kind = match (socket, port.protocol) {
            (Some(socket), Protocol::Tcp) if is_asked => serve_streams(socket),
            (Some(socket), Protocol::Udp) if is_asked => Kind::Datagrams(Datagrams::new(UdpSocket::from(socket))),
            (socket, _) => Kind::Held(socket),
        };
        Door { port, target: None, kind }
    }
}

fn serve_streams(socket: OwnedFd) -> Kind {
    // Inherited by its connections: once finished, they shall not keep the port from the monitor that comes next.
    let shares = setsockopt(&socket, sockopt::ReuseAddr, &true);
    match shares.and_then(|()| listen(&socket, Backlog::new(BACKLOG)?)) {
        Ok(()) => Kind::Streams(Streams::new(TcpListener::from(socket))),
        Err(_) => Kind::Held(Some(socket)),
    }
}

/// Returns whether packets to a port can get to its socket at all. Those to IPv4 addresses are translated, unless the container has
/// none, or the host's firewall is to see them first; those to 127.0.0.1 always are, if it has.
fn may_be_asked(port: &BoundPort, targets: &[IpAddr], publish: Publish) -> bool {
    let respects = publish == Publish::RespectHostFirewall && !port.host_ip.is_loopback();
    port.host_ip.is_ipv6() || respects || !targets.iter().any(|target| same_family(*target, port.host_ip))
}

/// Returns where to pass on what comes to a port; `None` if nothing can come, or lead anywhere.
fn target(port: &BoundPort, targets: &[IpAddr], publish: Publish) -> Option<SocketAddr> {
    let same = targets.iter().find(|target| same_family(**target, port.host_ip));
    // With an address of the same family only ::1 is left over, and what the host's firewall is to see.
    let is_translated = same.is_some() && publish == Publish::Open && !is_loopback6(port.host_ip);
    let to = same.or_else(|| targets.first()).filter(|_| !is_translated && may_be_asked(port, targets, publish))?;
    Some(SocketAddr::new(*to, port.target))
}

fn is_loopback6(address: IpAddr) -> bool {
    address.is_ipv6() && (address.is_loopback() || address.is_unspecified())
}

/// Returns which of these descriptors are ready now.
fn ready<K: Copy>(watched: &[(K, BorrowedFd<'_>, PollFlags)]) -> Vec<K> {
    let mut polled: Vec<_> = watched.iter().map(|(_, fd, interest)| PollFd::new(*fd, *interest)).collect();
    if poll(&mut polled, PollTimeout::ZERO).is_err() {
        return Vec::new();
    }
    let is_ready = |polled: &PollFd<'_>| polled.any().unwrap_or(true);
    watched.iter().zip(&polled).filter(|(_, polled)| is_ready(polled)).map(|((key, ..), _)| *key).collect()
}

/// Drops the keys of [`ready`]'s input.
fn unkeyed<'a, K>(watched: Vec<(K, BorrowedFd<'a>, PollFlags)>) -> Vec<(BorrowedFd<'a>, PollFlags)> {
    watched.into_iter().map(|(_, fd, interest)| (fd, interest)).collect()
}

/// A descriptor that is watched for reading.
fn readable<K>(key: K, fd: &impl AsFd) -> (K, BorrowedFd<'_>, PollFlags) {
    (key, fd.as_fd(), PollFlags::POLLIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(host_ip: &str) -> BoundPort {
        BoundPort { host_ip: host_ip.parse().unwrap(), host_port: 8080, target: 80, protocol: Protocol::Tcp }
    }

    #[test]
    fn the_clients_of_all_ports_together_leave_descriptors_for_the_rest() {
        let listen = || std::net::TcpListener::bind("[::1]:0").unwrap();
        let container = TcpListener::bind("127.0.0.1:0").unwrap();
        let listeners = [listen(), listen()];
        let addresses = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
        let doors = listeners.map(|listener| {
            let kind = serve_streams(listener.into());
            Door { port: port("::1"), target: Some(container.local_addr().unwrap()), kind }
        });
        let mut relay = Relay { publish: Publish::Open, doors: doors.into() };
        let mut clients = Vec::new();
        for number in 0..MOST_CONNECTIONS + 20 {
            clients.push(std::net::TcpStream::connect(addresses[number % 2]).unwrap());
            relay.handle();
            relay.handle();
        }
        assert_eq!(relay.connections(), MOST_CONNECTIONS);
        // who waits outside wakes nobody
        let fds = relay.fds();
        let mut polled: Vec<_> = fds.iter().map(|(fd, interest)| PollFd::new(*fd, *interest)).collect();
        assert_eq!(poll(&mut polled, PollTimeout::ZERO), Ok(0));
        assert!(polled.len() <= 2 * MOST_CONNECTIONS);
        drop(clients);
    }

    #[test]
    fn only_what_is_not_translated_is_passed_on() {
        let (ipv4, ipv6) = ("172.18.0.2".parse().unwrap(), "fd00::2".parse().unwrap());
        let to = |host_ip: &str, targets: &[IpAddr], publish| {
            target(&port(host_ip), targets, publish).map(|target| target.to_string())
        };
        let (open, respect) = (Publish::Open, Publish::RespectHostFirewall);
        let (over_ipv4, over_ipv6) = (Some("172.18.0.2:80".to_owned()), Some("[fd00::2]:80".to_owned()));
        for host_ip in ["0.0.0.0", "127.0.0.1", "192.0.2.1"] {
            assert_eq!(to(host_ip, &[ipv4], open), None, "{host_ip}");
        }
        for host_ip in ["::", "::1", "2001:db8::1"] {
            assert_eq!(to(host_ip, &[ipv4], open), over_ipv4, "{host_ip}");
        }
        assert_eq!(to("2001:db8::1", &[ipv4, ipv6], open), None);
        assert_eq!(to("::1", &[ipv4, ipv6], open), over_ipv6);
        assert_eq!(to("::", &[ipv4, ipv6], open), over_ipv6);
        assert_eq!(to("192.0.2.1", &[ipv4], respect), over_ipv4);
        assert_eq!(to("2001:db8::1", &[ipv4, ipv6], respect), over_ipv6);
        assert_eq!(to("127.0.0.1", &[ipv4], respect), None);
        assert_eq!(to("::1", &[], open), None);
        for host_ip in ["0.0.0.0", "127.0.0.1"] {
            assert_eq!(to(host_ip, &[ipv6], open), over_ipv6, "{host_ip}");
            assert_eq!(to(host_ip, &[ipv6], respect), over_ipv6, "{host_ip}");
        }
    }
}
