//! What a network may be told, and what several networks of one container do.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use lighter_netns::{
    Driver, EndpointSpec, Families, Network, NetworkSpec, RangeSpec, SandboxSpec, Settings, read_endpoint_options,
};

use crate::lab::{HERE, HOST, Lab, NEIGHBOUR, assert_closed, gateway, seen_as, seen_from_here, serve_tcp, tcp};

fn range(subnet: &str) -> RangeSpec {
    RangeSpec::new(subnet.parse().unwrap())
}

fn network(lab: &Lab, spec: NetworkSpec) -> Network {
    lab.host.create_network(&NetworkSpec { name: "lan".into(), ..spec }).unwrap()
}

#[test]
#[ignore = "needs root"]
fn addresses_come_from_the_wanted_part_and_fixed_ones_are_given() {
    let lab = Lab::new();
    let wish = RangeSpec {
        gateway: Some("10.7.0.254".parse().unwrap()),
        pool: Some("10.7.1.0/24".parse().unwrap()),
        reserved: [("nas".to_owned(), "10.7.1.0".parse().unwrap())].into(),
        ..range("10.7.0.0/16")
    };
    let spec =
        NetworkSpec { families: Families::Both, ranges: vec![range("fd07::/64"), wish], ..NetworkSpec::default() };
    let network = network(&lab, spec);
    let web = lab.container("web", &[&network], &[]);
    assert_eq!((web.address().to_string(), web.address6().to_string()), ("10.7.1.1".into(), "fd07::2".into()));
    let mut wish = lab.spec("db", &[&network], &[]);
    wish.endpoints[0].addresses = vec!["10.7.9.9".parse().unwrap(), "fd07::9".parse().unwrap()];
    wish.endpoints[0].mac = Some([0x02, 0, 0, 0, 0, 9]);
    wish.endpoints[0].link_local = vec!["169.254.7.7".parse().unwrap()];
    let db = lab.start(&wish);
    assert_eq!((db.address().to_string(), db.address6().to_string()), ("10.7.9.9".into(), "fd07::9".into()));
    let (_, links) = lab.run_in(&db.netns, "ip address show eth0");
    assert!(links.contains("02:00:00:00:00:09") && links.contains("169.254.7.7/16"), "{links}");
    db.serve(80);
    assert_eq!(seen_as(&web.netns, db.address6(), 80).unwrap(), "fd07::2");
    assert_eq!(seen_as(&web.netns, db.address(), 80).unwrap(), "10.7.1.1");
}

#[test]
#[ignore = "needs root"]
fn a_fixed_address_is_kept_for_a_container_that_does_not_run() {
    let lab = Lab::new();
    let network = lab.network("lan");
    let fixed = EndpointSpec {
        network: network.id.clone(),
        addresses: vec!["172.18.0.2".parse().unwrap()],
        ..EndpointSpec::default()
    };
    lab.host.keep_addresses("stopped", "db", std::slice::from_ref(&fixed)).unwrap();
    let web = lab.container("web", &[&network], &[]);
    assert_eq!(web.address().to_string(), "172.18.0.3");
    lab.host.forget_addresses(|container| container != "stopped").unwrap();
    let other = lab.container("other", &[&network], &[]);
    assert_eq!(other.address().to_string(), "172.18.0.2");
}

#[test]
#[ignore = "needs root"]
fn the_network_with_the_highest_priority_leads_out_and_ports_lead_there() {
    let lab = Lab::new();
    let (first, second) = (lab.network("first"), lab.network("second"));
    let mut wish = lab.spec("web", &[&first, &second], &[tcp(None, Some(8080), 80)]);
    wish.endpoints[1].gw_priority = 10;
    let web = lab.start(&wish);
    web.serve(80);
    let (_, routes) = lab.run_in(&web.netns, "ip route show default");
    assert_eq!(routes.trim(), format!("default via {} dev eth1", gateway(&second)));
    assert_eq!(seen_from_here(Ipv4Addr::LOCALHOST, 8080).unwrap(), gateway(&second).to_string());
}

