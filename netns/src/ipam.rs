//! Chooses subnets and addresses. Pure: what is taken is told, what was chosen is returned.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// Where subnets are looked for, in this order. Docker's own first network, 172.17.0.0/16, is left alone.
const POOLS: [Ipv4Net; 16] = [
    pool([172, 18], 16),
    pool([172, 19], 16),
    pool([172, 20], 16),
    pool([172, 21], 16),
    pool([172, 22], 16),
    pool([172, 23], 16),
    pool([172, 24], 16),
    pool([172, 25], 16),
    pool([172, 26], 16),
    pool([172, 27], 16),
    pool([172, 28], 16),
    pool([172, 29], 16),
    pool([172, 30], 16),
    pool([172, 31], 16),
    pool([10, 0], 8),
    pool([192, 168], 16),
];
/// Prefix length of a chosen subnet: 253 containers.
const SUBNET_PREFIX: u8 = 24;
/// Longest prefix with room for a gateway and a container.
const LONGEST_PREFIX: u8 = 30;
/// How many holders an error names before it counts the rest.
const HOLDERS_NAMED: usize = 5;

const fn pool(start: [u8; 2], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(start[0], start[1], 0, 0), prefix)
}

/// A prefix that is not free, and who has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The prefix.
    pub prefix: Ipv4Net,
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
        "choose a subnet: no /{SUBNET_PREFIX} is free in 172.18.0.0–172.31.255.255, 10.0.0.0/8 and 192.168.0.0/16; held: {}",
        list(held)
    )]
    NoFreeSubnet {
        /// Everything that is in the way.
        held: Vec<Held>,
    },
    /// The wanted subnet is not free.
    #[error("use subnet `{subnet}`: it overlaps {held}")]
    SubnetTaken {
        /// The wanted subnet.
        subnet: Ipv4Net,
        /// What it overlaps.
        held: Held,
    },
    /// The wanted subnet has no room for a gateway and a container.
    #[error("use subnet `{subnet}`: the longest prefix is /{LONGEST_PREFIX}")]
    SubnetTooSmall {
        /// The wanted subnet.
        subnet: Ipv4Net,
    },
    /// An address cannot belong to a device in the subnet.
    #[error("use address `{address}`: it is no host address of `{subnet}`")]
    NoHostAddress {
        /// The wanted address.
        address: Ipv4Addr,
        /// The subnet of the network.
        subnet: Ipv4Net,
    },
    /// The wanted address is not free.
    #[error("use address `{address}`: it belongs to {holder}")]
    AddressTaken {
        /// The wanted address.
        address: Ipv4Addr,
        /// Who has it.
        holder: String,
    },
    /// Every address of the network is taken.
    #[error("choose an address in `{subnet}`: none is free; held by {}", list(holders))]
    NoFreeAddress {
        /// The subnet of the network.
        subnet: Ipv4Net,
        /// Who has them.
        holders: Vec<String>,
    },
}

