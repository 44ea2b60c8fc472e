//! Chooses subnets and addresses. Pure: what is taken is told, what was chosen is returned.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpAddrRange, IpNet, Ipv4AddrRange, Ipv6AddrRange};

use crate::pools::{Pool, same_family};
use crate::{Range, RangeSpec};

/// Least host bits of a subnet with room for a gateway and a container.
const LEAST_HOST_BITS: u8 = 2;
/// How many holders an error names before it counts the rest.
const HOLDERS_NAMED: usize = 5;

/// A prefix that is not free, and who has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The prefix.
    pub prefix: IpNet,
    /// Who has it, in words: "network `web`", "route on `tun0`".
    pub by: String,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}", self.prefix, self.by)
    }
}

/// Why no subnet or address could be chosen.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum IpamError {
    /// Every pool is full.
    #[error(
        "choose a subnet: none is free in the pools {}; held: {}",
        list(pools, usize::MAX),
        list(held, HOLDERS_NAMED)
    )]
    NoFreeSubnet {
        /// Where was looked.
        pools: Vec<Pool>,
        /// Everything that is in the way.
        held: Vec<Held>,
    },
    /// The wanted subnet is not free.
    #[error("use subnet `{subnet}`: it overlaps {held}")]
    SubnetTaken {
        /// The wanted subnet.
        subnet: IpNet,
        /// What it overlaps.
        held: Held,
    },
    /// The wanted subnet has no room for a gateway and a container.
    #[error("use subnet `{subnet}`: the longest prefix is /{longest}", longest = subnet.max_prefix_len() - LEAST_HOST_BITS)]
    SubnetTooSmall {
        /// The wanted subnet.
        subnet: IpNet,
    },
    /// There are several subnets of a family, or one of a family the network does not have.
    #[error("use subnet `{subnet}`: a network has one subnet of each of its families")]
    SubnetTooMany {
        /// The wanted subnet.
        subnet: IpNet,
    },
    /// The part of the subnet from which to choose is none.
    #[error("choose addresses from `{pool}`: it is no part of `{subnet}`")]
    PoolOutside {
        /// The wanted part.
        pool: IpNet,
        /// The subnet of the network.
        subnet: IpNet,
    },
    /// An address cannot belong to a device in the subnet.
    #[error("use address `{address}`: it is no host address of `{subnet}`")]
    NoHostAddress {
        /// The wanted address.
        address: IpAddr,
        /// The subnet of the network.
        subnet: IpNet,
    },
    /// The network has no addresses of the family.
    #[error("use address `{address}`: the network has no addresses of that family")]
    NoSuchFamily {
        /// The wanted address.
        address: IpAddr,
    },
    /// The wanted address is not free.
    #[error("use address `{address}`: it belongs to {holder}")]
    AddressTaken {
        /// The wanted address.
        address: IpAddr,
        /// Who has it.
        holder: String,
    },
    /// Every address of the network is taken.
    #[error("choose an address in `{subnet}`: none is free; held by {}", list(holders, HOLDERS_NAMED))]
    NoFreeAddress {
        /// The subnet of the network.
        subnet: IpNet,
        /// Who has them.
        holders: Vec<String>,
    },
}