#[test]
#[ignore = "needs root"]
fn a_running_container_is_plugged_in_and_out_with_its_ports_and_its_way_out() {
    let lab = Lab::new();
    let (first, second) = (lab.network("first"), lab.dual_network("second", false));
    let web = lab.container("web", &[&first], &[tcp(None, Some(8080), 80)]);
    let peer = lab.container("peer", &[&second], &[]);
    web.serve(80);
    assert_closed(seen_as(&peer.netns, web.address(), 80));
    let wish = EndpointSpec { network: second.id.clone(), names: vec!["web".into()], ..EndpointSpec::default() };
    lab.host.plug(&web.id, &web.netns, &wish).unwrap();
    let (endpoints, targets) = lab.host.plugs(&web.id).unwrap();
    assert_eq!(endpoints.iter().map(|one| &*one.interface).collect::<Vec<_>>(), ["eth0", "eth1"]);
    assert_eq!(targets[0], web.address());
    for address in &endpoints[1].addresses {
        assert!(seen_as(&peer.netns, address.address, 80).is_ok(), "{}", address.address);
    }
    lab.host.unplug(&web.id, &web.netns, &first.id).unwrap();
    assert_eq!(seen_from_here(Ipv4Addr::LOCALHOST, 8080).unwrap(), gateway(&second).to_string());
    serve_tcp(&lab.neighbour("lan"), 80);
    assert_eq!(seen_as(&web.netns, NEIGHBOUR, 80).unwrap(), HOST.to_string(), "the other network leads out");
    lab.host.delete_network(&first.id).unwrap();
    lab.host.unplug(&web.id, &web.netns, &second.id).unwrap();
    assert_closed(seen_from_here(Ipv4Addr::LOCALHOST, 8080));
    for container in [&web, &peer] {
        lab.host.detach(&container.id).unwrap();
    }
    lab.host.delete_network(&second.id).unwrap();
    lab.assert_clean();
}

#[test]
#[ignore = "needs root"]
fn a_plug_that_fails_leaves_no_trace() {
    let lab = Lab::new();
    let (first, second) = (lab.network("first"), lab.network("second"));
    let web = lab.container("web", &[&first], &[]);
    let before = (lab.ruleset(), lab.host.plugs(&web.id).unwrap());
    let wish = EndpointSpec { network: second.id.clone(), interface: Some("eth0".into()), ..EndpointSpec::default() };
    lab.host.plug(&web.id, &web.netns, &wish).unwrap_err();
    assert_eq!((lab.ruleset(), lab.host.plugs(&web.id).unwrap()), before);
    assert!(lab.run_in(&web.netns, "ip link show eth0").0, "the interface that has the name stays");
}

#[test]
#[ignore = "needs root"]
fn containers_may_be_kept_apart_and_may_leave_with_their_own_address() {
    let lab = Lab::new();
    let apart = lab.network_with("apart", &[("com.docker.network.bridge.enable_icc", "false")]);
    let (web, db) = (lab.container("web", &[&apart], &[]), lab.container("db", &[&apart], &[]));
    db.serve(80);
    assert_closed(seen_as(&web.netns, db.address(), 80));
    lab.run_in(&web.netns, &format!("ip route add {}/32 via {}", db.address(), gateway(&apart)));
    assert_closed(seen_as(&web.netns, db.address(), 80));
    assert!(seen_from_here(db.address(), 80).is_ok(), "the host reaches it");
    let routed = lab.network_with(
        "routed",
        &[
            ("com.docker.network.bridge.enable_ip_masquerade", "false"),
            ("com.docker.network.bridge.name", "br-routed"),
            ("com.docker.network.bridge.host_binding_ipv4", "127.0.0.1"),
        ],
    );
    let app = lab.container("app", &[&routed], &[tcp(None, Some(8080), 80)]);
    app.serve(80);
    serve_tcp(&lab.neighbour("lan"), 80);
    assert_eq!(seen_as(&app.netns, NEIGHBOUR, 80).unwrap(), app.address().to_string());
    assert!(seen_from_here(Ipv4Addr::LOCALHOST, 8080).is_ok());
    assert_closed(seen_as(&lab.neighbour("lan"), HOST, 8080));
    assert!(lab.run("ip -brief link").contains("br-routed"));
}

