//! Published ports: checked against other containers and the host's programs, and kept from them. Whoever attaches.

mod holder;
mod reservation;

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;

pub use holder::Holder;

use crate::state::PortRecord;
use crate::{BoundPort, Protocol, PublishedPort};

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
        /// The wanted address of the host, `0.0.0.0` for every one.
        host_ip: Ipv4Addr,
        /// Who has it, where that can be found out.
        holder: Option<Holder>,
    },
    /// The address is an IPv6 one, and networks have only IPv4.
    #[error("publish port {target}/{protocol} on `{host_ip}`: networks have IPv4 addresses only")]
    NotIpv4 {
        /// The port of the container.
        target: u16,
        /// Its protocol.
        protocol: Protocol,
        /// The wanted address of the host.
        host_ip: IpAddr,
    },
    /// The host would not bind the port for another reason: it has no such address, for example.
    #[error("publish port {port}/{protocol} on `{host_ip}`")]
    Bind {
        /// The port of the host, 0 for any.
        port: u16,
        /// Its protocol.
        protocol: Protocol,
        /// The wanted address of the host.
        host_ip: Ipv4Addr,
        /// The cause.
        source: std::io::Error,
    },
}

/// A wished port with its address resolved.
#[derive(Clone, Copy, Debug)]
struct Wish {
    host_ip: Ipv4Addr,
    host_port: Option<u16>,
    target: u16,
    protocol: Protocol,
}

impl Wish {
    fn of(port: &PublishedPort) -> Result<Wish, PortError> {
        let host_ip = match port.host_ip {
            None => Ipv4Addr::UNSPECIFIED,
            Some(IpAddr::V4(address)) => address,
            Some(host_ip @ IpAddr::V6(_)) => {
                return Err(PortError::NotIpv4 { target: port.target, protocol: port.protocol, host_ip });
            }
        };
        Ok(Wish { host_ip, host_port: port.host_port, target: port.target, protocol: port.protocol })
    }

    fn in_use(&self, holder: Option<Holder>) -> PortError {
        let port = self.host_port.unwrap_or_default();
        PortError::InUse { port, protocol: self.protocol, host_ip: self.host_ip, holder }
    }

    fn clashes_with(&self, port: &BoundPort) -> bool {
        let same_address = port.host_ip == self.host_ip;
        let address = same_address || port.host_ip.is_unspecified() || self.host_ip.is_unspecified();
        address && port.protocol == self.protocol && Some(port.host_port) == self.host_port
    }

    fn bound(&self, host_port: u16) -> BoundPort {
        BoundPort { host_ip: self.host_ip, host_port, target: self.target, protocol: self.protocol }
    }
}

/// Ports that nobody else can take while the sockets are open.
#[derive(Debug, Default)]
pub(crate) struct Reserved {
    pub(crate) ports: Vec<BoundPort>,
    pub(crate) sockets: Vec<OwnedFd>,
}

/// Reserves `wanted`; `others` are the records of the containers that publish already.
pub(crate) fn reserve(wanted: &[PublishedPort], others: &[PortRecord]) -> Result<Reserved, PortError> {
    let mut reserved = Reserved::default();
    for port in wanted {
        let wish = Wish::of(port)?;
        if let Some(record) = others.iter().find(|record| record.ports.iter().any(|port| wish.clashes_with(port))) {
            let (id, name) = (record.container.clone(), record.name.clone());
            return Err(wish.in_use(Some(Holder::Container { id, name })));
        }
        let (host_port, socket) = reservation::bind_port(&wish)?;
        reserved.ports.push(wish.bound(host_port));
        reserved.sockets.extend(socket);
    }
    Ok(reserved)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(host_ip: Option<IpAddr>, host_port: Option<u16>) -> PublishedPort {
        PublishedPort { host_ip, host_port, target: 80, protocol: Protocol::Tcp }
    }

    fn record(host_ip: Ipv4Addr, host_port: u16) -> PortRecord {
        let ports = vec![BoundPort { host_ip, host_port, target: 80, protocol: Protocol::Tcp }];
        PortRecord { container: "c1".into(), name: "web".into(), address: Ipv4Addr::new(172, 18, 0, 2), ports }
    }

    #[test]
    fn a_port_of_another_container_is_refused_by_its_name() {
        let others = [record(Ipv4Addr::UNSPECIFIED, 8080)];
        let error = reserve(&[port(Some(Ipv4Addr::LOCALHOST.into()), Some(8080))], &others).unwrap_err();
        assert_eq!(error.to_string(), "publish port 8080/tcp on `127.0.0.1`: in use by container `web`");
    }

    #[test]
    fn one_port_on_two_addresses_is_no_clash() {
        let wish = Wish::of(&port(Some(Ipv4Addr::LOCALHOST.into()), Some(8080))).unwrap();
        assert!(!wish.clashes_with(&record(Ipv4Addr::new(192, 0, 2, 1), 8080).ports[0]));
        assert!(!wish.clashes_with(&record(Ipv4Addr::LOCALHOST, 8081).ports[0]));
    }

    #[test]
    fn a_free_port_is_chosen_and_kept() {
        let reserved = reserve(&[port(Some(Ipv4Addr::LOCALHOST.into()), None)], &[]).unwrap();
        let chosen = reserved.ports[0].host_port;
        assert_ne!(chosen, 0);
        let error = reserve(&[port(Some(Ipv4Addr::LOCALHOST.into()), Some(chosen))], &[]).unwrap_err();
        assert!(matches!(error, PortError::InUse { port, .. } if port == chosen), "{error}");
    }

    #[test]
    fn a_program_that_listens_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = listener.local_addr().unwrap().port();
        let error = reserve(&[port(None, Some(taken))], &[]).unwrap_err();
        let PortError::InUse { holder: Some(Holder::Process { pid, .. }), .. } = error else { panic!("{error}") };
        assert_eq!(pid, i32::try_from(std::process::id()).unwrap());
    }

    #[test]
    fn an_ipv6_address_is_refused() {
        let error = reserve(&[port(Some("::1".parse().unwrap()), Some(80))], &[]).unwrap_err();
        assert_eq!(error.to_string(), "publish port 80/tcp on `::1`: networks have IPv4 addresses only");
    }
}