fn list<T: fmt::Display>(holders: &[T], most: usize) -> String {
    let named: Vec<_> = holders.iter().take(most).map(ToString::to_string).collect();
    match holders.len().saturating_sub(most) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// Returns whether two prefixes have an address in common.
pub(crate) fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

/// Returns the first free subnet of the pools.
pub(crate) fn choose_subnet(pools: &[Pool], held: &[Held]) -> Result<IpNet, IpamError> {
    let in_the_way: Vec<_> =
        held.iter().filter(|held| pools.iter().any(|pool| overlap(&pool.base, &held.prefix))).collect();
    let free = |subnet: &IpNet| !in_the_way.iter().any(|held| overlap(&held.prefix, subnet));
    pools.iter().flat_map(Pool::subnets).find(free).ok_or_else(|| IpamError::NoFreeSubnet {
        pools: pools.to_vec(),
        held: in_the_way.into_iter().cloned().collect(),
    })
}

/// Returns the wanted subnet, its host bits cleared, if it is free and large enough.
pub(crate) fn claim_subnet(wanted: IpNet, held: &[Held]) -> Result<IpNet, IpamError> {
    let subnet = wanted.trunc();
    if subnet.prefix_len() > subnet.max_prefix_len() - LEAST_HOST_BITS {
        return Err(IpamError::SubnetTooSmall { subnet });
    }
    match held.iter().find(|held| overlap(&held.prefix, &subnet)) {
        Some(held) => Err(IpamError::SubnetTaken { subnet, held: held.clone() }),
        None => Ok(subnet),
    }
}

/// Completes what was wanted of a range whose subnet is settled.
pub(crate) fn complete(wanted: &RangeSpec) -> Result<Range, IpamError> {
    let subnet = wanted.subnet;
    if let Some(pool) = wanted.pool.filter(|pool| !subnet.contains(pool)) {
        return Err(IpamError::PoolOutside { pool, subnet });
    }
    let gateway = check_host_address(wanted.gateway.unwrap_or_else(|| first(subnet)), subnet)?;
    wanted.reserved.values().try_for_each(|address| check_host_address(*address, subnet).map(|_| ()))?;
    let pool = wanted.pool.map(|pool| pool.trunc());
    Ok(Range { subnet, gateway, pool, reserved: wanted.reserved.clone(), is_chosen: false })
}

fn first(subnet: IpNet) -> IpAddr {
    match subnet.network() {
        IpAddr::V4(network) => Ipv4Addr::from(u32::from(network) + 1).into(),
        IpAddr::V6(network) => Ipv6Addr::from(u128::from(network) + 1).into(),
    }
}

/// The address of the subnet itself belongs to no host: in IPv6 it is that of all routers (RFC 4291, 2.6.1).
fn is_host_address(address: IpAddr, subnet: IpNet) -> bool {
    let is_broadcast = address.is_ipv4() && address == subnet.broadcast();
    subnet.contains(&address) && address != subnet.network() && !is_broadcast
}

fn check_host_address(address: IpAddr, subnet: IpNet) -> Result<IpAddr, IpamError> {
    if is_host_address(address, subnet) { Ok(address) } else { Err(IpamError::NoHostAddress { address, subnet }) }
}

/// Checks that every fixed address is one of the network.
pub(crate) fn check_families(ranges: &[Range], wanted: &[IpAddr]) -> Result<(), IpamError> {
    let has = |address: &IpAddr| ranges.iter().any(|range| same_family(range.gateway, *address));
    match wanted.iter().find(|address| !has(address)) {
        Some(address) => Err(IpamError::NoSuchFamily { address: *address }),
        None => Ok(()),
    }
}

/// Returns the wanted address, else the lowest that neither `taken`, which maps addresses to who has them, nor the network
/// itself keeps.
pub(crate) fn choose_address(
    range: &Range,
    taken: &BTreeMap<IpAddr, String>,
    wanted: Option<IpAddr>,
) -> Result<IpAddr, IpamError> {
    let subnet = range.subnet;
    if let Some(address) = wanted {
        return match taken.get(&check_host_address(address, subnet)?) {
            Some(holder) => Err(IpamError::AddressTaken { address, holder: holder.clone() }),
            None => Ok(address),
        };
    }
    let kept = |address: &IpAddr| range.reserved.values().any(|reserved| reserved == address);
    let free = |address: &IpAddr| is_host_address(*address, subnet) && !taken.contains_key(address) && !kept(address);
    addresses(range.pool.unwrap_or(subnet)).find(free).ok_or_else(|| {
        let reserved = range.reserved.keys().map(|name| format!("`{name}`"));
        IpamError::NoFreeAddress { subnet, holders: taken.values().cloned().chain(reserved).collect() }
    })
}

/// Returns every address of a prefix, the lowest first.
fn addresses(prefix: IpNet) -> IpAddrRange {
    match prefix {
        IpNet::V4(prefix) => IpAddrRange::V4(Ipv4AddrRange::new(prefix.network(), prefix.broadcast())),
        IpNet::V6(prefix) => IpAddrRange::V6(Ipv6AddrRange::new(prefix.network(), prefix.broadcast())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pools;

    fn held(prefix: &str, by: &str) -> Held {
        Held { prefix: prefix.parse().unwrap(), by: by.to_owned() }
    }

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn range(subnet: &str) -> Range {
        complete(&RangeSpec::new(net(subnet))).unwrap()
    }

    #[test]
    fn the_first_free_slice_of_the_first_pool_is_chosen() {
        assert_eq!(choose_subnet(&pools::usual(), &[]), Ok(net("172.18.0.0/24")));
        let held = [held("172.18.0.0/24", "network `a`"), held("172.18.1.128/25", "route on `eth1`")];
        assert_eq!(choose_subnet(&pools::usual(), &held), Ok(net("172.18.2.0/24")));
    }

    #[test]
    fn a_wide_route_of_a_vpn_is_skipped_whole() {
        let held = [held("172.16.0.0/12", "route on `tun0`"), held("10.0.0.0/9", "route on `tun0`")];
        assert_eq!(choose_subnet(&pools::usual(), &held), Ok(net("10.128.0.0/24")));
    }

    #[test]
    fn exhaustion_names_who_holds_what() {
        let pools = ["10.9.0.0/23 by /24".parse().unwrap()];
        let all = [
            held("10.9.0.0/24", "network `big`"),
            held("10.9.1.0/24", "route on `tun1`"),
            held("203.0.113.0/24", "route on `eth0`"),
        ];
        assert_eq!(
            choose_subnet(&pools, &all).unwrap_err().to_string(),
            "choose a subnet: none is free in the pools 10.9.0.0/23 by /24; held: \
             10.9.0.0/24 by network `big`, 10.9.1.0/24 by route on `tun1`"
        );
    }

    #[test]
    fn a_wanted_subnet_must_be_free_and_have_room() {
        assert_eq!(claim_subnet(net("10.9.9.7/24"), &[]), Ok(net("10.9.9.0/24")));
        let other = held("10.9.0.0/16", "network `a`");
        let taken = IpamError::SubnetTaken { subnet: net("10.9.9.0/24"), held: other.clone() };
        assert_eq!(claim_subnet(net("10.9.9.0/24"), std::slice::from_ref(&other)), Err(taken));
        assert_eq!(claim_subnet(net("fd00::/64"), &[other]), Ok(net("fd00::/64")));
        for small in ["10.9.9.0/31", "fd00::/127"] {
            assert!(matches!(claim_subnet(net(small), &[]), Err(IpamError::SubnetTooSmall { .. })));
        }
    }

    #[test]
    fn the_gateway_is_the_first_address_unless_told() {
        assert_eq!((range("10.9.9.0/24").gateway, range("fd00::/64").gateway), (ip("10.9.9.1"), ip("fd00::1")));
        let wish = |gateway: &str| RangeSpec { gateway: Some(ip(gateway)), ..RangeSpec::new(net("10.9.9.0/24")) };
        assert_eq!(complete(&wish("10.9.9.254")).unwrap().gateway, ip("10.9.9.254"));
        for wrong in ["10.9.9.0", "10.9.9.255", "10.9.8.1", "fd00::1"] {
            assert!(complete(&wish(wrong)).is_err());
        }
    }

    #[test]
    fn the_lowest_free_address_is_chosen_and_a_fixed_one_kept() {
        let range = range("10.9.9.0/29");
        let mut taken = BTreeMap::from([(ip("10.9.9.1"), "the gateway".to_owned())]);
        let two = choose_address(&range, &taken, None).unwrap();
        assert_eq!(two, ip("10.9.9.2"));
        taken.insert(two, "container `a`".to_owned());
        assert_eq!(choose_address(&range, &taken, Some(ip("10.9.9.5"))).unwrap(), ip("10.9.9.5"));
        let error = choose_address(&range, &taken, Some(two)).unwrap_err();
        assert_eq!(error.to_string(), "use address `10.9.9.2`: it belongs to container `a`");
    }

    #[test]
    fn addresses_come_from_the_pool_and_pass_over_what_is_reserved() {
        let reserved = BTreeMap::from([("router".to_owned(), ip("10.9.9.64"))]);
        let wish = RangeSpec { pool: Some(net("10.9.9.64/26")), reserved, ..RangeSpec::new(net("10.9.9.0/24")) };
        let range = complete(&wish).unwrap();
        assert_eq!(choose_address(&range, &BTreeMap::new(), None).unwrap(), ip("10.9.9.65"));
        assert_eq!(choose_address(&range, &BTreeMap::new(), Some(ip("10.9.9.64"))).unwrap(), ip("10.9.9.64"));
        let outside = RangeSpec { pool: Some(net("10.9.8.0/26")), ..wish };
        assert!(matches!(complete(&outside), Err(IpamError::PoolOutside { .. })));
    }

    #[test]
    fn a_full_network_names_its_containers() {
        let taken = [("10.9.9.1", "the gateway"), ("10.9.9.2", "container `a`")];
        let taken = taken.map(|(address, holder)| (ip(address), holder.to_owned())).into();
        assert_eq!(
            choose_address(&range("10.9.9.0/30"), &taken, None).unwrap_err().to_string(),
            "choose an address in `10.9.9.0/30`: none is free; held by the gateway, container `a`"
        );
    }
}
