//! config.md, "Mounts": what is mounted where, and in which order.

use nix::mount::{MsFlags, mount};
use serde_json::json;

use crate::harness::{Config, Container, inside, refused};

/// Returns a folder of the bundle with a file `file`, and a tmpfs with a file `below` at `sub`, mounted in this test's namespace.
fn folder_with_a_mount(config: &Config) -> std::path::PathBuf {
    config.file("tree/file", "text");
    let sub = config.folder("tree/sub");
    mount(Some("tmpfs"), &sub, Some("tmpfs"), MsFlags::empty(), None::<&str>).expect("tmpfs can be mounted");
    config.file("tree/sub/below", "text");
    config.folder("tree")
}

/// Undoes [`folder_with_a_mount`], as a test must before its end.
fn unmount(container: &Container) {
    nix::mount::umount(&container.bundle().join("tree/sub")).expect("nothing uses it any more");
}

#[test]
#[ignore = "needs root"]
fn mounts_are_made_in_the_listed_order() {
    let text = inside(|config| {
        config.file("one/first", "");
        let (one, two) = (config.folder("one"), config.folder("two"));
        config.mount("/mnt", "bind", one, &["bind"]);
        config.mount("/mnt/sub", "tmpfs", "tmpfs", &[]).mount("/run/sub", "tmpfs", "tmpfs", &[]);
        config.mount("/run", "bind", two, &["bind"]);
        config.script("ls /mnt; ls /run; awk '$5 ~ \"^/(mnt|run)\" {print $5}' /proc/self/mountinfo")
    });
    assert_eq!(text, "first\nsub\n/mnt\n/mnt/sub\n/run/sub\n/run");
}

#[test]
#[ignore = "needs root"]
fn a_folder_and_a_file_can_be_bound() {
    let container = Container::new(|config| {
        let file = config.file("tree/file", "text\n");
        let folder = config.folder("tree");
        config.mount("/mnt", "bind", folder, &["bind"]).mount("/etc/bound", "bind", file, &["bind"]);
        config.script("cat /mnt/file /etc/bound; echo new >/mnt/new")
    });
    assert_eq!(container.run().ok().text(), "text\ntext");
    assert!(container.bundle().join("tree/new").exists());
}

#[test]
#[ignore = "needs root"]
fn the_option_makes_a_bind_mount_whatever_the_type() {
    let text = inside(|config| {
        config.file("tree/file", "text");
        let folder = config.folder("tree");
        config.mount("/mnt", "none", folder, &["bind"]).script("cat /mnt/file")
    });
    assert_eq!(text, "text");
}

#[test]
#[ignore = "needs root"]
fn a_bind_source_may_be_relative_to_the_bundle() {
    let text = inside(|config| {
        config.file("tree/file", "text");
        config.mount("/mnt", "bind", "tree", &["bind"]).script("cat /mnt/file")
    });
    assert_eq!(text, "text");
}

#[test]
#[ignore = "needs root"]
fn a_recursive_bind_has_the_mounts_below_and_a_plain_one_has_not() {
    for (option, expected) in [("rbind", "below"), ("bind", "")] {
        let container = Container::new(|config| {
            let folder = folder_with_a_mount(config);
            config.mount("/mnt", "bind", folder, &[option]).script("ls /mnt/sub")
        });
        assert_eq!(container.run().ok().text(), expected, "{option}");
        unmount(&container);
    }
}

#[test]
#[ignore = "needs root"]
fn a_read_only_bind_cannot_be_written() {
    let text = inside(|config| {
        let folder = config.folder("tree");
        config.mount("/mnt", "bind", folder, &["bind", "ro"]).script("touch /mnt/file 2>/dev/null || echo refused")
    });
    assert_eq!(text, "refused");
}

#[test]
#[ignore = "needs root"]
fn recursive_options_reach_the_mounts_below() {
    for (option, expected) in [("rro", "refused"), ("ro", "written")] {
        let container = Container::new(|config| {
            let folder = folder_with_a_mount(config);
            config.mount("/mnt", "bind", folder, &["rbind", option]);
            config.script("touch /mnt/sub/file 2>/dev/null && echo written || echo refused")
        });
        assert_eq!(container.run().ok().text(), expected, "{option}");
        unmount(&container);
    }
}

#[test]
#[ignore = "needs root"]
fn options_of_the_file_system_reach_it() {
    let text = inside(|config| {
        config.mount("/mnt", "tmpfs", "tmpfs", &["size=128k", "mode=0710", "uid=12", "nr_inodes=100"]);
        config.script("stat -c '%a %u' /mnt; stat -f -c '%b %S %c' /mnt")
    });
    assert_eq!(text, "710 12\n32 4096 100");
}

