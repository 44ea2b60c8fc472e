//! What is kept, what is given back, and several at once.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;

use lighter_netns::{AttachError, Host, NetworkError, NetworkSpec, RangeSpec};
use nix::fcntl::{Flock, FlockArg};
use nix::poll::{PollTimeout, poll};

use crate::lab::{Lab, tcp, udp};

#[track_caller]
fn eventually(mut is_so: impl FnMut() -> bool) {
    let mut so = || is_so() || poll(&mut [], PollTimeout::from(20u8)).is_err();
    assert!((0..500).any(|_| so()), "not within ten seconds");
}

fn named(name: &str) -> NetworkSpec {
    NetworkSpec { name: name.into(), ..NetworkSpec::default() }
}

#[test]
#[ignore = "needs root"]
fn everything_is_gone_after_detach_and_delete() {
    let lab = Lab::new();
    let (a, b) = (lab.network("a"), lab.internal_network("b"));
    let web = lab.container("web", &[&a, &b], &[tcp(None, Some(8080), 80), udp(53, 53)]);
    let db = lab.container("db", &[&b], &[]);
    let error = lab.host.delete_network(&b.id).unwrap_err();
    assert_eq!(error.to_string(), "delete network `b`: in use by web, db");
    assert_eq!(lab.host.live_containers(), [web.id.clone(), db.id.clone()]);
    for container in [&web, &db] {
        lab.host.detach(&container.id).unwrap();
        lab.host.detach(&container.id).expect("a second time changes nothing");
    }
    for network in [&a, &b] {
        lab.host.delete_network(&network.id).unwrap();
        lab.host.delete_network(&network.id).expect("a second time changes nothing");
    }
    lab.assert_clean();
    assert_eq!(lab.host.networks().unwrap(), []);
}

#[test]
#[ignore = "needs root"]
fn without_containers_bridges_go_and_come_back_with_the_next() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let web = lab.container("web", &[&network], &[]);
    lab.host.teardown_if_unused().unwrap();
    assert!(lab.run("ip -brief link").contains(&network.bridge), "a container is on it");
    lab.host.detach(&web.id).unwrap();
    lab.host.teardown_if_unused().unwrap();
    lab.assert_clean();
    let again = lab.container("web", &[&network], &[]);
    assert_eq!(again.address(), web.address());
    assert_eq!(lab.host.network("web_default").unwrap(), Some(network));
}

#[test]
#[ignore = "needs root"]
fn a_bridge_outlives_the_last_container_by_a_moment() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let first = lab.container("first", &[&network], &[]);
    let second = lab.spec("second", &[&network], &[]);
    lab.host.detach(&first.id).unwrap();
    assert_eq!(lab.ruleset(), "", "the firewall goes at once");
    let number = || lab.run(&format!("ip -oneline link show {}", network.bridge)).split(':').next().map(str::to_owned);
    let (host, before) = (&lab.host, number());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| host.teardown_later().unwrap());
        while !waiting.is_finished() {
            drop(host.attach(&second).unwrap());
            host.detach(&second.container).unwrap();
            host.create_namespace(&second.container, None).unwrap();
        }
    });
    assert_eq!(number(), before, "it is the business of those who came meanwhile");
    lab.host.detach(&second.container).unwrap();
    lab.host.teardown_later().unwrap();
    lab.assert_clean();
}

#[test]
#[ignore = "needs root"]
fn a_teardown_that_nobody_has_finished_is_the_next_ones() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let web = lab.container("web", &[&network], &[]);
    let bridge = || lab.run("ip -brief link").contains(&network.bridge);
    lab.host.resume_teardown().unwrap();
    let at_it = lab.host.detach(&web.id).unwrap();
    lab.host.resume_teardown().unwrap();
    assert!(bridge(), "whoever has removed the last is at it");
    drop(at_it); // as when he is killed
    lab.host.resume_teardown().unwrap();
    lab.assert_clean();

    let web = lab.container("web", &[&network], &[]);
    let record = lab.directory.path().join("root/networks").join(&network.id).join("network.json");
    let text = fs::read(&record).unwrap();
    fs::write(&record, "{").unwrap();
    drop(lab.host.detach(&web.id).unwrap());
    lab.host.teardown_later().unwrap_err();
    let why = lab.host.failed_teardown().unwrap();
    assert!(why.contains("network.json") && bridge(), "{why}");
    fs::write(&record, text).unwrap();
    lab.host.resume_teardown().unwrap();
    assert_eq!(lab.host.failed_teardown(), None);
    lab.assert_clean();
}

