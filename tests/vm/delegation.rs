//! lighter where it was given a part of the cgroups, or none.

use serde_json::json;

use crate::guest::{Said, said, tool};
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
    crate::guest::sh("cd /sys/fs/cgroup; rmdir delegated/init delegated");
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
