//! Subnets that were chosen make way for what the host comes to use.

use std::net::Ipv4Addr;

use lighter_netns::{EndpointSpec, NetworkSpec, RangeSpec};

use crate::lab::{Lab, NEIGHBOUR, gateway, seen_from_here};

/// Makes the host use the first subnet for something else, as a VPN does that comes up.
fn route_elsewhere(lab: &Lab) {
    lab.run(&format!("ip route add 172.18.0.0/16 via {NEIGHBOUR}"));
}

#[test]
#[ignore = "needs root"]
fn a_network_that_nobody_is_on_makes_way_for_a_new_route_of_the_host() {
    let lab = Lab::new();
    let network = lab.dual_network("web_default", false);
    let first = lab.container("first", &[&network], &[]);
    route_elsewhere(&lab);
    let second = lab.container("second", &[&network], &[]);
    assert_eq!(second.address(), Ipv4Addr::new(172, 18, 0, 3), "while somebody is on it, it stays");
    for container in [&first, &second] {
        lab.host.detach(&container.id).unwrap();
    }
    let third = lab.container("third", &[&network], &[]);
    assert_eq!(third.address(), Ipv4Addr::new(172, 19, 0, 2));
    assert_eq!(third.address6(), first.address6(), "nothing is in the way of the other family");
    let now = lab.host.network(&network.id).unwrap().unwrap();
    assert_eq!(now.ipv4().unwrap().subnet.to_string(), "172.19.0.0/24");
    let bridge = lab.run(&format!("ip -4 -brief address show dev {}", network.bridge));
    assert!(bridge.contains("172.19.0.1/24") && !bridge.contains("172.18."), "{bridge}");
    third.serve(80);
    assert_eq!(seen_from_here(third.address(), 80).unwrap(), gateway(&now).to_string());
}

#[test]
#[ignore = "needs root"]
fn a_network_whose_bridge_is_gone_makes_way_for_a_device_of_the_host() {
    let lab = Lab::new();
    let network = lab.network("bridge");
    lab.host.teardown_if_unused().unwrap(); // as a reboot does
    lab.run("ip address add 172.18.0.9/24 dev lan0");
    let web = lab.container("web", &[&network], &[]);
    assert_eq!(web.address(), Ipv4Addr::new(172, 18, 1, 2));
    let again = lab.container("again", &[&network], &[]);
    assert_eq!(again.address(), Ipv4Addr::new(172, 18, 1, 3));
}

#[test]
#[ignore = "needs root"]
fn what_the_user_has_given_stays() {
    let lab = Lab::new();
    let given = RangeSpec::new("172.18.0.0/24".parse().unwrap());
    let spec = NetworkSpec { name: "given".into(), ranges: vec![given], ..NetworkSpec::default() };
    let (given, fixed) = (lab.host.create_network(&spec).unwrap(), lab.network("fixed"));
    let address = vec!["172.18.1.7".parse().unwrap()];
    let wish = EndpointSpec { network: fixed.id.clone(), addresses: address, ..EndpointSpec::default() };
    lab.host.keep_addresses("stopped", "db", std::slice::from_ref(&wish)).unwrap();
    route_elsewhere(&lab);
    for network in [&given, &fixed] {
        lab.container("c", &[network], &[]);
        assert_eq!(lab.host.network(&network.id).unwrap().as_ref(), Some(network));
    }
}
