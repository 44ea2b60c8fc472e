//! Who reaches what: every published port from every place, by both transports and both families.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::thread;

use lighter_netns::{Families, Network, NetworkSpec, Protocol, Publish, PublishedPort, Settings};

use crate::lab::{
    Container, HERE, HOST, HOST6, Lab, NEIGHBOUR, NEIGHBOUR6, datagram_seen_as, gateway, gateway6, seen_as, serve_udp,
};

/// Asks by TCP and by UDP; returns what the container saw of the client both times, or that nothing came.
fn ask(from: &Path, to: IpAddr, port: u16) -> Option<String> {
    let tcp = seen_as(from, to, port).ok().filter(|seen| !seen.is_empty());
    let udp = datagram_seen_as(from, to, port).ok();
    assert_eq!(tcp, udp, "[{to}]:{port} from {} by tcp and by udp", from.display());
    tcp
}

/// A host with two projects, an internal network and a neighbour.
struct World {
    lab: Lab,
    net: Network,
    web: Container,
    /// On the same network as `web`.
    sibling: Container,
    /// On a network of its own.
    stranger: Container,
    /// On an internal network.
    inmate: Container,
}

const ANY: u16 = 8000;
const LOOPBACK: u16 = 8001;
const LOOPBACK6: u16 = 8002;
const LAN: u16 = 8003;
const LAN6: u16 = 8004;

impl World {
    fn new(lab: Lab) -> World {
        let (net, other) = (lab.dual_network("web_default", false), lab.dual_network("other", false));
        let inner = lab.dual_network("inner", true);
        let addresses = [
            (ANY, None),
            (LOOPBACK, Some(IpAddr::from(Ipv4Addr::LOCALHOST))),
            (LOOPBACK6, Some(Ipv6Addr::LOCALHOST.into())),
            (LAN, Some(HOST.into())),
            (LAN6, Some(HOST6.into())),
        ];
        let port =
            |(port, host_ip), protocol| PublishedPort { host_ip, host_port: Some(port..=port), target: 80, protocol };
        let both = |one| [port(one, Protocol::Tcp), port(one, Protocol::Udp)];
        let ports: Vec<_> = addresses.into_iter().flat_map(both).collect();
        let web = lab.container("web", &[&net], &ports);
        web.serve(80);
        serve_udp(&web.netns, 80);
        let sibling = lab.container("sibling", &[&net], &[]);
        let stranger = lab.container("stranger", &[&other], &[]);
        let inmate = lab.container("inmate", &[&inner], &[]);
        World { lab, net, web, sibling, stranger, inmate }
    }

