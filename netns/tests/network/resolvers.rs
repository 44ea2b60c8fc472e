//! Resolvers of others agree on what the name server says, and it says it under load.

use std::collections::BTreeSet;
use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lighter_netns::dns::{Names, Server, Upstream};
use lighter_netns::{EndpointSpec, Network, SandboxSpec};
use nix::mount::{MsFlags, mount};

use crate::lab::{Container, Lab, Loop, inside};

/// Types of records that a resolver may ask for (IANA, Domain Name System Parameters), but for those of addresses.
const OTHERS: [&str; 36] = [
    "NS",
    "CNAME",
    "SOA",
    "PTR",
    "HINFO",
    "MX",
    "TXT",
    "RP",
    "AFSDB",
    "SIG",
    "KEY",
    "LOC",
    "SRV",
    "NAPTR",
    "KX",
    "CERT",
    "DNAME",
    "APL",
    "DS",
    "SSHFP",
    "IPSECKEY",
    "RRSIG",
    "NSEC",
    "DNSKEY",
    "DHCID",
    "NSEC3",
    "NSEC3PARAM",
    "TLSA",
    "SMIMEA",
    "HIP",
    "CDS",
    "CDNSKEY",
    "OPENPGPKEY",
    "CSYNC",
    "SVCB",
    "HTTPS",
];
/// Questions a second.
const RATE: u32 = 1000;
/// Least number of starts and stops meanwhile, however busy the machine is.
const LEAST_ROUNDS: usize = 50;

fn serve(lab: &Lab, container: &Container, network: &Network, upstream: Vec<std::net::SocketAddr>) -> Loop {
    let names = Names {
        networks: vec![network.id.clone()],
        links: vec![("linked".to_owned(), "web".to_owned())],
        upstream: Upstream::Servers(upstream),
    };
    Loop::start(Server::start(&lab.host, &container.id, &container.netns, names).unwrap())
}

/// Makes resolvers of this thread's mount namespace ask our server.
fn use_our_server(lab: &Lab) {
    let file = lab.directory.path().join("resolv.conf");
    fs::write(&file, "nameserver 127.0.0.11\noptions ndots:0\n").unwrap();
    mount(Some(&file), "/etc/resolv.conf", None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
}

/// Compiles the program that asks a C library.
fn compile(lab: &Lab, compiler: &str) -> PathBuf {
    let program = lab.directory.path().join(format!("resolve-{compiler}"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/network/resolve.c");
    lab.run(&format!("{compiler} -o {} {}", program.display(), source.display()));
    program
}

#[test]
#[ignore = "needs root"]
fn dig_host_getent_glibc_and_musl_agree_on_every_type_of_question() {
    let lab = Lab::new();
    let (dual, plain) = (lab.dual_network("dual", false), lab.network("plain"));
    let (web, single) = (lab.container("Web", &[&dual], &[]), lab.container("web", &[&plain], &[]));
    use_our_server(&lab);
    let libraries = ["musl-gcc", "gcc"].map(|compiler| compile(&lab, compiler));
    for (container, network) in [(&web, &dual), (&single, &plain)] {
        let _server = serve(&lab, container, network, Vec::new());
        let ask = |command: &str| lab.run_in(&container.netns, command).1;
        let addresses: BTreeSet<String> =
            container.sandbox.endpoints[0].addresses.iter().map(|address| address.address.to_string()).collect();
        let lines = |text: String| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
        for name in ["web", "WEB", "linked", &format!("web.{}", network.name)] {
            let digged = lines(ask(&format!("dig +short {name} A {name} AAAA")));
            assert_eq!(digged, addresses, "{name}");
            for library in &libraries {
                let found = lines(ask(&format!("{} {name}", library.display())));
                assert_eq!(found, addresses, "{name} by {}", library.display());
            }
            let got = ask(&format!("getent ahosts {name}"));
            let got: BTreeSet<_> = got.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
            assert_eq!(got, addresses, "{name} by getent");
            let hosted = ask(&format!("host {name}"));
            assert_eq!(hosted.matches(" has ").count(), addresses.len(), "{hosted}");
        }
        for kind in OTHERS {
            let said = ask(&format!("dig +noall +comments web {kind}"));
            assert!(said.contains("status: NOERROR") && said.contains("ANSWER: 0"), "{kind}: {said}");
            let (known, said) = lab.run_in(&container.netns, &format!("host -t {kind} web"));
            assert!(known && said.contains("has no"), "{kind}: {said}");
        }
        for library in &libraries {
            assert_eq!(ask(&format!("{} nobody", library.display())), "none\n");
        }
        for address in &addresses {
            let name = format!("web.{}.", network.name);
            assert_eq!(ask(&format!("dig +short -x {address}")).to_lowercase().trim(), name);
            assert!(ask(&format!("host {address}")).to_lowercase().contains(&name));
        }
    }
}

/// A server that says what a liar would, before or instead of the truth.
fn liar() -> std::net::SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let question = buffer[12..length].iter().position(|byte| *byte == 0).unwrap() + 5;
            let mut truth = buffer[..12 + question].to_vec();
            truth[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
            truth.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 7]);
            let mut other_id = truth.clone();
            other_id[0] ^= 0xff;
            let mut other_question = truth.clone();
            other_question[13] ^= 1;
            // A name that points to itself, records that are not there, half a header, nothing.
            let mut endless = truth[..12].to_vec();
            endless.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1]);
            let mut missing = truth[..12 + question].to_vec();
            missing[6..12].copy_from_slice(&[0xff; 6]);
            missing[0] ^= 0x55;
            for lie in [&other_id, &other_question, &endless, &missing, &truth[..7].to_vec(), &Vec::new()] {
                let _ = socket.send_to(lie, from);
            }
            let _ = socket.send_to(&truth, from);
        }
    });
    address
}