#[test]
#[ignore = "needs root"]
fn an_interface_has_the_name_and_the_parameters_that_were_asked_for() {
    let lab = Lab::new();
    let (first, second) = (lab.network("first"), lab.network("second"));
    let of_endpoint = |wish: &EndpointSpec, name: &str| {
        let sysctls = "net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.neigh.IFNAME.ucast_solicit=7";
        let options = [("ifname", name), ("sysctls", sysctls)]
            .map(|(option, value)| (format!("com.docker.network.endpoint.{option}"), value.to_owned()));
        let read = read_endpoint_options(&options.into()).unwrap();
        EndpointSpec { interface: read.interface, sysctls: read.sysctls, ..wish.clone() }
    };
    let mut wish = lab.spec("web", &[&first], &[]);
    wish.endpoints[0] = of_endpoint(&wish.endpoints[0], "lan.7");
    let web = lab.start(&wish);
    let plugged = EndpointSpec { network: second.id.clone(), ..EndpointSpec::default() };
    lab.host.plug(&web.id, &web.netns, &of_endpoint(&plugged, "back")).unwrap();
    let read = |name: &str| lab.run_in(&web.netns, &format!("cat /proc/sys/net/ipv4/{name}")).1.trim().to_owned();
    for interface in ["lan.7", "back"] {
        assert_eq!(read(&format!("conf/{interface}/log_martians")), "1");
        assert_eq!(read(&format!("neigh/{interface}/ucast_solicit")), "7");
    }
    assert_eq!((read("conf/lo/log_martians"), read("conf/default/log_martians")), ("0".into(), "0".into()));
    let mut wish = lab.spec("other", &[&first], &[]);
    wish.endpoints[0].sysctls = vec![("net/ipv4/conf/IFNAME/nosuch".to_owned(), "1".to_owned())];
    let error = lab.host.attach(&wish).unwrap_err();
    assert_eq!(error.to_string(), "set `net/ipv4/conf/eth0/nosuch` to 1");
    assert_eq!(lab.host.endpoints(&first.id).unwrap().len(), 1, "a container is connected whole or not at all");
}

#[test]
#[ignore = "needs root"]
fn a_device_of_somebody_else_is_never_taken_for_ours() {
    let lab = Lab::new();
    lab.run("ip link add br0 type bridge");
    let options = [("com.docker.network.bridge.name".to_owned(), "br0".to_owned())].into();
    let error = lab.host.create_network(&NetworkSpec { name: "lan".into(), options, ..NetworkSpec::default() });
    assert_eq!(error.unwrap_err().to_string(), "use device `br0`: it belongs to somebody else");
    assert_eq!(lab.host.networks().unwrap(), []);
    assert!(lab.run("ip -brief link").contains("br0"));
}

#[test]
#[ignore = "needs root"]
fn a_macvlan_container_is_a_machine_of_the_hosts_own_network() {
    let lab = Lab::new();
    let spec = NetworkSpec {
        driver: Driver::Macvlan,
        ranges: vec![RangeSpec { gateway: Some(NEIGHBOUR.into()), ..range("192.0.2.0/24") }],
        options: [("parent".to_owned(), "lan0".to_owned())].into(),
        ..NetworkSpec::default()
    };
    let network = network(&lab, spec);
    let mut wish = lab.spec("nas", &[&network], &[tcp(None, Some(8080), 80)]);
    wish.endpoints[0].addresses = vec!["192.0.2.77".parse().unwrap()];
    let nas = lab.start(&wish);
    nas.serve(80);
    assert_eq!(seen_as(&lab.neighbour("lan"), nas.address(), 80).unwrap(), NEIGHBOUR.to_string());
    serve_tcp(&lab.neighbour("lan"), 81);
    assert_eq!(seen_as(&nas.netns, NEIGHBOUR, 81).unwrap(), "192.0.2.77");
    assert!(nas.sandbox.notes[0].starts_with("no port is published"), "{:?}", nas.sandbox.notes);
    // it starts again while something else keeps its namespace
    let kept = std::fs::File::open(&nas.netns).unwrap();
    lab.host.remove_neighbours(&nas.id, &nas.netns).unwrap();
    lab.host.detach(&nas.id).unwrap();
    let mut wish = lab.spec("nas", &[&network], &[]);
    wish.endpoints[0].addresses = vec!["192.0.2.77".parse().unwrap()];
    let nas = lab.start(&wish);
    nas.serve(80);
    assert_eq!(seen_as(&lab.neighbour("lan"), nas.address(), 80).unwrap(), NEIGHBOUR.to_string());
    drop(kept);
    lab.host.detach(&nas.id).unwrap();
    lab.host.delete_network(&network.id).unwrap();
    assert!(lab.run("ip -brief link").contains("lan0"), "the parent is the host's");
}