    fn places(&self) -> [(&'static str, PathBuf); 5] {
        [
            ("host", HERE.into()),
            ("lan", self.lab.neighbour("lan")),
            ("sibling", self.sibling.netns.clone()),
            ("stranger", self.stranger.netns.clone()),
            ("inmate", self.inmate.netns.clone()),
        ]
    }

    /// Checks every port on every address from every place against `expected`: the lines that are open, with who is seen.
    fn check(&self, expected: &[(&str, IpAddr, u16, IpAddr)]) {
        let addresses: [IpAddr; 4] =
            [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into(), HOST.into(), HOST6.into()];
        let mut questions = Vec::new();
        for (place, netns) in self.places() {
            // From elsewhere, a loopback address is that place's own.
            for to in addresses.into_iter().filter(|to| !to.is_loopback() || place == "host") {
                questions.extend([ANY, LOOPBACK, LOOPBACK6, LAN, LAN6].map(|port| (place, netns.clone(), to, port)));
            }
        }
        let here = std::fs::File::open(HERE).unwrap();
        let mut open: Vec<_> = thread::scope(|scope| {
            let here = &here;
            let ask = |(place, netns, to, port): (&'static str, PathBuf, IpAddr, u16)| {
                scope.spawn(move || {
                    let netns =
                        if place == "host" { format!("/proc/self/fd/{}", here.as_raw_fd()).into() } else { netns };
                    ask(&netns, to, port).map(|seen| format!("{place} {to} {port} {seen}"))
                })
            };
            let running: Vec<_> = questions.into_iter().map(ask).collect();
            running.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        let mut expected: Vec<_> =
            expected.iter().map(|(place, to, port, seen)| format!("{place} {to} {port} {seen}")).collect();
        open.sort();
        expected.sort();
        assert_eq!(open, expected);
    }

    fn open_to_all(&self) -> Vec<(&'static str, IpAddr, u16, IpAddr)> {
        let (near, near6) = (gateway(&self.net), gateway6(&self.net));
        let (localhost, localhost6) = (IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST));
        let mut open = vec![
            ("host", localhost, ANY, near),
            ("host", localhost, LOOPBACK, near),
            ("host", localhost6, ANY, near6),
            ("host", localhost6, LOOPBACK6, near6),
        ];
        for (to, port, host, neighbour, near) in [
            (IpAddr::from(HOST), LAN, IpAddr::from(HOST), IpAddr::from(NEIGHBOUR), near),
            (HOST6.into(), LAN6, HOST6.into(), NEIGHBOUR6.into(), near6),
        ] {
            for port in [ANY, port] {
                open.extend([("host", to, port, host), ("lan", to, port, neighbour), ("sibling", to, port, near)]);
            }
        }
        open
    }
}

#[test]
#[ignore = "needs root"]
fn what_is_published_is_reachable_from_where_it_should_be_and_from_nowhere_else() {
    let world = World::new(Lab::new());
    world.check(&world.open_to_all());
    world.lab.run("nft flush ruleset");
    world.lab.host.reconcile().unwrap();
    world.check(&world.open_to_all());
}

#[test]
#[ignore = "needs root"]
fn other_projects_and_internal_networks_are_closed_to_each_other_by_every_address() {
    let world = World::new(Lab::new());
    for target in [world.web.address(), world.web.address6()] {
        for port in [80, ANY] {
            for place in [&world.stranger.netns, &world.inmate.netns, &world.lab.neighbour("lan")] {
                assert_eq!(ask(place, target, port), None, "{target} {port} from {}", place.display());
            }
        }
        assert!(ask(&world.sibling.netns, target, 80).is_some());
    }
    for target in [gateway(&world.net), gateway6(&world.net)] {
        assert_eq!(ask(&world.inmate.netns, target, ANY), None);
    }
}

/// Rules as `ufw enable` leaves them: nothing comes in, nothing is forwarded, but for answers.
const UFW: &str = "table ip filter {
chain INPUT { type filter hook input priority 0; policy drop; jump ufw-user-input; ct state established,related accept; iifname lo accept; }
chain FORWARD { type filter hook forward priority 0; policy drop; jump ufw-before-forward; }
chain OUTPUT { type filter hook output priority 0; policy accept; }
chain ufw-before-forward { ct state established,related accept; }
chain ufw-user-input { }
}
table ip6 filter {
chain INPUT { type filter hook input priority 0; policy drop; jump ufw6-user-input; ct state established,related accept; iifname lo accept; meta l4proto ipv6-icmp accept; }
chain FORWARD { type filter hook forward priority 0; policy drop; jump ufw6-before-forward; }
chain ufw6-before-forward { ct state established,related accept; }
chain ufw6-user-input { }
}
";
/// Rules as firewalld's zone `public` has them.
const FIREWALLD: &str = "table inet firewalld {
chain filter_INPUT { type filter hook input priority 10; policy accept; ct state established,related accept; iifname lo accept; meta l4proto ipv6-icmp accept; reject with icmpx admin-prohibited; }
chain filter_FORWARD { type filter hook forward priority 10; policy accept; ct state established,related accept; ct status dnat accept; iifname lo accept; jump filter_FORWARD_POLICIES; reject with icmpx admin-prohibited; }
chain filter_FORWARD_POLICIES { }
}
";
/// Rules as dockerd leaves them.
const DOCKER: &str = "table ip filter {
chain DOCKER-USER { return; }
chain FORWARD { type filter hook forward priority 0; policy drop; jump DOCKER-USER; oifname docker0 ct state established,related accept; iifname docker0 accept; }
}
table ip nat {
chain PREROUTING { type nat hook prerouting priority -100; fib daddr type local jump DOCKER; }
chain POSTROUTING { type nat hook postrouting priority 100; ip saddr 172.17.0.0/16 oifname != docker0 masquerade; }
chain DOCKER { iifname docker0 return; }
}
";

fn load(lab: &Lab, rules: &str) {
    let file = lab.directory.path().join("foreign.nft");
    std::fs::write(&file, rules).unwrap();
    lab.run(&format!("nft -f {}", file.display()));
}

