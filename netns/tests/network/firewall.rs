//! The table itself, and the host's other rules.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use crate::lab::{HOST, Lab, NEIGHBOUR, assert_closed, gateway, seen_as, seen_from_here, serve_tcp, tcp};

#[test]
#[ignore = "needs root"]
fn the_number_of_rules_does_not_grow_with_containers() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let rules = |lab: &Lab| lab.run("nft -s list ruleset").lines().filter(|line| line.contains("@")).count();
    let _first = lab.container("web-1", &[&network], &[tcp(None, Some(8080), 80)]);
    let before = rules(&lab);
    for number in 2..8 {
        lab.container(&format!("web-{number}"), &[&network], &[tcp(None, Some(8080 + number), 80)]);
    }
    assert_eq!(rules(&lab), before, "{}", lab.ruleset());
    assert_eq!(lab.ruleset().matches("table ").count(), 1);
}

#[test]
#[ignore = "needs root"]
fn a_flushed_ruleset_comes_back_with_reconcile_and_with_the_next_container() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let web = lab.container("web", &[&network], &[tcp(None, Some(8080), 80)]);
    web.serve(80);
    let before = lab.ruleset();
    lab.run("nft flush ruleset");
    assert_closed(seen_from_here(Ipv4Addr::LOCALHOST, 8080));
    lab.host.reconcile().unwrap();
    assert_eq!(lab.ruleset(), before);
    assert_eq!(seen_from_here(Ipv4Addr::LOCALHOST, 8080).unwrap(), gateway(&network).to_string());
    lab.run("nft flush ruleset");
    let _other = lab.container("other", &[&network], &[]);
    assert_eq!(seen_as(&lab.neighbour("lan"), HOST, 8080).unwrap(), NEIGHBOUR.to_string());
}

#[test]
#[ignore = "needs root"]
fn a_ruleset_that_was_saved_and_loaded_again_is_the_same() {
    let lab = Lab::new();
    let (network, other) = (lab.network("web_default"), lab.internal_network("other"));
    let web = lab.container("web", &[&network], &[tcp(None, Some(8080), 80)]);
    let stranger = lab.container("stranger", &[&other], &[]);
    web.serve(80);
    let before = lab.ruleset();
    let saved = lab.directory.path().join("saved.nft");
    fs::write(&saved, format!("flush ruleset\n{before}")).unwrap();
    lab.run(&format!("nft -f {}", saved.display()));
    assert_eq!(lab.ruleset(), before);
    assert_eq!(seen_as(&lab.neighbour("lan"), HOST, 8080).unwrap(), NEIGHBOUR.to_string());
    assert_closed(seen_as(&stranger.netns, web.address(), 80));
    assert_closed(seen_as(&stranger.netns, gateway(&other), 8080));
}

#[test]
#[ignore = "needs root"]
fn a_lost_element_does_not_keep_a_container_from_going() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let (web, other) = (lab.container("web", &[&network], &[]), lab.container("other", &[&network], &[]));
    let table = lab.ruleset().split_whitespace().nth(2).unwrap().to_owned();
    lab.run(&format!("nft flush set inet {table} addresses"));
    lab.host.detach(&web.id).unwrap();
    assert!(lab.ruleset().contains(&other.address().to_string()));
    assert!(!lab.ruleset().contains(&web.address().to_string()));
}

#[test]
#[ignore = "needs root"]
fn tables_of_others_are_left_alone_and_what_they_drop_stays_dropped() {
    let lab = Lab::new();
    let rules = lab.directory.path().join("admin.nft");
    fs::write(&rules, "table inet admin {\nchain f {\ntype filter hook forward priority 10; policy drop;\n}\n}\n")
        .unwrap();
    lab.run(&format!("nft -f {}", rules.display()));
    let admin = lab.ruleset();
    let network = lab.network("web_default");
    let web = lab.container("web", &[&network], &[tcp(None, Some(8080), 80)]);
    web.serve(80);
    assert_closed(seen_as(&lab.neighbour("lan"), HOST, 8080));
    assert_eq!(seen_from_here(HOST, 8080).unwrap(), HOST.to_string());
    lab.host.detach(&web.id).unwrap();
    assert_eq!(lab.ruleset(), admin);
}

#[test]
#[ignore = "needs root"]
fn a_host_that_was_no_router_becomes_none() {
    let lab = Lab::new();
    let switch = "/proc/sys/net/ipv4/ip_forward";
    fs::write(switch, "0").unwrap();
    let (near, far) = (Ipv4Addr::new(198, 51, 100, 1), Ipv4Addr::new(198, 51, 100, 2));
    lab.add_neighbour("far", near, far);
    serve_tcp(&lab.neighbour("far"), 80);
    let network = lab.network("web_default");
    let web = lab.container("web", &[&network], &[]);
    assert_eq!(fs::read_to_string(switch).unwrap(), "1\n");
    assert_eq!(seen_as(&web.netns, far, 80).unwrap(), near.to_string());
    assert_closed(seen_as(&lab.neighbour("lan"), far, 80));
    lab.host.detach(&web.id).unwrap();
    assert_eq!(fs::read_to_string(switch).unwrap(), "0\n");
}