#[test]
#[ignore = "needs root"]
fn those_that_go_together_go_by_one_change_of_the_firewall() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let port = |number: u16| tcp(None, Some(8000 + number), 80);
    let all: Vec<_> = (0..9).map(|number| lab.container("web", &[&network], &[port(number)])).collect();
    let (stays, go) = all.split_last().unwrap();
    let seen = File::create(lab.directory.path().join("monitor")).unwrap();
    #[expect(clippy::disallowed_methods, reason = "the tests look at the kernel with the tools of others")]
    let mut monitor = Command::new("stdbuf").args(["-oL", "nft", "monitor"]).stdout(seen).spawn().unwrap();
    let seen = || fs::read_to_string(lab.directory.path().join("monitor")).unwrap();
    // What is not heard because nobody listens yet is said again.
    eventually(|| {
        lab.run("nft add table ip begin");
        lab.run("nft delete table ip begin");
        !seen().is_empty()
    });
    let lock = File::open(lab.directory.path().join("run/network.lock")).unwrap();
    let held = Flock::lock(lock, FlockArg::LockExclusive).unwrap();
    let mut before = 0;
    thread::scope(|scope| {
        for container in go {
            let (host, id) = (&lab.host, &container.id);
            scope.spawn(move || drop(host.detach(id).unwrap()));
        }
        let waiting = || fs::read_dir(lab.directory.path().join("run/leaving")).map_or(0, Iterator::count);
        eventually(|| waiting() == go.len());
        before = seen().matches("# new generation").count();
        drop(held);
    });
    lab.run("nft add table ip end");
    eventually(|| seen().contains("table ip end") && seen().ends_with(")\n"));
    monitor.kill().unwrap();
    monitor.wait().unwrap();
    assert_eq!(seen().matches("# new generation").count(), before + 2, "theirs and the one after: {}", seen());
    assert_eq!(lab.host.live_containers(), std::slice::from_ref(&stays.id));
    assert!(lab.ruleset().contains(&stays.address().to_string()), "{}", lab.ruleset());
    assert_eq!(lab.ruleset().matches(": 172.").count(), 1, "{}", lab.ruleset());
}

#[test]
#[ignore = "needs root"]
fn an_old_wish_to_leave_takes_nothing_from_who_came_back() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let other = lab.container("other", &[&network], &[]);
    let spec = lab.spec("web", &[&network], &[]);
    // As a `detach` leaves it that was killed after another had removed the lease.
    fs::create_dir_all(lab.directory.path().join("run/leaving")).unwrap();
    fs::write(lab.directory.path().join("run/leaving").join(&spec.container), "").unwrap();
    let web = lab.start(&spec);
    lab.host.detach(&other.id).unwrap();
    assert_eq!(lab.host.live_containers(), std::slice::from_ref(&web.id));
    assert!(lab.ruleset().contains(&web.address().to_string()), "{}", lab.ruleset());
}

#[test]
#[ignore = "needs root"]
fn what_a_killed_attach_left_is_found_and_removed() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let web = lab.container("web", &[&network], &[tcp(None, Some(8080), 80)]);
    // As if it had been killed before the interface was made, and the namespace had been lost.
    let (deleted, output) = lab.run_in(&web.netns, "ip link delete eth0");
    assert!(deleted, "{output}");
    lab.run(&format!("umount {}", web.netns.display()));
    assert_eq!(lab.host.live_containers(), std::slice::from_ref(&web.id));
    lab.host.detach(&web.id).unwrap();
    lab.host.delete_network(&network.id).unwrap();
    lab.assert_clean();
}

#[test]
#[ignore = "needs root"]
fn a_container_is_attached_once() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let spec = lab.spec("web", &[&network], &[]);
    lab.host.attach(&spec).unwrap();
    assert!(matches!(lab.host.attach(&spec), Err(AttachError::AlreadyAttached { .. })));
    assert_eq!(lab.host.endpoints(&network.id).unwrap().len(), 1, "the first attach is not undone");
}