#[test]
#[ignore = "needs root"]
fn a_firewall_that_drops_is_named_with_its_remedy_and_obeyed_until_it_is_told() {
    for (rules, remedy, told) in [
        (
            UFW,
            "ufw route allow in on lt-+ && ufw route allow out on lt-+",
            &["ip filter FORWARD", "ip6 filter FORWARD"][..],
        ),
        (
            DOCKER,
            "iptables -I DOCKER-USER -i lt-+ -j ACCEPT && iptables -I DOCKER-USER -o lt-+ -j ACCEPT",
            &["ip filter DOCKER-USER"],
        ),
        (
            FIREWALLD,
            "firewall-cmd --permanent --zone=trusted --add-interface=lt-+ && firewall-cmd --reload",
            &["inet firewalld filter_FORWARD_POLICIES"],
        ),
    ] {
        let lab = Lab::new();
        load(&lab, rules);
        let foreign = lab.ruleset();
        let net = lab.dual_network("probe", false);
        let probe = lab.container("probe", &[&net], &[]);
        let notes = probe.sandbox.notes.join("\n");
        assert!(notes.contains(remedy), "{notes}");
        crate::lab::serve_tcp(&lab.neighbour("lan"), 80);
        let asked = seen_as(&probe.netns, NEIGHBOUR, 80);
        assert!(asked.is_err(), "what the host's firewall drops stays dropped");
        for chain in told {
            for way in ["iifname", "oifname"] {
                lab.run(&format!("nft insert rule {chain} {way} lt-* accept"));
            }
        }
        let second = lab.container("second", &[&lab.network("second")], &[]);
        assert_eq!(second.sandbox.notes, Vec::<String>::new(), "its owner has decided");
        assert_eq!(seen_as(&probe.netns, NEIGHBOUR, 80).unwrap(), HOST.to_string());
        for id in [&probe.id, &second.id] {
            lab.host.detach(id).unwrap();
        }
        drop((probe, second));
        assert_eq!(lab.ruleset().matches("lt-").count(), told.len() * 2, "{}", lab.ruleset());
        assert!(!lab.ruleset().contains("table inet lighter") && foreign.contains("hook forward"));
    }
}

#[test]
#[ignore = "needs root"]
fn a_firewall_of_iptables_legacy_that_drops_is_named_with_its_remedy_and_obeyed_until_it_is_told() {
    let lab = Lab::new();
    // A policy, and a last rule.
    lab.run("iptables-legacy -P FORWARD DROP");
    lab.run("ip6tables-legacy -A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT");
    lab.run("ip6tables-legacy -A FORWARD -j REJECT");
    crate::lab::serve_tcp(&lab.neighbour("lan"), 80);
    let net = lab.dual_network("probe", false);
    let probe = lab.container("probe", &[&net], &[]);
    let notes = &probe.sandbox.notes;
    let programs = ["iptables-legacy", "ip6tables-legacy"];
    let remedies: Vec<_> = programs
        .iter()
        .flat_map(|program| ["-i", "-o"].map(|way| format!("{program} -I FORWARD {way} lt-+ -j ACCEPT")))
        .collect();
    for (note, (program, remedy)) in notes[notes.len() - 2..].iter().zip(programs.iter().zip(remedies.chunks(2))) {
        assert!(
            note.contains(&format!("({program} chain `FORWARD`)")) && note.ends_with(&remedy.join(" && ")),
            "{note}"
        );
    }
    for neighbour in [IpAddr::from(NEIGHBOUR), NEIGHBOUR6.into()] {
        assert!(seen_as(&probe.netns, neighbour, 80).is_err(), "what the host's firewall drops stays dropped");
    }
    remedies.iter().for_each(|remedy| drop(lab.run(remedy)));
    let second = lab.container("second", &[&lab.dual_network("second", false)], &[]);
    assert_eq!(second.sandbox.notes, Vec::<String>::new(), "its owner has decided");
    for neighbour in [IpAddr::from(NEIGHBOUR), NEIGHBOUR6.into()] {
        assert!(seen_as(&probe.netns, neighbour, 80).is_ok(), "{neighbour}");
    }
}

