//! Published ports: checked against other containers and the host's programs, and kept from them. Whoever attaches.

mod holder;
mod reservation;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

pub use holder::Holder;
use nix::errno::Errno;

use crate::pools::same_family;
use crate::state::PortRecord;
use crate::{BoundPort, Protocol, PublishedPort};

/// How often another port is chosen when one that is free on one address is taken on the next.
const ATTEMPTS: usize = 16;

/// Why a port could not be published.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// Somebody has it.
    #[error(
        "publish port {port}/{protocol} on `{host_ip}`: in use by {}",
        holder.as_ref().map_or("an unknown program".to_owned(), ToString::to_string)
    )]
    InUse {
        /// The port of the host.
        port: u16,
        /// Its protocol.
        protocol: Protocol,
        /// The wanted address of the host, `0.0.0.0` or `::` for every one.
        host_ip: IpAddr,
        /// Who has it, where that can be found out.
        holder: Option<Holder>,
    },
    /// Somebody has each port of a range.
    #[error("publish one of the ports {first}-{last}, which are all in use")]
    RangeInUse {
        /// The lowest port of the host.
        first: u16,
        /// The highest.
        last: u16,
        /// What the first of them met.
        source: Box<PortError>,
    },
    /// The host would not bind the port for another reason: it has no such address, for example.
    #[error("publish port {port}/{protocol} on `{host_ip}`")]
    Bind {
        /// The port of the host, 0 for any.
        port: u16,
        /// Its protocol.
        protocol: Protocol,
        /// The wanted address of the host.
        host_ip: IpAddr,
        /// The cause.
        source: std::io::Error,
    },
}

impl PortError {
    /// Returns the port of the host that could not be had; of a range, the lowest.
    #[must_use]
    pub fn port(&self) -> u16 {
        match self {
            PortError::InUse { port, .. }
            | PortError::Bind { port, .. }
            | PortError::RangeInUse { first: port, .. } => *port,
        }
    }

    /// Returns whether the host has no IPv6 to bind anything on.
    fn is_without_ipv6(&self) -> bool {
        let without = [Errno::EAFNOSUPPORT, Errno::EADDRNOTAVAIL].map(|errno| Some(errno as i32));
        matches!(self, PortError::Bind { host_ip, source, .. }
            if *host_ip == IpAddr::from(Ipv6Addr::UNSPECIFIED) && without.contains(&source.raw_os_error()))
    }
}

/// A wished port with one address and one port.
#[derive(Clone, Copy, Debug)]
struct Wish {
    host_ip: IpAddr,
    /// `None` for any.
    host_port: Option<u16>,
    target: u16,
    protocol: Protocol,
}

impl Wish {
    fn in_use(&self, holder: Option<Holder>) -> PortError {
        let port = self.host_port.unwrap_or_default();
        PortError::InUse { port, protocol: self.protocol, host_ip: self.host_ip, holder }
    }

    fn clashes_with(&self, port: &BoundPort) -> bool {
        let same_address = port.host_ip == self.host_ip;
        let address = same_address || port.host_ip.is_unspecified() || self.host_ip.is_unspecified();
        let family = same_family(port.host_ip, self.host_ip);
        family && address && port.protocol == self.protocol && Some(port.host_port) == self.host_port
    }

    fn bound(&self, host_port: u16) -> BoundPort {
        BoundPort { host_ip: self.host_ip, host_port, target: self.target, protocol: self.protocol }
    }
}

/// A port that nobody else can take while the socket is open; without one where the kernel does not know the protocol.
#[derive(Debug)]
pub(crate) struct Reserved {
    pub(crate) port: BoundPort,
    pub(crate) socket: Option<OwnedFd>,
}

/// Reserves `wanted`; `others` are the records of the containers that publish already, `usual` the address of a port that
/// names none, instead of every one.
pub(crate) fn reserve(
    wanted: &[PublishedPort],
    others: &[PortRecord],
    usual: Option<IpAddr>,
) -> Result<Vec<Reserved>, PortError> {
    let mut reserved = Vec::new();
    for port in wanted {
        let addresses = match port.host_ip.or(usual) {
            Some(address) => vec![address],
            None => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
        };
        reserved.extend(reserve_one(port, &addresses, others)?);
    }
    Ok(reserved)
}

/// Binds again what a container has published already: the process that held it has died. What somebody else has taken since
/// is theirs.
pub(crate) fn reserve_again(ports: &[BoundPort]) -> Vec<Reserved> {
    let again = |port: &BoundPort| {
        let wish = Wish {
            host_ip: port.host_ip,
            host_port: Some(port.host_port),
            target: port.target,
            protocol: port.protocol,
        };
        reservation::bind_port(&wish).ok().map(|(_, socket)| Reserved { port: port.clone(), socket })
    };
    ports.iter().filter_map(again).collect()
}

/// Takes the first of the wished ports that is free on every address.
fn reserve_one(port: &PublishedPort, addresses: &[IpAddr], others: &[PortRecord]) -> Result<Vec<Reserved>, PortError> {
    let candidates: Vec<_> = match &port.host_port {
        Some(range) => range.clone().map(Some).collect(),
        None => vec![None; ATTEMPTS],
    };
    let mut first_failure = None;
    for candidate in candidates {
        match reserve_everywhere(port, candidate, addresses, others) {
            Ok(reserved) => return Ok(reserved),
            Err(error @ PortError::InUse { .. }) => _ = first_failure.get_or_insert(error),
            Err(error) => return Err(error),
        }
    }
    Err(none_free(port, first_failure, addresses[0]))
}

