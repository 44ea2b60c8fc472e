//! Finds out who has a port. Whoever attaches.

use std::fmt;
use std::fs;
use std::net::Ipv4Addr;
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
fn inode(line: &str, wanted: Ipv4Addr, port: u16) -> Option<u64> {
    /// Connected and closed connections of TCP share a port with others; only these two states have it.
    const LISTENING: &str = "0A";
    const UNCONNECTED: &str = "07";
    let fields: Vec<_> = line.split_ascii_whitespace().collect();
    let (address, local_port) = fields.get(1)?.split_once(':')?;
    let has_port = u16::from_str_radix(local_port, 16) == Ok(port);
    let takes = matches!(*fields.get(3)?, LISTENING | UNCONNECTED);
    (has_port && takes && clashes(address, wanted)).then(|| fields.get(9)?.parse().ok()).flatten()
}

/// Compares an address in the tables' notation, 32-bit words in this machine's byte order, with the wished one.
fn clashes(address: &str, wanted: Ipv4Addr) -> bool {
    let every_address = address.bytes().all(|digit| digit == b'0');
    let mapped = address.strip_prefix("0000000000000000FFFF0000").unwrap_or(address);
    let same = u32::from_str_radix(mapped, 16).is_ok_and(|word| Ipv4Addr::from(word.to_ne_bytes()) == wanted);
    let is_ipv6 = address.len() > 8 && mapped.len() > 8;
    every_address || same || (wanted.is_unspecified() && !is_ipv6)
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

    #[test]
    fn a_listening_socket_on_the_same_or_every_address_is_the_holder() {
        assert_eq!(inode(LISTENING, Ipv4Addr::LOCALHOST, 8080), Some(4242));
        assert_eq!(inode(LISTENING, Ipv4Addr::UNSPECIFIED, 8080), Some(4242));
        assert_eq!(inode(LISTENING, Ipv4Addr::new(192, 0, 2, 1), 8080), None);
        assert_eq!(inode(LISTENING, Ipv4Addr::LOCALHOST, 8081), None);
        assert_eq!(inode(&LISTENING.replace(" 0A ", " 01 "), Ipv4Addr::LOCALHOST, 8080), None);
    }

    #[test]
    fn ipv6_sockets_count_when_they_take_ipv4_too() {
        let every = LISTENING.replace("0100007F", "00000000000000000000000000000000");
        assert_eq!(inode(&every, Ipv4Addr::LOCALHOST, 8080), Some(4242));
        let mapped = LISTENING.replace("0100007F", "0000000000000000FFFF00000100007F");
        assert_eq!(inode(&mapped, Ipv4Addr::LOCALHOST, 8080), Some(4242));
        let only_ipv6 = LISTENING.replace("0100007F", "00000000000000000000000001000000");
        assert_eq!(inode(&only_ipv6, Ipv4Addr::UNSPECIFIED, 8080), None);
    }

    #[test]
    fn a_line_of_another_shape_is_skipped() {
        assert_eq!(inode("", Ipv4Addr::LOCALHOST, 8080), None);
        assert_eq!(inode("0: x y", Ipv4Addr::LOCALHOST, 8080), None);
    }
}