#[test]
#[ignore = "needs root"]
fn beside_firewalls_that_were_told_everything_is_as_without_them() {
    for (rules, told) in [
        (UFW, &["ip filter FORWARD", "ip6 filter FORWARD"][..]),
        (DOCKER, &["ip filter DOCKER-USER"]),
        (FIREWALLD, &["inet firewalld filter_FORWARD_POLICIES"]),
    ] {
        let lab = Lab::new();
        load(&lab, rules);
        for chain in told {
            for way in ["iifname", "oifname"] {
                lab.run(&format!("nft insert rule {chain} {way} lt-* accept"));
            }
        }
        let world = World::new(lab);
        world.check(&world.open_to_all());
    }
}

#[test]
#[ignore = "needs root"]
fn respecting_the_hosts_firewall_means_that_its_rules_for_the_host_decide() {
    let settings = Settings { publish: Publish::RespectHostFirewall, ..Settings::default() };
    let lab = Lab::new().decided(settings);
    load(&lab, UFW);
    let world = World::new(lab);
    let from_lan = |world: &World| {
        let lan = world.lab.neighbour("lan");
        [(IpAddr::from(HOST), LAN), (HOST6.into(), LAN6), (HOST.into(), ANY)].map(|(to, port)| ask(&lan, to, port))
    };
    assert_eq!(from_lan(&world), [None, None, None], "nothing was allowed");
    for port in [LAN, LAN6] {
        world.lab.run(&format!("nft add rule ip filter ufw-user-input th dport {port} accept"));
        world.lab.run(&format!("nft add rule ip6 filter ufw6-user-input th dport {port} accept"));
    }
    let (near, near6) = (gateway(&world.net).to_string(), gateway6(&world.net).to_string());
    assert_eq!(from_lan(&world), [Some(near.clone()), Some(near6), None], "what was allowed, and nothing else");
    assert_eq!(ask(Path::new(HERE), Ipv4Addr::LOCALHOST.into(), LOOPBACK), Some(near));
}

#[test]
#[ignore = "needs root"]
fn an_ipv6_container_is_reached_by_ipv4_addresses_of_the_host() {
    let lab = Lab::new();
    let spec = NetworkSpec { name: "six".into(), families: Families::Ipv6, ..NetworkSpec::default() };
    let network = lab.host.create_network(&spec).unwrap();
    let port = |protocol| PublishedPort { host_ip: None, host_port: Some(8080..=8080), target: 80, protocol };
    let web = lab.container("web", &[&network], &[port(Protocol::Tcp), port(Protocol::Udp)]);
    web.serve(80);
    serve_udp(&web.netns, 80);
    for (from, to) in [(PathBuf::from(HERE), Ipv4Addr::LOCALHOST), (HERE.into(), HOST), (lab.neighbour("lan"), HOST)] {
        let near = gateway6(&network).to_string();
        assert_eq!(seen_as(&from, to, 8080).unwrap(), near, "{to}");
        assert_eq!(datagram_seen_as(&from, to, 8080).unwrap(), near, "{to}");
    }
    assert_eq!(seen_as(&lab.neighbour("lan"), HOST6, 8080).unwrap(), NEIGHBOUR6.to_string());
}

#[test]
#[ignore = "needs root"]
fn an_ipv4_container_is_reached_by_ipv6_addresses_of_the_host() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let port = |protocol| PublishedPort { host_ip: None, host_port: Some(8080..=8080), target: 80, protocol };
    let web = lab.container("web", &[&network], &[port(Protocol::Tcp), port(Protocol::Udp)]);
    web.serve(80);
    serve_udp(&web.netns, 80);
    let near = gateway(&network).to_string();
    for (from, to) in [(PathBuf::from(HERE), Ipv6Addr::LOCALHOST), (HERE.into(), HOST6), (lab.neighbour("lan"), HOST6)]
    {
        assert_eq!(seen_as(&from, to, 8080).unwrap(), near, "{to}");
        assert_eq!(datagram_seen_as(&from, to, 8080).unwrap(), near, "{to}");
    }
    let link_local = lab.run("ip -6 -brief address show dev lan0");
    let link_local = link_local.split_whitespace().find(|word| word.starts_with("fe80")).unwrap();
    let link_local = link_local.split('/').next().unwrap();
    let (answered, output) = lab
        .run_in(&lab.neighbour("lan"), &format!("curl -sg --max-time 3 --http0.9 http://[{link_local}%25eth0]:8080/"));
    assert!(answered, "{output}");
}
