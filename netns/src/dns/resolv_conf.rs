//! Which servers the host uses: resolv.conf(5), read anew for every question. The monitor.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::path::PathBuf;

use nix::net::if_::if_nametoindex;

/// The port of DNS (RFC 1035, 4.2).
pub(super) const PORT: u16 = 53;
/// Most servers a resolver uses (resolv.conf(5), `MAXNS`).
const MOST_SERVERS: usize = 3;

/// Where names that are not ours are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// The servers this resolv.conf(5) names at the moment of the question.
    ResolvConf(PathBuf),
    /// These servers.
    Servers(Vec<SocketAddr>),
}

impl Upstream {
    /// Returns the servers to ask now, in order.
    pub(super) fn servers(&self) -> Vec<SocketAddr> {
        match self {
            Upstream::Servers(servers) => servers.clone(),
            Upstream::ResolvConf(path) => match nameservers(&fs::read_to_string(path).unwrap_or_default()) {
                // resolv.conf(5): without any, the one on this machine.
                none if none.is_empty() => vec![SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))],
                servers => servers,
            },
        }
    }
}

/// Returns the servers a resolv.conf(5) names.
pub(crate) fn nameservers(text: &str) -> Vec<SocketAddr> {
    let named = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        if words.next()? == "nameserver" { server(words.next()?) } else { None }
    });
    named.take(MOST_SERVERS).collect()
}

/// Reads an address; one of a link has the link's name or index after a `%` (RFC 4007, 11).
fn server(text: &str) -> Option<SocketAddr> {
    let Some((address, link)) = text.split_once('%') else { return Some((text.parse::<IpAddr>().ok()?, PORT).into()) };
    let scope = link.parse().ok().or_else(|| if_nametoindex(link).ok())?;
    Some(SocketAddrV6::new(address.parse().ok()?, PORT, 0, scope).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_three_servers_count() {
        let text = "# nameserver 192.0.2.9\n; no\nsearch lan\nnameserver 192.0.2.1\n\tnameserver  2001:db8::1 \n\
                    nameserver nonsense\nnameserver fe80::1%1\nnameserver 192.0.2.4\noptions ndots:5";
        let expected = ["192.0.2.1:53", "[2001:db8::1]:53", "[fe80::1%1]:53"].map(|text| text.parse().unwrap());
        assert_eq!(nameservers(text), expected);
    }

    #[test]
    fn the_file_is_read_for_every_question() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let upstream = Upstream::ResolvConf(file.path().to_owned());
        assert_eq!(upstream.servers(), ["127.0.0.1:53".parse().unwrap()]);
        fs::write(file.path(), "nameserver 192.0.2.1\n").unwrap();
        assert_eq!(upstream.servers(), ["192.0.2.1:53".parse().unwrap()]);
    }
}
