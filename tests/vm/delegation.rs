//! lighter where it was given a part of the cgroups, or none.

use serde_json::json;

use crate::guest::{self, Said, said, sh, tool};
use crate::support::Bundle;

/// Runs the bundle by the `launch` example after `script`, which ends in `exec "$@"`.
fn run(bundle: &Bundle, script: &str) -> Said {
    std::fs::write(bundle.path().join("config.json"), bundle.spec.to_string()).unwrap();
    let launch = std::env::current_exe().unwrap().parent().unwrap().join("../examples/launch");
    let mut command = tool("sh");
    command.args(["-ec", script, "sh"]).arg(launch).arg("run").arg(bundle.path()).arg(&bundle.id);
    said(&mut command)
}

#[test]
#[ignore = "needs a virtual machine"]
fn inside_a_cgroup_namespace_the_processes_at_its_root_make_room() {
    // No internal processes: a cgroup with processes hands no controller on (cgroups(7)), so whoever is at the root of
    // what was delegated has to go to a leaf first.
    let script = "mkdir -p /sys/fs/cgroup/delegated; echo $$ > /sys/fs/cgroup/delegated/cgroup.procs; \
                  exec unshare --cgroup --mount sh -ec 'umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; \
                  grep -q ^0::/$ /proc/self/cgroup; exec \"$@\"' sh \"$@\"";
    let bundle = Bundle::new(&["cat", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/pids.max"])
        .with("/linux/resources/memory", json!({"limit": 64 << 20}))
        .with("/linux/resources/pids", json!({"limit": 50}));
    let ended = run(&bundle, script);
    assert_eq!(ended.stdout, "67108864\n50\n", "{ended:?}");
    sh("cd /sys/fs/cgroup; rmdir delegated/init delegated");
}

#[test]
#[ignore = "needs a virtual machine"]
fn systemd_makes_the_cgroup_as_a_unit_that_knows_the_limits() {
    if !guest::has_systemd() {
        let test = "delegation::systemd_makes_the_cgroup_as_a_unit_that_knows_the_limits";
        return guest::not_applicable(test, "systemd is not pid 1");
    }
    let bundle = Bundle::new(&["sleep", "1000"])
        .with("/linux/resources/memory", json!({"limit": 64 << 20}))
        .with("/linux/resources/pids", json!({"limit": 50}));
    let (id, unit) = (bundle.id.clone(), format!("lighter-{}.scope", bundle.id));
    let bundle = bundle.with("/linux/cgroupsPath", json!(format!("system.slice:lighter:{id}")));
    std::fs::write(bundle.path().join("config.json"), bundle.spec.to_string()).unwrap();
    let runtime = |words: &[&str]| {
        let mut command = tool(env!("CARGO_BIN_EXE_lighter"));
        // Not piped: the container keeps what it was given.
        let status = command.args(["runtime", "--systemd-cgroup"]).args(words).status().unwrap();
        assert!(status.success(), "{words:?}: {status}");
    };
    runtime(&["create", "--bundle", &bundle.path().display().to_string(), &id]);
    runtime(&["start", &id]);
    let told = sh(&format!("systemctl show --property ActiveState,MemoryMax,TasksMax {unit}"));
    let cgroup = sh(&format!("cat /sys/fs/cgroup/system.slice/{unit}/memory.max"));
    runtime(&["delete", "--force", &id]);
    assert_eq!(
        told.lines().collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>(),
        ["ActiveState=active", "MemoryMax=67108864", "TasksMax=50"]
    );
    assert_eq!(cgroup, "67108864");
    assert_eq!(sh(&format!("systemctl show --property ActiveState {unit}")), "ActiveState=inactive");
}

/// In a mount namespace of its own, as an outer container runtime would have it.
const READ_ONLY: &str = "exec unshare --mount sh -ec 'mount -o remount,bind,ro /sys/fs/cgroup; exec \"$@\"' sh \"$@\"";

#[test]
#[ignore = "needs a virtual machine"]
fn without_a_cgroup_to_write_a_container_without_limits_runs_and_it_is_said_once() {
    let bundle = Bundle::new(&["echo", "runs"]).with("/linux/resources", json!({}));
    let ended = run(&bundle, READ_ONLY);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "runs\n"), "{ended:?}");
    assert_eq!(ended.stderr.matches("warning").count(), 1, "{ended:?}");
}

#[test]
#[ignore = "needs a virtual machine"]
fn without_a_cgroup_to_write_a_limit_is_refused_by_name() {
    let limit = json!({"memory": {"limit": 64 << 20}});
    let ended = run(&Bundle::new(&["echo", "runs"]).with("/linux/resources", limit), READ_ONLY);
    assert_eq!((ended.code, ended.stdout.as_str()), (125, ""), "{ended:?}");
    assert!(ended.stderr.contains("memory") && ended.stderr.contains("ead-only"), "{ended:?}");
}
