//! Names inside containers, asked for with dig(1).

use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use lighter_netns::Network;
use lighter_netns::dns::{Names, Server, Upstream};

use crate::lab::{Container, Lab, Loop, inside};

/// Starts the name server of a container on `networks`.
fn serve(lab: &Lab, container: &Container, networks: &[&Network], upstream: Upstream) -> Loop {
    let networks = networks.iter().map(|network| network.id.clone()).collect();
    let names = Names { networks, links: Vec::new(), upstream };
    Loop::start(Server::start(&lab.host, &container.id, &container.netns, names).unwrap())
}

/// A server of the host that answers every question with one address, and counts.
fn upstream(address: [u8; 4]) -> (Upstream, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = socket.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            count.fetch_add(1, Ordering::Relaxed);
            // Header and question are echoed; EDNS, which dig sends after them, is left out.
            let end = 12 + buffer[12..length].iter().position(|byte| *byte == 0).unwrap() + 5;
            let mut response = buffer[..end].to_vec();
            response[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
            response.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            response.extend_from_slice(&address);
            let _ = socket.send_to(&response, from);
        }
    });
    (Upstream::Servers(vec![server]), asked)
}

fn dig(lab: &Lab, netns: &Path, question: &str) -> String {
    let (_, output) = lab.run_in(netns, &format!("dig @127.0.0.11 +tries=1 +time=3 {question}"));
    output
}

#[test]
#[ignore = "needs root"]
fn names_of_the_network_are_answered_and_follow_its_containers() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let web = lab.container("web", &[&network], &[]);
    let _server = serve(&lab, &web, &[&network], Upstream::Servers(Vec::new()));
    assert_eq!(dig(&lab, &web.netns, "+short web"), format!("{}\n", web.address()));
    assert!(dig(&lab, &web.netns, "db").contains("SERVFAIL"), "asked elsewhere, where nobody is");
    let db = lab.container("db", &[&network], &[]);
    assert_eq!(dig(&lab, &web.netns, "+short DB"), format!("{}\n", db.address()));
    assert_eq!(dig(&lab, &web.netns, "+short db.web_default"), format!("{}\n", db.address()));
    assert_eq!(dig(&lab, &web.netns, "+short +tcp db"), format!("{}\n", db.address()));
    assert_eq!(dig(&lab, &web.netns, &format!("+short -x {}", db.address())), "db.web_default.\n");
    let ipv6 = dig(&lab, &web.netns, "db AAAA");
    assert!(ipv6.contains("status: NOERROR") && ipv6.contains("ANSWER: 0"), "{ipv6}");
    lab.host.detach(&db.id).unwrap();
    assert!(!dig(&lab, &web.netns, "db").contains("NOERROR"));
}

#[test]
#[ignore = "needs root"]
fn other_names_are_asked_of_the_host() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let web = lab.container("web", &[&network], &[]);
    let (upstream, asked) = upstream([203, 0, 113, 7]);
    let _server = serve(&lab, &web, &[&network], upstream);
    assert_eq!(dig(&lab, &web.netns, "+short example.com"), "203.0.113.7\n");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    dig(&lab, &web.netns, "+short web");
    assert_eq!(asked.load(Ordering::Relaxed), 1, "our own names are nobody else's business");
}

#[test]
#[ignore = "needs root"]
fn a_silent_server_is_passed_over_and_a_dead_one_at_once() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let web = lab.container("web", &[&network], &[]);
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (Upstream::Servers(good), _) = upstream([203, 0, 113, 7]) else { unreachable!() };
    let dead = "127.0.0.1:9".parse().unwrap();
    let servers = vec![dead, silent.local_addr().unwrap(), good[0]];
    let _server = serve(&lab, &web, &[&network], Upstream::Servers(servers));
    assert_eq!(dig(&lab, &web.netns, "+short example.com"), "203.0.113.7\n");
}

