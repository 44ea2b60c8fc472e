//! Limits, figures, pausing, and the end of a cgroup.

use std::path::PathBuf;

use lighter_runtime::cgroup::Cgroup;
use serde_json::json;

use crate::support::Bundle;

/// Reads files of the container's own cgroups, from inside, where they are at the root.
fn read_inside(files: &[(&str, &str)]) -> String {
    let read = |(v1, v2): &(&str, &str)| format!("cat /sys/fs/cgroup/{v1} 2>/dev/null || cat /sys/fs/cgroup/{v2};");
    files.iter().map(read).collect()
}

#[test]
#[ignore = "needs root"]
fn limits_stand_in_the_files_of_the_cgroup() {
    let script = read_inside(&[
        ("memory/memory.limit_in_bytes", "memory.max"),
        ("pids/pids.max", "pids.max"),
        ("cpu/cpu.cfs_quota_us", "cpu.max"),
        ("cpuset/cpuset.cpus", "cpuset.cpus"),
    ]);
    let ended = Bundle::new(&["sh", "-c", &script])
        .with("/linux/resources/memory", json!({"limit": 64 << 20}))
        .with("/linux/resources/pids", json!({"limit": 50}))
        .with("/linux/resources/cpu", json!({"quota": 50_000, "period": 100_000, "cpus": "0"}))
        .run();
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines[..2], ["67108864", "50"], "{ended:?}");
    assert!(lines[2].starts_with("50000"), "{ended:?}");
    assert_eq!(lines[3], "0", "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_limit_the_kernel_refuses_is_an_error_that_names_it() {
    let ended = Bundle::new(&["true"]).with("/linux/resources/cpu", json!({"cpus": "4000"})).run();
    assert_eq!(ended.code, 125, "{ended:?}");
    assert!(ended.stderr.contains("cpuset.cpus"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_container_that_wants_too_much_memory_is_killed_and_counted() {
    // `tail` keeps the one long line in memory; a second process that wants memory meanwhile could cost a second kill.
    let ended = Bundle::new(&["sh", "-c", "tail -n 1 /dev/zero; exit 3"])
        .with("/linux/resources/memory", json!({"limit": 16 << 20, "swap": 16 << 20}))
        .verb("oom", &[]);
    assert_eq!(ended.stdout, "kills=1 woken=1\n", "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_fork_bomb_meets_its_limit() {
    let script = "i=0; while [ $i -lt 40 ]; do sleep 5 & i=$((i+1)); done; echo all";
    let ended = Bundle::new(&["sh", "-c", script]).with("/linux/resources/pids", json!({"limit": 20})).run();
    assert!(ended.stderr.contains("can't fork"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_paused_container_is_frozen_measured_and_killed() {
    let ended =
        Bundle::new(&["sleep", "60"]).with("/linux/resources/memory", json!({"limit": 64 << 20})).verb("pause", &[]);
    assert_eq!(ended.stdout, "frozen=true own=true measured=true thawed=true\n", "{ended:?}");
    assert_eq!(ended.code, 137);
}

#[test]
#[ignore = "needs root"]
fn a_container_that_is_not_started_leaves_nothing() {
    // What is left, `verb` looks for.
    assert_eq!(Bundle::new(&["true"]).verb("drop", &[]).code, 0);
}

#[test]
#[ignore = "needs root"]
fn processes_in_the_background_end_with_the_container() {
    let ended = Bundle::new(&["sh", "-c", "sleep 600 & sleep 600 & echo started"]).run();
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "started\n"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn deleting_twice_is_the_same_as_once() {
    let cgroup = Cgroup::open(&format!("/lighter/tests/none-{}", std::process::id())).unwrap();
    cgroup.delete().unwrap();
    cgroup.kill_all().unwrap();
    assert!(cgroup.stats().is_err());
    assert!(cgroup.pids().unwrap().is_empty());
    let directories: Vec<PathBuf> = cgroup.files().into_iter().map(|(_, directory)| directory).collect();
    assert!(!directories.is_empty() && directories.iter().all(|directory| !directory.exists()));
}

#[test]
#[ignore = "needs root"]
fn a_unified_host_has_one_hierarchy_and_the_same_device_rules() {
    let script = "mount | grep -c 'on /sys/fs/cgroup type cgroup2 (ro'; grep '^0:' /proc/self/cgroup; \
                  echo x > /dev/null && echo usable; \
                  mknod /tmp/mem c 1 1 && echo made; cat /tmp/mem 2>/dev/null || echo refused; \
                  mkdir /sys/fs/cgroup/x 2>/dev/null || echo refused";
    let ended = Bundle::new(&["sh", "-c", script]).run_on_a_unified_host();
    assert_eq!(ended.stdout, "1\n0::/\nusable\nmade\nrefused\nrefused\n", "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_cgroup_in_use_is_left_to_who_uses_it() {
    let ended = Bundle::new(&["sleep", "1"]).verb("twice", &[]);
    assert!(ended.stdout.contains("is in use by process"), "{ended:?}");
    assert_eq!(ended.code, 0, "{ended:?}");
}
