//! Containers in user namespaces.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use serde_json::{Value, json};

use crate::support::Bundle;

/// The host's id of the container's root.
const ROOT: u32 = 100_000;

/// A container whose root is a plain user of the host, owner of its root filesystem.
fn mapped(args: &[&str]) -> Bundle {
    let mut bundle = Bundle::new(args);
    give(&bundle.root());
    let map = json!([{"containerID": 0, "hostID": ROOT, "size": 65_536}]);
    bundle.spec["linux"]["uidMappings"] = map.clone();
    bundle.spec["linux"]["gidMappings"] = map;
    namespace(&mut bundle.spec, json!({"type": "user"}));
    bundle
}

fn namespace(spec: &mut Value, namespace: Value) {
    spec["linux"]["namespaces"].as_array_mut().unwrap().push(namespace);
}

fn give(path: &Path) {
    std::os::unix::fs::lchown(path, Some(ROOT), Some(ROOT)).unwrap();
    if path.symlink_metadata().unwrap().is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path()));
    }
}

#[test]
#[ignore = "needs root"]
fn its_root_is_a_plain_user_of_the_host() {
    let script = "id -u; cat /proc/self/uid_map; touch /made; stat -c %u /made; stat -L -c %u /proc/self; \
                  grep CapEff /proc/self/status; cat /proc/self/setgroups; hostname";
    let bundle = mapped(&["sh", "-c", script]);
    let ended = bundle.run();
    let map = "         0     100000      65536\n";
    assert_eq!(ended.stdout, format!("0\n{map}0\n0\nCapEff:\t00000000a80425fb\nallow\nbox\n"), "{ended:?}");
    assert_eq!(bundle.root().join("made").metadata().unwrap().uid(), ROOT);
}