/// Makes a bridge of somebody else's, with the host as 10.77.NUMBER.1 and two guests, whose namespaces and addresses it returns.
fn guests(lab: &Lab, number: u8) -> [(PathBuf, Ipv4Addr); 2] {
    let bridge = format!("vmbr{number}");
    lab.run(&format!("ip link add {bridge} type bridge"));
    lab.run(&format!("ip address add 10.77.{number}.1/24 dev {bridge}"));
    lab.run(&format!("ip link set {bridge} up"));
    [2, 3].map(|host| {
        let (guest, address) = (format!("guest{number}{host}"), Ipv4Addr::new(10, 77, number, host));
        for command in [
            format!("ip netns add {guest}"),
            format!("ip link add {guest} master {bridge} type veth peer name eth0 netns {guest}"),
            format!("ip link set {guest} up"),
            format!("ip -n {guest} address add {address}/24 dev eth0"),
            format!("ip -n {guest} link set eth0 up"),
            format!("ip -n {guest} route add default via 10.77.{number}.1"),
        ] {
            lab.run(&command);
        }
        (lab.neighbour(&guest), address)
    })
}

#[test]
#[ignore = "needs root"]
fn guests_of_others_reach_each_other_and_on_bridges_made_later_whom_their_host_forwards_to() {
    let lab = Lab::new();
    fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap();
    // Where it is there, the firewall sees what bridges pass on.
    let _ = fs::write("/proc/sys/net/bridge/bridge-nf-call-iptables", "1");
    let (near, far) = (Ipv4Addr::new(198, 51, 100, 1), Ipv4Addr::new(198, 51, 100, 2));
    lab.add_neighbour("far", near, far);
    serve_tcp(&lab.neighbour("far"), 80);
    let [(first, address), (second, to)] = guests(&lab, 1);
    serve_tcp(&second, 80);
    let network = lab.network("web_default");
    let web = lab.container("web", &[&network], &[]);
    let old_guests_are_as_before = || {
        assert_eq!(seen_as(&first, to, 80).unwrap(), address.to_string());
        assert_closed(seen_as(&first, far, 80));
        assert_closed(seen_as(&lab.neighbour("lan"), to, 80));
    };
    old_guests_are_as_before();
    let [(late, late_address), (later, late_to)] = guests(&lab, 2);
    serve_tcp(&later, 80);
    let new_guests_are_forwarded_for = || {
        assert_eq!(seen_as(&late, late_to, 80).unwrap(), late_address.to_string());
        assert_eq!(seen_as(&late, far, 80).unwrap(), late_address.to_string());
    };
    new_guests_are_forwarded_for();
    lab.run("nft flush ruleset");
    lab.host.reconcile().unwrap();
    old_guests_are_as_before();
    new_guests_are_forwarded_for();
    assert_closed(seen_as(&lab.neighbour("lan"), far, 80));
    // a bridge with a port that is no guest's leads outside
    lab.run("ip link add outside link lan0 type macvlan");
    lab.run("ip link set outside master vmbr2");
    lab.host.reconcile().unwrap();
    assert_eq!(seen_as(&late, late_to, 80).unwrap(), late_address.to_string());
    assert_closed(seen_as(&late, far, 80));
    lab.run("ip link delete outside");
    lab.host.reconcile().unwrap();
    new_guests_are_forwarded_for();
    // nobody wrote down which bridges there were
    fs::remove_file(lab.directory.path().join("run/foreign-bridges.json")).unwrap();
    lab.host.reconcile().unwrap();
    old_guests_are_as_before();
    lab.host.detach(&web.id).unwrap();
    assert_eq!(lab.ruleset(), "");
}

#[test]
#[ignore = "needs root"]
fn a_host_that_was_a_router_stays_one() {
    let lab = Lab::new();
    let switch = "/proc/sys/net/ipv4/ip_forward";
    fs::write(switch, "1").unwrap();
    let (near, far) = (Ipv4Addr::new(198, 51, 100, 1), Ipv4Addr::new(198, 51, 100, 2));
    lab.add_neighbour("far", near, far);
    serve_tcp(&lab.neighbour("far"), 80);
    let network = lab.network("web_default");
    let web = lab.container("web", &[&network], &[]);
    assert_eq!(seen_as(&lab.neighbour("lan"), far, 80).unwrap(), NEIGHBOUR.to_string());
    lab.host.detach(&web.id).unwrap();
    assert_eq!(fs::read_to_string(switch).unwrap(), "1\n");
}