fn list<T: fmt::Display>(holders: &[T]) -> String {
    let named: Vec<_> = holders.iter().take(HOLDERS_NAMED).map(ToString::to_string).collect();
    match holders.len().saturating_sub(HOLDERS_NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

fn overlap(a: &Ipv4Net, b: &Ipv4Net) -> bool {
    a.contains(b) || b.contains(a)
}

/// Returns the first free /24 of the pools.
pub(crate) fn choose_subnet(held: &[Held]) -> Result<Ipv4Net, IpamError> {
    let in_the_way: Vec<_> = held.iter().filter(|held| POOLS.iter().any(|pool| overlap(pool, &held.prefix))).collect();
    POOLS
        .iter()
        .flat_map(|pool| pool.subnets(SUBNET_PREFIX).expect("a /24 is longer than any pool's prefix"))
        .find(|subnet| !in_the_way.iter().any(|held| overlap(&held.prefix, subnet)))
        .ok_or_else(|| IpamError::NoFreeSubnet { held: in_the_way.into_iter().cloned().collect() })
}

/// Returns the wanted subnet, its host bits cleared, if it is free and large enough.
pub(crate) fn claim_subnet(wanted: Ipv4Net, held: &[Held]) -> Result<Ipv4Net, IpamError> {
    let subnet = wanted.trunc();
    if subnet.prefix_len() > LONGEST_PREFIX {
        return Err(IpamError::SubnetTooSmall { subnet });
    }
    match held.iter().find(|held| overlap(&held.prefix, &subnet)) {
        Some(held) => Err(IpamError::SubnetTaken { subnet, held: held.clone() }),
        None => Ok(subnet),
    }
}

/// Returns the host's address on a network: the wanted one, else the first of the subnet.
pub(crate) fn choose_gateway(subnet: Ipv4Net, wanted: Option<Ipv4Addr>) -> Result<Ipv4Addr, IpamError> {
    let first = Ipv4Addr::from(u32::from(subnet.network()) + 1);
    check_host_address(wanted.unwrap_or(first), subnet)
}

fn check_host_address(address: Ipv4Addr, subnet: Ipv4Net) -> Result<Ipv4Addr, IpamError> {
    let usable = subnet.contains(&address) && address != subnet.network() && address != subnet.broadcast();
    if usable { Ok(address) } else { Err(IpamError::NoHostAddress { address, subnet }) }
}

/// Returns the wanted address, else the lowest that is not in `taken`, which maps addresses to who has them.
pub(crate) fn choose_address(
    subnet: Ipv4Net,
    taken: &BTreeMap<Ipv4Addr, String>,
    wanted: Option<Ipv4Addr>,
) -> Result<Ipv4Addr, IpamError> {
    match wanted {
        Some(address) => match taken.get(&check_host_address(address, subnet)?) {
            Some(holder) => Err(IpamError::AddressTaken { address, holder: holder.clone() }),
            None => Ok(address),
        },
        None => subnet
            .hosts()
            .find(|address| !taken.contains_key(address))
            .ok_or_else(|| IpamError::NoFreeAddress { subnet, holders: taken.values().cloned().collect() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(prefix: &str, by: &str) -> Held {
        Held { prefix: prefix.parse().unwrap(), by: by.to_owned() }
    }

    fn net(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_free_slice_of_the_first_pool_is_chosen() {
        assert_eq!(choose_subnet(&[]), Ok(net("172.18.0.0/24")));
        let held = [held("172.18.0.0/24", "network `a`"), held("172.18.1.128/25", "route on `eth1`")];
        assert_eq!(choose_subnet(&held), Ok(net("172.18.2.0/24")));
    }

    #[test]
    fn a_wide_route_of_a_vpn_is_skipped_whole() {
        let held = [held("172.16.0.0/12", "route on `tun0`"), held("10.0.0.0/9", "route on `tun0`")];
        assert_eq!(choose_subnet(&held), Ok(net("10.128.0.0/24")));
    }

    #[test]
    fn exhaustion_names_who_holds_what() {
        let all = [
            held("172.16.0.0/12", "route on `tun0`"),
            held("10.0.0.0/8", "route on `tun1`"),
            held("192.168.0.0/16", "network `big`"),
            held("203.0.113.0/24", "route on `eth0`"),
        ];
        assert_eq!(
            choose_subnet(&all).unwrap_err().to_string(),
            "choose a subnet: no /24 is free in 172.18.0.0–172.31.255.255, 10.0.0.0/8 and 192.168.0.0/16; held: \
             172.16.0.0/12 by route on `tun0`, 10.0.0.0/8 by route on `tun1`, 192.168.0.0/16 by network `big`"
        );
    }

    #[test]
    fn a_wanted_subnet_must_be_free_and_have_room() {
        assert_eq!(claim_subnet(net("10.9.9.7/24"), &[]), Ok(net("10.9.9.0/24")));
        let other = held("10.9.0.0/16", "network `a`");
        let taken = IpamError::SubnetTaken { subnet: net("10.9.9.0/24"), held: other.clone() };
        assert_eq!(claim_subnet(net("10.9.9.0/24"), &[other]), Err(taken));
        assert!(matches!(claim_subnet(net("10.9.9.0/31"), &[]), Err(IpamError::SubnetTooSmall { .. })));
    }

    #[test]
    fn the_gateway_is_the_first_address_unless_told() {
        let subnet = net("10.9.9.0/24");
        assert_eq!(choose_gateway(subnet, None), Ok(Ipv4Addr::new(10, 9, 9, 1)));
        assert_eq!(choose_gateway(subnet, Some(Ipv4Addr::new(10, 9, 9, 254))), Ok(Ipv4Addr::new(10, 9, 9, 254)));
        for wrong in [[10, 9, 9, 0], [10, 9, 9, 255], [10, 9, 8, 1]] {
            assert!(choose_gateway(subnet, Some(wrong.into())).is_err());
        }
    }

    #[test]
    fn the_lowest_free_address_is_chosen_and_a_fixed_one_kept() {
        let subnet = net("10.9.9.0/29");
        let mut taken = BTreeMap::from([(Ipv4Addr::new(10, 9, 9, 1), "the gateway".to_owned())]);
        let two = choose_address(subnet, &taken, None).unwrap();
        assert_eq!(two, Ipv4Addr::new(10, 9, 9, 2));
        taken.insert(two, "container `a`".to_owned());
        assert_eq!(choose_address(subnet, &taken, Some(Ipv4Addr::new(10, 9, 9, 5))).unwrap().octets()[3], 5);
        let error = choose_address(subnet, &taken, Some(two)).unwrap_err();
        assert_eq!(error.to_string(), "use address `10.9.9.2`: it belongs to container `a`");
    }

    #[test]
    fn a_full_network_names_its_containers() {
        let subnet = net("10.9.9.0/30");
        let taken = [(1, "the gateway"), (2, "container `a`")];
        let taken = taken.map(|(last, holder)| (Ipv4Addr::new(10, 9, 9, last), holder.to_owned())).into();
        assert_eq!(
            choose_address(subnet, &taken, None).unwrap_err().to_string(),
            "choose an address in `10.9.9.0/30`: none is free; held by the gateway, container `a`"
        );
    }
}
