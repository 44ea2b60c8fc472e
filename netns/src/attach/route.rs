//! Chooses which of a container's interfaces lead everywhere. Pure.

use crate::Address;
use crate::state::Lease;

/// Returns the leases with the best claim to the default route first: the highest priority, among equals the first.
pub(crate) fn by_claim(leases: &[Lease]) -> Vec<&Lease> {
    let mut leases: Vec<_> = leases.iter().collect();
    leases.sort_by_key(|lease| std::cmp::Reverse(lease.endpoint.gw_priority));
    leases
}

/// Returns, for each family, the interface and the address whose gateway leads everywhere.
pub(crate) fn default_routes(leases: &[Lease]) -> Vec<(&Lease, &Address)> {
    let open: Vec<_> = by_claim(leases).into_iter().filter(|lease| lease.is_open()).collect();
    let first = |ipv4: bool| {
        open.iter().find_map(|lease| {
            let address = if ipv4 { lease.endpoint.ipv4() } else { lease.endpoint.ipv6() };
            Some((*lease, address?))
        })
    };
    [first(true), first(false)].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::lease;

    fn ways(leases: &[Lease]) -> Vec<String> {
        default_routes(leases)
            .iter()
            .map(|(lease, to)| format!("{} {}", lease.endpoint.interface, to.gateway))
            .collect()
    }

    #[test]
    fn each_family_has_one_way_out_and_internal_networks_none() {
        let mut leases = [lease(2, &[]), lease(3, &[]), lease(4, &[])];
        for (number, lease) in leases.iter_mut().enumerate() {
            lease.endpoint.interface = format!("eth{number}");
        }
        leases[0].internal = true;
        assert_eq!(ways(&leases), ["eth1 172.18.0.1"]);
        let ipv6 = Address { address: "fd00::4".parse().unwrap(), prefix: 64, gateway: "fd00::1".parse().unwrap() };
        leases[2].endpoint.addresses.push(ipv6);
        assert_eq!(ways(&leases), ["eth1 172.18.0.1", "eth2 fd00::1"]);
        leases[2].endpoint.gw_priority = 7;
        assert_eq!(ways(&leases), ["eth2 172.18.0.1", "eth2 fd00::1"]);
    }
}