#[test]
#[ignore = "needs root"]
fn a_relative_destination_is_below_the_root() {
    let text = inside(|config| {
        config.mount("mnt", "tmpfs", "tmpfs", &[]).set("/process/cwd", json!("/tmp"));
        config.script("awk '$5 ~ \"mnt\" {print $5}' /proc/self/mountinfo")
    });
    assert_eq!(text, "/mnt");
}

#[test]
#[ignore = "needs root"]
fn a_mount_that_cannot_be_made_is_refused() {
    refused(|config| config.mount("/mnt", "bind", "/nowhere/at/all", &["bind"]));
    refused(|config| config.mount("/mnt", "nosuchfs", "none", &[]));
    refused(|config| config.mount("/mnt", "tmpfs", "tmpfs", &["nosuchoption"]));
    refused(|config| config.push("/mounts", json!({"type": "tmpfs", "source": "tmpfs"})));
}

#[test]
#[ignore = "needs root"]
fn a_tmpfs_that_copies_up_has_what_was_below_it() {
    let container = Container::new(|config| {
        config.file("rootfs/data/file", "text");
        config.file("rootfs/data/folder/other", "text");
        config
            .mount("/data", "tmpfs", "tmpfs", &["tmpcopyup"])
            .script("cat /data/file /data/folder/other; echo new >/data/new")
    });
    assert_eq!(container.run().ok().text(), "texttext");
    assert!(!container.rootfs().join("data/new").exists());
}

#[test]
#[ignore = "needs root"]
fn the_propagation_of_a_mount_is_the_asked_for() {
    // The optional fields of proc_pid_mountinfo(5) are before the lone dash.
    let fields = |option: &str| {
        inside(|config| {
            config.mount("/mnt", "tmpfs", "tmpfs", &[option]);
            config.script("awk '$5 == \"/mnt\" {print $7}' /proc/self/mountinfo | sed 's/:.*//'")
        })
    };
    for (options, expected) in [
        (["shared", "rshared"], "shared"),
        (["private", "rprivate"], "-"),
        (["unbindable", "runbindable"], "unbindable"),
    ] {
        for option in options {
            assert_eq!(fields(option), expected, "{option}");
        }
    }
}

#[test]
#[ignore = "needs root"]
fn a_slave_gets_what_is_mounted_on_the_host_and_a_private_mount_does_not() {
    for (option, expected) in [("rslave", true), ("slave", true), ("rprivate", false)] {
        let container = Container::new(|config| {
            let folder = config.folder("tree");
            let flags = [MsFlags::MS_BIND, MsFlags::MS_SHARED];
            for flags in flags {
                mount(Some(&folder), &folder, None::<&str>, flags, None::<&str>).expect("the folder is ours");
            }
            config.folder("tree/sub");
            config.stays().set("/linux/rootfsPropagation", json!("rslave")).mount(
                "/mnt",
                "bind",
                folder,
                &["rbind", option],
            )
        });
        let container = container.up();
        let (tree, sub) = (container.bundle().join("tree"), container.bundle().join("tree/sub"));
        mount(Some("tmpfs"), &sub, Some("tmpfs"), MsFlags::empty(), None::<&str>).expect("the folder is ours");
        assert_eq!(container.proc("mountinfo").contains(" /mnt/sub "), expected, "{option}");
        container.kill("KILL").ok();
        container.becomes("stopped");
        for path in [sub, tree] {
            nix::mount::umount2(&path, nix::mount::MntFlags::MNT_DETACH).expect("it is mounted");
        }
    }
}

/// Maps the owner 0 of the source to 5000 in the container.
fn mapped(options: &[&str]) -> serde_json::Value {
    let mapping = json!([{"containerID": 0, "hostID": 5000, "size": 10}]);
    json!({"destination": "/mnt", "type": "bind", "source": "tree", "options": options, "uidMappings": mapping, "gidMappings": mapping})
}

#[test]
#[ignore = "needs root"]
fn a_mapped_mount_shows_the_mapped_owners() {
    for options in [&["bind", "idmap"][..], &["bind"], &["rbind", "ridmap"]] {
        let container = Container::new(|config| {
            config.file("tree/file", "text");
            config.push("/mounts", mapped(options)).script("stat -c '%u %g' /mnt/file")
        });
        assert_eq!(container.run().ok().text(), "5000 5000", "{options:?}");
    }
}

#[test]
#[ignore = "needs root"]
fn a_mapped_mount_without_any_mapping_is_refused() {
    refused(|config| {
        let folder = config.folder("tree");
        config.mount("/mnt", "bind", folder, &["bind", "idmap"])
    });
}
