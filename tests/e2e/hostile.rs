//! A container or an image that would like to harm its host with what the host reads of it.

use std::fs;
use std::time::Duration;

use crate::harness::{Output, Scenario, eventually};
use crate::lifecycle::monitor_of;

const LIMIT: Duration = Duration::from_secs(60);

/// Checks that a command has failed with a word, and was not ended by a signal.
fn is_refused(output: Output, why: &str) {
    output.code(1).says([why]);
}

#[test]
#[ignore = "needs root"]
fn directories_without_end_are_refused_and_removed() {
    let host = Scenario::new("each level costs whoever reads it a place on the stack and descriptors");
    // one into the other: deeper than any path
    let script = "mkdir /deep && cd /deep && for n in $(seq 1000); do mkdir d && cd d; done; \
                  cd / && for n in 1 2; do mkdir /more && mv /deep /more/ && mv /more /deep; done; \
                  mkdir -p /flat/deep/d && echo ready; exec sleep 1000";
    host.run(["run", "-d", "--name", "c", "-v", "v:/v", "busybox:1", "sh", "-c", script]).ok();
    eventually("the tree is there", LIMIT, || {
        let said = host.run(["logs", "c"]).ok();
        if said.text() == "ready" { Ok(()) } else { Err(said.text().to_owned()) }
    });
    let why = "deeper than 256 directories";
    let copy = host.directory().join("copy").display().to_string();
    let archive = host.directory().join("archive").display().to_string();
    is_refused(host.run(["cp", "c:/deep", &copy]), why);
    is_refused(host.run(["cp", "c:/deep", "-"]), why);
    is_refused(host.run(["export", "-o", &archive, "c"]), why);
    is_refused(host.run(["diff", "c"]), why);
    is_refused(host.run(["commit", "c", "image:1"]), why);
    let step = "RUN mkdir /deep && cd /deep && for n in $(seq 1000); do mkdir d && cd d; done";
    host.file("Dockerfile", &format!("FROM busybox:1\n{step}\n"));
    is_refused(host.run(["build", "."]), why);
    host.run(["cp", "c:/flat", &copy]).ok();
    let left: Vec<_> = fs::read_dir(host.directory()).expect("it is ours").flatten().map(|e| e.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".lighter-cp-")), "{left:?}");
    host.run(["rm", "-f", "c"]).ok();
}

#[test]
#[ignore = "needs root"]
fn a_hosts_file_without_end_is_left_to_its_container() {
    let host = Scenario::new("the monitor puts addresses into a file that the container writes to");
    for network in ["one", "two"] {
        host.run(["network", "create", network]).ok();
    }
    let script = "dd if=/dev/zero of=/etc/hosts bs=1 count=1 seek=8G 2>/dev/null && echo ready; exec sleep 1000";
    host.run(["run", "-d", "--name", "c", "--network", "one", "busybox:1", "sh", "-c", script]).ok();
    eventually("the file is there", LIMIT, || {
        let said = host.run(["logs", "c"]).ok();
        if said.text() == "ready" { Ok(()) } else { Err(said.text().to_owned()) }
    });
    host.run(["network", "connect", "two", "c"]).ok();
    let status = fs::read_to_string(format!("/proc/{}/status", monitor_of(&host, "c"))).expect("it lives");
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel says it");
    let most: u64 = most.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(most < 64 << 10, "the monitor took {most} kB");
    assert_eq!(host.run(["exec", "c", "ls", "/sys/class/net"]).ok().text().lines().count(), 3);
    host.run(["rm", "-f", "c"]).ok();
}

#[test]
#[ignore = "needs root"]
fn an_images_labels_make_its_containers_no_part_of_a_project() {
    let host = Scenario::new("down would remove them, and up take them for its own");
    let label = |name: &str, value: &str| format!("LABEL com.docker.compose.{name}={value}\n");
    let labels = label("project", host.project()) + &label("service", "web") + &label("oneoff", "False");
    host.file("Dockerfile", &format!("FROM busybox:1\nLABEL own=kept\n{labels}"));
    host.file(
        "compose.yaml",
        "services:\n  web:\n    image: busybox:1\n    command: sleep 1000\n    stop_grace_period: 0s\n",
    );
    host.run(["build", "-q", "-t", "evil:1", "."]).ok();
    host.run(["run", "-d", "--name", "stranger", "evil:1", "sleep", "1000"]).ok();
    host.run(["up", "-d"]).ok();
    assert_eq!(host.containers().len(), 1);
    assert_ne!(host.containers()["web"].name, "stranger");
    host.run(["down", "--remove-orphans", "-t", "0"]).ok();
    let labels = host.inspect("stranger")["Config"]["Labels"].clone();
    assert_eq!(labels, serde_json::json!({"own": "kept"}));
    assert!(host.inspect("stranger")["State"]["Running"] == true);
    host.run(["rm", "-f", "stranger"]).ok();
}
