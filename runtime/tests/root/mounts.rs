//! File systems of a container.

use std::os::unix::fs::{PermissionsExt, chown, symlink};

use serde_json::json;

use crate::support::Bundle;

#[test]
#[ignore = "needs root"]
fn a_volume_is_writable_or_not_as_asked() {
    let volume = tempfile::tempdir().unwrap();
    let script = "touch /rw/made && echo made; touch /ro/x || echo refused";
    let ended = Bundle::new(&["sh", "-c", script])
        .mounted(json!({"destination": "/rw", "source": volume.path(), "options": ["rbind", "rprivate"]}))
        .mounted(json!({"destination": "/ro", "source": volume.path(), "options": ["rbind", "rprivate", "ro"]}))
        .run();
    assert_eq!(ended.stdout, "made\nrefused\n", "{ended:?}");
    assert!(volume.path().join("made").exists());
}

#[test]
#[ignore = "needs root"]
fn recursively_read_only_reaches_the_mounts_below() {
    let below = tempfile::tempdir().unwrap();
    let tree = tempfile::tempdir().unwrap();
    std::fs::create_dir(tree.path().join("sub")).unwrap();
    // The tree has a mount in it: made inside the container's own mounts, by a first bind over `sub`.
    let script = "touch /tree/sub/x || echo refused";
    let bundle = Bundle::new(&["sh", "-c", script]);
    std::fs::create_dir_all(bundle.root().join("tree/sub")).unwrap();
    let ended = bundle
        .mounted(json!({"destination": "/tree", "source": tree.path(), "options": ["rbind"]}))
        .mounted(json!({"destination": "/tree/sub", "source": below.path(), "options": ["rbind", "rro"]}))
        .run();
    assert_eq!(ended.stdout, "refused\n", "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_file_is_mounted_over_a_file_that_is_made() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "127.0.0.1 localhost\n").unwrap();
    let bundle = Bundle::new(&["cat", "/etc/hosts", "/etc/resolv.conf"]);
    // As many images have it: a link to where nothing is.
    symlink("../run/resolvconf/resolv.conf", bundle.root().join("etc/resolv.conf")).unwrap();
    let mount = |destination| json!({"destination": destination, "source": file.path(), "options": ["bind", "ro"]});
    let ended = bundle.mounted(mount("/etc/hosts")).mounted(mount("/etc/resolv.conf")).run();
    assert_eq!(ended.stdout, "127.0.0.1 localhost\n127.0.0.1 localhost\n", "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_missing_source_is_named() {
    let ended = Bundle::new(&["true"])
        .mounted(json!({"destination": "/data", "source": "/nowhere/at/all", "options": ["bind"]}))
        .run();
    assert_eq!(ended.code, 125);
    assert!(ended.stderr.contains("`/nowhere/at/all`") && ended.stderr.contains("No such file"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_tmpfs_has_its_size_and_takes_the_mode_it_covers() {
    let script = "mount | grep ' /tmp ' | grep -c size=1024k; stat -c %a /tmp /run; \
                  head -c 2000000 /dev/zero > /tmp/x || echo full";
    let bundle = Bundle::new(&["sh", "-c", script]);
    std::fs::create_dir(bundle.root().join("run")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(bundle.root().join("run"), mode).unwrap();
    let ended = bundle
        .mounted(
            json!({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["size=1024k", "mode=1777"]}),
        )
        .mounted(json!({"destination": "/run", "type": "tmpfs", "source": "tmpfs"}))
        .run();
    assert_eq!(ended.stdout, "1\n1777\n700\nfull\n", "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn an_unknown_option_is_named() {
    let ended = Bundle::new(&["true"])
        .mounted(json!({"destination": "/x", "type": "tmpfs", "source": "tmpfs", "options": ["nonsense=1"]}))
        .run();
    assert_eq!(ended.code, 125);
    assert!(ended.stderr.contains("nonsense") && ended.stderr.contains("`/x`"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_read_only_root_leaves_volumes_writable() {
    let script = "touch /x || echo refused; touch /data/x && echo made; touch /dev/shm/x && echo made";
    let volume = tempfile::tempdir().unwrap();
    let ended = Bundle::new(&["sh", "-c", script])
        .with("/root/readonly", json!(true))
        .mounted(json!({"destination": "/data", "source": volume.path(), "options": ["bind"]}))
        .run();
    assert_eq!(ended.stdout, "refused\nmade\nmade\n", "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn the_rootfs_of_the_caller_is_as_it_was() {
    let bundle = Bundle::new(&["sh", "-c", "touch /made; mount | wc -l"]).with("/root/readonly", json!(false));
    bundle.run();
    assert!(bundle.root().join("made").exists());
    assert_eq!(std::fs::read_dir(bundle.root().join("dev")).unwrap().count(), 0, "nodes went into the tmpfs");
}

#[test]
#[ignore = "needs root"]
fn a_tmpfs_takes_over_what_the_image_has_in_its_place() {
    let script = "cat /data/sub/file /data/link; stat -c '%a %u' /data/sub/file /data; touch /data/x 2>/dev/null || echo refused; \
                  mount | grep -c ' /data type tmpfs'";
    let bundle = Bundle::new(&["sh", "-c", script]);
    let data = bundle.root().join("data");
    std::fs::create_dir_all(data.join("sub")).unwrap();
    std::fs::write(data.join("sub/file"), "from the image\n").unwrap();
    std::fs::set_permissions(data.join("sub/file"), PermissionsExt::from_mode(0o640)).unwrap();
    chown(data.join("sub/file"), Some(1000), Some(1000)).unwrap();
    chown(&data, Some(1000), Some(1000)).unwrap();
    symlink("sub/file", data.join("link")).unwrap();
    let options = json!(["tmpcopyup", "ro", "nosuid"]);
    let ended =
        bundle.mounted(json!({"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": options})).run();
    let expected = "from the image\nfrom the image\n640 1000\n755 1000\nrefused\n1\n";
    assert_eq!(ended.stdout, expected, "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn what_is_copied_into_a_tmpfs_stays_within_its_size() {
    let bundle = Bundle::new(&["true"]);
    std::fs::create_dir(bundle.root().join("data")).unwrap();
    std::fs::write(bundle.root().join("data/big"), vec![1; 1 << 20]).unwrap();
    let options = json!(["tmpcopyup", "size=64k"]);
    let ended =
        bundle.mounted(json!({"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": options})).run();
    assert!(ended.code == 125 && ended.stderr.contains("`/data/big`"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn an_option_no_bind_mount_has_is_named_with_its_mount() {
    let ended = Bundle::new(&["true"])
        .with("/mounts", json!([{"destination": "/x", "source": "/tmp", "options": ["bind", "size=1m"]}]))
        .run();
    assert!(ended.code == 125 && ended.stderr.contains("`mounts[0].options`"), "{ended:?}");
    let ended = Bundle::new(&["true"])
        .with("/mounts", json!([{"destination": "/x", "type": "tmpfs", "options": ["nonsense=1"]}]))
        .run();
    assert!(ended.code == 125 && ended.stderr.contains("`mounts[0]`: "), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn the_root_propagates_as_asked() {
    // The optional fields of the root's line in mountinfo (proc_pid_mountinfo(5)).
    let script = "while read id parent dev root point options field rest; do \
                    test \"$point\" = / && echo ${field%%:*}; \
                  done < /proc/self/mountinfo";
    for (value, expected) in [
        ("private", "-"),
        ("rprivate", "-"),
        ("shared", "shared"),
        ("rshared", "shared"),
        ("unbindable", "unbindable"),
        ("runbindable", "unbindable"),
        ("", "-"),
    ] {
        let ended = Bundle::new(&["sh", "-c", script]).with("/linux/rootfsPropagation", json!(value)).run();
        assert_eq!(ended.stdout.trim(), expected, "{value}: {ended:?}");
    }
    let ended = Bundle::new(&["true"]).with("/linux/rootfsPropagation", json!("sideways")).run();
    assert!(ended.code == 125 && ended.stderr.contains("`linux.rootfsPropagation`"), "{ended:?}");
}

/// A directory that is a shared mount of this namespace while the value lives.
struct Shared(tempfile::TempDir);

impl Shared {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (path, none) = (directory.path(), None::<&str>);
        nix::mount::mount(Some(path), path, none, nix::mount::MsFlags::MS_BIND, none).unwrap();
        // Out of the group it is born into where the root is shared: there it would see each mount below it twice.
        nix::mount::mount(none, path, none, nix::mount::MsFlags::MS_PRIVATE, none).unwrap();
        nix::mount::mount(none, path, none, nix::mount::MsFlags::MS_SHARED, none).unwrap();
        Self(directory)
    }

    /// What is mounted below it, as this namespace sees it.
    fn below(&self) -> usize {
        let mountinfo = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        mountinfo.matches(&format!(" {}/", self.0.path().display())).count()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let _gone = nix::mount::umount2(self.0.path(), nix::mount::MntFlags::MNT_DETACH);
    }
}

#[test]
#[ignore = "needs root"]
fn mounts_reach_the_host_only_where_the_spec_ties_them() {
    for (root, volume, expected) in [
        ("", "rprivate", 0),
        ("", "rslave", 0),
        ("", "rshared", 0),
        ("rslave", "rslave", 0),
        ("rprivate", "rprivate", 0),
        ("shared", "rprivate", 0),
        ("shared", "rshared", 1),
        ("rshared", "rshared", 1),
    ] {
        let shared = Shared::new();
        std::fs::create_dir(shared.0.path().join("sub")).unwrap();
        let script = "mount -t tmpfs none /data/sub && touch /tmp/mounted && \
                      while test -e /tmp/mounted; do :; done; umount /data/sub";
        let bundle = Bundle::new(&["sh", "-c", script])
            .with("/linux/rootfsPropagation", json!(root))
            .with("/linux/seccomp", json!(null))
            .with("/process/capabilities/effective", json!(["CAP_SYS_ADMIN"]))
            .with("/process/capabilities/permitted", json!(["CAP_SYS_ADMIN"]))
            .with("/process/capabilities/bounding", json!(["CAP_SYS_ADMIN"]))
            .mounted(json!({"destination": "/data", "source": shared.0.path(), "options": ["rbind", volume]}));
        let flag = bundle.root().join("tmp/mounted");
        let (ended, seen) = std::thread::scope(|scope| {
            let looking = scope.spawn(|| {
                let limit = std::time::Instant::now() + std::time::Duration::from_secs(20);
                while !flag.exists() && std::time::Instant::now() < limit {
                    std::thread::yield_now();
                }
                let seen = shared.below();
                let _gone = std::fs::remove_file(&flag);
                seen
            });
            let ended = bundle.run();
            (ended, looking.join().unwrap())
        });
        assert_eq!((ended.code, seen), (0, expected), "root {root:?}, volume {volume}: {ended:?}");
    }
}