#[test]
#[ignore = "needs root"]
fn its_file_systems_and_devices_are_all_there() {
    let script = "echo x > /dev/null && head -c 1 /dev/zero | wc -c; ls -l /dev/full | head -c 1; \
                  cat /proc/kcore | wc -c; touch /dev/shm/x && echo shm; ls /dev/pts/ptmx; ls -d /sys/kernel; \
                  ls /sys/fs/cgroup | wc -l | grep -qv '^0$' && echo cgroup; echo 1 > /proc/sys/vm/drop_caches || echo refused";
    let ended = mapped(&["sh", "-c", script]).run();
    assert_eq!(ended.stdout, "1\nc0\nshm\n/dev/pts/ptmx\n/sys/kernel\ncgroup\nrefused\n", "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn sources_its_root_cannot_reach_are_mounted_all_the_same() {
    let secret = tempfile::tempdir().unwrap();
    std::fs::set_permissions(secret.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let volume = secret.path().join("volume");
    std::fs::create_dir(&volume).unwrap();
    give(&volume);
    std::fs::write(volume.join("file"), "content\n").unwrap();
    let script =
        "cat /data/file /one; touch /data/new && echo made; touch /ro/x 2>/dev/null || echo refused; stat -c %u /one";
    let bind = |destination: &str, source: &Path, options: Value| json!({"destination": destination, "source": source, "options": options});
    let ended = mapped(&["sh", "-c", script])
        .mounted(bind("/data", &volume, json!(["rbind"])))
        .mounted(bind("/ro", &volume, json!(["rbind", "ro"])))
        .mounted(bind("/one", &volume.join("file"), json!(["bind"])))
        .run();
    // The file is the host's root's, whom the container does not know.
    assert_eq!(ended.stdout, "content\ncontent\nmade\nrefused\n65534\n", "{ended:?}");
    assert_eq!(volume.join("new").metadata().unwrap().uid(), ROOT);
}

#[test]
#[ignore = "needs root"]
fn its_namespaces_belong_to_it() {
    let mut bundle = mapped(&["sh", "-c", "hostname other && hostname; cat /proc/sys/net/ipv4/ip_forward"])
        .with("/linux/sysctl", json!({"net.ipv4.ip_forward": "1"}));
    let admin = json!(["CAP_SYS_ADMIN"]);
    for set in ["bounding", "effective", "permitted"] {
        bundle.spec["process"]["capabilities"][set] = admin.clone();
    }
    bundle.spec["linux"]["seccomp"] = json!(null);
    let ended = bundle.run();
    assert_eq!(ended.stdout, "other\n1\n", "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_user_of_it_may_open_its_pipes_again() {
    let ended = mapped(&["sh", "-c", "id -u; echo again > /dev/stdout"])
        .with("/process/user", json!({"uid": 1000, "gid": 1000}))
        .verb("pipes", &[]);
    assert_eq!(ended.stdout, "1000\nagain\n", "{ended:?}");
    let ended = mapped(&["sh", "-c", "echo again > /dev/stdout"]).verb("pipes", &[]);
    assert_eq!(ended.stdout, "again\n", "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn it_has_a_terminal_of_its_own() {
    let script = "tty; stty size; test -c /dev/console && echo console; echo to > /dev/tty";
    let ended = mapped(&["sh", "-c", script]).verb("terminal", &[]);
    assert_eq!(ended.stdout.replace("\r\n", "\n"), "/dev/pts/0\n40 120\nconsole\nto\n", "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_second_process_lives_in_it_too() {
    let script = "id -u; cat /proc/self/uid_map; readlink /proc/self/ns/user; grep CapBnd /proc/self/status; touch /made; \
                  grep Groups /proc/self/status";
    let bundle = mapped(&["sleep", "20"]);
    let ended = bundle.exec(&["sh", "-c", script], |_| {});
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines[..2], ["0", "         0     100000      65536"], "{ended:?}");
    let own = std::fs::read_link("/proc/self/ns/user").unwrap();
    assert_ne!(Path::new(lines[2]), own, "{ended:?}");
    assert_eq!(lines[3..], ["CapBnd:\t00000000a80425fb", "Groups:\t "], "{ended:?}");
    assert_eq!(bundle.root().join("made").metadata().unwrap().uid(), ROOT);
}

#[test]
#[ignore = "needs root"]
fn one_that_exists_is_joined() {
    let other = crate::support::Holder::new(&["--user"]);
    for map in ["uid_map", "gid_map"] {
        std::fs::write(other.path("..").replace("ns/..", map), format!("0 {ROOT} 65536\n")).unwrap();
    }
    let mut bundle = Bundle::new(&["sh", "-c", "id -u; readlink /proc/self/ns/user; touch /made"]);
    give(&bundle.root());
    namespace(&mut bundle.spec, json!({"type": "user", "path": other.path("user")}));
    let ended = bundle.run();
    let expected = std::fs::read_link(other.path("user")).unwrap();
    assert_eq!(ended.stdout, format!("0\n{}\n", expected.display()), "{ended:?}");
    assert_eq!(bundle.root().join("made").metadata().unwrap().uid(), ROOT);
}

#[test]
#[ignore = "needs root"]
fn the_hosts_own_is_no_confinement() {
    let mut bundle = Bundle::new(&["true"]);
    namespace(&mut bundle.spec, json!({"type": "user", "path": "/proc/self/ns/user"}));
    let ended = bundle.run();
    assert!(ended.code == 125 && ended.stderr.contains("it is the host's"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn maps_and_namespace_come_together_or_not_at_all() {
    let mut bundle = Bundle::new(&["true"]);
    namespace(&mut bundle.spec, json!({"type": "user"}));
    let ended = bundle.run();
    assert!(ended.code == 125 && ended.stderr.contains("`linux.uidMappings`"), "{ended:?}");
    let ended =
        Bundle::new(&["true"]).with("/linux/gidMappings", json!([{"containerID": 0, "hostID": 1, "size": 1}])).run();
    assert!(ended.code == 125 && ended.stderr.contains("`linux.gidMappings`"), "{ended:?}");
    let ended = mapped(&["true"]).with("/process/user", json!({"uid": 70_000, "gid": 0})).run();
    assert!(ended.code == 125 && ended.stderr.contains("`process.user.uid`"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn the_files_of_a_mount_are_shown_with_other_ids() {
    let volume = tempfile::tempdir().unwrap();
    std::fs::write(volume.path().join("file"), "x").unwrap();
    chown(volume.path().join("file"), Some(7), Some(8)).unwrap();
    let bind = |options: Value| json!({"destination": "/data", "source": volume.path(), "options": options});
    // By the container's own maps: what the host's root owns is the container's root's.
    let script = "stat -c '%u %g' /data /data/file; touch /data/new && stat -c %u /data/new";
    let ended = mapped(&["sh", "-c", script]).mounted(bind(json!(["rbind", "idmap"]))).run();
    assert_eq!(ended.stdout, "0 0\n7 8\n0\n", "{ended:?}");
    assert_eq!(volume.path().join("new").metadata().unwrap().uid(), 0);
    // By maps of its own, without any user namespace.
    let mut mount = bind(json!(["bind", "idmap"]));
    mount["uidMappings"] = json!([{"containerID": 7, "hostID": 1007, "size": 1}]);
    mount["gidMappings"] = json!([{"containerID": 8, "hostID": 1008, "size": 1}]);
    let ended = Bundle::new(&["stat", "-c", "%u %g", "/data/file", "/data"]).mounted(mount).run();
    assert_eq!(ended.stdout, "1007 1008\n65534 65534\n", "{ended:?}");
    let ended = Bundle::new(&["true"]).mounted(bind(json!(["bind", "idmap"]))).run();
    assert!(ended.code == 125 && ended.stderr.contains("].options`"), "{ended:?}");
}
