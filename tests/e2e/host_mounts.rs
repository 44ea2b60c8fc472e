//! What a container mounts on the host: nothing that it has by itself, once it runs.

use std::fs;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{Scenario, eventually};
use crate::lifecycle::monitor_of;

const LIMIT: Duration = Duration::from_secs(60);

/// Waits until the host, which is this thread's mount namespace, has no mount of a container's.
fn has_no_mounts(host: &Scenario) {
    let run = host.run_directory().display().to_string();
    eventually("the host has no mount of the container", LIMIT, || {
        let mounts = fs::read_to_string("/proc/thread-self/mountinfo").expect("there is procfs");
        let of_containers: Vec<_> = mounts.lines().filter(|mount| mount.contains(&run)).collect();
        if of_containers.is_empty() { Ok(()) } else { Err(of_containers.join("\n")) }
    });
}

/// Kills the container's init and waits for the next one.
fn restarts(host: &Scenario) {
    let before = host.pid("c");
    kill(Pid::from_raw(before), Signal::SIGKILL).expect("it lives");
    eventually("it runs again", LIMIT, || {
        let state = &host.inspect("c")["State"];
        let runs = state["Running"] == true && state["Pid"] != before;
        if runs { Ok(()) } else { Err(state.to_string()) }
    });
}

/// Checks that the container has what it has written and the network it began with, and that others can read its files.
fn is_whole(host: &Scenario, address: &str) {
    has_no_mounts(host);
    let seen = ["exec", "-u", "daemon", "c", "sh", "-c", "id -un; cat /kept; ip -o -4 address show eth0"];
    let seen = host.run(seen).ok();
    let is_there = |part: &str| assert!(seen.text().contains(part), "{part}: {}", seen.text());
    ["daemon", "kept", address].into_iter().for_each(is_there);
    let archive = host.directory().join("c.tar");
    host.run(["export".as_ref(), "--output".as_ref(), archive.as_os_str(), "c".as_ref()]).ok();
    let listed = host.finish({
        let mut tar = crate::harness::tool("tar", ["-tf"]);
        tar.arg(&archive);
        tar
    });
    let names: Vec<_> = listed.stdout.lines().collect();
    assert!(names.contains(&"kept"), "its files are read: {names:?}");
    assert!(!names.iter().any(|name| name.starts_with("volume/") && *name != "volume/"), "without what is mounted");
}

#[test]
#[ignore = "needs root"]
fn a_running_container_has_none_and_begins_again_with_its_files_and_network() {
    let host = Scenario::new("each mount of the host is copied into every mount namespace");
    host.run(["network", "create", "net"]).ok();
    let script = "touch /volume/file; echo kept >>/kept; exec sleep 1000";
    let run = ["run", "--detach", "--name", "c", "--network", "net", "--restart", "always", "-v", "v:/volume"];
    host.run(run.iter().chain(&["busybox:1", "sh", "-c", script])).ok();
    let address = host.address("c").to_string();
    is_whole(&host, &address);
    restarts(&host);
    is_whole(&host, &address);
    // another monitor has to find what the first one held
    kill(Pid::from_raw(monitor_of(&host, "c")), Signal::SIGKILL).expect("it lives");
    host.run(["ps"]).ok();
    is_whole(&host, &address);
    restarts(&host);
    is_whole(&host, &address);
    host.run(["exec", "c", "sh", "-c", "test $(wc -l </kept) = 3"]).ok();
    host.run(["rm", "--force", "--volumes", "c"]).ok();
    host.run(["volume", "rm", "v"]).ok();
}

#[test]
#[ignore = "needs root"]
fn a_container_with_users_of_its_own_has_only_their_namespace() {
    let host = Scenario::new("the root filesystem of a container with users of its own is copied from its namespace");
    let script = "touch /made; exec sleep 1000";
    let run = [
        "run",
        "--detach",
        "--name",
        "c",
        "--userns",
        "private",
        "--restart",
        "always",
        "busybox:1",
        "sh",
        "-c",
        script,
    ];
    host.run(run).ok();
    let only_users = || {
        let run = host.run_directory().display().to_string();
        eventually("the host has no mount of the container's files", LIMIT, || {
            let mounts = fs::read_to_string("/proc/thread-self/mountinfo").expect("there is procfs");
            let mut of_containers = mounts.lines().filter(|mount| mount.contains(&run));
            match of_containers.find(|mount| !mount.contains("/users ")) {
                Some(mount) => Err(mount.to_owned()),
                None => Ok(()),
            }
        });
    };
    only_users();
    kill(Pid::from_raw(monitor_of(&host, "c")), Signal::SIGKILL).expect("it lives");
    host.run(["ps"]).ok();
    restarts(&host);
    only_users();
    assert_eq!(host.run(["exec", "c", "stat", "-c", "%u", "/made"]).ok().text(), "0");
    let archive = host.directory().join("c.tar");
    host.run(["export".as_ref(), "--output".as_ref(), archive.as_os_str(), "c".as_ref()]).ok();
}
