//! Finds out who has a port. Whoever attaches.

use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use super::Wish;
use crate::Protocol;

/// Who has a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A program of this host.
    Process {
        /// Its process id.
        pid: i32,
        /// The name of its executable, at most 15 bytes (proc(5), `/proc/pid/comm`).
        command: String,
    },
    /// A container.
    Container {
        /// Its id.
        id: String,
        /// Its first name.
        name: String,
    },
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Process { pid, command } => write!(f, "`{command}` (pid {pid})"),
            Holder::Container { name, .. } => write!(f, "container `{name}`"),
        }
    }
}

/// Returns the program whose socket has `port` on an address that clashes with the wished one.
pub(super) fn find(wish: &Wish, port: u16) -> Option<Holder> {
    let tables = match wish.protocol {
        Protocol::Tcp => ["tcp", "tcp6"],
        Protocol::Udp => ["udp", "udp6"],
        Protocol::Sctp => return None,
    };
    let inodes = tables.iter().flat_map(|table| {
        let text = fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap_or_default();
        text.lines().skip(1).filter_map(|line| inode(line, wish.host_ip, port)).collect::<Vec<_>>()
    });
    let links: Vec<_> = inodes.map(|inode| format!("socket:[{inode}]")).collect();
    if links.is_empty() { None } else { process_with(&links) }
}

/// Reads one socket of `/proc/net/tcp` and its kin (proc(5)); returns its inode if it keeps `port` from us.
fn inode(line: &str, wanted: IpAddr, port: u16) -> Option<u64> {
    /// Connected and closed connections of TCP share a port with others; only these two states have it.
    const LISTENING: &str = "0A";
    const UNCONNECTED: &str = "07";
    let fields: Vec<_> = line.split_ascii_whitespace().collect();
    let (address, local_port) = fields.get(1)?.split_once(':')?;
    let has_port = u16::from_str_radix(local_port, 16) == Ok(port);
    let takes = matches!(*fields.get(3)?, LISTENING | UNCONNECTED);
    (has_port && takes && clashes(read(address)?, wanted)).then(|| fields.get(9)?.parse().ok()).flatten()
}

/// Reads an address in the tables' notation: 32-bit words in this machine's byte order.
fn read(address: &str) -> Option<IpAddr> {
    let word = |digits: &[u8]| Some(u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?.to_ne_bytes());
    let words = address.as_bytes().chunks(8).map(word).collect::<Option<Vec<_>>>()?;
    match words.as_slice() {
        [word] => Some(IpAddr::from(*word)),
        words => Some(IpAddr::from(<[u8; 16]>::try_from(words.concat()).ok()?)),
    }
}

/// Returns whether a socket on `address` keeps its port from one on `wanted`. One on every IPv6 address may take IPv4 as well.
fn clashes(address: IpAddr, wanted: IpAddr) -> bool {
    let every_ipv6 = address == IpAddr::from(Ipv6Addr::UNSPECIFIED);
    let address = address.to_canonical();
    let is_same_family = address.is_ipv4() == wanted.is_ipv4();
    every_ipv6 || is_same_family && (address == wanted || address.is_unspecified() || wanted.is_unspecified())
}

fn process_with(sockets: &[String]) -> Option<Holder> {
    let processes = fs::read_dir("/proc").ok()?.filter_map(Result::ok);
    processes.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path()))).find_map(
        |(pid, path): (i32, _)| {
            if !has_one_of(&path, sockets) {
                return None;
            }
            let command = fs::read_to_string(path.join("comm")).unwrap_or_default();
            Some(Holder::Process { pid, command: command.trim().to_owned() })
        },
    )
}

fn has_one_of(process: &Path, sockets: &[String]) -> bool {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else { return false };
    let mut links = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links.any(|link| link.to_str().is_some_and(|link| sockets.iter().any(|socket| socket == link)))
}

#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests {
    use super::*;

    const LISTENING: &str =
        "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 4242 1 0";

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_listening_socket_on_the_same_or_every_address_is_the_holder() {
        assert_eq!(inode(LISTENING, ip("127.0.0.1"), 8080), Some(4242));
        assert_eq!(inode(LISTENING, ip("0.0.0.0"), 8080), Some(4242));
        assert_eq!(inode(LISTENING, ip("192.0.2.1"), 8080), None);
        assert_eq!(inode(LISTENING, ip("127.0.0.1"), 8081), None);
        assert_eq!(inode(&LISTENING.replace(" 0A ", " 01 "), ip("127.0.0.1"), 8080), None);
    }

    #[test]
    fn ipv6_sockets_count_when_they_take_ipv4_too() {
        let every = LISTENING.replace("0100007F", "00000000000000000000000000000000");
        assert_eq!(inode(&every, ip("127.0.0.1"), 8080), Some(4242));
        assert_eq!(inode(&every, ip("::1"), 8080), Some(4242));
        let mapped = LISTENING.replace("0100007F", "0000000000000000FFFF00000100007F");
        assert_eq!(inode(&mapped, ip("127.0.0.1"), 8080), Some(4242));
        let only_ipv6 = LISTENING.replace("0100007F", "00000000000000000000000001000000");
        assert_eq!(inode(&only_ipv6, ip("0.0.0.0"), 8080), None);
        assert_eq!(inode(&only_ipv6, ip("::1"), 8080), Some(4242));
        assert_eq!(inode(&only_ipv6, ip("::"), 8080), Some(4242));
    }

    #[test]
    fn a_line_of_another_shape_is_skipped() {
        assert_eq!(inode("", ip("127.0.0.1"), 8080), None);
        assert_eq!(inode("0: x y", ip("127.0.0.1"), 8080), None);
        assert_eq!(inode(&LISTENING.replace("0100007F", "0100007é"), ip("127.0.0.1"), 8080), None);
    }
}