#[test]
#[ignore = "needs root"]
fn from_internal_networks_no_question_leaves() {
    let lab = Lab::new();
    let network = lab.internal_network("inner");
    let db = lab.container("db", &[&network], &[]);
    let (upstream, asked) = upstream([203, 0, 113, 7]);
    let _server = serve(&lab, &db, &[&network], upstream);
    assert_eq!(dig(&lab, &db.netns, "+short db"), format!("{}\n", db.address()));
    assert!(dig(&lab, &db.netns, "secret.example.com").contains("NXDOMAIN"));
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[test]
#[ignore = "needs root"]
fn names_of_other_networks_are_unknown() {
    let lab = Lab::new();
    let (a, b) = (lab.network("a"), lab.network("b"));
    let (web, _db) = (lab.container("web", &[&a], &[]), lab.container("db", &[&b], &[]));
    let _server = serve(&lab, &web, &[&a], Upstream::Servers(Vec::new()));
    assert!(dig(&lab, &web.netns, "db").contains("SERVFAIL"));
}

#[test]
#[ignore = "needs root"]
fn all_replicas_of_a_service_are_answered_in_turns() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let web = lab.container("web", &[&network], &[]);
    let _others: Vec<_> = (0..40).map(|_| lab.container("web", &[&network], &[])).collect();
    let _server = serve(&lab, &web, &[&network], Upstream::Servers(Vec::new()));
    let answers: Vec<_> = (0..3).map(|_| dig(&lab, &web.netns, "+short web")).collect();
    assert!(answers.iter().all(|answer| answer.lines().count() == 41), "{answers:?}");
    assert!(answers[0] != answers[1] && answers[1] != answers[2]);
    let cut = dig(&lab, &web.netns, "+noedns +ignore web");
    assert!(cut.contains(" tc ") || cut.contains("tc;"), "{cut}");
    assert_eq!(dig(&lab, &web.netns, "+short +noedns web").lines().count(), 41, "dig asks again over TCP");
}

#[test]
#[ignore = "needs root"]
fn a_container_may_have_a_name_server_of_its_own() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let web = lab.container("web", &[&network], &[]);
    let _server = serve(&lab, &web, &[&network], Upstream::Servers(Vec::new()));
    let own = inside(&web.netns, || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 53)).unwrap());
    assert_eq!(dig(&lab, &web.netns, "+short web"), format!("{}\n", web.address()));
    drop(own);
}

#[test]
#[ignore = "needs root"]
fn connections_inside_are_not_tracked_and_a_firewall_of_the_containers_own_is_no_obstacle() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let web = lab.container("web", &[&network], &[]);
    let _server = serve(&lab, &web, &[&network], Upstream::Servers(Vec::new()));
    let answered = || {
        for question in ["+short web", "+short +tcp web"] {
            assert_eq!(dig(&lab, &web.netns, question), format!("{}\n", web.address()), "{question}");
        }
    };
    answered();
    let tracked = inside(&web.netns, || std::fs::read_to_string("/proc/thread-self/net/stat/nf_conntrack").unwrap());
    let numbers = tracked.lines().skip(1).flat_map(str::split_whitespace);
    assert!(numbers.clone().count() > 0 && numbers.into_iter().all(|number| number == "00000000"), "{tracked}");
    let chain = |hook: &str, device: &str| {
        let rules = format!("ct state established accept; ct state invalid drop; {device} lo accept;");
        format!("chain {hook} {{ type filter hook {hook} priority 0; policy drop; {rules} }};")
    };
    let table = format!("table inet own {{ {} {} }}", chain("input", "iifname"), chain("output", "oifname"));
    let file = lab.directory.path().join("own.nft");
    std::fs::write(&file, table).unwrap();
    let (success, said) = lab.run_in(&web.netns, &format!("nft -f {}", file.display()));
    assert!(success, "{said}");
    answered();
}

#[test]
#[ignore = "needs root"]
fn a_server_that_is_started_again_takes_over() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let web = lab.container("web", &[&network], &[]);
    drop(serve(&lab, &web, &[&network], Upstream::Servers(Vec::new())));
    let _second = serve(&lab, &web, &[&network], Upstream::Servers(Vec::new()));
    assert_eq!(dig(&lab, &web.netns, "+short web"), format!("{}\n", web.address()));
}