/// Says why none of the wished ports could be had.
fn none_free(port: &PublishedPort, first_failure: Option<PortError>, host_ip: IpAddr) -> PortError {
    match (first_failure, &port.host_port) {
        (Some(source), Some(range)) if range.start() < range.end() => {
            PortError::RangeInUse { first: *range.start(), last: *range.end(), source: Box::new(source) }
        }
        (Some(failure), _) => failure,
        (None, _) => {
            let source = std::io::ErrorKind::InvalidInput.into(); // a range from high to low
            PortError::Bind { port: 0, protocol: port.protocol, host_ip, source }
        }
    }
}

/// Binds one port on every address; which one, if none is given, the first decides.
fn reserve_everywhere(
    port: &PublishedPort,
    mut candidate: Option<u16>,
    addresses: &[IpAddr],
    others: &[PortRecord],
) -> Result<Vec<Reserved>, PortError> {
    let mut reserved = Vec::new();
    for host_ip in addresses {
        let wish = Wish { host_ip: *host_ip, host_port: candidate, target: port.target, protocol: port.protocol };
        if let Some(record) = others.iter().find(|record| record.ports.iter().any(|port| wish.clashes_with(port))) {
            let (id, name) = (record.container.clone(), record.name.clone());
            return Err(wish.in_use(Some(Holder::Container { id, name })));
        }
        match reservation::bind_port(&wish) {
            Ok((host_port, socket)) => {
                candidate = Some(host_port);
                reserved.push(Reserved { port: wish.bound(host_port), socket });
            }
            Err(error) if error.is_without_ipv6() && !reserved.is_empty() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(reserved)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(host_ip: Option<&str>, host_port: Option<u16>) -> PublishedPort {
        let host_ip = host_ip.map(|text| text.parse().unwrap());
        PublishedPort { host_ip, host_port: host_port.map(|port| port..=port), target: 80, protocol: Protocol::Tcp }
    }

    fn record(host_ip: &str, host_port: u16) -> PortRecord {
        let host_ip = host_ip.parse().unwrap();
        let ports = vec![BoundPort { host_ip, host_port, target: 80, protocol: Protocol::Tcp }];
        PortRecord { container: "c1".into(), name: "web".into(), targets: vec![], ports }
    }

    fn wish(host_ip: &str) -> Wish {
        Wish { host_ip: host_ip.parse().unwrap(), host_port: Some(8080), target: 80, protocol: Protocol::Tcp }
    }

    #[test]
    fn a_port_of_another_container_is_refused_by_its_name() {
        let others = [record("0.0.0.0", 8080)];
        let error = reserve(&[port(Some("127.0.0.1"), Some(8080))], &others, None).unwrap_err();
        assert_eq!(error.to_string(), "publish port 8080/tcp on `127.0.0.1`: in use by container `web`");
    }

    #[test]
    fn one_port_on_two_addresses_is_no_clash() {
        assert!(!wish("127.0.0.1").clashes_with(&record("192.0.2.1", 8080).ports[0]));
        assert!(!wish("127.0.0.1").clashes_with(&record("127.0.0.1", 8081).ports[0]));
        assert!(!wish("127.0.0.1").clashes_with(&record("::", 8080).ports[0]));
        assert!(wish("::1").clashes_with(&record("::", 8080).ports[0]));
    }

    #[test]
    fn a_free_port_is_chosen_for_both_families_and_kept() {
        let reserved = reserve(&[port(None, None)], &[], None).unwrap();
        let ports: Vec<_> = reserved.iter().map(|reserved| reserved.port.host_port).collect();
        assert_eq!(ports, [ports[0]; 2]);
        for address in ["127.0.0.1", "::1"] {
            let error = reserve(&[port(Some(address), Some(ports[0]))], &[], None).unwrap_err();
            assert!(matches!(error, PortError::InUse { port, .. } if port == ports[0]), "{error}");
        }
    }

    #[test]
    fn of_a_range_the_first_free_port_is_taken() {
        // Below ip_local_port_range: no connection of the host's own can be given one of them.
        let others = [record("127.0.0.1", 20_080), record("127.0.0.1", 20_081)];
        let wish = PublishedPort { host_port: Some(20_080..=20_082), ..port(Some("127.0.0.1"), None) };
        assert_eq!(reserve(std::slice::from_ref(&wish), &others, None).unwrap()[0].port.host_port, 20_082);
        let full = PublishedPort { host_port: Some(20_080..=20_081), ..wish };
        let error = reserve(&[full], &others, None).unwrap_err();
        assert_eq!(error.to_string(), "publish one of the ports 20080-20081, which are all in use");
        let PortError::RangeInUse { source, .. } = error else { panic!("{error}") };
        assert!(matches!(*source, PortError::InUse { port: 20_080, .. }), "{source}");
    }

    #[test]
    fn a_port_without_an_address_is_on_the_networks_own() {
        let reserved = reserve(&[port(None, None)], &[], Some(Ipv4Addr::LOCALHOST.into())).unwrap();
        let addresses: Vec<_> = reserved.iter().map(|reserved| reserved.port.host_ip).collect();
        assert_eq!(addresses, [IpAddr::from(Ipv4Addr::LOCALHOST)]);
    }

    #[test]
    fn a_program_that_listens_is_named() {
        for address in ["127.0.0.1", "::1"] {
            let listener = std::net::TcpListener::bind((address, 0)).unwrap();
            let taken = listener.local_addr().unwrap().port();
            let error = reserve(&[port(None, Some(taken))], &[], None).unwrap_err();
            let PortError::InUse { holder: Some(Holder::Process { pid, .. }), .. } = error else { panic!("{error}") };
            assert_eq!(pid, i32::try_from(std::process::id()).unwrap());
        }
    }
}