#[test]
#[ignore = "needs root"]
fn an_ipvlan_container_has_an_address_of_the_hosts_own_network_or_is_refused_by_name() {
    let lab = Lab::new();
    let spec = NetworkSpec {
        driver: Driver::Ipvlan,
        ranges: vec![RangeSpec { gateway: Some(NEIGHBOUR.into()), ..range("192.0.2.0/24") }],
        options: [("parent".to_owned(), "lan0".to_owned())].into(),
        ..NetworkSpec::default()
    };
    let network = network(&lab, spec);
    let mut wish = lab.spec("nas", &[&network], &[]);
    wish.endpoints[0].addresses = vec!["192.0.2.77".parse().unwrap()];
    let (is_known, said) = lab.run_in(Path::new(HERE), "ip link add link lan0 name probe type ipvlan mode l2");
    if is_known {
        lab.run("ip link delete probe");
        let nas = lab.start(&wish);
        nas.serve(80);
        assert_eq!(seen_as(&lab.neighbour("lan"), nas.address(), 80).unwrap(), NEIGHBOUR.to_string());
        lab.host.detach(&nas.id).unwrap();
    } else {
        assert!(said.contains("Unknown device type"), "{said}");
        let error = lab.host.attach(&wish).unwrap_err();
        let causes: Vec<_> = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source())
            .map(ToString::to_string)
            .collect();
        assert!(causes.join(": ").contains("ipvlan"), "{causes:?}");
        lab.host.detach(&wish.container).unwrap();
    }
    lab.host.delete_network(&network.id).unwrap();
    lab.assert_clean();
}

#[test]
#[ignore = "needs root"]
fn pools_of_the_owner_are_used_and_their_end_names_the_holders() {
    let pools = vec!["10.9.0.0/23 by /24".parse().unwrap(), "fd09::/64 by /64".parse().unwrap()];
    let lab = Lab::new().decided(Settings { pools, ..Settings::default() });
    let both = lab.dual_network("both", false);
    let subnets: Vec<_> = both.ranges.iter().map(|range| range.subnet.to_string()).collect();
    assert_eq!(subnets, ["10.9.0.0/24", "fd09::/64"]);
    lab.network("second");
    let error = lab.host.create_network(&NetworkSpec { name: "third".into(), ..NetworkSpec::default() }).unwrap_err();
    assert_eq!(
        error.to_string(),
        "choose a subnet: none is free in the pools 10.9.0.0/23 by /24; held: 10.9.0.0/24 by network `both`, \
         10.9.1.0/24 by network `second`, 10.9.0.0/24 by device `{0}`, 10.9.1.0/24 by device `{1}`"
            .replace("{0}", &both.bridge)
            .replace("{1}", &lab.host.network("second").unwrap().unwrap().bridge)
    );
}

#[test]
#[ignore = "needs root"]
fn five_hundred_networks_are_there_at_once() {
    let lab = Lab::new();
    let networks: Vec<_> = (0..500).map(|number| lab.network(&format!("net{number}"))).collect();
    let mut subnets: Vec<_> = networks.iter().map(|network| network.ranges[0].subnet).collect();
    subnets.sort();
    subnets.dedup();
    assert_eq!(subnets.len(), 500);
    let (first, last) = (lab.container("a", &[&networks[0]], &[]), lab.container("b", &[&networks[499]], &[]));
    last.serve(80);
    assert_closed(seen_as(&first.netns, last.address(), 80));
    assert!(seen_from_here(last.address(), 80).is_ok());
}

