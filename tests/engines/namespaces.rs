//! Containers that share namespaces, with each other or with the host.

use std::fs;
use std::path::PathBuf;

use crate::harness::{BUSYBOX, Containerd, Engine, Runtime};

fn namespace(engine: &Engine, container: &str, kind: &str) -> PathBuf {
    fs::read_link(format!("/proc/{}/ns/{kind}", engine.inspect(container, "State.Pid")))
        .expect("the container runs, and the test's directory is ours")
}

fn our(kind: &str) -> PathBuf {
    fs::read_link(format!("/proc/thread-self/ns/{kind}")).expect("the container runs, and the test's directory is ours")
}

fn can_be_shared(engine: &Engine) {
    engine.up("--name first --ipc shareable", "sleep 1000");
    engine.up("--name second --pid container:first --network container:first --ipc container:first", "sleep 1000");
    for kind in ["pid", "net", "ipc"] {
        assert_eq!(namespace(engine, "second", kind), namespace(engine, "first", kind), "{kind}");
        assert_ne!(namespace(engine, "first", kind), our(kind), "{kind}");
    }
    assert_ne!(namespace(engine, "second", "mnt"), namespace(engine, "first", "mnt"));
    // It is not pid 1 of its pid namespace, so that the first one's end is not its own.
    engine.call(["kill", "second"]).ok();
    engine.becomes("second", "State.Running", "false");
    assert_eq!(engine.inspect("first", "State.Running"), "true");
    engine.up("--name host --pid host --network host --ipc host --uts host", "sleep 1000");
    for kind in ["pid", "net", "ipc", "uts"] {
        assert_eq!(namespace(engine, "host", kind), our(kind), "{kind}");
    }
    // podman removes none that another one needs.
    engine.call(["rm", "--force", "second"]).ok();
}

#[test]
#[ignore = "needs root"]
fn podmans_containers_share_the_namespaces_they_are_told_to() {
    can_be_shared(&Engine::podman());
}

#[test]
#[ignore = "needs root"]
fn dockers_containers_share_the_namespaces_they_are_told_to() {
    can_be_shared(&Engine::docker());
}

#[test]
#[ignore = "needs root"]
fn podmans_pod_has_one_network_and_one_host_name() {
    let engine = Engine::podman();
    let parent = engine.cgroup_parent();
    let infra = ["--infra-image", BUSYBOX, "--infra-command", "sleep 1000", "--cgroup-parent", &parent];
    engine.call(["pod", "create", "--name", "pod", "--hostname", "poddy"].into_iter().chain(infra)).ok();
    engine.up("--pod pod --name server", "echo answer >/answer; while :; do nc -l -p 7000 </answer; done");
    let ask = "until nc 127.0.0.1 7000 </dev/null; do sleep 0.05; done; hostname";
    assert_eq!(engine.inside("--pod pod", ask), "answer\npoddy");
    for action in ["pause", "unpause", "stop"] {
        engine.call(["pod", action, "pod"].into_iter().chain((action == "stop").then_some("--time=0"))).ok();
    }
    engine.call(["pod", "rm", "--force", "pod"]).ok();
}

#[test]
#[ignore = "needs root"]
fn podmans_user_namespace_maps_the_containers_root_to_another_user() {
    let engine = Engine::podman();
    let options = "--name box --network none --uidmap 0:200000:65536 --gidmap 0:300000:65536";
    engine.up(options, "id -u; touch /file; stat -c %u:%g /file; cat /proc/self/uid_map; sleep 1000");
    engine.logs("box", "200000");
    let status = fs::read_to_string(format!("/proc/{}/status", engine.inspect("box", "State.Pid"))).unwrap();
    assert!(status.contains("\nUid:\t200000\t") && status.contains("\nGid:\t300000\t"), "{status}");
    assert_eq!(engine.call(["exec", "box", "id", "-u"]).ok().text(), "0");
    assert_ne!(namespace(&engine, "box", "user"), our("user"));
    // All but /dev/mqueue, which its namespace's maker owns: with runc, that has become the container's root before.
    let devices = "cat /proc/self/uid_map; ls -ln /dev | awk '$NF != \"mqueue\" { print $1, $3, $4, $NF }'";
    engine.as_with_runc("--network none --uidmap 0:200000:65536", devices);
}

#[test]
#[ignore = "needs root"]
fn containerds_user_namespace_maps_the_containers_root_to_another_user() {
    let containerd = Containerd::new();
    let options = "--uidmap 0:200000:65536 --gidmap 0:300000:65536";
    let map = containerd
        .as_with_runc(options, "cat /proc/self/uid_map /proc/self/gid_map; id -u; stat -c %u:%g /bin/busybox");
    assert_eq!(map.split_whitespace().collect::<Vec<_>>().join(" "), "0 200000 65536 0 300000 65536 0 0:0");
}

#[test]
#[ignore = "needs root"]
fn containerds_container_joins_a_namespace_by_its_path() {
    let containerd = Containerd::new();
    containerd.up("", "sleep 1000");
    let tasks = containerd.call(["task", "ls"]).ok().stdout;
    let pid = tasks.lines().nth(1).and_then(|row| row.split_whitespace().nth(1)).unwrap();
    let script = "readlink /proc/self/ns/net; readlink /proc/self/ns/ipc";
    let options = format!("--with-ns network:/proc/{pid}/ns/net --with-ns ipc:/proc/{pid}/ns/ipc");
    let link = |kind: &str| fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap().display().to_string();
    assert_eq!(containerd.inside(Runtime::Lighter, &options, script), format!("{}\n{}", link("net"), link("ipc")));
}