#[test]
#[ignore = "needs root"]
fn lies_and_noise_are_passed_over_and_nothing_of_other_networks_is_told() {
    let lab = Lab::new();
    let (mine, other) = (lab.network("mine"), lab.network("other"));
    let (web, secret) = (lab.container("web", &[&mine], &[]), lab.container("secret", &[&other], &[]));
    let _server = serve(&lab, &web, &mine, vec![liar()]);
    let dig = |question: &str| lab.run_in(&web.netns, &format!("dig @127.0.0.11 +tries=1 +time=3 {question}")).1;
    assert_eq!(dig("+short example.com"), "203.0.113.7\n");
    let noise = inside(&web.netns, || UdpSocket::bind("127.0.0.1:0").unwrap());
    for length in 0..200usize {
        let bytes: Vec<u8> = (0..length).map(|at| (at * 37 + length * 11) as u8).collect();
        noise.send_to(&bytes, "127.0.0.11:53").unwrap();
    }
    assert_eq!(dig("+short web"), format!("{}\n", web.address()), "it serves on");
    for question in ["secret", "secret.other", &format!("-x {}", secret.address())] {
        let said = dig(&format!("+short {question}"));
        assert!(!said.contains("secret") && !said.contains(&secret.address().to_string()), "{question}: {said}");
    }
}

/// Seconds that questions are asked for: a few, or as many as the environment says.
fn duration() -> Duration {
    #[expect(clippy::disallowed_methods, reason = "whoever has a minute says so")]
    let wanted = std::env::var("LIGHTER_TEST_LOAD_SECONDS");
    Duration::from_secs(wanted.ok().and_then(|text| text.parse().ok()).unwrap_or(3))
}

/// Writes a question for an address (RFC 1035, 4.1).
fn question(id: u16, name: &str) -> Vec<u8> {
    let mut message = [&id.to_be_bytes()[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    message.push(u8::try_from(name.len()).unwrap());
    message.extend_from_slice(name.as_bytes());
    message.extend_from_slice(&[0, 0, 1, 0, 1]);
    message
}

/// Asks for `names` in turns, [`RATE`] times a second, while `goes_on`; returns how many questions were asked and what went
/// wrong.
fn ask_on(netns: &Path, names: &[(String, Vec<u8>)], goes_on: impl Fn() -> bool) -> (usize, Vec<String>) {
    let socket = inside(netns, || UdpSocket::bind("127.0.0.1:0").unwrap());
    socket.connect("127.0.0.11:53").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let (mut asked, mut wrong, start) = (0u32, Vec::new(), Instant::now());
    let mut buffer = [0; 512];
    while goes_on() {
        let (name, address) = &names[asked as usize % names.len()];
        let id = (asked % 65_536) as u16;
        socket.send(&question(id, name)).unwrap();
        asked += 1;
        match socket.recv(&mut buffer) {
            Ok(length) if buffer[..2] != id.to_be_bytes() => wrong.push(format!("{name}: another's answer, {length}")),
            // Whoever is just not there is asked for elsewhere, where nobody is.
            Ok(_) if buffer[3] & 15 == 2 && name != "stable" => {}
            Ok(length) if buffer[3] & 15 == 0 && buffer[..length].ends_with(address) => {}
            Ok(length) => wrong.push(format!("{name}: {:?}", &buffer[..length])),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
        let due = start + Duration::from_secs(1) * asked / RATE;
        thread::park_timeout(due.saturating_duration_since(Instant::now()));
    }
    (asked as usize, wrong)
}

#[test]
#[ignore = "needs root"]
fn no_question_is_lost_or_answered_wrongly_while_containers_come_and_go() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let stable = lab.container("stable", &[&network], &[]);
    let _server = serve(&lab, &stable, &network, Vec::new());
    let specs: Vec<SandboxSpec> = (0..50u8)
        .map(|number| {
            let mut spec = lab.spec(&format!("churn{number}"), &[&network], &[]);
            let address = [172, 18, 0, 100 + number].into();
            spec.endpoints = vec![EndpointSpec { addresses: vec![address], ..spec.endpoints.remove(0) }];
            spec
        })
        .collect();
    let churning = specs
        .iter()
        .enumerate()
        .map(|(at, spec)| (spec.endpoints[0].names[0].clone(), vec![172, 18, 0, 100 + u8::try_from(at).unwrap()]));
    let names: Vec<_> = [("stable".to_owned(), vec![172, 18, 0, 2])].into_iter().chain(churning).collect();
    let (done, rounds, until) = (AtomicBool::new(false), AtomicUsize::new(0), Instant::now() + duration());
    let (asked, wrong) = thread::scope(|scope| {
        let (host, specs, done, rounds) = (&lab.host, &specs, &done, &rounds);
        let churn = scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                for spec in specs {
                    drop(host.attach(spec).unwrap());
                    // What `detach` takes down with the container is made again for the next round.
                    host.detach(&spec.container).unwrap();
                    assert_eq!(host.create_namespace(&spec.container, None).unwrap(), spec.netns);
                    rounds.fetch_add(1, Ordering::Relaxed);
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                }
            }
        });
        let goes_on =
            || Instant::now() < until || rounds.load(Ordering::Relaxed) < LEAST_ROUNDS && !churn.is_finished();
        let asked = ask_on(&stable.netns, &names, goes_on);
        done.store(true, Ordering::Relaxed);
        churn.join().unwrap();
        asked
    });
    assert_eq!(wrong, Vec::<String>::new(), "of {asked} questions, {rounds:?} starts and stops meanwhile");
}