#[test]
#[ignore = "needs root"]
fn a_container_can_neither_route_the_host_nor_be_a_neighbour_of_another_network() {
    let lab = Lab::new();
    let (mine, other) = (lab.dual_network("mine", false), lab.network("other"));
    let (rogue, victim) = (lab.container("rogue", &[&mine], &[]), lab.container("victim", &[&other], &[]));
    victim.serve(80);
    // A router advertisement (RFC 4861, 4.2): type 134, a lifetime of 1800 s and nothing else, to all nodes.
    let advertise = "import socket,struct\n\
        s=socket.socket(socket.AF_INET6,socket.SOCK_RAW,socket.IPPROTO_ICMPV6)\n\
        s.setsockopt(socket.IPPROTO_IPV6,socket.IPV6_MULTICAST_HOPS,255)\n\
        s.sendto(struct.pack('!BBHBBHII',134,0,0,64,0,1800,0,0),('ff02::1',0,0,socket.if_nametoindex('eth0')))\n";
    let script = lab.directory.path().join("advertise.py");
    fs::write(&script, advertise).unwrap();
    let (sent, output) = lab.run_in(&rogue.netns, &format!("python3 {}", script.display()));
    assert!(sent, "{output}");
    let routes = lab.run("ip -6 route show default");
    assert_eq!(routes, "", "the host believed it");
    // An answer nobody asked for (RFC 826): the rogue says that it has the victim's and the gateway's address.
    let claim = "import socket,sys\n\
        s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW);s.bind(('eth0',0))\n\
        own=s.getsockname()[4]\n\
        for ip in sys.argv[1:]:\n\
        \x20   ip=socket.inet_aton(ip)\n\
        \x20   s.send(b'\\xff'*6+own+b'\\x08\\x06'+b'\\x00\\x01\\x08\\x00\\x06\\x04\\x00\\x02'+own+ip+b'\\xff'*6+ip)\n";
    let script = lab.directory.path().join("claim.py");
    fs::write(&script, claim).unwrap();
    let command = format!("python3 {} {} {}", script.display(), victim.address(), gateway(&other));
    let (sent, output) = lab.run_in(&rogue.netns, &command);
    assert!(sent, "{output}");
    assert_eq!(seen_from_here(victim.address(), 80).unwrap(), gateway(&other).to_string());
}

#[test]
#[ignore = "needs root"]
fn a_host_that_listens_to_routers_goes_on_doing_so_while_it_forwards() {
    let lab = Lab::new();
    // A new namespace has IPv4 forwarding as the machine has it.
    fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap();
    let read = |name: &str| fs::read_to_string(format!("/proc/sys/net/ipv6/conf/{name}")).unwrap().trim().to_owned();
    assert_eq!((read("lan0/accept_ra"), read("all/forwarding")), ("1".into(), "0".into()));
    let network = lab.dual_network("lan", false);
    let web = lab.container("web", &[&network], &[]);
    assert!(web.sandbox.notes[0].contains("net.ipv4.ip_forward and net.ipv6.conf.all.forwarding"));
    assert_eq!((read("lan0/accept_ra"), read("all/forwarding")), ("2".into(), "1".into()));
    lab.host.detach(&web.id).unwrap();
    assert_eq!((read("lan0/accept_ra"), read("all/forwarding")), ("1".into(), "0".into()));
}

#[test]
#[ignore = "needs root"]
fn ports_of_a_container_whose_monitor_died_are_held_again() {
    let lab = Lab::new();
    let network = lab.network("lan");
    let mut wish: SandboxSpec = lab.spec("web", &[&network], &[tcp(None, Some(8080), 80)]);
    wish.ports.push(tcp(None, Some(8081), 81));
    let sandbox = lab.host.attach(&wish).unwrap();
    serve_tcp(&wish.netns, 80);
    drop(sandbox); // as the monitor's death does
    let taken = std::net::TcpListener::bind("0.0.0.0:8081").unwrap();
    let relay = lab.host.hold_ports(&wish.container).unwrap();
    std::net::TcpListener::bind("0.0.0.0:8080").expect_err("it is held");
    let _running = crate::lab::Loop::start(relay);
    assert!(seen_from_here(std::net::Ipv6Addr::LOCALHOST, 8080).is_ok());
    drop(taken);
}