#[test]
#[ignore = "needs root"]
fn many_at_once_get_addresses_of_their_own() {
    let lab = Lab::new();
    let network = lab.network("web_default");
    let specs: Vec<_> = (0..8).map(|port| lab.spec("web", &[&network], &[tcp(None, Some(8000 + port), 80)])).collect();
    let addresses: BTreeSet<_> = thread::scope(|scope| {
        let host = &lab.host;
        let attach = |spec| scope.spawn(move || host.attach(spec).unwrap().endpoints[0].ipv4().unwrap().address);
        let running: Vec<_> = specs.iter().map(attach).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(addresses.len(), 8);
    thread::scope(|scope| {
        let detach = |spec: &lighter_netns::SandboxSpec| {
            let container = spec.container.clone();
            let host = &lab.host;
            scope.spawn(move || drop(host.detach(&container).unwrap()))
        };
        specs.iter().map(detach).collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
    });
    lab.host.teardown_if_unused().unwrap();
    lab.assert_clean();
}

#[test]
#[ignore = "needs root"]
fn of_two_creators_of_a_name_one_is_refused() {
    let lab = Lab::new();
    let results: Vec<_> = thread::scope(|scope| {
        let create = |_| scope.spawn(|| lab.host.create_network(&named("web_default")));
        let running: Vec<_> = (0..4).map(create).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    let refused = |result: &&Result<_, _>| matches!(result, Err(NetworkError::AlreadyExists { .. }));
    assert_eq!(results.iter().filter(refused).count(), 3);
    assert_eq!(lab.host.networks().unwrap().len(), 1);
}

#[test]
#[ignore = "needs root"]
fn subnets_keep_clear_of_the_host_and_of_each_other() {
    let lab = Lab::new();
    lab.run("ip route add 172.18.0.0/16 via 192.0.2.2");
    let (first, second) = (lab.network("first"), lab.network("second"));
    assert_eq!(first.ipv4().unwrap().subnet.to_string(), "172.19.0.0/24");
    assert_eq!(second.ipv4().unwrap().subnet.to_string(), "172.19.1.0/24");
    let ranges = vec![RangeSpec::new("172.19.1.128/25".parse().unwrap())];
    let wanted = NetworkSpec { ranges, ..named("third") };
    let error = lab.host.create_network(&wanted).unwrap_err();
    assert_eq!(error.to_string(), "use subnet `172.19.1.128/25`: it overlaps 172.19.1.0/24 by network `second`");
    // Another root on the same host sees what this one uses.
    let other = Host::new(&lab.directory.path().join("root2"), &lab.directory.path().join("run2"));
    assert_eq!(other.create_network(&named("first")).unwrap().ipv4().unwrap().subnet.to_string(), "172.19.2.0/24");
}

#[test]
#[ignore = "needs root"]
fn a_network_is_found_by_name_id_and_unambiguous_beginning() {
    let lab = Lab::new();
    let (first, second) = (lab.network("first"), lab.network("second"));
    for name in ["first", &first.id, &first.id[..12]] {
        assert_eq!(lab.host.network(name).unwrap(), Some(first.clone()), "{name}");
    }
    assert_eq!(lab.host.network("nosuch").unwrap(), None);
    assert_eq!(lab.host.network("").unwrap(), None);
    assert_eq!(lab.host.networks().unwrap(), [first, second]);
}

#[test]
#[ignore = "needs root"]
fn files_are_for_root_alone() {
    fn check(directory: &Path) {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let file = entry.metadata().unwrap();
            if file.is_dir() {
                check(&entry.path());
            }
            // What is mounted on a namespace's file has the kernel's own mode; its directory keeps others out.
            let is_namespace = directory.ends_with("netns");
            // A link has no mode of its own (symlink(7)).
            assert!(is_namespace || file.is_symlink() || file.permissions().mode() & 0o077 == 0, "{:?}", entry.path());
        }
    }
    let lab = Lab::new();
    let network = lab.network("web_default");
    let _web = lab.container("web", &[&network], &[tcp(None, Some(8080), 80)]);
    check(lab.directory.path());
}
