//! Specs that cannot be carried out: each is refused by name, and nothing is left of the attempt.

use serde_json::{Value, json};

use crate::support::Bundle;

/// A part of a spec, a value that breaks it, and what the error must name.
fn broken() -> Vec<(&'static str, Value, &'static str)> {
    let mount = |json: Value| json!([{"destination": "/proc", "type": "proc", "source": "proc"}, json]);
    let namespaces =
        |more: Value| json!([{"type": "pid"}, {"type": "mount"}, {"type": "network"}, {"type": "uts"}, more]);
    let maps = json!([{"containerID": 0, "hostID": 0, "size": 0}]);
    vec![
        // Refused by the plan.
        ("/process/args", json!([]), "process.args"),
        ("/process/args", json!(["a\0b"]), "process.args"),
        ("/process/cwd", json!("relative"), "process.cwd"),
        ("/process/env", json!(["=x"]), "process.env"),
        ("/process/rlimits", json!([{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}]), "RLIMIT_CORE"),
        ("/process/oomScoreAdj", json!(5000), "process.oomScoreAdj"),
        ("/process/ioPriority", json!({"class": "IOPRIO_CLASS_BE", "priority": 9}), "process.ioPriority"),
        ("/process/scheduler", json!({"policy": "SCHED_OTHER", "nice": 99}), "process.scheduler.nice"),
        ("/hostname", json!("a\nb"), "hostname"),
        ("/mounts", mount(json!({"destination": "/..", "type": "tmpfs"})), "mounts[1].destination"),
        ("/mounts", mount(json!({"destination": "/x"})), "mounts[1].type"),
        ("/mounts", mount(json!({"destination": "/x", "type": "tmpfs", "options": ["remount"]})), "`mounts[1]`"),
        ("/mounts", mount(json!({"destination": "/proc/self", "type": "tmpfs"})), "mounts[1].destination"),
        ("/linux/namespaces", namespaces(json!({"type": "pid"})), "linux.namespaces"),
        ("/linux/namespaces", namespaces(json!({"type": "user"})), "linux.uidMappings"),
        ("/linux/uidMappings", maps, "linux.uidMappings"),
        ("/linux/timeOffsets", json!({"monotonic": {"secs": 1}}), "linux.timeOffsets"),
        ("/linux/rootfsPropagation", json!("up"), "linux.rootfsPropagation"),
        ("/linux/maskedPaths", json!(["proc/keys"]), "linux.maskedPaths"),
        ("/linux/sysctl", json!({"kernel.panic": "1"}), "linux.sysctl"),
        ("/linux/devices", json!([{"path": "x", "type": "c", "major": 1, "minor": 3}]), "linux.devices"),
        ("/linux/personality", json!({"domain": "LINUX", "flags": ["X"]}), "linux.personality.flags"),
        ("/linux/memoryPolicy", json!({"mode": "MPOL_BIND"}), "linux.memoryPolicy.nodes"),
        ("/linux/intelRdt", json!({"closID": "x"}), "linux.intelRdt"),
        ("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_NOTIFY"}), "SCMP_ACT_NOTIFY"),
        // Refused by the kernel, at one step of init after the other.
        ("/linux/namespaces", namespaces(json!({"type": "ipc", "path": "/nowhere"})), "/nowhere"),
        ("/linux/memoryPolicy", json!({"mode": "MPOL_BIND", "nodes": "1000"}), "linux.memoryPolicy"),
        ("/linux/sysctl", json!({"net.no.such": "1"}), "net/no/such"),
        ("/root/path", json!("nowhere"), "nowhere"),
        ("/mounts", mount(json!({"destination": "/x", "source": "/nowhere", "options": ["bind"]})), "`mounts[1]`"),
        ("/mounts", mount(json!({"destination": "/x", "type": "nosuchfs"})), "`mounts[1]`"),
        ("/mounts", mount(json!({"destination": "/x", "type": "tmpfs", "options": ["x=y"]})), "option `x`"),
        ("/mounts", mount(json!({"destination": "/etc/passwd/x", "type": "tmpfs"})), "`mounts[1]`"),
        ("/linux/devices", json!([{"path": "/etc/passwd", "type": "p"}]), "/etc/passwd"),
        ("/process/cwd", json!("/etc/passwd"), "/etc/passwd"),
        ("/process/args", json!(["nosuch"]), "nosuch"),
        ("/process/args", json!(["/etc/passwd"]), "/etc/passwd"),
        ("/linux/resources/cpu", json!({"cpus": "5000"}), "cpuset.cpus"),
    ]
}

#[test]
#[ignore = "needs root"]
fn each_is_refused_by_name_and_leaves_nothing() {
    for (pointer, value, named) in broken() {
        // `run` looks for cgroups, mounts and processes that are left.
        let ended = Bundle::new(&["true"]).with(pointer, value.clone()).run();
        assert!(matches!(ended.code, 125..=127), "{pointer} {value}: {ended:?}");
        assert!(ended.stderr.contains(named), "{pointer} {value}: {ended:?}");
    }
}

#[test]
#[ignore = "needs root"]
fn one_in_a_user_namespace_leaves_nothing_either() {
    let map = json!([{"containerID": 0, "hostID": 100_000, "size": 10}]);
    for (pointer, value) in [
        ("/root/path", json!("nowhere")),
        ("/mounts", json!([{"destination": "/x", "source": "/nowhere", "options": ["bind"]}])),
        ("/process/args", json!(["nosuch"])),
        ("/process/cwd", json!("/cannot/be/made")),
    ] {
        let mut bundle =
            Bundle::new(&["true"]).with("/linux/uidMappings", map.clone()).with("/linux/gidMappings", map.clone());
        bundle.spec["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
        let ended = bundle.with(pointer, value.clone()).run();
        assert!(matches!(ended.code, 125..=127), "{pointer} {value}: {ended:?}");
    }
}
