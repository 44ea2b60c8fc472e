//! Whole specs, changed at any place: a plan or an error, never a panic.

use oci_spec::runtime::Spec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::cgroup::Driver;
use crate::defaults;

fn valid_process() -> Value {
    json!({
        "terminal": true, "consoleSize": {"height": 24, "width": 80},
        "args": ["sh", "-c", "true"], "env": ["PATH=/bin"], "cwd": "/",
        "user": {"uid": 1, "gid": 2, "umask": 18, "additionalGids": [3]},
        "capabilities": {"bounding": ["CAP_CHOWN"], "effective": [], "ambient": ["CAP_KILL"]},
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 10, "hard": 20}],
        "noNewPrivileges": true, "oomScoreAdj": 5,
        "scheduler": {"policy": "SCHED_FIFO", "nice": 0, "priority": 3, "flags": ["SCHED_RESET_ON_FORK"]},
        "ioPriority": {"class": "IOPRIO_CLASS_RT", "priority": 1},
        "execCPUAffinity": {"initial": "0-1", "final": "0"},
    })
}

fn valid_linux(map: &Value) -> Value {
    json!({
        "cgroupsPath": "/lighter/test",
        "namespaces": [
            {"type": "pid"}, {"type": "mount"}, {"type": "network"}, {"type": "uts"},
            {"type": "ipc", "path": "/proc/7/ns/ipc"}, {"type": "cgroup"}, {"type": "user"}, {"type": "time"},
        ],
        "uidMappings": map, "gidMappings": map,
        "timeOffsets": {"monotonic": {"secs": 1, "nanosecs": 2}},
        "devices": [{"path": "/dev/x", "type": "c", "major": 1, "minor": 3, "fileMode": 438, "uid": 0, "gid": 0}],
        "sysctl": {"net.ipv4.ip_forward": "1"},
        "rootfsPropagation": "rslave",
        "maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"],
        "personality": {"domain": "LINUX32"},
        "memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0-1,3", "flags": ["MPOL_F_STATIC_NODES"]},
        "resources": {"memory": {"limit": 67_108_864}},
        "seccomp": {
            "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "architectures": ["SCMP_ARCH_X86_64"],
            "flags": ["SECCOMP_FILTER_FLAG_LOG"], "listenerPath": "/run/agent", "listenerMetadata": "x",
            "syscalls": [
                {"names": ["mount"], "action": "SCMP_ACT_NOTIFY"},
                {"names": ["kill"], "action": "SCMP_ACT_TRACE", "errnoRet": 3,
                 "args": [{"index": 0, "value": 1, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ"}]},
            ],
        },
    })
}

/// A spec that uses every part the plan reads.
fn valid() -> Value {
    let mut mounts = serde_json::to_value(defaults::mounts()).unwrap();
    let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65_536}]);
    mounts.as_array_mut().unwrap().extend([
        json!({"destination": "/data", "source": "volume", "options": ["rbind", "rro", "idmap"],
               "uidMappings": map, "gidMappings": map}),
        json!({"destination": "/run", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup", "size=1m"]}),
    ]);
    json!({
        "ociVersion": "1.2.0",
        "root": {"path": "rootfs", "readonly": true},
        "hostname": "box", "domainname": "domain",
        "annotations": {"a": "b"},
        "process": valid_process(),
        "mounts": mounts,
        "linux": valid_linux(&map),
    })
}

fn planned(spec: Value) -> Option<Result<ContainerPlan, PlanError>> {
    let spec: Spec = serde_json::from_value(spec).ok()?;
    Some(container("test", &spec, Path::new("/bundle"), Driver::Cgroupfs))
}

/// The pointers of every value of a document.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(key, value)| pointers(value, &format!("{at}/{key}"), found))
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| pointers(value, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

/// Values others would write to see what happens.
fn hostile() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!([])),
        Just(json!({})),
        Just(json!("")),
        Just(json!("a\0b")),
        Just(json!("../../../etc")),
        Just(json!("/proc/self/fd/3")),
        Just(json!("\u{202e}\n\u{1b}[2J")),
        Just(json!("x".repeat(70_000))),
        Just(json!(["", "\0", "=", "/", ".."])),
        Just(json!([{"containerID": u32::MAX, "hostID": u32::MAX, "size": u32::MAX}])),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<u32>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop_oneof![Just("SCMP_ACT_NOTIFY"), Just("rbind"), Just("user"), Just("0-8191"), Just("SCHED_DEADLINE")]
            .prop_map(Value::from),
    ]
}

#[derive(Clone, Debug)]
enum Change {
    Replace(Value),
    Remove,
    Double,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![4 => hostile().prop_map(Change::Replace), 1 => Just(Change::Remove), 1 => Just(Change::Double)]
}

