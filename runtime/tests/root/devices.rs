//! Device nodes.

use std::os::unix::fs::{MetadataExt, symlink};

use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use serde_json::json;

use crate::support::Bundle;

#[test]
#[ignore = "needs root"]
fn nodes_have_their_kind_number_mode_and_owner() {
    let devices = json!([
        {"path": "/dev/u", "type": "u", "major": 1, "minor": 3, "fileMode": 0o640, "uid": 7, "gid": 8},
        {"path": "/dev/deep/er/c", "type": "c", "major": 1, "minor": 5, "fileMode": 0o1711},
        {"path": "/dev/b", "type": "b", "major": 7, "minor": 9},
        {"path": "/opt/fifo", "type": "p", "fileMode": 0o622, "gid": 5},
    ]);
    let script = "stat -c '%F %t:%T %a %u:%g' /dev/u /dev/deep/er/c /dev/b /opt/fifo";
    let ended = Bundle::new(&["sh", "-c", script]).with("/linux/devices", devices).run();
    let expected = "character special file 1:3 640 7:8\ncharacter special file 1:5 1711 0:0\n\
                    block special file 7:9 666 0:0\nfifo 0:0 622 0:5\n";
    assert_eq!(ended.stdout, expected, "{ended:?}");
}

/// The controller of version 1 takes a rule at a time, and forbids all that later ones allow until then. The program of version 2 takes
/// the kernel's verifier steps by the square of the rules, and is in force at once.
#[test]
#[ignore = "needs root"]
fn nodes_are_made_once_all_rules_are_in_force() {
    let is_version_2 = std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let many = (0..if is_version_2 { 200 } else { 2000 })
        .map(|minor| json!({"allow": true, "type": "b", "major": 4000, "minor": minor, "access": "r"}));
    let rules: Vec<_> = [json!({"allow": false, "access": "rwm"})].into_iter().chain(many).collect();
    let ended = Bundle::new(&["grep", "-c", " /dev/[a-z]* .* devtmpfs ", "/proc/self/mountinfo"])
        .with("/linux/resources", json!({"devices": rules}))
        .run();
    assert_eq!(ended.stdout, "0\n", "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn what_is_there_already_must_be_that_device() {
    let device = json!([{"path": "/opt/null", "type": "c", "major": 1, "minor": 3}]);
    let bundle = Bundle::new(&["stat", "-c", "%t:%T", "/opt/null"]).with("/linux/devices", device.clone());
    std::fs::create_dir(bundle.root().join("opt")).unwrap();
    mknod(&bundle.root().join("opt/null"), SFlag::S_IFCHR, Mode::S_IRUSR, makedev(1, 3)).unwrap();
    assert_eq!(bundle.run().stdout, "1:3\n");
    let bundle = Bundle::new(&["true"]).with("/linux/devices", device);
    std::fs::create_dir(bundle.root().join("opt")).unwrap();
    std::fs::write(bundle.root().join("opt/null"), "a file").unwrap();
    let ended = bundle.run();
    assert!(ended.code == 125 && ended.stderr.contains("`/opt/null`"), "{ended:?}");
    assert_eq!(std::fs::read_to_string(bundle.root().join("opt/null")).unwrap(), "a file");
}

#[test]
#[ignore = "needs root"]
fn no_node_is_made_through_a_link_of_the_image() {
    let canary = tempfile::tempdir().unwrap();
    for path in ["/out/node", "/out/deep/node"] {
        let bundle =
            Bundle::new(&["true"]).with("/linux/devices", json!([{"path": path, "type": "c", "major": 1, "minor": 3}]));
        symlink(canary.path(), bundle.root().join("out")).unwrap();
        let ended = bundle.run();
        assert_eq!(ended.code, 125, "{ended:?}");
        assert_eq!(std::fs::read_dir(canary.path()).unwrap().count(), 0);
    }
}

#[test]
#[ignore = "needs root"]
fn a_dev_of_the_host_is_used_as_it_is() {
    let host = tempfile::tempdir().unwrap();
    for (name, minor) in [("null", 3), ("zero", 5)] {
        mknod(&host.path().join(name), SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(1, minor)).unwrap();
    }
    let proc = json!({"destination": "/proc", "type": "proc", "source": "proc"});
    let dev = json!({"destination": "/dev", "source": host.path(), "options": ["bind"]});
    let ended = Bundle::new(&["ls", "/dev"]).with("/mounts", json!([proc, dev])).run();
    assert_eq!(ended.stdout, "null\nzero\n", "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_disk_in_an_image_or_a_volume_cannot_be_read() {
    let root = std::fs::metadata("/").unwrap().dev();
    let volume = tempfile::tempdir().unwrap();
    let script = "for disk in /disk /volume/disk; do head -c 1 $disk || echo refused; done";
    let bundle = Bundle::new(&["sh", "-c", script]);
    for directory in [&bundle.root(), volume.path()] {
        mknod(&directory.join("disk"), SFlag::S_IFBLK, Mode::from_bits_truncate(0o666), root).unwrap();
    }
    let ended = bundle.mounted(json!({"destination": "/volume", "source": volume.path(), "options": ["rbind"]})).run();
    assert_eq!(ended.stdout, "refused\nrefused\n", "{ended:?}");
    assert_eq!(ended.stderr.matches("Operation not permitted").count(), 2, "{ended:?}");
}
