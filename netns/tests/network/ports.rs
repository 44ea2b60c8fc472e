//! Published ports, from everywhere.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;

use lighter_netns::{AttachError, Holder, PortError};

use crate::lab::{
    HERE, HOST, Lab, NEIGHBOUR, assert_closed, datagram_seen_as, gateway, inside, seen_as, seen_from_here, serve_tcp,
    serve_udp, tcp, udp,
};

#[test]
#[ignore = "needs root"]
fn a_published_port_is_reachable_from_the_host_and_from_its_neighbour() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let web = lab.container("web", &[&network], &[tcp(None, Some(8080), 80)]);
    web.serve(80);
    assert_eq!(seen_from_here(Ipv4Addr::LOCALHOST, 8080).unwrap(), gateway(&network).to_string());
    assert_eq!(seen_from_here(HOST, 8080).unwrap(), HOST.to_string());
    assert_eq!(seen_as(&lab.neighbour("lan"), HOST, 8080).unwrap(), NEIGHBOUR.to_string(), "the client's own address");
}

#[test]
#[ignore = "needs root"]
fn a_container_reaches_its_own_published_port_by_the_address_of_the_host() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let web = lab.container("web", &[&network], &[tcp(None, Some(8080), 80)]);
    let other = lab.container("other", &[&network], &[]);
    web.serve(80);
    assert_eq!(seen_as(&web.netns, HOST, 8080).unwrap(), gateway(&network).to_string());
    assert_eq!(seen_as(&other.netns, HOST, 8080).unwrap(), gateway(&network).to_string());
}

#[test]
#[ignore = "needs root"]
fn a_port_published_on_loopback_is_for_this_host_only() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let web = lab.container("web", &[&network], &[tcp(Some(Ipv4Addr::LOCALHOST.into()), Some(8080), 80)]);
    web.serve(80);
    assert_eq!(seen_from_here(Ipv4Addr::LOCALHOST, 8080).unwrap(), gateway(&network).to_string());
    assert_closed(seen_from_here(HOST, 8080));
    let lan = lab.neighbour("lan");
    assert_closed(seen_as(&lan, HOST, 8080));
    // A neighbour that sends to 127.0.0.1 over the wire.
    for command in [
        "ip link set lo down",
        "sysctl -q -w net.ipv4.conf.all.route_localnet=1",
        "ip route flush table local",
        &format!("ip route add local {NEIGHBOUR} dev eth0 table local"),
        &format!("ip route add 127.0.0.1/32 via {HOST} src {NEIGHBOUR}"),
    ] {
        let (done, output) = lab.run_in(&lan, command);
        assert!(done, "{command}: {output}");
    }
    assert_closed(seen_as(&lan, Ipv4Addr::LOCALHOST, 8080));
}

#[test]
#[ignore = "needs root"]
fn a_port_published_on_one_address_is_not_on_the_others() {
    let lab = Lab::new();
    lab.run("ip address add 192.0.2.10/24 dev lan0");
    let network = lab.network("web_default");
    let web = lab.container("web", &[&network], &[tcp(Some(HOST.into()), Some(8080), 80)]);
    let other = lab.container("other", &[&network], &[tcp(Some(Ipv4Addr::new(192, 0, 2, 10).into()), Some(8080), 81)]);
    web.serve(80);
    serve_udp(&other.netns, 81);
    let lan = lab.neighbour("lan");
    assert_eq!(seen_as(&lan, HOST, 8080).unwrap(), NEIGHBOUR.to_string());
    assert_closed(seen_as(&lan, Ipv4Addr::new(192, 0, 2, 10), 8080));
    assert_closed(seen_from_here(Ipv4Addr::LOCALHOST, 8080));
}

#[test]
#[ignore = "needs root"]
fn what_is_not_published_is_closed_even_by_a_direct_route() {
    let lab = Lab::new();
    // On a host that forwards for everybody, nothing but our own rules keeps containers.
    lab.run("sysctl -q -w net.ipv4.ip_forward=1");
    let network = lab.network("web_default");
    let web = lab.container("web", &[&network], &[tcp(None, Some(8080), 80)]);
    web.serve(80);
    web.serve(81);
    let lan = lab.neighbour("lan");
    // The neighbour's default route leads through the host.
    assert_closed(seen_as(&lan, web.address(), 81));
    assert_closed(seen_as(&lan, web.address(), 80));
    assert_eq!(seen_as(&lan, HOST, 8080).unwrap(), NEIGHBOUR.to_string());
}

#[test]
#[ignore = "needs root"]
fn udp_works_and_moves_to_a_new_container_at_once() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let lan = lab.neighbour("lan");
    let socket = inside(&lan, || UdpSocket::bind((NEIGHBOUR, 4000)).unwrap());
    socket.set_read_timeout(Some(std::time::Duration::from_millis(700))).unwrap();
    let ask = || {
        socket.send_to(b"?", (HOST, 5353)).unwrap();
        let mut buffer = [0; 64];
        socket.recv_from(&mut buffer).map(|(length, from)| (buffer[..length].to_vec(), from.to_string()))
    };
    let first = lab.container("dns-1", &[&network], &[udp(5353, 53)]);
    serve_udp(&first.netns, 53);
    assert_eq!(ask().unwrap(), (NEIGHBOUR.to_string().into_bytes(), format!("{HOST}:5353")));
    assert_eq!(datagram_seen_as(Path::new(HERE), HOST, 5353).unwrap(), HOST.to_string());
    lab.host.detach(&first.id).unwrap();
    drop(first);
    ask().expect_err("nobody has the port");
    let holder = lab.container("other", &[&network], &[]);
    let second = lab.container("dns-2", &[&network], &[udp(5353, 53)]);
    assert_ne!(second.address(), holder.address());
    serve_udp(&second.netns, 53);
    // From the same port as before: the connection the kernel remembers led to the first container.
    assert_eq!(ask().unwrap().1, format!("{HOST}:5353"));
}