fn apply(spec: &mut Value, pointer: &str, change: Change) {
    let Some((above, key)) = pointer.rsplit_once('/') else { return };
    match (spec.pointer_mut(above), change) {
        (Some(Value::Object(members)), Change::Replace(value)) => _ = members.insert(key.to_owned(), value),
        (Some(Value::Object(members)), Change::Remove) => _ = members.remove(key),
        (Some(Value::Array(items)), change) => {
            let Some(index) = key.parse().ok().filter(|index| *index < items.len()) else { return };
            match change {
                Change::Replace(value) => items[index] = value,
                Change::Remove => _ = items.remove(index),
                Change::Double => items.push(items[index].clone()),
            }
        }
        _ => {}
    }
}

#[test]
fn the_spec_that_is_changed_is_a_good_one() {
    let plan = planned(valid()).unwrap().unwrap();
    assert!(plan.users.is_some() && plan.time_offsets.is_some() && plan.process.agent.is_some());
}

#[test]
fn a_hostile_value_is_an_error_that_names_its_field() {
    for (pointer, value, field) in [
        ("/process/args/0", json!("a\0"), "process.args"),
        ("/process/env/0", json!("A=\0"), "process.env"),
        ("/process/cwd", json!("/a\0"), "process.cwd"),
        ("/process/user/uid", json!(u32::MAX), "process.user"),
        ("/hostname", json!("\u{1b}[2J"), "hostname"),
        ("/root/path", json!("a\0"), "root.path"),
        ("/mounts/0/destination", json!("/a\0"), "mounts[0].destination"),
        ("/mounts/7/source", json!("/a\0"), "mounts[7].source"),
        ("/mounts/7/uidMappings/0/size", json!(u32::MAX), "mounts[7].uidMappings"),
        ("/mounts/7/options/0", json!("a\0"), "mounts[7].options"),
        ("/linux/namespaces/4/path", json!("/a\0"), "linux.namespaces"),
        ("/linux/maskedPaths/0", json!("/a\0"), "linux.maskedPaths"),
        ("/linux/readonlyPaths/0", json!("a"), "linux.readonlyPaths"),
        ("/linux/devices/0/path", json!("/dev/../../x"), "linux.devices"),
        ("/linux/devices/0/path", json!("/dev/a\0"), "linux.devices"),
        ("/linux/devices/0/major", json!(i64::MAX), "linux.devices"),
        ("/linux/sysctl", json!({"net.x": "1\u{0}"}), "linux.sysctl"),
        ("/linux/sysctl", json!({"net/../kernel/core_pattern": "|/x"}), "linux.sysctl"),
        ("/linux/seccomp/listenerPath", json!("/a\0"), "linux.seccomp.listenerPath"),
    ] {
        let mut spec = valid();
        apply(&mut spec, pointer, Change::Replace(value.clone()));
        match planned(spec) {
            Some(Err(error)) => assert!(error.to_string().contains(field), "{pointer} {value}: {error}"),
            other => panic!("{pointer} {value}: {}", other.is_some()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]
    #[test]
    fn no_change_makes_the_plan_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), change()), 1..4)) {
        let mut spec = valid();
        for (at, change) in changes {
            let mut all = Vec::new();
            pointers(&spec, "", &mut all);
            apply(&mut spec, &all[at.index(all.len())], change);
        }
        if let Some(Err(error)) = planned(spec) {
            let shown = error.to_string();
            prop_assert!(!shown.chars().any(char::is_control), "{shown:?}");
        }
    }
}

#[test]
fn device_rules_are_said_once_and_what_is_usable_stays_so() {
    let rules = |own: Vec<LinuxDeviceCgroup>| {
        let mut resources = LinuxResources::default();
        resources.set_devices(Some(own));
        let mut linux = Linux::default();
        linux.set_resources(Some(resources));
        super::resources(&linux).devices().clone().unwrap()
    };
    let rule = |text: Value| serde_json::from_value::<LinuxDeviceCgroup>(text).unwrap();
    let all = defaults::devices();
    let disk = rule(json!({"allow": true, "type": "b", "major": 8, "minor": 0, "access": "r"}));
    let no_null = rule(json!({"allow": false, "type": "c", "major": 1, "minor": 3, "access": "rwm"}));
    assert_eq!(rules(vec![]), all);
    assert_eq!(rules(all.clone()), all);
    let with_disk = [all.clone(), vec![disk.clone()]].concat();
    assert_eq!(rules(with_disk.clone()), with_disk);
    assert_eq!(rules(vec![disk.clone()]), [&all[..1], &[disk], &all[1..]].concat());
    // what is forbidden in between is allowed again: every container has these devices
    let forbidding = [all.clone(), vec![no_null]].concat();
    assert_eq!(rules(forbidding.clone()), [&forbidding, &all[1..]].concat());
}
