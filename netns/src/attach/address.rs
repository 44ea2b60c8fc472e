//! Chooses a container's address on one network. Pure.

use std::collections::BTreeMap;

use crate::ipam::choose_address;
use crate::state::Lease;
use crate::{AttachError, Endpoint, EndpointSpec, Network};

/// Returns the lease of interface `number`; `others` are the leases the network has.
pub(super) fn lease(
    container: &str,
    wish: &EndpointSpec,
    number: usize,
    (network, others): (&Network, &[Lease]),
) -> Result<Lease, AttachError> {
    let mut taken = BTreeMap::from([(network.gateway, "the gateway".to_owned())]);
    taken.extend(others.iter().map(|other| (other.endpoint.address, holder(other))));
    let address = choose_address(network.subnet, &taken, wish.address)
        .map_err(|source| AttachError::Address { network: network.name.clone(), source })?;
    let [a, b, c, d] = address.octets();
    let endpoint = Endpoint {
        network: network.id.clone(),
        network_name: network.name.clone(),
        container: container.to_owned(),
        interface: format!("eth{number}"),
        address,
        prefix: network.subnet.prefix_len(),
        gateway: network.gateway,
        // Made of the address, as Docker's, so that a neighbour's memory of the address's last owner does no harm.
        mac: text(wish.mac.unwrap_or([0x02, 0x42, a, b, c, d])),
        names: wish.names.clone(),
    };
    Ok(Lease {
        endpoint,
        bridge: network.bridge.clone(),
        internal: network.internal,
        host_interface: host_interface(container, number),
    })
}

fn holder(lease: &Lease) -> String {
    format!("container `{}`", lease.endpoint.names.first().unwrap_or(&lease.endpoint.container))
}

fn text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// Returns the name of the veth's host end: 15 characters at most (`IFNAMSIZ`), so that a glance tells the container.
fn host_interface(container: &str, number: usize) -> String {
    let short: String = container.chars().take(10).collect();
    format!("lv{short}-{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Network {
        Network {
            id: "ab".repeat(32),
            name: "web_default".into(),
            bridge: "lt-ababababab".into(),
            subnet: "172.18.0.0/24".parse().unwrap(),
            gateway: "172.18.0.1".parse().unwrap(),
            internal: false,
            mtu: None,
            labels: BTreeMap::new(),
            options: BTreeMap::new(),
            created: 0,
        }
    }

    fn wish(name: &str) -> EndpointSpec {
        EndpointSpec { network: "ab".repeat(32), names: vec![name.to_owned()], address: None, mac: None }
    }

    #[test]
    fn containers_get_one_address_after_the_other() {
        let first = lease(&"1".repeat(64), &wish("web"), 0, (&network(), &[])).unwrap();
        assert_eq!(first.endpoint.address.to_string(), "172.18.0.2");
        assert_eq!(first.endpoint.mac, "02:42:ac:12:00:02");
        assert_eq!(first.host_interface, "lv1111111111-0");
        let second = lease(&"2".repeat(64), &wish("db"), 1, (&network(), &[first])).unwrap();
        assert_eq!((second.endpoint.address.to_string().as_str(), &*second.endpoint.interface), ("172.18.0.3", "eth1"));
    }

    #[test]
    fn a_fixed_address_that_is_taken_names_its_holder() {
        let first = lease(&"1".repeat(64), &wish("web"), 0, (&network(), &[])).unwrap();
        let wanted = EndpointSpec { address: Some(first.endpoint.address), ..wish("db") };
        let error = lease(&"2".repeat(64), &wanted, 0, (&network(), &[first])).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(
            (error.to_string().as_str(), cause.as_str()),
            ("attach to network `web_default`", "use address `172.18.0.2`: it belongs to container `web`")
        );
    }
}
