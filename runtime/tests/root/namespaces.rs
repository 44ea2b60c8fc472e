//! Namespaces that are made, joined and shared.

use serde_json::{Value, json};

use crate::support::{Bundle, Holder};

/// Puts a namespace of a kind at `path` in the place of the new one, or takes it out.
fn replaced(mut bundle: Bundle, kind: &str, path: Option<String>) -> Bundle {
    let all = bundle.spec["linux"]["namespaces"].as_array_mut().unwrap();
    all.retain(|namespace| namespace["type"] != kind);
    all.extend(path.map(|path| json!({"type": kind, "path": path})));
    bundle
}

fn link(path: &str) -> String {
    std::fs::read_link(path).unwrap().display().to_string()
}

#[test]
#[ignore = "needs root"]
fn each_kind_is_joined_by_path() {
    let other = Holder::new(&["--net", "--uts", "--ipc", "--cgroup", "--time"]);
    for (kind, file) in [("network", "net"), ("uts", "uts"), ("ipc", "ipc"), ("cgroup", "cgroup"), ("time", "time")] {
        let bundle = Bundle::new(&["readlink", &format!("/proc/self/ns/{file}")]).with("/hostname", json!(null));
        let ended = replaced(bundle, kind, Some(other.path(file))).run();
        assert_eq!(ended.stdout.trim(), link(&other.path(file)), "{kind}: {ended:?}");
    }
}

#[test]
#[ignore = "needs root"]
fn a_pid_namespace_is_joined_and_procfs_shows_it() {
    let other = Holder::new(&["--pid", "--fork", "--kill-child"]);
    let bundle = Bundle::new(&["sh", "-c", "readlink /proc/self/ns/pid; test $$ -ne 1 && cat /proc/1/comm"]);
    let ended = replaced(bundle, "pid", Some(other.path("pid_for_children"))).run();
    assert_eq!(ended.stdout, format!("{}\nsleep\n", link(&other.path("pid_for_children"))), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn without_a_pid_namespace_procfs_shows_the_host() {
    let ended = replaced(Bundle::new(&["readlink", "/proc/self/ns/pid"]), "pid", None).run();
    assert_eq!(ended.stdout.trim(), link("/proc/self/ns/pid"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_mount_namespace_is_joined_and_the_root_set_up_in_it() {
    let other = Holder::new(&["--mount"]);
    let bundle = Bundle::new(&["sh", "-c", "readlink /proc/self/ns/mnt; pwd; ls -d /bin/busybox"]);
    let ended = replaced(bundle, "mount", Some(other.path("mnt"))).run();
    assert_eq!(ended.stdout, format!("{}\n/\n/bin/busybox\n", link(&other.path("mnt"))), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn the_mount_namespace_of_the_host_is_not_touched() {
    let own = format!("/proc/{}/ns/mnt", std::process::id());
    let ended = replaced(Bundle::new(&["true"]), "mount", Some(own)).run();
    assert!(ended.code == 125 && ended.stderr.contains("it is the host's"), "{ended:?}");
    let ended = replaced(Bundle::new(&["true"]), "mount", None).run();
    assert!(ended.code == 125 && ended.stderr.contains("`linux.namespaces`"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_file_of_another_kind_is_refused() {
    for (kind, path, reason) in
        [("network", "/proc/self/ns/uts", "it is a uts namespace"), ("ipc", "/etc/passwd", "it is no namespace")]
    {
        let ended = replaced(Bundle::new(&["true"]), kind, Some(path.to_owned())).run();
        assert!(ended.code == 125 && ended.stderr.contains(reason) && ended.stderr.contains(path), "{ended:?}");
    }
}

fn with_time(bundle: Bundle, offsets: Value) -> Bundle {
    let mut bundle = bundle.with("/linux/timeOffsets", offsets);
    bundle.spec["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "time"}));
    bundle
}

#[test]
#[ignore = "needs root"]
fn clocks_are_moved_in_a_time_namespace_and_for_who_joins_it() {
    let offsets = json!({"boottime": {"secs": 1_000_000}, "monotonic": {"secs": 5, "nanosecs": 7}});
    let script = "cat /proc/self/timens_offsets; grep -q '^1[0-9]\\{6\\}\\.' /proc/uptime && echo moved";
    let ended = with_time(Bundle::new(&["sh", "-c", script]), offsets.clone()).run();
    let words: Vec<&str> = ended.stdout.split_whitespace().collect();
    assert_eq!(words, ["monotonic", "5", "7", "boottime", "1000000", "0", "moved"], "{ended:?}");
    let ended = with_time(Bundle::new(&["sleep", "20"]), offsets).exec(&["sh", "-c", script], |_| {});
    assert!(ended.stdout.ends_with("moved\n"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_clock_that_cannot_be_moved_is_named() {
    let ended = with_time(Bundle::new(&["true"]), json!({"boottime": {"secs": -1_000_000_000_000i64}})).run();
    assert!(ended.code == 125 && ended.stderr.contains("`linux.timeOffsets`"), "{ended:?}");
    let ended = Bundle::new(&["true"]).with("/linux/timeOffsets", json!({"boottime": {"secs": 1}})).run();
    assert!(ended.code == 125 && ended.stderr.contains("time namespace"), "{ended:?}");
}
