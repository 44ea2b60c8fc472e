//! config-linux.md, "Namespaces" and "Offset for Time Namespace"; config.md, "Hostname" and "Domainname"; "Sysctl".

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::harness::{Container, inside, refused};

/// Types of the specification with the names of /proc/PID/ns, but for user and time.
const KINDS: [(&str, &str); 6] =
    [("pid", "pid"), ("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("mount", "mnt"), ("cgroup", "cgroup")];

fn ours(file: &str) -> PathBuf {
    fs::read_link(format!("/proc/thread-self/ns/{file}")).expect("procfs is mounted")
}

#[test]
#[ignore = "needs root"]
fn a_namespace_without_a_path_is_new() {
    let container = Container::new(|config| config.stays());
    container.create().ok();
    for (kind, file) in KINDS {
        assert_ne!(container.link(&format!("ns/{file}")), ours(file), "{kind}");
    }
}

#[test]
#[ignore = "needs root"]
fn a_namespace_that_is_not_listed_is_the_runtimes() {
    for (kind, file) in KINDS.into_iter().filter(|(kind, _)| *kind != "mount") {
        let container = Container::new(|config| config.stays().inherits(kind));
        container.create().ok();
        assert_eq!(container.link(&format!("ns/{file}")), ours(file), "{kind}");
        container.kill("KILL").ok();
        container.becomes("stopped");
    }
}

#[test]
#[ignore = "needs root"]
fn a_namespace_with_a_path_is_joined() {
    let other = Container::new(|config| config.stays()).up();
    let container = other.beside(|config| {
        for (kind, file) in KINDS.into_iter().filter(|(kind, _)| *kind != "mount") {
            config.namespace(json!({"type": kind, "path": format!("/proc/{}/ns/{file}", other.pid())}));
        }
        config.stays()
    });
    let container = container.up();
    for (kind, file) in KINDS.into_iter().filter(|(kind, _)| *kind != "mount") {
        assert_eq!(container.link(&format!("ns/{file}")), other.link(&format!("ns/{file}")), "{kind}");
    }
    container.kill("KILL").ok();
    container.becomes("stopped");
}

#[test]
#[ignore = "needs root"]
fn a_path_of_another_type_is_refused() {
    refused(|config| config.namespace(json!({"type": "network", "path": "/proc/self/ns/uts"})));
    refused(|config| config.namespace(json!({"type": "ipc", "path": "/proc/self/ns/net"})));
    refused(|config| config.namespace(json!({"type": "uts", "path": "/dev/null"})));
    refused(|config| config.namespace(json!({"type": "pid", "path": "/proc/self/ns/user"})));
}

#[test]
#[ignore = "needs root"]
fn a_path_that_is_not_there_is_refused() {
    refused(|config| config.namespace(json!({"type": "network", "path": "/proc/self/ns/nosuch"})));
}

#[test]
#[ignore = "needs root"]
fn a_relative_path_is_refused() {
    let container = Container::new(|config| config.namespace(json!({"type": "network", "path": "self/ns/net"})));
    let mut command = container.of_bundle("create");
    command.current_dir("/proc");
    container.finish(command).fails();
    container.leaves_nothing();
}

#[test]
#[ignore = "needs root"]
fn a_type_given_twice_is_refused() {
    refused(|config| config.push("/linux/namespaces", json!({"type": "uts"})));
    refused(|config| config.push("/linux/namespaces", json!({"type": "network", "path": "/proc/self/ns/net"})));
}

#[test]
#[ignore = "needs root"]
fn an_unknown_type_is_refused() {
    refused(|config| config.namespace(json!({"type": "nosuch"})));
}

#[test]
#[ignore = "needs root"]
fn a_time_namespace_has_the_offsets() {
    let text = inside(|config| {
        config.namespace(json!({"type": "time"}));
        config.set(
            "/linux/timeOffsets",
            json!({"monotonic": {"secs": 1234, "nanosecs": 5}, "boottime": {"secs": 100000}}),
        );
        config.script("awk '{print $1, $2, $3}' /proc/self/timens_offsets; readlink /proc/self/ns/time")
    });
    let (offsets, namespace) = text.rsplit_once('\n').unwrap();
    assert_eq!(offsets, "monotonic 1234 5\nboottime 100000 0");
    assert_ne!(namespace, ours("time").to_str().unwrap());
}

#[test]
#[ignore = "needs root"]
fn offsets_that_cannot_be_set_are_refused() {
    refused(|config| config.set("/linux/timeOffsets", json!({"monotonic": {"secs": 1}})));
    refused(|config| {
        config.namespace(json!({"type": "time"})).set("/linux/timeOffsets", json!({"nosuch": {"secs": 1}}))
    });
}

#[test]
#[ignore = "needs root"]
fn the_names_are_the_configs() {
    let text = inside(|config| {
        config.set("/hostname", json!("a-host")).set("/domainname", json!("a.domain"));
        config.script("hostname; cat /proc/sys/kernel/domainname")
    });
    assert_eq!(text, "a-host\na.domain");
}

#[test]
#[ignore = "needs root"]
fn a_name_without_a_namespace_for_it_is_refused_and_the_hosts_stays() {
    let before = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    refused(|config| config.inherits("uts").set("/hostname", json!("not-the-host")));
    refused(|config| config.inherits("uts").set("/domainname", json!("not.the.host")));
    assert_eq!(fs::read_to_string("/proc/sys/kernel/hostname").unwrap(), before);
}

#[test]
#[ignore = "needs root"]
fn sysctls_are_set_in_the_containers_namespaces() {
    let before = fs::read_to_string("/proc/sys/kernel/shm_rmid_forced").unwrap();
    let text = inside(|config| {
        config.set(
            "/linux/sysctl",
            json!({"net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "1", "net/ipv4/ip_default_ttl": "77"}),
        );
        config.script("cd /proc/sys; cat net/ipv4/ip_forward kernel/shm_rmid_forced net/ipv4/ip_default_ttl")
    });
    assert_eq!(text, "1\n1\n77");
    assert_eq!(fs::read_to_string("/proc/sys/kernel/shm_rmid_forced").unwrap(), before);
}

#[test]
#[ignore = "needs root"]
fn a_sysctl_that_would_be_the_hosts_is_refused() {
    let sysctl = |name: &str| json!({name: "1"});
    refused(|config| config.set("/linux/sysctl", sysctl("vm.overcommit_memory")));
    refused(|config| config.inherits("network").set("/linux/sysctl", sysctl("net.ipv4.ip_forward")));
    refused(|config| config.inherits("ipc").set("/linux/sysctl", sysctl("kernel.shm_rmid_forced")));
}

#[test]
#[ignore = "needs root"]
fn network_devices_move_into_the_container() {
    let container = Container::new(|config| {
        config.set("/linux/netDevices", json!({"spec0": {"name": "inside0"}})).script("ip -o link | grep -o inside0")
    });
    let link = crate::harness::tool("ip", ["link", "add", "spec0", "type", "veth", "peer", "name", "spec1"]);
    container.finish(link).ok();
    assert_eq!(container.run().ok().text(), "inside0");
}

#[test]
#[ignore = "needs root"]
fn a_network_device_that_is_not_there_is_refused() {
    refused(|config| config.set("/linux/netDevices", json!({"nosuch0": {}})));
}
