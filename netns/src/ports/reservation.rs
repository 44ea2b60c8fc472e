//! Sockets that keep a published port from the host's other programs. Whoever attaches makes them, the monitor holds them.
//!
//! Packets that are translated never get to these sockets, which then only have the port; what does get there is passed on by
//! [`crate::Relay`].

use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, getsockname, listen, setsockopt,
    socket, sockopt,
};

use super::{PortError, Wish, holder};
use crate::Protocol;

/// Binds the wished port; returns the port and, where the kernel knows the protocol, the socket.
pub(super) fn bind_port(wish: &Wish) -> Result<(u16, Option<OwnedFd>), PortError> {
    let failed = |errno: Errno| PortError::Bind {
        port: wish.host_port.unwrap_or_default(),
        protocol: wish.protocol,
        host_ip: wish.host_ip,
        source: errno.into(),
    };
    match bound_socket(wish) {
        Ok(socket) => {
            let address: SockaddrStorage = getsockname(socket.as_raw_fd()).map_err(failed)?;
            Ok((port_of(&address), Some(socket)))
        }
        // Without SCTP in the kernel, no program of the host can have the port.
        Err(Errno::EPROTONOSUPPORT | Errno::ESOCKTNOSUPPORT) if wish.protocol == Protocol::Sctp => {
            Ok((wish.host_port.unwrap_or(wish.target), None))
        }
        Err(Errno::EADDRINUSE) => Err(wish.in_use(wish.host_port.and_then(|port| holder::find(wish, port)))),
        Err(errno) => Err(failed(errno)),
    }
}

fn port_of(address: &SockaddrStorage) -> u16 {
    let ipv4 = address.as_sockaddr_in().map(|address| address.port());
    ipv4.or_else(|| address.as_sockaddr_in6().map(|address| address.port())).unwrap_or_default()
}

fn bound_socket(wish: &Wish) -> nix::Result<OwnedFd> {
    let address = SockaddrStorage::from(SocketAddr::new(wish.host_ip, wish.host_port.unwrap_or(0)));
    let socket = unbound_socket(wish)?;
    match bind(socket.as_raw_fd(), &address) {
        Err(Errno::EADDRINUSE) if is_left_over(wish) => {}
        Err(errno) => return Err(errno),
        Ok(()) => return Ok(socket),
    }
    // Connections of a program that had the port before are in TIME_WAIT. A socket that shares the port with them must
    // listen, or others could share it in the same way.
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    bind(socket.as_raw_fd(), &address)?;
    listen(&socket, Backlog::new(0)?)?;
    Ok(socket)
}

fn unbound_socket(wish: &Wish) -> nix::Result<OwnedFd> {
    let (kind, protocol) = match wish.protocol {
        Protocol::Tcp => (SockType::Stream, SockProtocol::Tcp),
        Protocol::Udp => (SockType::Datagram, SockProtocol::Udp),
        Protocol::Sctp => (SockType::Stream, SockProtocol::Sctp),
    };
    let family = if wish.host_ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket(family, kind, SockFlag::SOCK_CLOEXEC, protocol)?;
    if wish.host_ip.is_ipv6() {
        // IPv4 has a socket of its own, or is somebody else's.
        setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
    }
    Ok(socket)
}

/// Returns whether nothing but finished TCP connections has the port.
fn is_left_over(wish: &Wish) -> bool {
    wish.protocol == Protocol::Tcp && wish.host_port.is_some_and(|port| holder::find(wish, port).is_none())
}
