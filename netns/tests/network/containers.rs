//! Containers, their neighbours and the way out.

use std::net::Ipv4Addr;
use std::path::Path;

use crate::lab::{HERE, HOST, Lab, NEIGHBOUR, assert_closed, gateway, seen_as, seen_from_here, serve_tcp};

#[test]
#[ignore = "needs root"]
fn containers_of_a_network_reach_each_other_and_the_host_reaches_them() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let (web, db) = (lab.container("web", &[&network], &[]), lab.container("db", &[&network], &[]));
    db.serve(5432);
    assert_eq!(seen_as(&web.netns, db.address(), 5432).unwrap(), web.address().to_string());
    assert_eq!(seen_from_here(db.address(), 5432).unwrap(), gateway(&network).to_string());
}

#[test]
#[ignore = "needs root"]
fn a_container_leaves_with_the_address_of_the_host() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let web = lab.container("web", &[&network], &[]);
    serve_tcp(&lab.neighbour("lan"), 80);
    assert_eq!(seen_as(&web.netns, NEIGHBOUR, 80).unwrap(), HOST.to_string());
}

#[test]
#[ignore = "needs root"]
fn a_container_on_two_networks_has_two_interfaces_and_one_default_route() {
    let lab = Lab::new();
    let (inner, outer) = (lab.internal_network("inner"), lab.network("outer"));
    let web = lab.container("web", &[&inner, &outer], &[]);
    let (_, routes) = lab.run_in(&web.netns, "ip route");
    let default: Vec<_> = routes.lines().filter(|line| line.starts_with("default")).collect();
    assert_eq!(default.len(), 1, "{routes}");
    assert!(default[0].contains(&format!("via {} dev eth1", gateway(&outer))), "{routes}");
    assert_eq!(web.sandbox.endpoints.iter().map(|endpoint| &*endpoint.interface).collect::<Vec<_>>(), ["eth0", "eth1"]);
}

#[test]
#[ignore = "needs root"]
fn networks_do_not_reach_each_other_by_any_address() {
    let lab = Lab::new();
    let (a, b) = (lab.network("a"), lab.network("b"));
    let port = crate::lab::tcp(None, Some(8080), 80);
    let (attacker, victim) = (lab.container("attacker", &[&a], &[]), lab.container("victim", &[&b], &[port]));
    victim.serve(80);
    assert_closed(seen_as(&attacker.netns, victim.address(), 80));
    assert_closed(seen_as(&attacker.netns, gateway(&b), 8080));
    assert_closed(seen_as(&attacker.netns, gateway(&a), 8080));
    // The other way round, by a route straight to the other bridge.
    lab.run_in(&victim.netns, &format!("ip route add {} via {}", a.ipv4().unwrap().subnet, gateway(&b)));
    attacker.serve(81);
    assert_closed(seen_as(&victim.netns, attacker.address(), 81));
}

#[test]
#[ignore = "needs root"]
fn an_internal_network_has_no_way_out_and_no_way_to_the_host() {
    let lab = Lab::new();
    let network = lab.internal_network("inner");
    let (db, web) = (lab.container("db", &[&network], &[]), lab.container("web", &[&network], &[]));
    serve_tcp(&lab.neighbour("lan"), 80);
    serve_tcp(Path::new(HERE), 81);
    db.serve(5432);
    assert_eq!(seen_as(&web.netns, db.address(), 5432).unwrap(), web.address().to_string());
    assert_eq!(seen_from_here(db.address(), 5432).unwrap(), gateway(&network).to_string());
    assert_closed(seen_as(&web.netns, gateway(&network), 81));
    // Even with a route of its own making.
    let (added, output) = lab.run_in(&web.netns, &format!("ip route add default via {}", gateway(&network)));
    assert!(added, "{output}");
    assert_closed(seen_as(&web.netns, NEIGHBOUR, 80));
    assert_closed(seen_as(&web.netns, HOST, 81));
}

#[test]
#[ignore = "needs root"]
fn a_container_has_no_ipv6_but_loopback() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let web = lab.container("web", &[&network], &[]);
    let (_, addresses) = lab.run_in(&web.netns, "ip -6 -brief address");
    assert!(addresses.contains("::1/128") && !addresses.contains("fe80"), "{addresses}");
    let here = lab.run("ip -6 -brief address");
    let ours: Vec<_> = here.lines().filter(|line| line.starts_with("lt-") || line.starts_with("lv")).collect();
    assert!(ours.is_empty(), "{ours:?}");
}

#[test]
#[ignore = "needs root"]
fn the_loopback_services_of_the_host_stay_closed_to_containers() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    // A published port is what makes the bridge take loopback addresses at all.
    let web = lab.container("web", &[&network], &[crate::lab::tcp(None, Some(8080), 80)]);
    serve_tcp(Path::new(HERE), 81);
    assert_eq!(seen_from_here(Ipv4Addr::LOCALHOST, 81).unwrap(), "127.0.0.1");
    for command in [
        "ip link set lo down",
        "sysctl -q -w net.ipv4.conf.all.route_localnet=1",
        "ip route flush table local",
        &format!("ip route add local {} dev eth0 table local", web.address()),
        &format!("ip route add 127.0.0.1/32 via {} src {}", gateway(&network), web.address()),
    ] {
        let (done, output) = lab.run_in(&web.netns, command);
        assert!(done, "{command}: {output}");
    }
    assert_closed(seen_as(&web.netns, Ipv4Addr::LOCALHOST, 81));
}
