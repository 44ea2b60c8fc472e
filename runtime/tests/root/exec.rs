//! A second process in a running container.

use serde_json::json;

use crate::support::Bundle;

fn running() -> Bundle {
    Bundle::new(&["sleep", "20"])
}

#[test]
#[ignore = "needs root"]
fn it_sees_what_init_sees() {
    let script = "for kind in pid mnt net uts ipc cgroup; do \
                    test \"$(readlink /proc/1/ns/$kind)\" = \"$(readlink /proc/self/ns/$kind)\" || echo $kind; \
                  done; test \"$(cat /proc/1/cgroup)\" = \"$(cat /proc/self/cgroup)\" || echo cgroup; \
                  hostname; cat /proc/1/comm";
    let bundle = running().with("/process/capabilities/bounding", json!(null));
    let all = bundle.exec(&["sh", "-c", script], |process| {
        // Looking at the namespaces of another process takes the right to trace it.
        for set in ["bounding", "effective", "permitted"] {
            process["capabilities"][set] = json!(["CAP_SYS_PTRACE"]);
        }
    });
    assert_eq!((all.stdout.as_str(), all.code), ("box\nsleep\n", 0), "{all:?}");
}

#[test]
#[ignore = "needs root"]
fn its_code_and_its_failures_come_back() {
    assert_eq!(running().exec(&["sh", "-c", "exit 7"], |_| {}).code, 7);
    assert_eq!(running().exec(&["nosuch"], |_| {}).code, 127);
    assert_eq!(running().exec(&["/etc/passwd"], |_| {}).code, 126);
}

#[test]
#[ignore = "needs root"]
fn it_is_confined_like_init() {
    let ended = running()
        .exec(&["sh", "-c", "grep -E '^(CapInh|CapBnd|Seccomp:)' /proc/self/status; ls /proc/self/fd | wc -l"], |_| {});
    let expected = "CapInh:\t0000000000000000\nCapBnd:\t00000000a80425fb\nSeccomp:\t2\n4\n";
    assert_eq!(ended.stdout, expected, "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn it_has_its_own_user_directory_and_environment() {
    let ended = running().exec(&["sh", "-c", "id -u; pwd; echo $COLOUR $HOME"], |process| {
        process["user"] = json!({"uid": 1000, "gid": 1000});
        process["cwd"] = json!("/home/user");
        process["env"] = json!(["COLOUR=blue"]);
    });
    assert_eq!(ended.stdout, "1000\n/home/user\nblue /home/user\n", "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_directory_outside_is_refused() {
    for number in 3..12 {
        let ended = running().exec(&["pwd"], |process| process["cwd"] = json!(format!("/proc/self/fd/{number}")));
        assert_eq!(ended.code, 125, "{ended:?}");
    }
}

#[test]
#[ignore = "needs root"]
fn it_takes_room_for_two_and_no_procfs() {
    let bare = || running().with("/linux/maskedPaths", json!([])).with("/linux/readonlyPaths", json!([]));
    let bundle = |limit| bare().with("/mounts", json!([])).with("/linux/resources/pids", json!({"limit": limit}));
    let (ended, refused) = (bundle(3).exec(&["echo", "x"], |_| {}), bundle(2).exec(&["echo", "x"], |_| {}));
    assert_eq!((ended.stdout.as_str(), ended.code), ("x\n", 0), "{ended:?}");
    assert!(refused.code == 125 && refused.stderr.contains("the limit of `pids`"), "{refused:?}");
}
