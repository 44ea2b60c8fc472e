//! What an image or a spec may try, and must not achieve.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use serde_json::json;

use crate::support::Bundle;

#[test]
#[ignore = "needs root"]
fn the_monitors_binary_cannot_be_written_from_inside() {
    // With the privilege to look at any process, the init of this container is reached through exec's
    // child and its own early life; what `/proc/1/exe` was is the sealed copy.
    let bundle = Bundle::new(&["/proc/self/exe"]);
    let ended = bundle.run();
    // The copy runs, as it does under runc, finds no verb, and cannot seal itself: or says how it is used.
    assert_ne!(ended.code, 0, "{ended:?}");
    let script = "for pid in /proc/[0-9]*; do echo x >> $pid/exe && echo written; done; echo done";
    let ended = Bundle::new(&["sleep", "5"]).exec(&["sh", "-c", script], |_| {});
    assert_eq!(ended.stdout, "done\n", "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_working_directory_outside_is_refused() {
    for number in 3..20 {
        let ended = Bundle::new(&["pwd"]).with("/process/cwd", json!(format!("/proc/self/fd/{number}"))).run();
        assert_eq!((ended.code, ended.stdout.as_str()), (125, ""), "{ended:?}");
    }
    let ended = Bundle::new(&["pwd"]).with("/process/cwd", json!("/proc/1/root")).run();
    assert_eq!(ended.code, 125, "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_working_directory_by_a_link_of_the_image_stays_inside() {
    let bundle = Bundle::new(&["pwd"]).with("/process/cwd", json!("/w/a/b"));
    let canary = tempfile::tempdir().unwrap();
    symlink(canary.path(), bundle.root().join("w")).unwrap();
    let ended = bundle.run();
    assert_eq!(ended.stdout, format!("{}/a/b\n", canary.path().display()), "{ended:?}");
    assert_eq!(std::fs::read_dir(canary.path()).unwrap().count(), 0);
}

#[test]
#[ignore = "needs root"]
fn proc_as_a_link_is_refused() {
    let bundle = Bundle::new(&["true"]);
    std::fs::remove_dir(bundle.root().join("proc")).unwrap();
    std::fs::create_dir(bundle.root().join("elsewhere")).unwrap();
    symlink("/elsewhere", bundle.root().join("proc")).unwrap();
    let ended = bundle.run();
    assert_eq!(ended.code, 125, "{ended:?}");
    assert!(ended.stderr.contains("`/proc`"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn nodes_are_not_made_through_a_dev_that_is_a_link() {
    let bundle = Bundle::new(&["true"]);
    let canary = tempfile::tempdir().unwrap();
    std::fs::remove_dir(bundle.root().join("dev")).unwrap();
    symlink(canary.path(), bundle.root().join("dev")).unwrap();
    let mounts: Vec<_> = serde_json::from_value::<Vec<serde_json::Value>>(bundle.spec["mounts"].clone())
        .unwrap()
        .into_iter()
        .filter(|mount| mount["destination"] == "/proc")
        .collect();
    let ended = bundle.with("/mounts", json!(mounts)).run();
    assert_eq!(ended.code, 125, "{ended:?}");
    assert_eq!(std::fs::read_dir(canary.path()).unwrap().count(), 0);
}

#[test]
#[ignore = "needs root"]
fn a_mount_through_a_link_stays_inside() {
    let bundle = Bundle::new(&["cat", "/link/to/file"]);
    let (canary, volume) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(volume.path().join("file"), "inside\n").unwrap();
    symlink(canary.path(), bundle.root().join("link")).unwrap();
    let mount = json!({"destination": "/link/to", "source": volume.path(), "options": ["bind"]});
    let ended = bundle.mounted(mount).run();
    assert_eq!(ended.stdout, "inside\n", "{ended:?}");
    assert_eq!(std::fs::read_dir(canary.path()).unwrap().count(), 0);
}

#[test]
#[ignore = "needs root"]
fn a_link_into_procfs_is_no_mount_point() {
    let bundle = Bundle::new(&["true"]);
    symlink("/proc/self", bundle.root().join("link")).unwrap();
    let ended = bundle.mounted(json!({"destination": "/link/attr", "type": "tmpfs", "source": "tmpfs"})).run();
    assert_eq!(ended.code, 125, "{ended:?}");
    assert!(ended.stderr.contains("procfs"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn the_mask_is_the_null_device_or_there_is_no_container() {
    let host = tempfile::tempdir().unwrap();
    std::fs::write(host.path().join("null"), "not null").unwrap();
    let bundle = Bundle::new(&["cat", "/proc/kcore"])
        .mounted(json!({"destination": "/dev", "source": host.path(), "options": ["bind"]}));
    let ended = bundle.run();
    assert_eq!(ended.code, 125, "{ended:?}");
    assert!(ended.stderr.contains("null device"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn kernel_parameters_of_the_machine_are_refused_and_own_ones_set() {
    let before = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let ended = Bundle::new(&["true"]).with("/linux/sysctl", json!({"kernel.core_pattern": "|/bin/x"})).run();
    assert_eq!(ended.code, 125, "{ended:?}");
    assert_eq!(std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap(), before);
    let (forward, shm) = ("/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/shmmni");
    let host = (std::fs::read_to_string(forward).unwrap(), std::fs::read_to_string(shm).unwrap());
    let sysctl = json!({"net.ipv4.ip_forward": "1", "kernel.shmmni": "77"});
    let ended = Bundle::new(&["cat", forward, shm]).with("/linux/sysctl", sysctl).run();
    assert_eq!(ended.stdout, "1\n77\n", "{ended:?}");
    assert_eq!((std::fs::read_to_string(forward).unwrap(), std::fs::read_to_string(shm).unwrap()), host);
}

#[test]
#[ignore = "needs root"]
fn what_confines_and_is_not_supported_is_refused_by_name() {
    let ended = Bundle::new(&["true"]).with("/linux/intelRdt", json!({"closID": "x"})).run();
    assert_eq!(ended.code, 125, "{ended:?}");
    assert!(ended.stderr.contains("intelRdt"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn streams_of_the_caller_keep_their_owner() {
    let null =
        || std::fs::metadata("/dev/null").map(|file| (file.uid(), file.gid(), file.permissions().mode())).unwrap();
    let before = null();
    let ended = Bundle::new(&["id", "-u"]).with("/process/user", json!({"uid": 1000, "gid": 1000})).run();
    assert_eq!((ended.stdout.as_str(), null()), ("1000\n", before), "{ended:?}");
}
