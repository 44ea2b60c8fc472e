//! Where free subnets are looked for. Pure.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

/// Prefix length of a chosen IPv6 subnet: what RFC 4291, 2.5.1, leaves to a link.
const IPV6_SUBNET: u8 = 64;
/// Most subnets that are tried in a pool: more than a host can have bridges (`BR_MAX_PORTS` is 1024, links are thousands).
const MOST_TRIED: usize = 1 << 16;

/// Addresses from which subnets of one size are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pool {
    /// All of its addresses.
    pub base: IpNet,
    /// Prefix length of each subnet.
    pub size: u8,
}

impl Pool {
    const fn ipv4(start: [u8; 2], prefix: u8) -> Pool {
        let base = Ipv4Net::new_assert(Ipv4Addr::new(start[0], start[1], 0, 0), prefix);
        Pool { base: IpNet::V4(base), size: 24 }
    }

    /// Returns its subnets, the lowest first.
    pub(crate) fn subnets(&self) -> impl Iterator<Item = IpNet> {
        let subnets = self.base.subnets(self.size).expect("the size was checked when the pool was read");
        subnets.take(MOST_TRIED)
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by /{}", self.base, self.size)
    }
}

impl From<Pool> for String {
    fn from(pool: Pool) -> String {
        pool.to_string()
    }
}

impl TryFrom<String> for Pool {
    type Error = PoolError;

    fn try_from(text: String) -> Result<Pool, PoolError> {
        text.parse()
    }
}

/// A text that is no pool.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no pool: use a range and the prefix length of a subnet, as `10.10.0.0/16 by /24`")]
pub struct PoolError(String);

/// Reads what [`Pool`] is shown as: `10.10.0.0/16 by /24`.
impl FromStr for Pool {
    type Err = PoolError;

    fn from_str(text: &str) -> Result<Pool, PoolError> {
        let read = || {
            let (base, size) = text.split_once(" by /")?;
            let (base, size): (IpNet, u8) = (base.trim().parse().ok()?, size.parse().ok()?);
            (base.prefix_len()..=base.max_prefix_len() - 2).contains(&size).then_some(Pool { base: base.trunc(), size })
        };
        read().ok_or_else(|| PoolError(text.to_owned()))
    }
}

/// The pools of IPv4, in the order in which they are used up. Docker's own first network, 172.17.0.0/16, is left alone.
pub(crate) fn usual() -> Vec<Pool> {
    let many = (18..=31).map(|second| Pool::ipv4([172, second], 16));
    many.chain([Pool::ipv4([10, 0], 8), Pool::ipv4([192, 168], 16)]).collect()
}

/// Returns the pool of one IPv6 subnet for the network with this id: a unique local address (RFC 4193, 3.2) whose global id is
/// as random as the network's.
pub(crate) fn unique_local(id: &str) -> Pool {
    let mut octets = [0; 16];
    octets[0] = 0xfd;
    let digits = id.get(20..30).and_then(|digits| hex::decode(digits).ok()).unwrap_or_default();
    octets[1..6].iter_mut().zip(digits).for_each(|(to, from)| *to = from);
    let base = Ipv6Net::new_assert(Ipv6Addr::from(octets), IPV6_SUBNET - 16);
    Pool { base: base.into(), size: IPV6_SUBNET }
}

/// Returns whether an address and a prefix are of the same family.
pub(crate) fn same_family(a: IpAddr, b: IpAddr) -> bool {
    a.is_ipv4() == b.is_ipv4()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_reads_as_it_is_shown() {
        for text in ["10.10.0.0/16 by /24", "fd00::/40 by /64", "192.0.2.0/24 by /24"] {
            assert_eq!(text.parse::<Pool>().unwrap().to_string(), text);
        }
        for wrong in ["", "10.0.0.0/8", "10.0.0.0/16 by /8", "10.0.0.0/16 by /31", "x by /24"] {
            assert!(wrong.parse::<Pool>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn ids_give_unique_local_subnets() {
        let pool = unique_local(&"0123456789".repeat(4));
        assert_eq!(pool.subnets().next().unwrap().to_string(), "fd01:2345:6789::/64");
    }
}