#[test]
#[ignore = "needs root"]
fn udp_moves_to_another_network_with_its_container_and_to_nobody_who_gets_its_address() {
    let lab = Lab::new();
    let (first, second) = (lab.network("first"), lab.network("second"));
    let socket = inside(&lab.neighbour("lan"), || UdpSocket::bind((NEIGHBOUR, 4000)).unwrap());
    socket.set_read_timeout(Some(std::time::Duration::from_millis(700))).unwrap();
    let reach = |server: &UdpSocket| {
        socket.send_to(b"?", (HOST, 5353)).unwrap();
        server.recv_from(&mut [0; 8]).map(|(_, from)| from.ip().to_string())
    };
    let listen = |netns: &Path| {
        let server = inside(netns, || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 53)).unwrap());
        server.set_read_timeout(Some(std::time::Duration::from_millis(700))).unwrap();
        server
    };
    let log = lab.container("log", &[&first, &second], &[udp(5353, 53)]);
    let server = listen(&log.netns);
    assert_eq!(reach(&server).unwrap(), NEIGHBOUR.to_string());
    let address = log.address();
    lab.host.unplug(&log.id, &log.netns, &first.id).unwrap();
    let heir = lab.container("heir", &[&first], &[]);
    assert_eq!(heir.address(), address, "the lowest free one");
    let stranger = listen(&heir.netns);
    assert_eq!(reach(&server).unwrap(), NEIGHBOUR.to_string());
    stranger.recv_from(&mut [0; 8]).expect_err("the port is not published for it");
}

#[test]
#[ignore = "needs root"]
fn a_port_in_use_names_its_holder_and_leaves_nothing_behind() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let links = |lab: &Lab| {
        lab.run("ip -brief link").lines().map(|line| line.split(" ").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let before = (links(&lab), lab.ruleset());
    let listener = TcpListener::bind((HOST, 8080)).unwrap();
    let spec = lab.spec("web", &[&network], &[tcp(None, Some(8079), 79), tcp(None, Some(8080), 80)]);
    let error = lab.host.attach(&spec).unwrap_err();
    let AttachError::Port(PortError::InUse { port: 8080, holder: Some(Holder::Process { pid, .. }), .. }) = &error
    else {
        panic!("{error}")
    };
    assert_eq!(*pid, i32::try_from(std::process::id()).unwrap());
    assert_eq!((links(&lab), lab.ruleset()), before);
    assert_eq!(lab.host.endpoints(&network.id).unwrap(), []);
    TcpListener::bind((HOST, 8079)).expect("the first port was given back");
    drop(listener);
    lab.host.attach(&spec).unwrap();
}

#[test]
#[ignore = "needs root"]
fn a_published_port_is_kept_from_others_and_its_container_named() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let web = lab.container("web", &[&network], &[tcp(None, Some(8080), 80), tcp(None, None, 81)]);
    let chosen = web.sandbox.ports[1].host_port;
    for port in [8080, chosen] {
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).expect_err("taken");
    }
    let spec = lab.spec("other", &[&network], &[tcp(Some(Ipv4Addr::LOCALHOST.into()), Some(8080), 80)]);
    let error = lab.host.attach(&spec).unwrap_err();
    assert_eq!(error.to_string(), "publish port 8080/tcp on `127.0.0.1`: in use by container `web`");
    lab.host.detach(&web.id).unwrap();
    drop(web);
    lab.host.attach(&spec).unwrap();
}

#[test]
#[ignore = "needs root"]
fn a_port_with_finished_connections_of_its_last_owner_is_free() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8080)).unwrap();
        let client = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, 8080)).unwrap();
        drop(listener.accept().unwrap());
        drop(client);
    }
    let web = lab.container("web", &[&network], &[tcp(None, Some(8080), 80)]);
    web.serve(80);
    assert_eq!(seen_as(&lab.neighbour("lan"), HOST, 8080).unwrap(), NEIGHBOUR.to_string());
}

#[test]
#[ignore = "needs root"]
fn ports_of_a_container_on_internal_networks_are_not_published() {
    let lab = Lab::new();
    let network = lab.internal_network("inner");
    let db = lab.container("db", &[&network], &[tcp(None, Some(5432), 5432)]);
    assert_eq!(db.sandbox.ports, []);
    db.serve(5432);
    assert_closed(seen_as(&lab.neighbour("lan"), HOST, 5432));
}

#[test]
#[ignore = "needs root"]
fn traffic_through_the_host_to_others_is_left_alone() {
    let lab = Lab::new();
    lab.run("sysctl -q -w net.ipv4.ip_forward=1");
    let (near, far) = (Ipv4Addr::new(198, 51, 100, 1), Ipv4Addr::new(198, 51, 100, 2));
    lab.add_neighbour("far", near, far);
    let network = lab.network("web_default");
    let _web = lab.container("web", &[&network], &[tcp(None, Some(8080), 80)]);
    serve_tcp(&lab.neighbour("far"), 8080);
    assert_eq!(seen_as(&lab.neighbour("lan"), far, 8080).unwrap(), NEIGHBOUR.to_string());
}
